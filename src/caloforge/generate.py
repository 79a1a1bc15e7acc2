"""Mass production: conditions in, one showers file out, at a rate that is measured and reported.

Shapes: N showers, K cells, C conditions, M known rows that are cycled over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.channel_file import ChannelWriter
from caloforge.data.showers import ShowerFile, ShowerWriter
from caloforge.detector import Detector
from caloforge.errors import DataError, Terminated, UsageError
from caloforge.machine import peak_memory_mb, processor
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator
from caloforge.termination import asked_to_leave


@dataclass(frozen=True)
class Particles:
    """Known particles, to be showered again and again in the order of their rows."""

    conditions: NDArray[np.float64]
    """Physical conditions.  (M, C)"""
    particle: NDArray[np.int64]
    """Equal numbers are repeats of one particle, adjacent.  (M,)"""
    pdg: NDArray[np.int32] | None = None
    source: str = ""

    @classmethod
    def like(cls, path: Path, detector: Detector) -> Particles:
        """The rows of a showers file; DataError when it is none of this detector."""
        with ShowerFile(path, detector) as file:
            return cls(file.conditions, file.particle, file.pdg, source=str(path))

    def __len__(self) -> int:
        return len(self.particle)

    def of(self, showers: range) -> dict[str, NDArray[Any]]:
        """Columns of these showers: the rows again and again, each cycle with its own numbers.

        The first cycle keeps the numbers of the file, so that evaluation can pair particles.
        """
        cycle, row = np.divmod(np.arange(showers.start, showers.stop), len(self))
        largest, smallest = int(self.particle.max()), int(self.particle.min())
        stride = largest - smallest + 1
        if largest + stride * int(cycle[-1]) > np.iinfo(np.int64).max:
            raise DataError(f"{self.source}: particle numbers up to {largest} cannot be continued")
        numbers = self.particle[row] + cycle * (stride if cycle[-1] else 0)
        known = {"conditions": self.conditions[row], "particle": numbers}
        return known if self.pdg is None else known | {"pdg": self.pdg[row]}


@dataclass(frozen=True)
class Production:
    """What was made, how fast, and on what."""

    path: str
    showers: int
    seed: int
    scheme: str
    engine: str
    threads: int
    batch: int
    processor: str
    seconds: float
    cpu_seconds: float
    showers_per_second: float
    peak_memory_mb: float
    megabytes: float
    outside: dict[str, int]
    """Rows outside the training range, by condition."""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.showers} showers in {self.seconds:.1f} s = "
            f"{self.showers_per_second:.0f} showers/s (scheme {self.scheme}, {self.engine}, "
            f"{self.threads} thread(s), batch {self.batch}, {self.processor}; "
            f"peak memory {self.peak_memory_mb:.0f} MB, file {self.megabytes:.1f} MB)"
        )


def generate(
    simulator: Simulator,
    particles: Particles,
    out: Path,
    *,
    showers: int,
    seed: int = 0,
    batch: int = 256,
    scheme: str | None = None,
    images: bool = True,
    strict: bool = False,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Production:
    """Write ``showers`` showers (or, without ``images``, their channel sums) to ``out``.

    The file appears when it is whole. Raises UsageError for an existing file and impossible
    numbers, DataError for bad conditions (and, if ``strict``, for any outside the training range).
    """
    if showers < 1 or seed < 0:
        raise UsageError(f"the number of showers ({showers}) is at least 1, the seed at least 0")
    channels = simulator.detector.scheme(scheme).scheme
    outside = _outside(simulator, particles, showers, strict, reporter)
    drawn = simulator.batches(particles.conditions, range(showers), seed=seed, batch=batch)
    started, started_cpu = time.perf_counter(), time.process_time()
    with (ShowerWriter if images else ChannelWriter)(
        out,
        simulator.detector,
        provenance(simulator, particles, seed),
        columns=() if particles.pdg is None else ("pdg",),
        channels_scheme=channels,
        overwrite=overwrite,
    ) as writer:
        _write(writer, drawn, particles, showers, reporter)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    return Production(
        path=str(out),
        showers=showers,
        seed=seed,
        scheme=channels,
        engine=simulator.engine.name,
        threads=simulator.engine.threads,
        batch=batch,
        processor=processor(),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        showers_per_second=showers / seconds,
        peak_memory_mb=peak_memory_mb(),
        megabytes=out.stat().st_size / 1e6,
        outside=outside,
    )


def _write(
    writer: ShowerWriter | ChannelWriter,
    drawn: Iterator[tuple[range, NDArray[Any]]],
    particles: Particles,
    showers: int,
    reporter: Reporter,
) -> None:
    """Append all batches; raises Terminated after SIGTERM, for the writer to remove its file."""
    with asked_to_leave() as leaving, reporter.progress("generate", showers, "showers") as advance:
        for rows, cells in drawn:
            if leaving():
                raise Terminated(
                    f"terminated after {rows.start} showers; the unfinished file was removed"
                )
            writer.append(cells, **particles.of(rows))
            advance(len(rows))


def provenance(simulator: Simulator, particles: Particles, seed: int) -> dict[str, str]:
    """Where generated showers come from, as text for the file."""
    card = simulator.card
    record = {
        "engine": f"caloforge {card.caloforge_version} simulator",
        "seed": str(seed),
        "source": particles.source,
        "simulator_sha256": card.generator_sha256,
        "sampling": card.sampling,
        "runtime": f"{simulator.engine.name}, {simulator.engine.threads} thread(s)",
        "licence": card.provenance.get("licence", ""),
        "trained_on": card.provenance.get("source", ""),
    }
    return {name: value for name, value in record.items() if value}


def _outside(
    simulator: Simulator, particles: Particles, showers: int, strict: bool, reporter: Reporter
) -> dict[str, int]:
    """Rows outside the training range, reported; DataError if ``strict`` and there are some."""
    conditions = simulator.require_conditions(particles.conditions)
    used = conditions[: min(showers, len(conditions))]
    counts = simulator.outside(used)
    if not counts:
        return counts
    ranges = simulator.card.training_ranges
    parts = [
        f"{name} in {count} (trained on {ranges[name][0]:g} to {ranges[name][1]:g})"
        for name, count in counts.items()
    ]
    text = f"conditions outside the training range, of {len(used)} rows: {', '.join(parts)}"
    if strict:
        raise DataError(f"{particles.source}: {text}")
    reporter.warn(text)
    return counts


__all__ = ["Particles", "Production", "generate", "provenance"]
