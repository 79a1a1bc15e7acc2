"""The papers' claim that regularisers leave inference alone: one graph, whatever trained it.

A graph follows from the detector and the recipe's table of layers (``recipe.generator``), never
from its objective or critic. The baseline of a published recipe is ``dcgan-published``, that of all
others ``dcgan``. Recipes with another table are named here, field by field; at one table they, too,
give one graph.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.detectors import detector_of_name
from caloforge.export.o2 import generator_graph
from caloforge.export.onnx_builder import export_simulator, graph_bytes, make_reference
from caloforge.recipe import GeneratorConfig
from caloforge.recipes import DETECTORS_OF, RECIPES, recipe_of_name
from caloforge.simulator import CARD, Simulator
from caloforge.simulator.sampling import NegativeBinomial
from caloforge.train import train
from small_run import small_recipe, write_part_of_sample

ALIKE = ("alice_zn", "alice_zp", "atlas_em")
OWN_LAYERS: dict[tuple[str, str], set[str]] = {
    ("calibrated", "alice_zn"): {"head"},
    ("calibrated", "alice_zp"): {"head"},
    ("calibrated", "atlas_em"): {"kind", "latent", "attention", "head"},
    ("calogan", "atlas_em"): {"kind", "latent", "attributes", "attention", "head"},
    ("conditional-calogan", "atlas_em"): {"kind", "latent", "attention", "head"},
    ("calogan-published", "atlas_em"): {"kind", "latent", "attributes", "features", "head"},
    ("conditional-calogan-published", "atlas_em"): {
        "kind", "latent", "features", "blur", "blurred", "head",
    },
}  # fmt: skip
"""Recipes whose table of layers is another than that of their baseline, and where it differs: the
head of the total, and networks of layers, which the papers of the layered calorimeter describe."""
MADE_FOR = [
    (name, detector)
    for detector in ALIKE
    for name in sorted(RECIPES)
    if detector in DETECTORS_OF.get(name, ALIKE)
]
NEUTRONS = [[1000.0, 0, 0, 0, 1, -1, 999, 939.6, 0], [50, 0, 0, 0, 0.1, 0, 49, 497.6, 0]]


def conditions(detector: Detector) -> np.ndarray:
    """Two particles."""
    columns = len(detector.columns)
    return np.array([row[:columns] for row in NEUTRONS]) + 0.01


def generator_of(config: GeneratorConfig, name: str, seed: int) -> torch.nn.Module:
    detector = detector_of_name(name)
    torch.manual_seed(seed)
    scaling = FeatureScaling.fit(detector, conditions(detector), config.features, config.attributes)
    return config.build(detector, scaling).eval()


def structure(model: bytes) -> tuple[object, ...]:
    """Nodes, wires and shapes of a graph, without the values of its weights."""
    graph = onnx.load_from_string(model).graph
    nodes = [(n.op_type, tuple(n.input), tuple(n.output), str(n.attribute)) for n in graph.node]
    weights = sorted((w.name, w.data_type, tuple(w.dims)) for w in graph.initializer)
    ends = [str(end) for end in (*graph.input, *graph.output)]
    return (nodes, weights, ends)


def graph_of(config: GeneratorConfig, detector: str, seed: int) -> tuple[object, ...]:
    """Structure of the exported graph."""
    return graph_of_json(config.model_dump_json(), detector, seed)


@cache
def graph_of_json(text: str, detector: str, seed: int) -> tuple[object, ...]:
    """The same, made once for each text of the settings."""
    config = GeneratorConfig.model_validate_json(text)
    generator = generator_of(config, detector, seed)
    condition_rows = conditions(detector_of_name(detector))
    return structure(
        graph_bytes(generator, make_reference(generator, config.latent, condition_rows))
    )


def layers(name: str, detector: str) -> GeneratorConfig:
    return recipe_of_name(name, detector).generator


def test_every_recipe_is_looked_at() -> None:
    assert {name for name, _ in MADE_FOR} == set(RECIPES)
    assert set(OWN_LAYERS) <= set(MADE_FOR)


@pytest.mark.parametrize(("name", "detector"), MADE_FOR)
def test_table_of_layers_is_that_of_the_baseline(name: str, detector: str) -> None:
    published = name.endswith("-published") and detector != "atlas_em"
    of = "dcgan-published" if published else "dcgan"
    own, baseline = (layers(one, detector).model_dump() for one in (name, of))
    differing = {field for field in own if own[field] != baseline[field]}
    assert differing == OWN_LAYERS.get((name, detector), set())


@pytest.fixture(scope="module")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some particles of the shipped sample."""
    return write_part_of_sample(tmp_path_factory.mktemp("showers") / "zn.h5")


def trained(name: str, seed: int, showers: Path, out: Path) -> tuple[object, ...]:
    """Structure of the graph that two steps of an ordinary run leave in its simulator."""
    recipe = small_recipe("training.steps=2", name=name, seed=seed)
    run = train(recipe, showers, out, threads=1).path
    return structure((run / "simulator" / "generator.onnx").read_bytes())


@pytest.fixture(scope="module")
def baseline(showers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    return trained("dcgan", 0, showers, tmp_path_factory.mktemp("runs") / "dcgan")


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - DETECTORS_OF - {"dcgan", "calibrated"}))
def test_trained_graph_is_that_of_the_baseline(
    name: str, baseline: tuple[object, ...], showers: Path, tmp_path: Path
) -> None:
    """Objectives, critics, helpers and their optimisers leave no trace in what is shipped."""
    assert trained(name, 1, showers, tmp_path / name) == baseline


LIGHT = sorted(
    one for one in OWN_LAYERS if one[1] == "atlas_em" and not one[0].endswith("-published")
)


@pytest.mark.parametrize(("name", "detector"), LIGHT)
def test_recipes_of_own_layers_agree_at_one_table(name: str, detector: str) -> None:
    ours = layers("calibrated", detector)
    one_table = {field: getattr(ours, field) for field in ("attributes", "attention", "blur")}
    baseline = graph_of(ours, detector, 0)
    theirs = layers(name, detector)
    assert graph_of(theirs.model_copy(update=one_table), detector, 1) == baseline
    same_table = all(getattr(theirs, field) == value for field, value in one_table.items())
    assert (graph_of(theirs, detector, 1) == baseline) is same_table


def exported(folder: Path, name: str, seed: int, **card: str) -> Simulator:
    """The simulator of an untrained recipe for the ZN, with some words of its card."""
    recipe, detector = recipe_of_name(name, "alice_zn"), detector_of_name("alice_zn")
    generator, condition_rows = (
        generator_of(recipe.generator, "alice_zn", seed),
        conditions(detector),
    )
    size, law = recipe.generator.latent, NegativeBinomial(excess=0.2)
    export_simulator(
        generator, detector, {}, condition_rows, folder, latent_size=size, sampling=law
    )
    file = folder / CARD
    file.write_text(json.dumps(json.loads(file.read_text()) | card))
    return Simulator.load(folder)


def test_o2_graph_follows_from_the_layers_and_the_law_of_counts(tmp_path: Path) -> None:
    baseline = structure(generator_graph(exported(tmp_path / "baseline", "dcgan", 0)))
    method = structure(generator_graph(exported(tmp_path / "method", "sdi-gan", 1)))
    rounding = exported(tmp_path / "rounding", "sdi-gan", 1, sampling="rounding")
    assert method == baseline
    assert structure(generator_graph(rounding)) != baseline
