"""An ONNX file as foreign readers load it: standard operators, one file, one thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.simulator.onnx_safety import read_facts, refuse_foreign

LARGEST_GRAPH_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Port:
    """An input or output; symbolic sizes are -1, as in the C API."""

    name: str
    kind: str
    shape: tuple[int, ...]


class Graph:
    """A loaded file: its ports in the order of the file, and a run on one core."""

    def __init__(self, path: Path, *, optimise: bool = True) -> None:
        import onnxruntime

        self.path = path
        model = read_model(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.load_model_format", "ONNX")
        if not optimise:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self.session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no other class
            raise DataError(f"{path}: {first_line(error)}") from error
        self.inputs = tuple(_port(port) for port in self.session.get_inputs())
        self.outputs = tuple(_port(port) for port in self.session.get_outputs())

    def run(self, *values: NDArray[np.float32]) -> NDArray[Any]:
        """The first output for inputs in the order of the file; DataError when it fails."""
        feed = {port.name: value for port, value in zip(self.inputs, values, strict=True)}
        try:
            return np.asarray(self.session.run([self.outputs[0].name], feed)[0])
        except Exception as error:
            raise DataError(f"{self.path}: {first_line(error)}") from error

    def require_float32(self) -> None:
        """Raise DataError unless each port is float32."""
        for port in (*self.inputs, *self.outputs):
            if port.kind != "tensor(float)":
                raise DataError(f"{self.path}: {port.name} is {port.kind}, not float32")

    def require_inputs(self, *shapes: tuple[int, ...]) -> None:
        """Raise DataError unless the inputs have these shapes once symbolic sizes are 1."""
        found = [tuple(abs(size) for size in port.shape) for port in self.inputs]
        if found != list(shapes):
            raise DataError(
                f"{self.path} takes {_shapes(found)}, its reader gives {_shapes(shapes)}"
            )


def read_model(path: Path) -> bytes:
    """Bytes of an ONNX file that wants nothing but itself; DataError names what else it wants."""
    try:
        if path.stat().st_size > LARGEST_GRAPH_BYTES:
            raise DataError(f"{path} is larger than an ONNX file can be")
        model = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    refuse_foreign(read_facts(model, str(path)), str(path))
    return model


def first_line(error: Exception) -> str:
    """The first line of what a runtime says, cut to a line's length."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _port(port: Any) -> Port:
    sizes = tuple(size if isinstance(size, int) else -1 for size in port.shape)
    return Port(port.name, port.type, sizes)


def _shapes(shapes: Any) -> str:
    return " and ".join(str(list(shape)) for shape in shapes) or "nothing"


__all__ = ["Graph", "Port", "first_line", "read_model"]
