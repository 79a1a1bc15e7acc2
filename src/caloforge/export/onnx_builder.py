"""A trained generator as a simulator folder: graph, card and stored answers (needs torch, onnx).

Shapes: N showers, Z latents, C conditions, K cells.

One graph serves every target: opset 17 and IR 8 are the newest that O2's onnxruntime reads. The
TorchScript exporter writes them; the newer one (dynamo) writes opset 20 and IR 10. What an adapter
puts before and behind the graph is written as arithmetic of nodes. They are records until a file is
made of them: only then the package onnx is needed.
"""

from __future__ import annotations

import copy
import hashlib
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import caloforge
from caloforge.detector import Detector
from caloforge.errors import CaloforgeError, DataError
from caloforge.io.files import write_aside_folder
from caloforge.simulator import CARD, GRAPH, REFERENCE, Simulator, SimulatorCard
from caloforge.simulator.engines import INPUTS, OUTPUT
from caloforge.simulator.onnx_safety import NEWEST_IR, NEWEST_OPSET
from caloforge.simulator.reference import TRIPLES, Reference
from caloforge.simulator.sampling import Sampling

if TYPE_CHECKING:
    import onnx
    from torch import nn


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

    def chosen(self, places: Sequence[int]) -> Value:
        """Columns by their numbers.  (N, n) -> (N, m)"""
        return self.builder.apply("Gather", self, np.array(places), axis=1)

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


TRACED_ROWS = 2


def export_simulator(
    generator: nn.Module,
    detector: Detector,
    recipe_record: Mapping[str, Any],
    training_conditions: NDArray[Any],
    folder: Path,
    *,
    latent_size: int,
    sampling: Sampling | None = None,
    provenance: Mapping[str, str] | None = None,
    species: Sequence[int] = (),
    cpu_seconds: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write a simulator folder aside, check it against torch's answers, then move it into place.

    ``training_conditions`` (N, C) are the physical conditions of the training rows: their ranges
    go into the card, sixteen of them into the stored answers; ``species`` are the PDG numbers of
    the particles, ``cpu_seconds`` what the training took. Raises CaloforgeError when the graph
    cannot be written for opset 17, and when onnxruntime computes something else than torch.
    """
    traced = copy.deepcopy(generator).cpu().eval()
    reference = make_reference(traced, latent_size, training_conditions)
    model = graph_bytes(traced, reference)
    lowest, highest = training_conditions.min(axis=0), training_conditions.max(axis=0)
    card = SimulatorCard(
        detector=detector,
        latent_size=latent_size,
        sampling=sampling or ("rounding" if detector.counts else "continuous"),
        training_ranges={
            name: (float(lowest[column]), float(highest[column]))
            for column, name in enumerate(detector.columns)
        },
        impact_ranges_cm=impact_ranges(detector, training_conditions),
        species=tuple(sorted(set(species))),
        recipe=dict(recipe_record),
        cpu_seconds=cpu_seconds,
        generator_sha256=hashlib.sha256(model).hexdigest(),
        caloforge_version=caloforge.__version__,
        provenance=dict(provenance or {}),
    )
    with write_aside_folder(folder, overwrite=overwrite) as aside:
        (aside / GRAPH).write_bytes(model)
        (aside / CARD).write_text(card.to_json(indent=1), encoding="utf-8")
        reference.write(aside / REFERENCE)
        Simulator.load(aside).check()


def impact_ranges(detector: Detector, conditions: NDArray[Any]) -> dict[str, tuple[float, float]]:
    """Where particles meet the face, of each impact feature in cm.  {name: (low, high)}"""
    ranges = {}
    for feature in detector.features:
        if feature.kind == "impact":
            place = feature.value(np, *(conditions[:, detector.column(c)] for c in feature.of))
            ranges[feature.name] = (float(np.min(place)), float(np.max(place)))
    return ranges


def make_reference(generator: nn.Module, latent_size: int, conditions: NDArray[Any]) -> Reference:
    """Torch's answers for fixed latents and conditions from evenly spaced rows."""
    import torch

    rows = np.linspace(0, len(conditions) - 1, TRIPLES).astype(int)
    latent = np.random.Generator(np.random.Philox(0)).standard_normal((TRIPLES, latent_size))
    inputs = [torch.as_tensor(part, dtype=torch.float32) for part in (latent, conditions[rows])]
    with torch.no_grad():
        response = generator(*inputs)
    if not torch.isfinite(response).all():
        raise DataError("the generator gives values that are not finite for training conditions")
    return Reference(*(part.numpy() for part in (*inputs, response)))


def graph_bytes(generator: nn.Module, reference: Reference) -> bytes:
    """The generator's graph as one ONNX file, dynamic in the number of rows and made fast."""
    import onnx
    import torch

    from caloforge.export.passes import simplify

    inputs = (reference.latent, reference.conditions)
    generator = with_stacked_features(generator)
    with _quiet_exporter(), tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        path = Path(scratch) / GRAPH
        try:
            torch.onnx.export(
                generator,
                tuple(torch.from_numpy(part[:TRACED_ROWS]) for part in inputs),
                path,
                dynamo=False,
                opset_version=NEWEST_OPSET,
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes={name: {0: "batch"} for name in (*INPUTS, OUTPUT)},
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise CaloforgeError(f"the generator has no ONNX form: {error}") from error
        model = onnx.load_model(path)
    simplify(model)
    model.ir_version = min(model.ir_version, NEWEST_IR)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def with_stacked_features(generator: nn.Module) -> nn.Module:
    """A copy that computes the features of its conditions in few operators, where that is known."""
    from caloforge.export.flights import FlightFeatures, can_be_stacked
    from caloforge.networks.scaling import ConditionScale

    graph = copy.deepcopy(generator)
    for name, module in list(graph.named_modules()):
        if isinstance(module, ConditionScale) and can_be_stacked(module):
            graph.set_submodule(name, FlightFeatures(module))
    return graph


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The TorchScript exporter warns that it is old, and of padding; nothing else may warn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.onnx")
        warnings.filterwarnings("ignore", "You are using the legacy", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1", UserWarning)
        yield
