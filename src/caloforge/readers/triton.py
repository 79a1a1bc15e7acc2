"""What Triton demands of a model repository with an ONNX model.

Contract: Triton's documents on model repositories and model configuration: a folder of the model's
name with config.pbtxt and numbered version folders that hold model.onnx; with a max_batch_size the
first size of every port is the batch and must be variable, and dims leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.errors import DataError
from caloforge.readers.bundle import Bundle
from caloforge.readers.graphs import Graph, Port
from caloforge.readers.how import How
from caloforge.readers.o2_check import VARIANCES
from caloforge.readers.verdict import Verdict, means_agree, numbers_agree

MODEL, CONFIG = "1/model.onnx", "config.pbtxt"
INPUTS, OUTPUT = ("noise", "particle"), "cells"
TOKEN = re.compile(r'\s*(?:#[^\n]*\n)?\s*("[^"]*"|[\w.+-]+|[{}\[\]:,])')
KINDS = {"TYPE_FP32": "tensor(float)", "TYPE_FP64": "tensor(double)"}
PLATFORM = "onnxruntime_onnx"
CLOSING = {"{": "}", "[": "]"}


class TritonReader:
    """A model of a repository; DataError where Triton would not load it."""

    def __init__(self, bundle: Bundle) -> None:
        name = str(bundle.card.reader["model"])
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
    wanted = {port.name: (port.kind, list(port.shape)) for port in ports}
    found = {}
    for entry in stated if isinstance(stated, list) else [stated]:
        sizes = [int(size) for size in entry["dims"]]
        shape = [-1, *sizes] if batch else sizes
        found[entry["name"]] = (KINDS.get(entry["data_type"], entry["data_type"]), shape)
    if found != wanted:
        raise DataError(f"{path} states {found}, the graph has {wanted}")


def read_config(path: Path) -> dict[str, Any]:
    """Fields of a protobuf text file, as far as a configuration uses them.

    Raises DataError for what is none.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    tokens, place = [], 0
    while text[place:].strip():
        found = TOKEN.match(text, place)
        if found is None:
            raise DataError(f"{path}: cannot be read at {text[place : place + 20]!r}")
        tokens.append(found[1])
        place = found.end()
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


def check(bundle: Bundle, how: How) -> Verdict:
    """Load the model as Triton does and compare with the stored answers."""
    reader, reference = TritonReader(bundle), bundle.reference()
    bundle.require_checksums()
    card = bundle.card
    if card.sampling == "continuous":
        cells = reader.graph.run(reference.latent, reference.conditions)
        return Verdict("triton", (numbers_agree("cells", cells, reference.response),))
    inputs = (reference.latent, reference.conditions)
    drawn = [reader.graph.run(*inputs).astype(np.float64) for _ in range(how.repeats)]
    expected = reference.response.astype(np.float64)
    scheme = card.detector.scheme()
    sums = card.detector.read_out(np.mean(drawn, axis=0), scheme.scheme).mean(axis=0)
    native = card.detector.read_out(expected, scheme.scheme).mean(axis=0)
    variance = card.detector.read_out(VARIANCES[card.sampling](expected), scheme.scheme)
    error = np.sqrt(variance.sum(axis=0) / how.repeats) / len(expected)
    what = f"mean of channels ({scheme.scheme})"
    return Verdict("triton", (means_agree(what, scheme.labels, sums, native, error),))


__all__ = ["CONFIG", "INPUTS", "MODEL", "OUTPUT", "TritonReader", "check", "read_config"]
