"""ONNX nodes written as arithmetic: what an adapter puts before and behind a generator's graph.

Shapes: N showers, Z latents, C conditions, K cells. Nodes are records until a file is made of them:
only then the package onnx is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import CaloforgeError
from caloforge.simulator.engines import INPUTS, OUTPUT
from caloforge.simulator.onnx_safety import NEWEST_IR, NEWEST_OPSET

if TYPE_CHECKING:
    import onnx

FLOAT, INT64 = 1, 7
"""Single precision and whole numbers, as ONNX numbers its types."""
Shape = Sequence[int | str]
Ports = Mapping[str, Shape]
"""Inputs of a graph by name, in the order in which readers that go by order take them."""


class Output(NamedTuple):
    """The output of a graph."""

    name: str
    shape: Shape


class Node(NamedTuple):
    """An operator with its inputs, its output and its attributes."""

    operator: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]


@dataclass
class OnnxBuilder:
    """Nodes in the order in which they were asked for, and their constants by name."""

    prefix: str
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def apply(self, operator: str, *inputs: Any, **attributes: Any) -> Value:
        """The output of a new node; arrays and numbers become float32 constants.

        Integers of numpy and arrays of integers stay integers.
        """
        names = [self.name_of(value) for value in inputs]
        output = f"{self.prefix}/{len(self.nodes)}/{operator}"
        self.nodes.append(Node(operator, names, output, attributes))
        return Value(output, self)

    def name_of(self, value: Any) -> str:
        """Name of a value of this builder; a constant is added for what is none."""
        if isinstance(value, Value):
            return value.name
        array = np.asarray(value)
        whole = array.dtype.kind in "iu" and (array.ndim or isinstance(value, np.integer))
        kind = np.int64 if whole else np.float32
        name = f"{self.prefix}/constant_{len(self.constants)}"
        self.constants[name] = array.astype(kind)
        return name

    def rename(self, value: Value, name: str) -> None:
        """Let a value be known by another name, too."""
        self.nodes.append(Node("Identity", [value.name], name, {}))

    def log(self, value: Value) -> Value:
        """Natural logarithm."""
        return self.apply("Log", value)

    def clip(self, value: Value, low: float, high: float) -> Value:
        """No smaller and no larger than that."""
        return value.at_least(low).at_most(high)

    def sin(self, value: Value) -> Value:
        """Sine."""
        return self.apply("Sin", value)

    def cos(self, value: Value) -> Value:
        """Cosine."""
        return self.apply("Cos", value)

    def model(self, inputs: Ports, output: Output) -> bytes:
        """These nodes alone as one ONNX file."""
        return _model_bytes((self,), inputs, output)


@dataclass(frozen=True)
class Value:
    """A tensor of a graph, with the operators of Python."""

    name: str
    builder: OnnxBuilder
    __array_ufunc__ = None
    """numpy leaves arithmetic with values to them."""

    def __add__(self, other: Any) -> Value:
        return self.builder.apply("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.builder.apply("Sub", self, other)

    def __mul__(self, other: Any) -> Value:
        return self.builder.apply("Mul", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self.builder.apply("Div", self, other)

    def __matmul__(self, other: Any) -> Value:
        return self.builder.apply("MatMul", self, other)

    def __rmatmul__(self, other: Any) -> Value:
        return self.builder.apply("MatMul", other, self)

    def __abs__(self) -> Value:
        return self.builder.apply("Abs", self)

    def __lt__(self, other: Any) -> Value:
        return self.builder.apply("Less", self, other)

    def __gt__(self, other: Any) -> Value:
        return self.builder.apply("Greater", self, other)

    def __and__(self, other: Any) -> Value:
        return self.builder.apply("And", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def columns(self, start: int, stop: int) -> Value:
        """Some columns.  (N, n) -> (N, stop - start)"""
        return self.builder.apply("Slice", self, [start], [stop], [1])

    def leading(self, count: int, columns: int) -> Value:
        """The first of so many columns; itself where that is all.  (N, n) -> (N, count)"""
        return self if count == columns else self.columns(0, count)

    def reshape(self, *shape: int) -> Value:
        """Another shape; 0 keeps a size, -1 is what is left."""
        return self.builder.apply("Reshape", self, shape)

    def at_least(self, low: Any) -> Value:
        """No smaller than that."""
        return self.builder.apply("Max", self, low)

    def at_most(self, high: Any) -> Value:
        """No larger than that."""
        return self.builder.apply("Min", self, high)

    def where(self, condition: Value, other: Any) -> Value:
        """This one where the condition holds, else the other."""
        return self.builder.apply("Where", condition, self, other)


Before = Callable[..., tuple[Value, Value]]
"""From the reader's inputs to latents (N, Z) and physical conditions (N, C)."""
After = Callable[..., Value]
"""From expected cells (N, K), then the reader's inputs, to what the reader takes."""


def wrap(generator: bytes, inputs: Ports, output: Output, before: Before, after: After) -> bytes:
    """The generator's graph with a reader's own inputs and output, as one ONNX file.

    The generator's nodes stay untouched: what it calls its inputs is computed by ``before``.
    """
    import onnx

    inner = onnx.load_model_from_string(generator)
    head, tail = OnnxBuilder("before"), OnnxBuilder("after")
    values = [Value(name, head) for name in inputs]
    for value, name in zip(before(*values), INPUTS, strict=True):
        head.rename(value, name)
    values = [Value(name, tail) for name in inputs]
    tail.rename(after(Value(OUTPUT, tail), *values), output.name)
    return _model_bytes((head, inner, tail), inputs, output)


def _model_bytes(
    parts: Sequence[OnnxBuilder | onnx.ModelProto], inputs: Ports, output: Output
) -> bytes:
    """One ONNX file of these nodes in their order, float32 at each port, checked."""
    import onnx
    from onnx import helper, numpy_helper

    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    opsets = [helper.make_opsetid("", NEWEST_OPSET)]
    for part in parts:
        if isinstance(part, OnnxBuilder):
            nodes += [
                helper.make_node(node.operator, node.inputs, [node.output], **node.attributes)
                for node in part.nodes
            ]
            constants += [numpy_helper.from_array(*pair[::-1]) for pair in part.constants.items()]
        else:
            nodes += part.graph.node
            constants += part.graph.initializer
            opsets = list(part.opset_import)
    ports = [
        helper.make_tensor_value_info(name, FLOAT, list(shape))
        for name, shape in (*inputs.items(), output)
    ]
    graph = helper.make_graph(nodes, "caloforge", ports[:-1], ports[-1:], constants)
    model = helper.make_model(graph, ir_version=NEWEST_IR, opset_imports=opsets)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CaloforgeError(f"the adapter does not fit this generator: {error}") from error
    return bytes(model.SerializeToString())
