"""A simulator with 8-bit products, which ships only if the physics does not notice.

Shapes: N showers, M real rows, C conditions.

Products of 8-bit integers are four times faster than of float32 on processors with VNNI. Whether
that is allowed is measured: both simulators answer the same latents and conditions, and W1 of the
channel sums may move by at most a tenth of what separates the float32 simulator from the floor
(two halves of the real showers), or of the error of the floor where that is more: a simulator at
the floor cannot be told from a perfect one, but its W1 is not the floor to the last digit.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile
from caloforge.errors import CaloforgeError, GateFailed, UsageError
from caloforge.evaluate.metrics.wasserstein import w1_channels
from caloforge.export.precision import write_simulator
from caloforge.io.files import write_aside_folder
from caloforge.reporter import SILENT, Advance, Reporter
from caloforge.simulator import GRAPH, Simulator
from caloforge.simulator.engines import INPUTS
from caloforge.simulator.sampling import BLOCK, draw_latents, stream

FEWEST_SHOWERS = 50_000
CALIBRATION_BLOCKS = 2
PRODUCTS = ("Conv", "Gemm", "MatMul")
ALLOWED_SHARE = 0.1
HALVINGS = 16


def quantise(
    simulator: Simulator,
    real: str | Path,
    out: str | Path,
    *,
    showers: int = FEWEST_SHOWERS,
    seed: int = 0,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Int8Result:
    """Write the simulator with 8-bit products to ``out``, if it passes.

    Raises UsageError for fewer than 50 000 showers, GateFailed, with the figures and without
    writing, where W1 moves too far.
    """
    out = Path(out)
    if showers < FEWEST_SHOWERS:
        raise UsageError(f"int8 is evaluated on at least {FEWEST_SHOWERS} showers, not {showers}")
    with ShowerFile(real, simulator.detector) as file:
        conditions = file.conditions
        sums = np.concatenate([simulator.detector.read_out(part.cells) for part in file.chunks()])
    model = int8_graph((simulator.folder / GRAPH).read_bytes(), simulator, conditions)
    with write_aside_folder(out, overwrite=overwrite) as aside:
        fast = write_simulator(simulator, model, "int8", aside)
        fast.check()
        result = compare_w1(
            simulator, fast, conditions, sums, showers=showers, seed=seed, reporter=reporter
        )
        if not result.passed:
            raise GateFailed(f"int8 is refused: {result}")
    return result


def int8_graph(model: bytes, simulator: Simulator, conditions: NDArray[Any]) -> bytes:
    """The graph with 8-bit products but for its first and its last ones; calibrated."""
    import onnx

    model_proto = onnx.load_model_from_string(model)
    for number, node in enumerate(model_proto.graph.node):
        node.name = f"node{number}"
    try:
        quantised = _quantised(model_proto, simulator, conditions)
    except (RuntimeError, ValueError) as error:
        raise CaloforgeError(f"the graph has no int8 form: {error}") from error
    plain = [entry for entry in quantised.opset_import if entry.domain in ("", "ai.onnx")]
    del quantised.opset_import[:]
    quantised.opset_import.extend(plain)
    return bytes(quantised.SerializeToString())


def _quantised(model_proto: Any, simulator: Simulator, conditions: NDArray[Any]) -> Any:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quiet(), tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "float32.onnx", Path(scratch) / "int8.onnx"
        onnx.save_model(model_proto, source)
        quantize_static(
            source,
            target,
            Calibration(simulator, conditions),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(PRODUCTS),
            nodes_to_exclude=_first_and_last(model_proto.graph),
        )
        return onnx.load_model(target)


@contextmanager
def _quiet() -> Iterator[None]:
    """The tool advises to simplify first; the exporter has done that."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _first_and_last(graph: Any) -> list[str]:
    """Products that read no other product, or that no other product reads.

    The first ones read physical conditions, the last ones write the cells' logits: there 8 bits
    are too few, and their share of the work is small.
    """
    products = [node for node in graph.node if node.op_type in PRODUCTS]
    return [
        node.name
        for node in products
        if not _reaches(graph, node, forward=True) or not _reaches(graph, node, forward=False)
    ]


def _reaches(graph: Any, start: Any, *, forward: bool) -> bool:
    """Whether another product lies after (or before) a node."""
    front, visited = set(start.output if forward else start.input), set()
    while front:
        name = front.pop()
        visited.add(name)
        for node in graph.node:
            ends = node.input if forward else node.output
            if name not in ends:
                continue
            if node.op_type in PRODUCTS:
                return True
            front |= set(node.output if forward else node.input) - visited
    return False


class Calibration:
    """Feeds latents and known conditions, so that the ranges of all tensors are seen."""

    def __init__(self, simulator: Simulator, conditions: NDArray[Any]) -> None:
        self._batches = self._draw(simulator, conditions.astype(np.float32))

    def _draw(
        self, simulator: Simulator, conditions: NDArray[np.float32]
    ) -> Iterator[dict[str, NDArray[np.float32]]]:
        rng = stream(0, 0, 3)
        for _ in range(CALIBRATION_BLOCKS):
            rows = rng.integers(len(conditions), size=BLOCK)
            latents = draw_latents(rng, BLOCK, simulator.latent_size)
            yield dict(zip(INPUTS, (latents, conditions[rows]), strict=True))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch, None after the last: what onnxruntime's calibration asks for."""
        return next(self._batches, None)


@dataclass(frozen=True)
class Int8Result:
    """W1 of the channel sums, mean over channels, in the detector's unit."""

    showers: int
    floor: float
    float32: float
    int8: float
    floor_error: float = 0.0
    """By how much W1 of a perfect simulator varies around the floor."""

    @property
    def excess(self) -> float:
        """What separates float32 from the floor."""
        return self.float32 - self.floor

    @property
    def change(self) -> float:
        """By how much int8 moves W1."""
        return abs(self.int8 - self.float32)

    @property
    def allowed(self) -> float:
        """The largest change: a tenth of the excess, or of the error of the floor if larger."""
        return ALLOWED_SHARE * max(self.excess, self.floor_error)

    @property
    def passed(self) -> bool:
        """Whether the change is allowed."""
        return self.change <= self.allowed

    def record(self) -> dict[str, Any]:
        """For JSON."""
        derived = ("excess", "allowed", "passed")
        return asdict(self) | {name: getattr(self, name) for name in derived}

    def __str__(self) -> str:
        return (
            f"W1 of {self.showers} showers: float32 {self.float32:.4g}, int8 {self.int8:.4g}, "
            f"floor {self.floor:.4g} +- {self.floor_error:.2g}: a change of {self.change:.2g}, "
            f"allowed {self.allowed:.2g} (a tenth of the excess over the floor, or of its error)"
        )


def compare_w1(
    float32: Simulator,
    int8: Simulator,
    conditions: NDArray[Any],
    real: NDArray[np.float64],
    *,
    showers: int,
    seed: int,
    reporter: Reporter = SILENT,
) -> Int8Result:
    """W1 of both against the channel sums of real showers.  (M, C), (M, c)"""
    with reporter.progress("compare", 2 * showers, "showers") as advance:
        sums = [_sums(one, conditions, showers, seed, advance) for one in (float32, int8)]
    w1_float32, w1_int8 = (float(w1_channels(real, other).mean()) for other in sums)
    floor, error = floor_of(real, np.random.default_rng(seed))
    return Int8Result(showers, floor, w1_float32, w1_int8, error)


def _sums(
    simulator: Simulator, conditions: NDArray[Any], showers: int, seed: int, advance: Advance
) -> NDArray[np.float64]:
    """Channel sums of generated showers.  (showers, c)"""
    sums = []
    for _, cells in simulator.batches(conditions, range(showers), seed=seed):
        sums.append(simulator.detector.read_out(cells))
        advance(len(cells))
    return np.concatenate(sums)


def floor_of(real: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    """W1 of the real showers to their own law, and its error: half of what separates two halves.

    W1 of finite samples falls with the root of their size. Two halves of M / 2 carry a variance of
    4 / M; a large generated sample against M real showers carries 1 / M.
    """
    half = len(real) // 2
    distances = []
    for _ in range(HALVINGS):
        order = rng.permutation(len(real))
        distances.append(w1_channels(real[order[:half]], real[order[half : 2 * half]]).mean())
    return float(np.mean(distances)) / 2, float(np.std(distances, ddof=1)) / 2
