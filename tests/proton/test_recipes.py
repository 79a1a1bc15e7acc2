"""The four recipes of the proton paper: one term after the other, light and published networks."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from caloforge.checkpoint import load
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, write
from caloforge.recipe import Recipe, override
from caloforge.recipes import RECIPES, recipe_of_name
from caloforge.recipes.proton import REFERENCE, REFERENCE_REGRESSOR
from caloforge.simulator import Simulator
from caloforge.train import train

NAMES = ("proton-gan", "proton-sdi", "proton-sdi-intensity", "proton-sdi-intensity-aux")
SMALL = (
    "generator.kind=o2",
    "critic.kind=mlp",
    "data.particles=3",
    "data.repeats=4",
    "training.precision=float32",
    "training.validation_interval=4",
    "training.checkpoint_interval=3",
)


@pytest.fixture(scope="module")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("showers") / "zp.h5"
    with ShowerFile(sample_path("alice_zp")) as file:
        write(path, file.rows(0, 320))
    return path


def whole(*settings: str) -> Recipe:
    return override(recipe_of_name(NAMES[-1]), list(settings))


def test_each_recipe_adds_one_term_to_the_one_before() -> None:
    terms = [recipe_of_name(name).objective.terms for name in NAMES]
    for shorter, longer in pairwise(terms):
        assert longer[:-1] == shorter
    weights = {type(term).__name__: weight for weight, term in terms[-1]}
    assert weights == {
        "Paired": 1,
        "R1": 0.5,
        "R2": 0.5,
        "SelectiveDiversity": 0.01,
        "Intensity": 1e-3,
        "ShowerCentre": 0.1,
    }
    assert set(NAMES) == {
        name for name in RECIPES if name.startswith("proton") and not name.endswith("published")
    }


def test_the_recipes_differ_by_their_objective_alone() -> None:
    plain = recipe_of_name("proton-gan")
    for name in NAMES:
        same = ("generator", "critic", "optimisers", "data", "training", "detector", "sampling")
        recipe = recipe_of_name(name)
        assert all(getattr(recipe, field) == getattr(plain, field) for field in same)
        # One graph, whatever trained it: tests/test_same_inference.py knows that of dcgan.
        assert recipe.generator == recipe_of_name("dcgan", "alice_zp").generator


def test_wrong_detector_is_a_data_error(caloforge: Callable[..., tuple[int, str, str]]) -> None:
    for option in (("--detector", "alice_zn"), ("--set", "detector=alice_zn")):
        code, _, log = caloforge("train", "proton-sdi", *option, "--dry-run")
        assert code == 3
        assert log == "caloforge: recipe proton-sdi is made for alice_zp, not for alice_zn\n"
    code, output, _ = caloforge("train", "proton-sdi", "--dry-run")
    assert code == 0
    assert '"detector": "alice_zp"' in output


def test_showers_of_another_detector_are_a_data_error(
    caloforge: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, log = caloforge(
        "train", "proton-sdi", "--data", sample_path("alice_zn"), "--out", tmp_path / "run"
    )
    assert code == 3
    assert "alice_zn" in log
    assert not (tmp_path / "run").exists()


def test_the_regressor_is_trained_kept_and_resumed_but_not_shipped(
    showers: Path, tmp_path: Path
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    recipe = whole(*SMALL, "training.steps=8", "training.decay_from=1")
    checkpoints: list[bytes] = []

    def save(state: object, to: io.BytesIO, write: Callable[..., None] = torch.save) -> None:
        write(state, to)
        checkpoints.append(to.getvalue())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "save", save)
        train(recipe, showers, straight, threads=1)
    shutil.copytree(straight, stopped)
    (stopped / "checkpoint.pt").write_bytes(checkpoints[2])
    assert load(stopped / "checkpoint.pt")["step"] == 6
    train(recipe, showers, stopped, resume=True, threads=1)
    states = [load(folder / "checkpoint.pt") for folder in (straight, stopped)]
    first, second = (state["networks"]["ShowerCentre"] for state in states)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    moments = states[0]["optimisers"]["ShowerCentre"]["state"]
    assert all(entry["step"] == 8 and entry["exp_avg"].any() for entry in moments.values())
    fresh = recipe.objective.helpers(recipe.resolve())["ShowerCentre"]
    assert not any(torch.equal(first[name], value) for name, value in fresh.named_parameters())
    graph = onnx.load(straight / "simulator" / "generator.onnx").graph
    shipped = {tuple(weight.dims) for weight in graph.initializer}
    assert not shipped & {tuple(value.shape) for value in first.values() if value.dim() == 4}


@pytest.mark.slow
def test_reference_networks_train_twenty_steps_and_ship(showers: Path, tmp_path: Path) -> None:
    """Batches of 4: one of the paper's 128 rows takes about a teraflop."""
    published = whole(*REFERENCE, REFERENCE_REGRESSOR)
    short = ("steps=20", "validation_interval=20", "checkpoint_interval=20", "precision=float32")
    sizes = ["data.particles=2", "data.repeats=2", *(f"training.{setting}" for setting in short)]
    recipe = override(published, sizes)
    folder = train(recipe, showers, tmp_path / "run", threads=1)
    state = load(folder.path / "checkpoint.pt")
    assert set(state["networks"]) == {"generator", "critic", "ShowerCentre"}
    simulator = Simulator.load(folder.simulator)
    simulator.check()
    with ShowerFile(showers) as file:
        cells = simulator.generate(file.conditions[:16], seed=0)
    assert cells.shape == (16, 56 * 30)
    assert np.issubdtype(cells.dtype, np.unsignedinteger)
    size = (folder.simulator / "generator.onnx").stat().st_size
    assert size == pytest.approx(4 * 6_933_185, rel=0.02)
