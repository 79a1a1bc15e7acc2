"""Fold batch normalisation into the product before it: (Wx + b - m) g / s + o is linear in x."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from caloforge.export.passes.graph import Graph, attributes

LINEAR = ("Gemm", "Conv")


def fold_batch_norm(model: onnx.ModelProto) -> int:
    """Fold every BatchNormalization whose input is a Gemm or Conv that nobody else reads."""
    count = 0
    while _fold_one(model):
        count += 1
    return count


def _fold_one(model: onnx.ModelProto) -> bool:
    graph = Graph(model)
    for node in graph.proto.node:
        before = graph.maker.get(node.input[0]) if node.input else None
        if node.op_type != "BatchNormalization" or before is None or not _can_fold(graph, before):
            continue
        scale, shift = _affine(graph, node)
        product = onnx.NodeProto()
        product.CopyFrom(before)
        _scale(graph, product, scale, shift)
        product.output[0] = node.output[0]
        graph.replace([before, node], [product])
        return True
    return False


def _can_fold(graph: Graph, node: onnx.NodeProto) -> bool:
    settings = attributes(node)
    alone = graph.only_reader(node.output[0]) is not None
    constant = all(graph.weight(name) is not None for name in node.input[1:])
    return (
        node.op_type in LINEAR
        and alone
        and constant
        and settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0
    )


def _affine(graph: Graph, node: onnx.NodeProto) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scale and shift of a normalisation in double precision.  (channels,) each"""
    values = [graph.weight(name) for name in node.input[1:5]]
    gain, offset, mean, variance = (np.asarray(value, dtype=np.float64) for value in values)
    scale = gain / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
    return scale, offset - mean * scale


def _scale(graph: Graph, node: onnx.NodeProto, scale: NDArray[Any], shift: NDArray[Any]) -> None:
    """Put scale and shift into the weight and the bias of a product."""
    weight = np.asarray(graph.weight(node.input[1]), dtype=np.float64)
    rows_are_outputs = node.op_type == "Conv" or attributes(node).get("transB", 0)
    shape = (-1,) + (1,) * (weight.ndim - 1) if rows_are_outputs else (1, -1)
    bias = np.zeros(len(scale))
    if len(node.input) > 2:
        bias = np.asarray(graph.weight(node.input[2]), dtype=np.float64)
    name = node.input[1]
    folded = (weight * scale.reshape(shape)).astype(np.float32)
    shifted_bias = (bias * scale + shift).astype(np.float32)
    new = [node.input[0], graph.add_weight(f"{name}.folded", folded)]
    del node.input[:]
    node.input.extend([*new, graph.add_weight(f"{name}.bias.folded", shifted_bias)])
