"""The same graph in fewer operators, for readers that ask for one shower at a time.

A runtime takes a third of a microsecond for each operator, however few the numbers. Columns that
are scaled, shifted and put in order one after another are one matrix product, or part of the
product that reads them. Weights lose their names on the way, so this is for exports, not for the
simulator itself, whose training may go on.

A product is exact to single precision of its largest term: x - m loses digits where x is far from
0. A column that is infinite spoils its whole row.

Shapes: N rows, n, m columns of a tensor, F columns of all bases together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from caloforge.export.passes import Graph, as_often_as_possible, attributes

LEAST_SAVED = 2
"""Operators less that are worth a product of their own."""
SMALL_MATRIX = 1024
"""Numbers of a product that cost no more than an operator."""
SHORT_ROW = 16
"""A row of so few numbers is repeated faster by Gather than by an element-wise operator."""


@dataclass(frozen=True)
class Affine:
    """A tensor as columns of others times a matrix, plus a row: sum of base @ matrix, + shift."""

    parts: dict[str, NDArray[np.float64]]
    """Matrix of each base.  {name: (n, m)}"""
    shift: NDArray[np.float64]
    """(m,)"""
    nodes: tuple[onnx.NodeProto, ...] = ()
    """What computes it from the bases."""

    def times(self, matrix: NDArray[np.float64], node: onnx.NodeProto) -> Affine:
        """Its product with a matrix.  (m, k)"""
        parts = {name: part @ matrix for name, part in self.parts.items()}
        parts = {name: part for name, part in parts.items() if part.any()}
        return Affine(parts, self.shift @ matrix, (*self.nodes, node))

    def plus(self, row: NDArray[np.float64]) -> Affine:
        """With a row added.  (m,)"""
        return Affine(self.parts, self.shift + row, self.nodes)


class AffineForms:
    """The affine form of every tensor of two axes that has one in tensors further up."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = Graph(model)
        self.columns = column_counts(model)
        self.forms: dict[str, Affine] = {}
        for node in self.graph.proto.node:
            read = READERS.get(node.op_type)
            form = read(self, node) if read else None
            if form is not None:
                self.forms[node.output[0]] = form

    def of(self, name: str) -> Affine | None:
        """The form of a tensor: itself where it is computed in another way."""
        if name in self.forms:
            return self.forms[name]
        columns = self.columns.get(name)
        return None if columns is None else Affine({name: np.eye(columns)}, np.zeros(columns))

    def constant(self, name: str) -> NDArray[np.float64] | None:
        """A weight in double precision."""
        values = self.graph.weight(name)
        return None if values is None else values.astype(np.float64)


def column_counts(model: onnx.ModelProto) -> dict[str, int]:
    """Columns of each float32 tensor of two axes, where they are known."""
    return {name: shape[1] for name, shape in shapes(model).items() if len(shape) == 2 and shape[1]}


def shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shape of each float32 tensor that is known; 0 for an axis of any length."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }


def of_gather(forms: AffineForms, node: onnx.NodeProto) -> Affine | None:
    """Columns by their numbers."""
    form, places = forms.of(node.input[0]), forms.graph.weight(node.input[1])
    if form is None or places is None or places.ndim != 1 or attributes(node).get("axis") != 1:
        return None
    return form.times(np.eye(len(form.shift))[:, places], node)


def of_slice(forms: AffineForms, node: onnx.NodeProto) -> Affine | None:
    """Columns from one to another."""
    form = forms.of(node.input[0])
    limits = [forms.graph.weight(name) for name in node.input[1:]]
    if form is None or len(limits) < 3 or any(limit is None for limit in limits):
        return None
    start, stop, axis, *step = (int(np.ravel(limit)[0]) for limit in limits if limit is not None)
    if axis != 1 or any(limit is not None and limit.size != 1 for limit in limits):
        return None
    return form.times(np.eye(len(form.shift))[:, slice(start, stop, *step)], node)


def of_concat(forms: AffineForms, node: onnx.NodeProto) -> Affine | None:
    """Columns beside each other."""
    pieces = [forms.of(name) for name in node.input]
    if attributes(node).get("axis") != 1 or any(piece is None for piece in pieces):
        return None
    widths = [0 if piece is None else len(piece.shift) for piece in pieces]
    places = np.split(np.eye(sum(widths)), np.cumsum(widths)[:-1])
    parts: dict[str, NDArray[np.float64]] = {}
    nodes: list[onnx.NodeProto] = []
    shift = np.zeros(sum(widths))
    for piece, place in zip(pieces, places, strict=True):
        assert piece is not None
        for name, part in piece.parts.items():
            parts[name] = parts.get(name, 0.0) + part @ place
        shift += piece.shift @ place
        nodes += [other for other in piece.nodes if not any(other is one for one in nodes)]
    return Affine(parts, shift, (*nodes, node))


def of_scaling(forms: AffineForms, node: onnx.NodeProto) -> Affine | None:
    """Columns times, or by, constants."""
    value, factor = _value_and_row(forms, node, either=node.op_type == "Mul")
    if value is None or factor is None:
        return None
    return value.times(np.diag(factor if node.op_type == "Mul" else 1 / factor), node)


def of_shift(forms: AffineForms, node: onnx.NodeProto) -> Affine | None:
    """Columns plus, or minus, constants."""
    value, row = _value_and_row(forms, node, either=node.op_type == "Add")
    if value is None or row is None:
        return None
    same = value.times(np.eye(len(value.shift)), node)
    return same.plus(row if node.op_type == "Add" else -row)


def _value_and_row(
    forms: AffineForms, node: onnx.NodeProto, *, either: bool
) -> tuple[Affine | None, NDArray[np.float64] | None]:
    """The input that has columns, and the constant one as a row of as many."""
    pairs = [(node.input[0], node.input[1]), (node.input[1], node.input[0])]
    for name, other in pairs[: 1 + either]:
        value, row = forms.of(name), forms.constant(other)
        if value is not None and row is not None and _is_row(row, len(value.shift)):
            return value, np.broadcast_to(row.ravel(), value.shift.shape)
    return None, None


def _is_row(values: NDArray[np.float64], columns: int) -> bool:
    """Whether a constant is one number, or one for each column, whatever the rows."""
    return values.shape in ((), (1,), (columns,), (1, 1), (1, columns))


def of_product(forms: AffineForms, node: onnx.NodeProto) -> Affine | None:
    """Columns times a matrix of weights."""
    form, weight = forms.of(node.input[0]), product_weight(forms, node)
    if form is None or weight is None:
        return None
    matrix, bias = weight
    return form.times(matrix, node).plus(bias)


def product_weight(
    forms: AffineForms, node: onnx.NodeProto
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Matrix and bias of a plain Gemm of constants.  (n, m), (m,)"""
    settings = attributes(node)
    weight = forms.constant(node.input[1])
    bias = forms.constant(node.input[2]) if len(node.input) > 2 else np.zeros(1)
    plain = settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0
    if weight is None or bias is None or not plain or settings.get("transA", 0):
        return None
    matrix = weight.T if settings.get("transB", 0) else weight
    if not _is_row(bias, matrix.shape[1]):
        return None
    return matrix, np.broadcast_to(bias.ravel(), matrix.shape[1:])


READERS: dict[str, Any] = {
    "Gather": of_gather,
    "Slice": of_slice,
    "Concat": of_concat,
    "Mul": of_scaling,
    "Div": of_scaling,
    "Add": of_shift,
    "Sub": of_shift,
    "Gemm": of_product,
}


@as_often_as_possible
def join_affine(model: onnx.ModelProto) -> bool:
    """Compute a chain of affine operators by one product, wherever that saves operators."""
    forms = AffineForms(model)
    for node in reversed(forms.graph.proto.node):
        form = forms.forms.get(node.output[0])
        if form is None or not _ends_here(forms, node):
            continue
        unread = unread_after(forms.graph, form, node)
        if saves_operators(forms, form, unread):
            forms.graph.replace([node], product_of(forms.graph, form, node))
            Graph(model).drop_unused_nodes()
            return True
    return False


def saves_operators(forms: AffineForms, form: Affine, unread: list[onnx.NodeProto]) -> bool:
    """Whether one product costs less than all that it replaces."""
    if not form.parts or len(unread) - 1 - (len(form.parts) > 1) < LEAST_SAVED:
        return False
    weights = [product_weight(forms, node) for node in unread if node.op_type == "Gemm"]
    numbers = sum(weight[0].size for weight in weights if weight is not None)
    return sum(part.size for part in form.parts.values()) <= max(SMALL_MATRIX, numbers)


def _ends_here(forms: AffineForms, node: onnx.NodeProto) -> bool:
    """Whether something reads a tensor that is no affine operator itself."""
    readers = forms.graph.readers.get(node.output[0], [])
    return not readers or any(reader.output[0] not in forms.forms for reader in readers)


def unread_after(graph: Graph, form: Affine, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Nodes that nobody reads once a tensor is computed from its bases: itself, and others."""
    unread = [node]
    for other in reversed(form.nodes):
        readers = graph.readers.get(other.output[0], [])
        if other is not node and all(any(reader is one for one in unread) for reader in readers):
            unread.append(other)
    return unread


def product_of(graph: Graph, form: Affine, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """One product, behind a Concat where there are several bases."""
    out, nodes = node.output[0], []
    (base, *others), matrices = form.parts, list(form.parts.values())
    if others:
        nodes.append(helper.make_node("Concat", [base, *others], [f"{out}_bases"], axis=1))
        base = f"{out}_bases"
    weight = graph.add_weight(f"{out}_matrix", np.concatenate(matrices).astype(np.float32))
    shift = graph.add_weight(f"{out}_shift", form.shift.astype(np.float32))
    return [*nodes, helper.make_node("Gemm", [base, weight, shift], [out])]


@as_often_as_possible
def drop_ones(model: onnx.ModelProto) -> bool:
    """Remove products with 1."""
    graph, shape_of = Graph(model), shapes(model)
    for node in graph.proto.node:
        if node.op_type != "Mul" or node.output[0] in graph.outputs:
            continue
        for name, factor in (node.input, reversed(node.input)):
            ones = graph.weight(factor)
            if ones is None or not (ones == 1).all():
                continue
            if ones.ndim == 0 or ones.shape == shape_of.get(name, ())[-1:]:
                read_instead(graph, node, name)
                return True
    return False


def read_instead(graph: Graph, node: onnx.NodeProto, name: str) -> None:
    """Let all readers of a node read another tensor."""
    for reader in graph.readers.get(node.output[0], []):
        for place, tensor in enumerate(reader.input):
            if tensor == node.output[0]:
                reader.input[place] = name
    graph.proto.node.remove(node)
    graph.drop_unused_weights()


@as_often_as_possible
def split_columns(model: onnx.ModelProto) -> bool:
    """Take ranges of columns that lie apart by one Split in place of several Gathers."""
    graph, columns = Graph(model), column_counts(model)
    for name in columns:
        ranges = {
            (int(places[0]), int(places[-1]) + 1): node
            for node in graph.readers.get(name, [])
            if (places := _range_of_columns(graph, node, name)) is not None
        }
        gathers = {pair: ranges[pair] for pair in _apart(sorted(ranges))}
        if len(gathers) >= LEAST_SAVED:
            _split(graph, name, columns[name], gathers)
            return True
    return False


def _split(
    graph: Graph, name: str, columns: int, gathers: dict[tuple[int, int], onnx.NodeProto]
) -> None:
    """Put one Split in the place of the first of these Gathers, and remove them all."""
    edges = sorted({0, columns, *(edge for pair in gathers for edge in pair)})
    # A tensor may be split again for ranges that overlap with these.
    first = next(iter(gathers.values())).output[0]
    outputs = [
        gathers[pair].output[0] if pair in gathers else f"{first}_beside_{pair[0]}"
        for pair in pairwise(edges)
    ]
    sizes = graph.add_weight(f"{name}_sizes", np.diff(edges).astype(np.int64))
    split = helper.make_node("Split", [name, sizes], outputs, axis=1)
    nodes = list(graph.proto.node)
    nodes.insert(min(nodes.index(node) for node in gathers.values()), split)
    del graph.proto.node[:]
    graph.proto.node.extend(node for node in nodes if node not in gathers.values())
    graph.drop_unused_weights()


def _range_of_columns(graph: Graph, node: onnx.NodeProto, name: str) -> NDArray[Any] | None:
    """Columns that a Gather takes, where they are neighbours."""
    if node.op_type != "Gather" or node.input[0] != name or attributes(node).get("axis") != 1:
        return None
    places = graph.weight(node.input[1])
    if places is None or places.ndim != 1 or not places.size or places[0] < 0:
        return None
    if not (np.diff(places) == 1).all():
        return None
    return places


def _apart(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges that begin after those before them have ended."""
    apart: list[tuple[int, int]] = []
    for start, stop in ranges:
        if not apart or start >= apart[-1][1]:
            apart.append((start, stop))
    return apart


@as_often_as_possible
def repeat_short_rows(model: onnx.ModelProto) -> bool:
    """Repeat (N, 1, n) before it meets (N, m, n): element by element short rows are slow."""
    graph, shape_of = Graph(model), shapes(model)
    for node in graph.proto.node:
        if node.op_type != "Mul":
            continue
        for short, long in (node.input, reversed(node.input)):
            row, whole = shape_of.get(short, ()), shape_of.get(long, ())
            if len(row) == len(whole) == 3 and row[1] == 1 < whole[1] and row[2] == whole[2]:
                if not 0 < row[2] <= SHORT_ROW:
                    continue
                zeros = graph.add_weight(f"{short}_again", np.zeros(whole[1], dtype=np.int64))
                rows = f"{node.output[0]}_rows"
                gather = helper.make_node("Gather", [short, zeros], [rows], axis=1)
                product = helper.make_node("Mul", [rows, long], [node.output[0]])
                graph.replace([node], [gather, product])
                return True
    return False


PASSES = (drop_ones, split_columns, join_affine, repeat_short_rows)


def in_few_operators(model: bytes) -> bytes:
    """The same function of the same inputs in fewer operators."""
    graph = onnx.load_model_from_string(model)
    for apply in PASSES:
        apply(graph)
    Graph(graph).drop_unused_nodes()
    onnx.checker.check_model(graph, full_check=True)
    return bytes(graph.SerializeToString())
