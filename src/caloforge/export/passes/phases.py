"""A convolution behind a pixel shuffle, done on the phases: the large image is never written.

DepthToSpace (s), an element-wise activation and a convolution of kernel k to few channels become
the activation, a convolution of T x T taps on the unshuffled phases, and a shuffle of its result:

    y[s p + r] = sum_k w[k] x[s p + r + k] = sum_k w[k] phase_(r + k) % s [p + (r + k) // s].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from caloforge.export.passes.algebra import taps
from caloforge.export.passes.graph import Graph, attributes, is_plain_convolution

FEW_CHANNELS = 4
"""Zeros make it cost more operations: only where the convolution is small beside its input."""
ELEMENTWISE = ("LeakyRelu", "Relu", "Sigmoid", "Tanh")


def on_phases(weight: NDArray[Any], scale: int) -> NDArray[Any]:
    """The kernel between phases.  (cout, cin, kx, ky) -> (cout s^2, cin s^2, tx, ty)"""
    outputs, inputs, kernel_x, kernel_y = weight.shape
    into_x, into_y = _between_phases(kernel_x, scale), _between_phases(kernel_y, scale)
    large = np.einsum("ratk,sbul,ockl->orscabtu", into_x, into_y, weight.astype(np.float64))
    return np.asarray(large).reshape(outputs * scale**2, inputs * scale**2, *large.shape[-2:])


def _between_phases(kernel: int, scale: int) -> NDArray[np.float64]:
    """Which tap joins which phases at which offset.  (s out, s in, T, k)"""
    into = np.zeros((scale, scale, taps(kernel, scale), kernel))
    for phase in range(scale):
        for tap in range(kernel):
            into[phase, (phase + tap) % scale, (phase + tap) // scale, tap] = 1
    return into


def convolve_phases(model: onnx.ModelProto) -> int:
    """Rewrite DepthToSpace - activation - convolution to at most four channels."""
    count = 0
    while _rewrite_one(model):
        count += 1
    return count


def _rewrite_one(model: onnx.ModelProto) -> bool:
    graph = Graph(model)
    for shuffle in graph.proto.node:
        if shuffle.op_type != "DepthToSpace" or attributes(shuffle).get("mode") != b"CRD":
            continue
        activation = graph.only_reader(shuffle.output[0])
        if activation is None or activation.op_type not in ELEMENTWISE:
            continue
        convolution = graph.only_reader(activation.output[0])
        weight = graph.kernel(convolution)
        scale = attributes(shuffle)["blocksize"]
        if convolution is None or weight is None or not _fits(convolution, weight, scale):
            continue
        new = _rewritten(graph, shuffle, activation, convolution)
        graph.replace([shuffle, activation, convolution], new)
        return True
    return False


def _fits(node: onnx.NodeProto, weight: NDArray[Any], scale: int) -> bool:
    even = all((kernel - 1) % scale == 0 for kernel in weight.shape[2:])
    return even and len(weight) <= FEW_CHANNELS and is_plain_convolution(node, weight)


def _rewritten(
    graph: Graph,
    shuffle: onnx.NodeProto,
    activation: onnx.NodeProto,
    convolution: onnx.NodeProto,
) -> list[onnx.NodeProto]:
    scale = attributes(shuffle)["blocksize"]
    weight = np.asarray(graph.weight(convolution.input[1]))
    large = on_phases(weight, scale).astype(np.float32)
    first = onnx.NodeProto()
    first.CopyFrom(activation)
    first.input[0] = shuffle.input[0]
    inputs = [activation.output[0], graph.add_weight(f"{convolution.input[1]}.phases", large)]
    if len(convolution.input) > 2:
        bias = np.repeat(np.asarray(graph.weight(convolution.input[2])), scale**2)
        inputs.append(graph.add_weight(f"{convolution.input[2]}.phases", bias))
    phases = f"{convolution.output[0]}_phases"
    return [
        first,
        helper.make_node("Conv", inputs, [phases], kernel_shape=list(large.shape[2:])),
        helper.make_node(
            "DepthToSpace", [phases], [convolution.output[0]], blocksize=scale, mode="CRD"
        ),
    ]
