"""Rewrites of a graph that change its speed but not its function; each is proved by a test.

Applied when a simulator is exported, so that every runtime and every other reader gains. A pass
takes a model and returns how often it applied; it leaves alone whatever it does not recognise.

Nearest upsampling and a convolution, as a smaller convolution at low resolution and a shuffle.

Shapes: cin and cout channels, kernel (kx, ky), upsampling (sx, sy). Along one axis, with output
position o = s p + r (phase r of the low-resolution position p),

    y[s p + r] = sum_k w[k] x[(s p + r + k) // s] = sum_t v_r[t] x[p + t],
    v_r[t] = sum of w[k] over all k with (r + k) // s = t:

the k taps of each phase collapse to T = (s + k - 2) // s + 1. For s = 2, k = 3 that is 2 of 3 taps
an axis, hence 4 of 9 products: the same function, 2.25 times fewer operations.

A graph to rewrite: who makes a tensor, who reads it, and the weights as arrays.

Fold batch normalisation into the product before it: (Wx + b - m) g / s + o is linear in x.

A convolution behind a pixel shuffle, done on the phases: the large image is never written.

DepthToSpace (s), an element-wise activation and a convolution of kernel k to few channels become
the activation, a convolution of T x T taps on the unshuffled phases, and a shuffle of its result:

    y[s p + r] = sum_k w[k] x[s p + r + k] = sum_k w[k] phase_(r + k) % s [p + (r + k) // s].

Many sines and cosines of one column, as one product and two operations on a table.

A generator sees an impact point through waves: sin(c_i x), cos(c_i x). One by one they are dozens
of operations on single columns, much of the time of a small network at batch 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Graph:
    """An ONNX graph with an index; make a new one after each rewrite."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.proto = model.graph
        self.outputs = {port.name for port in self.proto.output}
        self.maker = {name: node for node in self.proto.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.proto.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self._weights = {weight.name: weight for weight in self.proto.initializer}

    def weight(self, name: str) -> NDArray[Any] | None:
        """Values of an initialiser or of a Constant; None for anything else."""
        if name in self._weights:
            return np.asarray(numpy_helper.to_array(self._weights[name]))
        node = self.maker.get(name)
        if node is not None and node.op_type == "Constant" and "value" in attributes(node):
            return np.asarray(numpy_helper.to_array(attributes(node)["value"]))
        return None

    def kernel(self, node: onnx.NodeProto | None) -> NDArray[Any] | None:
        """Kernel of a convolution, if it is one with known weights.  (cout, cin, kx, ky)"""
        if node is None or node.op_type != "Conv":
            return None
        return self.weight(node.input[1])

    def only_reader(self, name: str) -> onnx.NodeProto | None:
        """The one node that reads a tensor, if nobody else needs it."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def add_weight(self, name: str, values: NDArray[Any]) -> str:
        """Add an initialiser under a name of its own, and return that name."""
        names = {weight.name for weight in self.proto.initializer}
        while name in names:
            name += "_"
        self.proto.initializer.append(numpy_helper.from_array(values, name))
        return name

    def replace(self, old: list[onnx.NodeProto], new: list[onnx.NodeProto]) -> None:
        """Put nodes in the place of the last of the old ones, which are removed."""
        nodes = list(self.proto.node)
        place = max(index for index, node in enumerate(nodes) if any(node is one for one in old))
        nodes[place + 1 : place + 1] = new
        rest = [node for node in nodes if not any(node is one for one in old)]
        del self.proto.node[:]
        self.proto.node.extend(rest)
        self.drop_unused_weights()

    def drop_unused_nodes(self) -> None:
        """Remove nodes whose outputs nobody reads, and their weights."""
        used_nodes: list[onnx.NodeProto] = []
        names = set(self.outputs)
        for node in reversed(self.proto.node):
            if names & set(node.output):
                used_nodes.append(node)
                names |= set(node.input)
        del self.proto.node[:]
        self.proto.node.extend(reversed(used_nodes))
        self.drop_unused_weights()

    def drop_unused_weights(self) -> None:
        """Remove initialisers that nobody reads any more."""
        names = {name for node in self.proto.node for name in node.input}
        weights = [weight for weight in self.proto.initializer if weight.name in names]
        del self.proto.initializer[:]
        self.proto.initializer.extend(weights)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node by name, as Python values."""
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def is_plain_convolution(node: onnx.NodeProto | None, weight: NDArray[Any] | None) -> bool:
    """A 2-D convolution of stride 1 without padding, groups or dilation."""
    if node is None or node.op_type != "Conv" or weight is None or weight.ndim != 4:
        return False
    settings = attributes(node)
    return (
        set(settings.get("pads", [0])) == {0}
        and set(settings.get("strides", [1])) == {1}
        and set(settings.get("dilations", [1])) == {1}
        and settings.get("group", 1) == 1
        and settings.get("auto_pad", b"NOTSET") == b"NOTSET"
    )


def as_often_as_possible(
    rewrite: Callable[[onnx.ModelProto], bool],
) -> Callable[[onnx.ModelProto], int]:
    """A pass that rewrites one place after another, and tells how many."""

    @functools.wraps(rewrite)
    def apply(model: onnx.ModelProto) -> int:
        count = 0
        while rewrite(model):
            count += 1
        return count

    return apply


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


@as_often_as_possible
def shuffle_after_convolution(model: onnx.ModelProto) -> bool:
    """Rewrite every nearest Resize that only feeds a plain convolution, where that is exact."""
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


LINEAR = ("Gemm", "Conv")


@as_often_as_possible
def fold_batch_norm(model: onnx.ModelProto) -> bool:
    """Fold every BatchNormalization whose input is a Gemm or Conv that nobody else reads."""
    graph = Graph(model)
    for node in graph.proto.node:
        before = graph.maker.get(node.input[0]) if node.input else None
        if node.op_type != "BatchNormalization" or before is None or not _can_fold(graph, before):
            continue
        scale, shift = _affine(graph, node)
        product = onnx.NodeProto()
        product.CopyFrom(before)
        _scale_product(graph, product, scale, shift)
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


def _scale_product(
    graph: Graph, node: onnx.NodeProto, scale: NDArray[Any], shift: NDArray[Any]
) -> None:
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


@as_often_as_possible
def convolve_phases(model: onnx.ModelProto) -> bool:
    """Rewrite DepthToSpace - activation - convolution to at most four channels."""
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
        if convolution is None or weight is None or not _fits_phases(convolution, weight, scale):
            continue
        new = _rewritten_phases(graph, shuffle, activation, convolution)
        graph.replace([shuffle, activation, convolution], new)
        return True
    return False


def _fits_phases(node: onnx.NodeProto, weight: NDArray[Any], scale: int) -> bool:
    even = all((kernel - 1) % scale == 0 for kernel in weight.shape[2:])
    return even and len(weight) <= FEW_CHANNELS and is_plain_convolution(node, weight)


def _rewritten_phases(
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


KINDS = ("Sin", "Cos")
FEWEST = 4
"""Fewer waves are not worth a table."""


class Wave(NamedTuple):
    """An input of a Concat that is sin or cos of a column times a number."""

    kind: str
    column: str
    factor: float


@as_often_as_possible
def stack_waves(model: onnx.ModelProto) -> bool:
    """Rewrite every Concat of single columns that has many waves of one column."""
    graph = Graph(model)
    for node in graph.proto.node:
        if node.op_type != "Concat" or attributes(node).get("axis") != 1:
            continue
        waves = {place: _wave(graph, name) for place, name in enumerate(node.input)}
        usable = {place: wave for place, wave in waves.items() if wave is not None}
        if len(usable) < FEWEST:
            continue
        graph.replace([node], _rewritten_waves(graph, node, usable))
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


def _rewritten_waves(graph: Graph, concat: onnx.NodeProto, waves: dict[int, Wave]) -> list[Any]:
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


PASSES = (fold_batch_norm, shuffle_after_convolution, convolve_phases, stack_waves)
"""In this order: a convolution behind a normalisation is only seen once that is folded."""


def simplify(model: onnx.ModelProto) -> dict[str, int]:
    """Apply all passes in place, and tell how often each applied."""
    return {apply.__name__: apply(model) for apply in PASSES}
