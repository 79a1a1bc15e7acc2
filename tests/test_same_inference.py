"""The papers' claim that regularisers leave inference alone: one graph, whatever trained it."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import pytest
import torch

from caloforge.data.scaling import FeatureScaling
from caloforge.detectors import ALICE_ZN
from caloforge.export.onnx import graph_bytes, make_reference
from caloforge.recipe import GeneratorConfig
from caloforge.recipes import DETECTORS_OF, RECIPES, recipe_of_name

CONDITIONS = np.array(
    [[1000.0, 0, 0, 0, 1, -1, 999, 939.6, 0], [50, 0, 0, 0, 0.1, 0, 49, 497.6, 0]]
)


@cache
def graph_of(config: GeneratorConfig, seed: int) -> tuple[object, ...]:
    """Nodes, wires and shapes of the exported graph, without the values of its weights."""
    torch.manual_seed(seed)
    generator = config.build(ALICE_ZN, FeatureScaling.fit(ALICE_ZN, CONDITIONS)).eval()
    reference = make_reference(generator, config.latent, CONDITIONS)
    graph = onnx.load_from_string(graph_bytes(generator, reference)).graph
    nodes = [(n.op_type, tuple(n.input), tuple(n.output), str(n.attribute)) for n in graph.node]
    weights = sorted((w.name, w.data_type, tuple(w.dims)) for w in graph.initializer)
    ends = [str(end) for end in (*graph.input, *graph.output)]
    return (nodes, weights, ends)


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - DETECTORS_OF))
def test_exported_graph_is_that_of_the_baseline(name: str) -> None:
    baseline = graph_of(recipe_of_name("dcgan", "alice_zn").generator, 0)
    assert graph_of(recipe_of_name(name, "alice_zn").generator, 1) == baseline
