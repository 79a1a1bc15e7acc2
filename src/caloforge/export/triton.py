"""NVIDIA's Triton inference server: a simulator as a model repository, and what Triton demands.

Shapes: N showers, Z latents, C conditions, K cells. Clients send standard normal latents and
physical conditions; they get showers: counts are drawn inside the graph. Contract: Triton's
documents on model repositories and model configuration: a folder of the model's name with
config.pbtxt and numbered version folders that hold model.onnx; with a max_batch_size the first size
of every port is the batch and must be variable, and dims leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.documents import read_bytes
from caloforge.errors import DataError
from caloforge.export.bundle import (
    Bundle,
    CheckOptions,
    CheckResult,
    Contents,
    Graph,
    Options,
    Port,
    ReaderFacts,
    generator_bytes,
    means_agree,
    numbers_agree,
)
from caloforge.export.drawing import Turns, draw
from caloforge.export.onnx_builder import Output, Ports, Value, wrap
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import variance_of

MODEL, CONFIG = "1/model.onnx", "config.pbtxt"
INPUTS, OUTPUT = ("noise", "particle"), "cells"
TOKEN = re.compile(r'\s*(?:#[^\n]*\n)?\s*("[^"]*"|[\w.+-]+|[{}\[\]:,])')
KINDS = {"TYPE_FP32": "tensor(float)", "TYPE_FP64": "tensor(double)"}
PLATFORM = "onnxruntime_onnx"
LARGEST_BATCH = 256


def adapt(simulator: Simulator, options: Options) -> Contents:
    """The repository of one model."""
    name = f"caloforge_{simulator.detector.name}"
    files = {
        f"{name}/{MODEL}": graph(simulator),
        f"{name}/{CONFIG}": configuration(simulator, name).encode("ascii"),
    }
    paste = "tritonserver --model-repository=$PWD"
    return Contents(files, {"model": name}, README.format(paste=paste), paste)


def graph(simulator: Simulator) -> bytes:
    """Latents (N, Z) and physical conditions (N, C) in, showers out.  (N, K)"""
    detector = simulator.detector

    def before(noise: Value, particle: Value) -> tuple[Value, Value]:
        return noise.builder.apply("Identity", noise), particle

    def after(cells: Value, noise: Value, _: Value) -> Value:
        if simulator.sampling == "continuous":
            return cells
        turns = Turns.of(noise, simulator.latent_size, detector.cells)
        counts = draw(cells, simulator.sampling, lambda counts: counts, turns)
        return counts.reshape(-1, detector.cells)

    sizes = (simulator.latent_size, len(detector.columns))
    inputs: Ports = {name: ["batch", size] for name, size in zip(INPUTS, sizes, strict=True)}
    output = Output(OUTPUT, ["batch", detector.cells])
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def configuration(simulator: Simulator, name: str) -> str:
    """The text of config.pbtxt."""
    sizes = (simulator.latent_size, len(simulator.detector.columns), simulator.detector.cells)
    ports = [
        PORT.format(name=port, size=size)
        for port, size in zip((*INPUTS, OUTPUT), sizes, strict=True)
    ]
    return TEXT.format(
        name=name, batch=LARGEST_BATCH, inputs=",\n".join(ports[:2]), output=ports[2]
    )


PORT = '  {{ name: "{name}" data_type: TYPE_FP32 dims: [ {size} ] }}'
TEXT = """name: "{name}"
platform: "onnxruntime_onnx"
max_batch_size: {batch}
input [
{inputs}
]
output [
{output}
]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
dynamic_batching {{ }}
"""
README = """# Triton

    {paste}

Send `noise` (standard normal) and `particle` (conditions in physical units, order in
`bundle.json`); `cells` are showers, flat, in the order of the detector's layers. For a GPU change
`KIND_CPU` to `KIND_GPU`.
"""


class TritonFacts(ReaderFacts):
    """The name of the model in the repository."""

    model: str


class TritonReader:
    """A model of a repository; DataError where Triton would not load it."""

    def __init__(self, bundle: Bundle) -> None:
        name = bundle.reader(TritonFacts).model
        path = bundle.file(f"{name}/{CONFIG}")
        self.graph = Graph(bundle.file(f"{name}/{MODEL}"))
        config = read_config(path)
        if config.get("name") != name or config.get("platform") != PLATFORM:
            raise DataError(f"{path} is not for {name} on {PLATFORM}")
        self.largest_batch = int(config.get("max_batch_size", 0))
        for kind, ports in (("input", self.graph.inputs), ("output", self.graph.outputs)):
            require_ports(path, config.get(kind, []), ports, self.largest_batch)


def require_ports(path: Path, stated: Any, ports: tuple[Port, ...], batch: int) -> None:
    """Raise DataError unless the configuration states the ports of the graph."""
    expected = {port.name: (port.kind, list(port.shape)) for port in ports}
    configured = {}
    for entry in stated if isinstance(stated, list) else [stated]:
        sizes = [int(size) for size in entry["dims"]]
        shape = [-1, *sizes] if batch else sizes
        configured[entry["name"]] = (KINDS.get(entry["data_type"], entry["data_type"]), shape)
    if configured != expected:
        raise DataError(f"{path} states {configured}, the graph has {expected}")


def read_config(path: Path) -> dict[str, Any]:
    """Fields of a protobuf text file, as far as a configuration uses them.

    Raises DataError for what is none.
    """
    text = read_bytes(path).decode(errors="replace")
    tokens, place = [], 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        if match is None:
            raise DataError(f"{path}: cannot be read at {text[place : place + 20]!r}")
        tokens.append(match[1])
        place = match.end()
    try:
        return _message(iter([*tokens, "}"]))
    except (StopIteration, RuntimeError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged") from error


def _message(tokens: Iterator[str]) -> dict[str, Any]:
    """Fields up to the closing brace."""
    fields: dict[str, Any] = {}
    for name in tokens:
        if name == "}":
            return fields
        if name == ",":
            continue
        token = next(tokens)
        fields[name] = _value(next(tokens) if token == ":" else token, tokens)
    raise ValueError("a message does not end")


def _value(token: str, tokens: Iterator[str]) -> Any:
    if token == "{":
        return _message(tokens)
    if token != "[":
        return token.strip('"')
    entries: list[Any] = []
    for entry in tokens:
        if entry == "]":
            return entries
        if entry != ",":
            entries.append(_value(entry, tokens))
    raise ValueError("a list does not end")


def check(bundle: Bundle, options: CheckOptions) -> CheckResult:
    """Load the model as Triton does and compare with the stored answers."""
    reader, reference = TritonReader(bundle), bundle.reference()
    bundle.require_checksums()
    card = bundle.card
    if card.sampling == "continuous":
        cells = reader.graph.run(reference.latent, reference.conditions)
        return CheckResult("triton", (numbers_agree("cells", cells, reference.response),))
    inputs = (reference.latent, reference.conditions)
    outputs = [reader.graph.run(*inputs).astype(np.float64) for _ in range(options.repeats)]
    expected = reference.response.astype(np.float64)
    scheme = card.detector.scheme()
    sums = card.detector.read_out(np.mean(outputs, axis=0), scheme.scheme).mean(axis=0)
    native = card.detector.read_out(expected, scheme.scheme).mean(axis=0)
    variance = card.detector.read_out(variance_of(expected, card.sampling), scheme.scheme)
    error = np.sqrt(variance.sum(axis=0) / options.repeats) / len(expected)
    what = f"mean of channels ({scheme.scheme})"
    return CheckResult("triton", (means_agree(what, scheme.labels, sums, native, error),))
