"""Speed-up of a simulator over transport: CPU seconds a shower, by energy, for the same particles.

Shapes: N showers of a transported file, B bands of energy. Both times are CPU times of one process;
the simulator runs on one core, round after round over all bands, so that a busy machine hits all
alike. A ratio of means is given with its standard error (showers and rounds are independent).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.machine import processor
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator

if TYPE_CHECKING:
    from rich.table import Table

Array = NDArray[np.float64]

EDGES_GEV = (0.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 2000.0, 4000.0, math.inf)
BATCHES = (1, 256)
BLOCK = 1024
"""Showers of one timing: what the simulator draws latents for at once."""
ROUNDS = 7
FEWEST = 2


@dataclass(frozen=True)
class Seconds:
    """CPU seconds a shower and their standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Band:
    """Showers of one range of energy."""

    low_gev: float
    high_gev: float
    mean_gev: float
    showers: int
    transport: Seconds
    simulator: dict[int, Seconds]
    """By batch size."""
    speed_up: dict[int, Seconds]


@dataclass(frozen=True)
class SpeedUp:
    """What ``python -m benchmarks speed --transport`` reports."""

    detector: str
    simulator: str
    trained: bool
    """False: a network with random weights, whose showers mean nothing; its speed is the same."""
    transport_engine: str
    transport_processor: str
    processor: str
    core: int | None
    bands: list[Band]

    @property
    def same_machine(self) -> bool:
        """Whether both were timed on the same kind of processor."""
        return self.transport_processor == self.processor

    @property
    def label(self) -> str:
        """What a reader must know of the row."""
        parts = [] if self.trained else ["speed only: untrained network"]
        parts += [] if self.same_machine else [f"cross-machine: {self.transport_processor}"]
        return "; ".join(parts)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "same_machine": self.same_machine, "label": self.label}

    def table(self) -> Table:
        """For the terminal."""
        from rich.table import Table

        heading = f"{self.detector}: {self.simulator} over {self.transport_engine}"
        table = Table(title=f"{heading} ({self.label})" if self.label else heading)
        for name in ("energy / GeV", "showers", "transport / s"):
            table.add_column(name, justify="right")
        for batch in BATCHES:
            table.add_column(f"simulator / us, batch {batch}", justify="right")
            table.add_column("speed-up", justify="right")
        for band in self.bands:
            energies = f"{band.low_gev:g}-{band.high_gev:g}"
            cells = [energies, str(band.showers), with_error(band.transport)]
            for batch in BATCHES:
                cells += [with_error(band.simulator[batch], 1e6), with_error(band.speed_up[batch])]
            table.add_row(*cells)
        return table


def with_error(seconds: Seconds, scale: float = 1.0) -> str:
    """Three digits of a value and two of its error, without exponents."""
    parts = ((seconds.value * scale, 3), (seconds.error * scale, 2))
    return " +- ".join(_digits(value, count) for value, count in parts)


def _digits(value: float, count: int) -> str:
    """A number with so many digits, zeros after them: 72400, 87.2, 0.0361."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = count - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):.{max(places, 0)}f}"


def speed_up(
    path: Path,
    simulator: Simulator,
    *,
    trained: bool = True,
    rounds: int = ROUNDS,
    reporter: Reporter = SILENT,
) -> SpeedUp:
    """Time the simulator on the particles of a transported file, band by band.

    Raises DataError when the file is of another detector or does not say what transport took.
    """
    with ShowerFile(path, simulator.detector) as file:
        if file.cpu_seconds is None:
            raise DataError(f"{path} holds no /cpu_seconds: no speed-up without a measured time")
        conditions, seconds = file.conditions, file.cpu_seconds.astype(np.float64)
        provenance = file.provenance
    rows_of_bands = list(bands_of(simulator.detector, conditions, seconds))
    if not rows_of_bands:
        raise DataError(f"{path}: no band of energy has {FEWEST} transported showers")
    with one_core() as core:
        times = time_simulator(
            simulator, [conditions[rows] for _, rows in rows_of_bands], rounds, reporter
        )
    bands = [
        band(edges, energies(simulator.detector, conditions[rows]), seconds[rows], timed)
        for (edges, rows), timed in zip(rows_of_bands, times, strict=True)
    ]
    return SpeedUp(
        simulator.detector.name, simulator.folder.name, trained,
        provenance.get("engine", "an engine that the file does not name"),
        provenance.get("processor", "not recorded"), processor(), core, bands,
    )  # fmt: skip


def energies(detector: Detector, conditions: Array) -> Array:
    """Energy of each particle in GeV: its first condition.  (N,)"""
    return conditions[:, 0]


def bands_of(
    detector: Detector, conditions: Array, seconds: Array
) -> Iterator[tuple[tuple[float, float], NDArray[np.int64]]]:
    """Bands with enough showers that were transported; those that missed cost nothing."""
    energy = energies(detector, conditions)
    for low, high in pairwise(EDGES_GEV):
        rows = np.flatnonzero((energy >= low) & (energy < high) & (seconds > 0))
        if len(rows) >= FEWEST:
            yield (low, high), rows


@contextmanager
def one_core() -> Iterator[int | None]:
    """Stay on one core for a while, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    cores = os.sched_getaffinity(0)
    core = min(cores)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, cores)


def time_simulator(
    simulator: Simulator, conditions: Sequence[Array], rounds: int, reporter: Reporter
) -> list[dict[int, Array]]:
    """CPU seconds a shower of each band and batch size.  [{batch: (rounds,)}]"""
    filled = [rows[np.arange(BLOCK) % len(rows)] for rows in conditions]
    seconds: list[dict[int, list[float]]] = [{batch: [] for batch in BATCHES} for _ in conditions]
    for batch in BATCHES:
        simulator.generate(filled[0], batch=batch)
    with reporter.progress("time", rounds, "rounds") as advance:
        for number in range(rounds):
            for rows, timed in zip(filled, seconds, strict=True):
                for batch in BATCHES:
                    start = time.process_time()
                    simulator.generate(rows, seed=number, batch=batch)
                    timed[batch].append((time.process_time() - start) / BLOCK)
            advance()
    return [{batch: np.array(values) for batch, values in timed.items()} for timed in seconds]


def band(
    edges: tuple[float, float], energy: Array, seconds: Array, timed: Mapping[int, Array]
) -> Band:
    """A row of the report."""
    transport = mean_of(seconds)
    simulator = {batch: mean_of(values) for batch, values in timed.items()}
    return Band(
        edges[0], edges[1], float(energy.mean()), len(seconds), transport, simulator,
        {batch: ratio(transport, own) for batch, own in simulator.items()},
    )  # fmt: skip


def mean_of(values: Array) -> Seconds:
    """Mean and its standard error."""
    return Seconds(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def ratio(above: Seconds, below: Seconds) -> Seconds:
    """Ratio of two independent means."""
    value = above.value / below.value
    relative = math.hypot(above.error / above.value, below.error / below.value)
    return Seconds(value, value * relative)
