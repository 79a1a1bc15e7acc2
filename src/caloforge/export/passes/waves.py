"""Many sines and cosines of one column, as one product and two operations on a table.

A generator sees an impact point through waves: sin(c_i x), cos(c_i x). One by one they are dozens
of operations on single columns, much of the time of a small network at batch 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper

from caloforge.export.passes.graph import Graph, attributes

KINDS = ("Sin", "Cos")
FEWEST = 4
"""Fewer waves are not worth a table."""


class Wave(NamedTuple):
    """An input of a Concat that is sin or cos of a column times a number."""

    kind: str
    column: str
    factor: float


def stack_waves(model: onnx.ModelProto) -> int:
    """Rewrite every Concat of single columns that has many waves of one column."""
    count = 0
    while _rewrite_one(model):
        count += 1
    return count


def _rewrite_one(model: onnx.ModelProto) -> bool:
    graph = Graph(model)
    for node in graph.proto.node:
        if node.op_type != "Concat" or attributes(node).get("axis") != 1:
            continue
        waves = {place: _wave(graph, name) for place, name in enumerate(node.input)}
        usable = {place: wave for place, wave in waves.items() if wave is not None}
        if len(usable) < FEWEST:
            continue
        graph.replace([node], _rewritten(graph, node, usable))
        graph.drop_unused_nodes()
        return True
    return False


def _wave(graph: Graph, name: str) -> Wave | None:
    """The wave behind an input of the Concat: Unsqueeze - Sin or Cos - Mul with a number."""
    column = graph.maker.get(name)
    if column is None or column.op_type != "Unsqueeze":
        return None
    axes = graph.weight(column.input[1]) if len(column.input) > 1 else None
    function = graph.maker.get(column.input[0])
    if axes is None or axes.tolist() != [1] or function is None or function.op_type not in KINDS:
        return None
    product = graph.maker.get(function.input[0])
    if product is None or product.op_type != "Mul":
        return None
    factor = graph.weight(product.input[1])
    if factor is None or factor.size != 1:
        return None
    return Wave(function.op_type, product.input[0], factor.item())


def _rewritten(graph: Graph, concat: onnx.NodeProto, waves: dict[int, Wave]) -> list[Any]:
    """Tables of waves, a Concat of them with what else there was, and the old order."""
    out = concat.output[0]
    plain = [place for place in range(len(concat.input)) if place not in waves]
    pieces, order = [concat.input[place] for place in plain], list(plain)
    axes = graph.add_weight(f"{out}_axis", np.array([1], dtype=np.int64))
    nodes: list[onnx.NodeProto] = []
    for number, column in enumerate(dict.fromkeys(wave.column for wave in waves.values())):
        factors = list(dict.fromkeys(w.factor for w in waves.values() if w.column == column))
        name = f"{out}_waves{number}"
        table = graph.add_weight(f"{name}_factors", np.array(factors, dtype=np.float32))
        nodes += [
            helper.make_node("Unsqueeze", [column, axes], [f"{name}_column"]),
            helper.make_node("Mul", [f"{name}_column", table], [f"{name}_phase"]),
        ]
        for kind in KINDS:
            nodes.append(helper.make_node(kind, [f"{name}_phase"], [f"{name}_{kind}"]))
            pieces.append(f"{name}_{kind}")
            order += [_place(waves, Wave(kind, column, factor)) for factor in factors]
    first = [
        _place(waves, waves[place]) if place in waves else place
        for place in range(len(concat.input))
    ]
    back = np.array([order.index(place) for place in first], dtype=np.int64)
    indices = graph.add_weight(f"{out}_order", back)
    nodes.append(helper.make_node("Concat", pieces, [f"{out}_unordered"], axis=1))
    nodes.append(helper.make_node("Gather", [f"{out}_unordered", indices], [out], axis=1))
    return nodes


def _place(waves: dict[int, Wave], wave: Wave) -> int:
    """Where a wave first stood in the old Concat; -1 for a new one, which goes unused."""
    return next((place for place, other in waves.items() if other == wave), -1)
