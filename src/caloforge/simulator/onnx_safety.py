"""What an ONNX file would have a runtime do, read from its bytes; nothing is run, nothing imported.

A simulator may come from anywhere. Files next to it (external data), operators of a foreign
library, functions, loops and branches have no place in one, so they are refused before a runtime
sees the file. What is left is run the first time with limits of time and memory (``limits``), since
a few innocent operators can ask for any amount of memory. The format is a tree of (field number,
wire type, value); numbers: onnx/onnx.proto3 of ONNX 1.16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from caloforge.errors import DataError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
DEEPEST = 32
LONGEST_NAME = 60
NEWEST_OPSET, NEWEST_IR = 17, 8
"""What every reader of our graphs understands; O2's onnxruntime is the oldest of them."""
STANDARD_DOMAINS = frozenset({"", "ai.onnx"})
ORT_FORMAT = b"ORTM"
NAMES = """
    Abs Add And AveragePool BatchNormalization Cast Ceil Clip Compress Concat Constant
    ConstantOfShape Conv ConvTranspose Cos DepthToSpace DequantizeLinear Div Dropout Einsum Elu
    Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm GlobalAveragePool Greater
    GreaterOrEqual HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu
    Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mod Mul Neg NonZero Not Or PRelu Pad
    Pow QuantizeLinear RandomNormalLike RandomUniformLike Range Reciprocal ReduceMax ReduceMean
    ReduceMin ReduceSum Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign
    Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh
    Transpose Unsqueeze Where
"""
ALLOWED = frozenset(NAMES.split())
"""Operators that networks and our exports are made of."""

CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
"""Messages inside messages, by field number; all that may hold a file name or an operator."""


@dataclass
class GraphFacts:
    """What is worth knowing of a file before it is loaded."""

    ir_version: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    operators: set[tuple[str, str]] = field(default_factory=set)
    external: bool = False
    functions: bool = False
    training: bool = False


def read_facts(model: bytes, where: str) -> GraphFacts:
    """Facts of an ONNX file; DataError when the bytes are not one."""
    if model[4:8] == ORT_FORMAT:
        raise DataError(f"{where} is in onnxruntime's own format, not ONNX; export it again")
    facts = GraphFacts()
    try:
        _visit("model", memoryview(model), facts, DEEPEST)
    except (ValueError, IndexError) as error:
        raise DataError(f"{where} is no ONNX file ({error})") from error
    return facts


def refuse_foreign(facts: GraphFacts, where: str) -> None:
    """Raise DataError for a file that needs other files, libraries, functions or newer readers."""
    foreign = sorted(f"{domain}:{name}" for domain, name in facts.operators - _standard(facts))
    foreign += sorted(f"{domain}:*" for domain in facts.opsets.keys() - STANDARD_DOMAINS)
    if facts.external:
        raise DataError(f"{where} keeps weights in other files; export them inside the file")
    if foreign:
        raise DataError(
            f"{where} uses custom operators ({short(foreign[0])}); only standard ones load"
        )
    if other := sorted({name for _, name in facts.operators} - ALLOWED):
        raise DataError(f"{where} uses the operator {short(other[0])}, which no simulator needs")
    if facts.functions or facts.training:
        raise DataError(f"{where} holds functions or a training graph; only a plain graph loads")
    opset = max((facts.opsets[domain] for domain in facts.opsets), default=0)
    if opset > NEWEST_OPSET or facts.ir_version > NEWEST_IR:
        raise DataError(
            f"{where} has ONNX opset {opset} and IR {facts.ir_version}; the newest that load are "
            f"{NEWEST_OPSET} and {NEWEST_IR}: export it again"
        )


def short(text: str) -> str:
    """Text of a file as part of one line of an error."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= LONGEST_NAME else f"{line[:LONGEST_NAME]}..."


def _standard(facts: GraphFacts) -> set[tuple[str, str]]:
    """Operators of the ONNX standard itself."""
    return {operator for operator in facts.operators if operator[0] in STANDARD_DOMAINS}


def _visit(kind: str, message: memoryview, facts: GraphFacts, depth: int) -> None:
    """Record the facts of a message and of all messages in it."""
    if depth == 0:
        raise ValueError("nested too deep")
    values = list(_fields(message))
    for number, value in values:
        if isinstance(value, memoryview) and (child := CHILDREN.get(kind, {}).get(number)):
            _visit(child, value, facts, depth - 1)
    _record(kind, dict(values), facts)


def _record(kind: str, values: dict[int, int | memoryview], facts: GraphFacts) -> None:
    """Facts of one message; of a repeated single field the last value counts, as in protobuf."""
    facts.external |= kind == "external" or (kind == "tensor" and values.get(14, 0) != 0)
    facts.functions |= kind == "function"
    facts.training |= kind == "training"
    if kind == "model":
        facts.ir_version = _number(values.get(1, 0))
    elif kind == "opset":
        facts.opsets[_text(values.get(1, b""))] = _number(values.get(2, 0))
    elif kind == "node":
        facts.operators.add((_text(values.get(7, b"")), _text(values.get(4, b""))))


def _number(value: int | memoryview) -> int:
    if isinstance(value, int):
        return value
    raise ValueError("a number is expected where text stands")


def _text(value: int | memoryview | bytes) -> str:
    return str(bytes(value), "utf-8") if not isinstance(value, int) else str(value)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of one message, in file order."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        value: int | memoryview = 0
        if wire == VARINT:
            value, place = _varint(message, place)
        elif wire in (FIXED32, FIXED64):
            place += 4 if wire == FIXED32 else 8
        elif wire == BYTES:
            size, place = _varint(message, place)
            value, place = message[place : place + size], place + size
        else:
            raise ValueError(f"wire type {wire}")
        if place > len(message):
            raise ValueError("truncated")
        yield number, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A base-128 number and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise ValueError("number too long")
