"""Multiply-adds of a simulator's graph, counted from the shapes that it really has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx

from caloforge.simulator.engines import INPUTS

Shapes = dict[str, tuple[int, ...]]


def multiply_adds(model: bytes) -> int:
    """Multiply-adds of one row: those of convolutions and matrix products, as all count them."""
    proto = onnx.load_model_from_string(model)
    products = [node for node in proto.graph.node if node.op_type in COUNTS]
    shapes = _shapes(proto, {name for node in products for name in (*node.input, *node.output)})
    return sum(COUNTS[node.op_type](node, shapes) for node in products)


def _shapes(model: onnx.ModelProto, names: set[str]) -> Shapes:
    """Shapes of these tensors for one row of ones: of weights as stored, of others by running."""
    import onnxruntime

    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    shapes |= {name: (1, size) for name, size in _input_sizes(model).items()}
    outputs = {port.name for port in model.graph.output}
    computed = sorted(names - shapes.keys() - {""})
    model.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in computed if name not in outputs
    )
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings)
    feed = {name: np.ones((1, size), np.float32) for name, size in _input_sizes(model).items()}
    answers = session.run(computed, feed)
    return shapes | {name: a.shape for name, a in zip(computed, answers, strict=True)}


def _input_sizes(model: onnx.ModelProto) -> dict[str, int]:
    ports = {port.name: port.type.tensor_type.shape.dim for port in model.graph.input}
    return {name: ports[name][1].dim_value for name in INPUTS}


def _product(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Gemm and MatMul: elements of the output times the length of each sum."""
    transposed = any(entry.name == "transA" and entry.i for entry in node.attribute)
    first = shapes[node.input[0]]
    return int(np.prod(shapes[node.output[0]])) * first[-2 if transposed else -1]


def _convolution(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Elements of the output times the weights that each of them sums over."""
    return int(np.prod(shapes[node.output[0]])) * int(np.prod(shapes[node.input[1]][1:]))


COUNTS: dict[str, Callable[[onnx.NodeProto, Shapes], int]] = {
    "Conv": _convolution,
    "Gemm": _product,
    "MatMul": _product,
}

__all__ = ["multiply_adds"]
