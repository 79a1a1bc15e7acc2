"""What a check of a bundle gives, and an ONNX file as foreign readers load it.

Foreign readers load standard operators, one file, one thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.documents import read_bytes
from caloforge.errors import DataError
from caloforge.simulator.engines import Session
from caloforge.simulator.onnx_safety import read_facts, refuse_foreign

LARGEST_GRAPH_BYTES = 2**31 - 1
LARGEST_PULL = 5.0
RELATIVE = 1e-4
"""What float32 arithmetic may change in a sum."""


@dataclass(frozen=True)
class CheckOptions:
    """How thoroughly a bundle is checked."""

    repeats: int = 100
    """Showers of each of the sixteen reference particles, where counts are drawn anew."""
    native: bool = False
    """Whether a compiled reader is run, too, where there is one."""
    library: Path | None = None
    """The runtime that it opens; default: the installed one."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    passed: bool
    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class CheckResult:
    """All findings on one bundle."""

    target: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every finding is good."""
        return all(finding.passed for finding in self.findings)

    def record(self) -> dict[str, Any]:
        """The result as a JSON document."""
        entries = {
            finding.what: {"passed": finding.passed} | dict(finding.values)
            for finding in self.findings
        }
        return {"target": self.target, "passed": self.passed, "findings": entries}

    def __str__(self) -> str:
        lines = [
            f"{'ok  ' if finding.passed else 'FAIL'}  {finding.what}: {finding.text}"
            for finding in self.findings
        ]
        ending = "passed" if self.passed else "failed"
        return "\n".join([*lines, f"{self.target} bundle {ending}"])


def means_agree(
    what: str,
    labels: tuple[str, ...],
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    error: NDArray[np.float64],
) -> Finding:
    """Whether means agree within their statistical errors.  all (n,)"""
    scale = np.sqrt(error**2 + (RELATIVE * np.abs(expected)) ** 2 + 1e-12)
    pulls = (observed - expected) / scale
    worst = int(np.argmax(np.abs(pulls)))
    text = (
        f"{labels[worst]} {observed[worst]:.5g} against {expected[worst]:.5g} +- {scale[worst]:.2g}"
        f" ({pulls[worst]:+.1f} sigma, the worst of {len(labels)})"
    )
    values = {
        label: {"found": float(f), "expected": float(e), "error": float(s)}
        for label, f, e, s in zip(labels, observed, expected, scale, strict=True)
    }
    return Finding(what, bool(np.abs(pulls).max() <= LARGEST_PULL), text, values)


def numbers_agree(
    what: str, observed: NDArray[Any], expected: NDArray[Any], tolerance: float = RELATIVE
) -> Finding:
    """Whether two arrays agree, as a share of the largest number; default: to float32."""
    scale = float(np.abs(expected).max()) or 1.0
    difference = float(np.abs(observed - expected).max()) / scale
    text = f"largest deviation {difference:.1e} of the largest (allowed {tolerance:.0e})"
    return Finding(what, difference <= tolerance, text, {"deviation": difference})


@dataclass(frozen=True)
class Port:
    """An input or output; symbolic sizes are -1, as in the C API."""

    name: str
    kind: str
    shape: tuple[int, ...]


class Graph:
    """A loaded file: its ports in the order of the file, and a run on one core."""

    def __init__(self, path: Path, *, optimise: bool = True) -> None:
        self.path = path
        self._session = Session(read_model(path), str(path), optimise=optimise)
        session = self._session.session
        self.inputs = tuple(_port(port) for port in session.get_inputs())
        self.outputs = tuple(_port(port) for port in session.get_outputs())

    def run(self, *values: NDArray[np.float32]) -> NDArray[Any]:
        """The first output for inputs in the order of the file; DataError when it fails."""
        feed = {port.name: value for port, value in zip(self.inputs, values, strict=True)}
        return self._session.run(self.outputs[0].name, feed)

    def require_float32(self) -> None:
        """Raise DataError unless each port is float32."""
        for port in (*self.inputs, *self.outputs):
            if port.kind != "tensor(float)":
                raise DataError(f"{self.path}: {port.name} is {port.kind}, not float32")

    def require_inputs(self, *shapes: tuple[int, ...]) -> None:
        """Raise DataError unless the inputs have these shapes once symbolic sizes are 1."""
        input_shapes = [tuple(abs(size) for size in port.shape) for port in self.inputs]
        if input_shapes != list(shapes):
            raise DataError(
                f"{self.path} takes {_shapes(input_shapes)}, its reader gives {_shapes(shapes)}"
            )


def read_model(path: Path) -> bytes:
    """Bytes of an ONNX file that wants nothing but itself; DataError names what else it wants."""
    model = read_bytes(path, largest_bytes=LARGEST_GRAPH_BYTES)
    refuse_foreign(read_facts(model, str(path)), str(path))
    return model


def _port(port: Any) -> Port:
    sizes = tuple(size if isinstance(size, int) else -1 for size in port.shape)
    return Port(port.name, port.type, sizes)


def _shapes(shapes: Any) -> str:
    return " and ".join(str(list(shape)) for shape in shapes) or "nothing"
