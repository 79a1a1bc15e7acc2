"""A graph in few operators computes what it computed before."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from caloforge.export.few_operators import in_few_operators
from caloforge.simulator import Simulator

SHIPPED = ("alice_zn", "alice_zn/small", "alice_zp", "atlas_em/eplus")


def model_of(nodes: list[onnx.NodeProto], weights: dict[str, object], out: list[object]) -> bytes:
    """A graph from x (batch, 4) to y."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["batch", 4]), ("y", out))
    ]
    constants = [numpy_helper.from_array(np.asarray(w), name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "test", ports[:1], ports[1:], constants)
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, ir_version=8, opset_imports=opsets).SerializeToString())


def answers(model: bytes, feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The only output of a graph."""
    return onnxruntime.InferenceSession(model).run(None, feeds)[0]


def operators(model: bytes) -> list[str]:
    """Kinds of the nodes of a graph."""
    nodes = onnx.load_model_from_string(model).graph.node
    return [node.op_type for node in nodes if node.op_type not in ("Constant", "Identity")]


def require_same(model: bytes, seed: int = 0) -> list[str]:
    """Operators of the graph in few of them, which gives the same answers."""
    x = np.random.default_rng(seed).normal(size=(5, 4)).astype(np.float32)
    fewer = in_few_operators(model)
    np.testing.assert_allclose(answers(fewer, {"x": x}), answers(model, {"x": x}), rtol=1e-5)
    return operators(fewer)


node = helper.make_node
ROW = np.float32([0.5, -2.0, 3.0, 1.5])
MATRIX = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_simulators_answer_as_stored(name: str) -> None:
    simulator = Simulator.load(name)
    model = (simulator.folder / "generator.onnx").read_bytes()
    fewer, reference = in_few_operators(model), simulator.reference
    feeds = {"latent": reference.latent, "conditions": reference.conditions}
    assert reference.difference(answers(fewer, feeds)) < 1e-4
    fewest = 10 if simulator.detector.counts else 0
    assert len(operators(fewer)) <= len(operators(model)) - fewest


def test_scaling_order_and_shift_before_a_product_are_part_of_it() -> None:
    nodes = [
        node("Gather", ["x", "order"], ["a"], axis=1),
        node("Sub", ["a", "row"], ["b"]),
        node("Div", ["b", "row"], ["c"]),
        node("Gemm", ["c", "matrix", "bias"], ["y"], transB=1),
    ]
    weights = {"order": np.array([2, 0, 3, 1]), "row": ROW, "matrix": MATRIX.T.copy()}
    model = model_of(nodes, weights | {"bias": np.float32([1, 2, 3])}, ["batch", 3])
    assert require_same(model) == ["Gemm"]


def test_a_scaling_that_others_read_stays() -> None:
    nodes = [
        node("Mul", ["x", "row"], ["a"]),
        node("Add", ["a", "row"], ["b"]),
        node("Sin", ["b"], ["c"]),
        node("Mul", ["a", "c"], ["y"]),
    ]
    assert require_same(model_of(nodes, {"row": ROW}, ["batch", 4])) == ["Mul", "Add", "Sin", "Mul"]


def test_a_narrow_product_before_a_wide_one_stays() -> None:
    wide = np.random.default_rng(2).normal(size=(3, 2000)).astype(np.float32)
    nodes = [
        node("Gemm", ["x", "matrix"], ["a"]),
        node("Mul", ["a", "three"], ["b"]),
        node("Gemm", ["b", "wide"], ["y"]),
    ]
    weights = {"matrix": MATRIX, "three": np.float32(3), "wide": wide}
    assert require_same(model_of(nodes, weights, ["batch", 2000])).count("Gemm") == 2


def test_products_with_one_go() -> None:
    nodes = [node("Mul", ["x", "ones"], ["a"]), node("Sin", ["a"], ["y"])]
    assert require_same(model_of(nodes, {"ones": np.ones(4, np.float32)}, ["batch", 4])) == ["Sin"]


def test_ranges_of_columns_come_of_one_split_and_one_that_overlaps_by_itself() -> None:
    nodes = [
        node("Gather", ["x", "low"], ["a"], axis=1),
        node("Gather", ["x", "high"], ["b"], axis=1),
        node("Gather", ["x", "middle"], ["c"], axis=1),
        *(node("Sin", [name], [f"sin {name}"]) for name in "abc"),
        node("Add", ["sin a", "sin b"], ["d"]),
        node("Add", ["d", "sin c"], ["y"]),
    ]
    weights = {"low": np.array([0]), "high": np.array([2, 3]), "middle": np.array([1, 2])}
    kinds = require_same(model_of(nodes, weights, ["batch", 2]))
    assert (kinds.count("Split"), kinds.count("Gather")) == (1, 1)


def test_short_rows_are_repeated() -> None:
    nodes = [
        node("Unsqueeze", ["x", "axis"], ["row"]),
        node("Mul", ["row", "table"], ["grid"]),
        node("Sin", ["grid"], ["sines"]),
        node("Mul", ["row", "sines"], ["y"]),
    ]
    table = np.random.default_rng(3).normal(size=(1, 9, 4)).astype(np.float32)
    weights = {"axis": np.array([1]), "table": table}
    assert require_same(model_of(nodes, weights, ["batch", 9, 4])).count("Gather") >= 1


def test_columns_that_are_counted_from_the_end_stay() -> None:
    nodes = [
        node("Gather", ["x", "first"], ["a"], axis=1),
        node("Gather", ["x", "last"], ["b"], axis=1),
        node("Sin", ["a"], ["c"]),
        node("Sin", ["b"], ["d"]),
        node("Add", ["c", "d"], ["y"]),
    ]
    weights = {"first": np.array([0, 1]), "last": np.array([-2, -1])}
    assert "Split" not in require_same(model_of(nodes, weights, ["batch", 2]))


def test_ones_that_repeat_a_column_stay() -> None:
    nodes = [
        node("Gather", ["x", "first"], ["a"], axis=1),
        node("Mul", ["a", "ones"], ["b"]),
        node("Sin", ["b"], ["y"]),
    ]
    weights = {"first": np.array([0]), "ones": np.ones(3, np.float32)}
    assert "Mul" in require_same(model_of(nodes, weights, ["batch", 3]))


def test_a_constant_of_each_row_stays() -> None:
    nodes = [
        node("Gather", ["x", "five"], ["a"], axis=1),
        node("Add", ["a", "rows"], ["b"]),
        node("Mul", ["b", "two"], ["c"]),
        node("Add", ["c", "two"], ["y"]),
    ]
    weights = {"five": np.array([0, 1, 2, 3, 0]), "two": np.float32(2)}
    weights["rows"] = np.arange(5, dtype=np.float32)[:, None]
    require_same(model_of(nodes, weights, ["batch", 5]))


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.DOUBLE])
def test_only_single_precision_becomes_a_product(kind: int) -> None:
    nodes = [
        node("Cast", ["x"], ["a"], to=kind),
        node("Add", ["a", "three"], ["b"]),
        node("Div", ["b", "three"], ["c"]),
        node("Add", ["c", "three"], ["d"]),
        node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
    ]
    three = np.array(3, dtype=helper.tensor_dtype_to_np_dtype(kind))
    assert "Gemm" not in require_same(model_of(nodes, {"three": three}, ["batch", 4]))
