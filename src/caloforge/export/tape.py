"""ONNX nodes written as arithmetic: what an adapter puts before and behind a generator's graph.

Shapes: N showers, Z latents, C conditions, K cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from caloforge.errors import CaloforgeError
from caloforge.simulator.engines import INPUTS, OUTPUT
from caloforge.simulator.onnx_safety import NEWEST_IR

Shape = Sequence[int | str]
Ports = Mapping[str, Shape]
"""Inputs of a graph by name, in the order in which readers that go by order take them."""


class Output(NamedTuple):
    """The output of a graph."""

    name: str
    shape: Shape


@dataclass
class Tape:
    """Nodes in the order in which they were asked for, and their constants."""

    prefix: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def apply(self, operator: str, *inputs: Any, **attributes: Any) -> Value:
        """The first output of a new node; arrays and numbers become float32 constants."""
        names = [self.name_of(value) for value in inputs]
        output = f"{self.prefix}/{len(self.nodes)}/{operator}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return Value(output, self)

    def name_of(self, value: Any) -> str:
        """Name of a value on this tape; a constant is added for what is none."""
        if isinstance(value, Value):
            return value.name
        array = np.asarray(value)
        kind = np.int64 if array.dtype.kind in "iu" and array.ndim else np.float32
        name = f"{self.prefix}/constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array.astype(kind), name))
        return name

    def rename(self, value: Value, name: str) -> None:
        """Let a value be known by another name, too."""
        self.nodes.append(helper.make_node("Identity", [value.name], [name]))

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


@dataclass(frozen=True)
class Value:
    """A tensor of a graph, with the operators of Python."""

    name: str
    tape: Tape
    __array_ufunc__ = None
    """numpy leaves arithmetic with values to them."""

    def __add__(self, other: Any) -> Value:
        return self.tape.apply("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.tape.apply("Sub", self, other)

    def __mul__(self, other: Any) -> Value:
        return self.tape.apply("Mul", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self.tape.apply("Div", self, other)

    def __matmul__(self, other: Any) -> Value:
        return self.tape.apply("MatMul", self, other)

    def __rmatmul__(self, other: Any) -> Value:
        return self.tape.apply("MatMul", other, self)

    def __abs__(self) -> Value:
        return self.tape.apply("Abs", self)

    def __lt__(self, other: Any) -> Value:
        return self.tape.apply("Less", self, other)

    def __gt__(self, other: Any) -> Value:
        return self.tape.apply("Greater", self, other)

    def __and__(self, other: Any) -> Value:
        return self.tape.apply("And", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def columns(self, start: int, stop: int) -> Value:
        """Some columns.  (N, n) -> (N, stop - start)"""
        return self.tape.apply("Slice", self, [start], [stop], [1])

    def reshape(self, *shape: int) -> Value:
        """Another shape; 0 keeps a size, -1 is what is left."""
        return self.tape.apply("Reshape", self, shape)

    def at_least(self, low: Any) -> Value:
        """No smaller than that."""
        return self.tape.apply("Max", self, low)

    def at_most(self, high: Any) -> Value:
        """No larger than that."""
        return self.tape.apply("Min", self, high)

    def where(self, condition: Value, other: Any) -> Value:
        """This one where the condition holds, else the other."""
        return self.tape.apply("Where", condition, self, other)


Before = Callable[..., tuple[Value, Value]]
"""From the reader's inputs to latents (N, Z) and physical conditions (N, C)."""
After = Callable[..., Value]
"""From expected cells (N, K), then the reader's inputs, to what the reader takes."""


def wrap(
    generator: bytes,
    inputs: Ports,
    output: Output,
    before: Before,
    after: After,
) -> bytes:
    """The generator's graph with a reader's own inputs and output, as one ONNX file.

    The generator's nodes stay untouched: what it calls its inputs is computed by ``before``.
    """
    inner = onnx.load_model_from_string(generator)
    head, tail = Tape("before"), Tape("after")
    given = [Value(name, head) for name in inputs]
    for value, name in zip(before(*given), INPUTS, strict=True):
        head.rename(value, name)
    given = [Value(name, tail) for name in inputs]
    tail.rename(after(Value(OUTPUT, tail), *given), output.name)
    nodes = [*head.nodes, *inner.graph.node, *tail.nodes]
    constants = [*head.constants, *inner.graph.initializer, *tail.constants]
    return model_bytes(nodes, constants, inputs, output, inner.opset_import)


def model_bytes(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    inputs: Ports,
    output: Output,
    opsets: Any,
) -> bytes:
    """One ONNX file of these nodes, float32 at each port, checked."""
    ports = [port(name, shape) for name, shape in inputs.items()]
    graph = helper.make_graph(nodes, "caloforge", ports, [port(*output)], constants)
    model = helper.make_model(graph, ir_version=NEWEST_IR, opset_imports=opsets)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CaloforgeError(f"the adapter does not fit this generator: {error}") from error
    return bytes(model.SerializeToString())


def port(name: str, shape: Shape) -> onnx.ValueInfoProto:
    """A float32 input or output."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def spread_latents(noise: Value, given: int, wanted: int) -> Value:
    """The first ``wanted`` of the reader's latents.  (N, given) -> (N, wanted)"""
    return noise if given == wanted else noise.columns(0, wanted)


__all__ = ["Output", "Ports", "Tape", "Value", "model_bytes", "wrap"]
