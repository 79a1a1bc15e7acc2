"""What runs the generator's graph; onnxruntime on the processor is the one that always exists.

Shapes: N showers, K cells, Z latents, C conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError, UsageError

INPUTS = ("latent", "conditions")
OUTPUT = "showers"


class Engine(Protocol):
    """A loaded graph: latents and physical conditions in, expected cells out."""

    name: str
    threads: int

    def run(
        self, latents: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Expected cells.  (N, Z), (N, C) -> (N, K)"""
        ...


class OnnxRuntime:
    """onnxruntime on the processor, with a fixed number of threads and nothing registered."""

    def __init__(self, model: bytes, threads: int, where: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self.session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no other class
            raise DataError(f"{where}: {_first_line(error)}") from error
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self.threads = threads

    def ports(self) -> dict[str, tuple[str, list[int | str | None]]]:
        """Type and shape of each input and output, as the file declares them."""
        ports = [*self.session.get_inputs(), *self.session.get_outputs()]
        return {port.name: (port.type, list(port.shape)) for port in ports}

    def run(
        self, latents: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Expected cells.  (N, Z), (N, C) -> (N, K)"""
        feed = dict(zip(INPUTS, (latents, conditions), strict=True))
        try:
            (showers,) = self.session.run([OUTPUT], feed)
        except Exception as error:
            raise DataError(f"the simulator's graph fails: {_first_line(error)}") from error
        return np.asarray(showers)


def require_ports(engine: OnnxRuntime, sizes: dict[str, int], where: str) -> None:
    """Raise DataError unless the graph has exactly these float32 ports, each (any batch, size)."""
    found = engine.ports()
    if found.keys() != sizes.keys():
        raise DataError(f"{where} has inputs and outputs {sorted(found)}, not {sorted(sizes)}")
    for name, size in sizes.items():
        kind, shape = found[name]
        if kind != "tensor(float)" or shape[1:] != [size] or isinstance(shape[0], int):
            raise DataError(f"{where}: {name} is {kind} {shape}, not float [any batch, {size}]")


ENGINES: dict[str, Callable[[bytes, int, str], OnnxRuntime]] = {"onnxruntime": OnnxRuntime}


def engine_of_name(name: str) -> Callable[[bytes, int, str], OnnxRuntime]:
    """The engine of that name; UsageError with the names that exist."""
    if name not in ENGINES:
        raise UsageError(f"no engine {name}; there are {', '.join(sorted(ENGINES))}")
    return ENGINES[name]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]


__all__ = [
    "ENGINES",
    "INPUTS",
    "OUTPUT",
    "Engine",
    "OnnxRuntime",
    "engine_of_name",
    "require_ports",
]
