"""What runs the generator's graph; onnxruntime on the processor is the one that always exists.

Shapes: N showers, K cells, Z latents, C conditions. OpenVINO (extra ``openvino``) is faster for
convolutions at large batches on some processors; ``engine_choice`` measures which.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError, UsageError
from caloforge.machine import require_threads
from caloforge.simulator.limits import memory_limit, within_time

INPUTS = ("latent", "conditions")
OUTPUT = "showers"
LONGEST_ERROR = 300


Ports = dict[str, tuple[str, list[int | str | None]]]


class Engine(Protocol):
    """A loaded graph: latents and physical conditions in, expected cells out."""

    name: str
    threads: int

    def ports(self) -> Ports:
        """Type and shape of each input and output, as the file declares them."""
        ...

    def run(
        self, latents: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Expected cells.  (N, Z), (N, C) -> (N, K)"""
        ...


class Session:
    """A graph in onnxruntime on the processor: fixed threads, nothing registered, limited.

    Loading and the first run, which is to be a small one, have limits of memory and time; what
    passes them is trusted.
    """

    def __init__(
        self, model: bytes, where: str, *, threads: int = 1, optimise: bool = True
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = require_threads(threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.load_model_format", "ONNX")
        if not optimise:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.where, self._size, self._tried = where, len(model), False
        self._threads = threads
        self._options = onnxruntime.RunOptions()
        self._options.log_severity_level = 4

        def load() -> Any:
            return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

        def stop() -> None:
            if hasattr(options, "set_load_cancellation_flag"):  # from 1.21 on
                options.set_load_cancellation_flag(True)

        try:
            with memory_limit(self._size, threads):
                self.session = within_time(self._size, load, stop)
        except Exception as error:  # onnxruntime's errors share no other class
            raise DataError(f"{where}: {first_line(error)}") from error
        self.name = f"onnxruntime {onnxruntime.__version__}"

    def run(self, output: str, feed: dict[str, NDArray[np.float32]]) -> NDArray[Any]:
        """One output; DataError when the graph fails, or in its first run passes a limit."""
        try:
            if self._tried:
                return np.asarray(self.session.run([output], feed)[0])
            with memory_limit(self._size, self._threads):
                answer = within_time(self._size, lambda: self._first_run(output, feed), self._stop)
        except Exception as error:
            raise DataError(f"{self.where}: the graph fails: {first_line(error)}") from error
        self._tried = True
        return answer

    def _first_run(self, output: str, feed: dict[str, NDArray[np.float32]]) -> NDArray[Any]:
        return np.asarray(self.session.run([output], feed, self._options)[0])

    def _stop(self) -> None:
        self._options.terminate = True


class OnnxRuntime:
    """onnxruntime on the processor, with a fixed number of threads."""

    def __init__(self, model: bytes, threads: int, where: str) -> None:
        self._session = Session(model, where, threads=threads)
        self.session = self._session.session
        self.name = self._session.name
        self.threads = threads

    def ports(self) -> Ports:
        """Type and shape of each input and output, as the file declares them."""
        ports = [*self.session.get_inputs(), *self.session.get_outputs()]
        return {port.name: (port.type, list(port.shape)) for port in ports}

    def run(
        self, latents: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Expected cells.  (N, Z), (N, C) -> (N, K)"""
        return self._session.run(OUTPUT, dict(zip(INPUTS, (latents, conditions), strict=True)))


class OpenVino:
    """OpenVINO on the processor: float32, one stream, free of any core."""

    def __init__(self, model: bytes, threads: int, where: str) -> None:
        import openvino

        settings = {
            "INFERENCE_NUM_THREADS": require_threads(threads),
            "NUM_STREAMS": 1,
            # Its default on some processors is bfloat16, which loses counts.
            "INFERENCE_PRECISION_HINT": "f32",
            # Its default pins each process to the same first cores, however many workers there are.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(model), "CPU", settings)
        except Exception as error:  # its errors are plain RuntimeErrors
            raise DataError(f"{where}: {first_line(error)}") from error
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self.name = f"openvino {openvino.__version__.split('-')[0]}"
        self.threads = threads

    def ports(self) -> Ports:
        """Type and shape of each input and output, as the file declares them."""
        ports: Ports = {}
        for port in (*self._compiled.inputs, *self._compiled.outputs):
            kind = "tensor(float)" if port.element_type.to_dtype() == np.float32 else "another type"
            sizes = [None if size.is_dynamic else size.get_length() for size in port.partial_shape]
            # A tensor that passes through unchanged bears several names.
            names = port.names & {*INPUTS, OUTPUT}
            ports[names.pop() if names else port.any_name] = (kind, sizes)
        return ports

    def run(
        self, latents: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Expected cells.  (N, Z), (N, C) -> (N, K)"""
        feed = dict(zip(INPUTS, (latents, conditions), strict=True))
        try:
            answer: Any = self._request.infer(feed)[OUTPUT]
        except Exception as error:
            raise DataError(f"the simulator's graph fails: {first_line(error)}") from error
        return np.array(answer)  # its own memory is used again by the next run


def require_ports(engine: Engine, sizes: dict[str, int], where: str) -> None:
    """Raise DataError unless the graph has exactly these float32 ports, each (any batch, size)."""
    ports = engine.ports()
    if ports.keys() != sizes.keys():
        raise DataError(f"{where} has inputs and outputs {sorted(ports)}, not {sorted(sizes)}")
    for name, size in sizes.items():
        kind, shape = ports[name]
        if kind != "tensor(float)" or shape[1:] != [size] or isinstance(shape[0], int):
            raise DataError(f"{where}: {name} is {kind} {shape}, not float [any batch, {size}]")


ENGINES: dict[str, Callable[[bytes, int, str], Engine]] = {
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
}
"""By the name of the package that they need."""


def installed_engines() -> list[str]:
    """Engines whose package is there."""
    return [name for name in ENGINES if find_spec(name)]


def engine_of_name(name: str) -> Callable[[bytes, int, str], Engine]:
    """The engine of that name; UsageError with the names that exist."""
    if name not in ENGINES:
        raise UsageError(f"no engine {name}; there are {', '.join(sorted(ENGINES))}")
    return ENGINES[name]


def first_line(error: Exception) -> str:
    """The first line of what a runtime says, printable and cut to a line's length."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0][:LONGEST_ERROR]
    return "".join(letter if letter.isprintable() else "?" for letter in line)
