"""Nearest upsampling and a convolution, as a smaller convolution at low resolution and a shuffle.

Shapes: cin and cout channels, kernel (kx, ky), upsampling (sx, sy). Along one axis, with output
position o = s p + r (phase r of the low-resolution position p),

    y[s p + r] = sum_k w[k] x[(s p + r + k) // s] = sum_t v_r[t] x[p + t],
    v_r[t] = sum of w[k] over all k with (r + k) // s = t:

the k taps of each phase collapse to T = (s + k - 2) // s + 1. For s = 2, k = 3 that is 2 of 3 taps
an axis, hence 4 of 9 products: the same function, 2.25 times fewer operations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from caloforge.export.passes.graph import Graph, attributes, is_plain_convolution


def collapse(weight: NDArray[Any], upsampling: tuple[int, int]) -> NDArray[Any]:
    """The low-resolution kernel.  (cout, cin, kx, ky) -> (cout, sx, sy, cin, tx, ty)"""
    taps_x, taps_y = (taps(k, s) for k, s in zip(weight.shape[2:], upsampling, strict=True))
    into_x, into_y = (_collapsing(k, s) for k, s in zip(weight.shape[2:], upsampling, strict=True))
    assert into_x.shape[1:] == (taps_x, weight.shape[2])
    assert into_y.shape[1:] == (taps_y, weight.shape[3])
    small = np.einsum("rtk,ocku->ortcu", into_x, weight.astype(np.float64))
    return np.asarray(np.einsum("sqk,ortck->orsctq", into_y, small))


def taps(kernel: int, scale: int) -> int:
    """Number T of low-resolution positions that a kernel reaches."""
    return (scale + kernel - 2) // scale + 1


def _collapsing(kernel: int, scale: int) -> NDArray[np.float64]:
    """Which tap of the kernel falls on which low-resolution tap, by phase.  (s, T, k)"""
    into = np.zeros((scale, taps(kernel, scale), kernel))
    for phase in range(scale):
        for tap in range(kernel):
            into[phase, (phase + tap) // scale, tap] = 1
    return into


def shuffle_after_convolution(model: onnx.ModelProto) -> int:
    """Rewrite every nearest Resize that only feeds a plain convolution, where that is exact."""
    count = 0
    while _rewrite_one(model):
        count += 1
    return count


def _rewrite_one(model: onnx.ModelProto) -> bool:
    graph = Graph(model)
    for node in graph.proto.node:
        scale = _nearest_scale(graph, node)
        if scale is None:
            continue
        convolution = graph.only_reader(node.output[0])
        weight = graph.kernel(convolution)
        if convolution is None or weight is None or not _fits(convolution, weight, scale):
            continue
        graph.replace([node, convolution], _rewritten(graph, node, convolution, scale))
        return True
    return False


def _nearest_scale(graph: Graph, node: onnx.NodeProto) -> int | None:
    """Factor of a nearest upsampling, equal along both axes, that repeats each cell."""
    settings = attributes(node)
    if node.op_type != "Resize" or settings.get("mode") != b"nearest" or len(node.input) < 3:
        return None
    if settings.get("nearest_mode") != b"floor":
        return None
    if settings.get("coordinate_transformation_mode") != b"asymmetric":
        return None
    factors = graph.weight(node.input[2])
    if factors is None or factors.shape != (4,) or tuple(factors[:2]) != (1.0, 1.0):
        return None
    scale = int(factors[2])
    return scale if scale > 1 and factors[2] == factors[3] == scale else None


def _fits(node: onnx.NodeProto, weight: NDArray[Any], scale: int) -> bool:
    """Whether the phases end together, so that no edge is left over."""
    even = all((kernel - 1) % scale == 0 for kernel in weight.shape[2:])
    return even and is_plain_convolution(node, weight)


def _rewritten(
    graph: Graph, resize: onnx.NodeProto, convolution: onnx.NodeProto, scale: int
) -> list[onnx.NodeProto]:
    """Convolution at low resolution, then DepthToSpace with the phases of a channel together."""
    weight = np.asarray(graph.weight(convolution.input[1]))
    small = collapse(weight, (scale, scale))
    small = small.reshape(-1, *small.shape[3:]).astype(np.float32)
    inputs = [
        resize.input[0],
        graph.add_weight(f"{convolution.input[1]}.collapsed", small),
    ]
    if len(convolution.input) > 2:
        bias = np.repeat(np.asarray(graph.weight(convolution.input[2])), scale**2)
        inputs.append(graph.add_weight(f"{convolution.input[2]}.repeated", bias))
    phases = f"{convolution.output[0]}_phases"
    kernel = list(small.shape[2:])
    return [
        helper.make_node("Conv", inputs, [phases], kernel_shape=kernel),
        helper.make_node(
            "DepthToSpace", [phases], [convolution.output[0]], blocksize=scale, mode="CRD"
        ),
    ]
