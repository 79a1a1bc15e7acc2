"""One file of showers, at a rate that is measured and reported.

Shapes: N showers, K cells, C conditions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from caloforge.errors import Terminated, UsageError
from caloforge.generate.output import Output, Writer
from caloforge.generate.particles import Source
from caloforge.generate.shard import Drawn, draw_showers, outside, outside_text, provenance
from caloforge.machine import asked_to_leave, peak_memory_mb, processor, require_seed
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import BATCH, BLOCK


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
    """Rows outside the domain of the simulator, by rule."""

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
    particles: Source,
    out: str | Path,
    *,
    showers: int,
    seed: int = 0,
    batch: int = BATCH,
    output: Output | None = None,
    strict: bool = False,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Production:
    """Write showers to one file, which appears when it is whole.

    Args:
        simulator: What generates them.
        particles: Where their particles come from: a file, a spectrum, a table.
        out: File of the showers.
        showers: Number of showers.
        seed: Of the latents and counts.
        batch: Showers a call of the network; it changes no shower.
        output: Format, compression and scheme; default: HDF5 with images.
        strict: Refuse particles outside the domain of the simulator.
        overwrite: Replace an older file.
        reporter: Shows how far it is.

    Returns:
        What was written, how fast and by what.

    Raises:
        UsageError: A file that exists, or an impossible number.
        DataError: Bad conditions; with ``strict`` any outside the domain.
    """
    out = Path(out)
    _check_numbers(showers, seed, batch)
    settings = output or Output(scheme=simulator.detector.scheme().scheme)
    unusual = _outside(simulator, particles, showers, strict, reporter)
    start, started_cpu = time.perf_counter(), time.process_time()
    with _open(simulator, particles, out, settings, seed, overwrite) as writer:
        blocks = draw_showers(simulator, particles, range(showers), seed=seed, batch=batch)
        _write(writer, blocks, showers, reporter)
    seconds = time.perf_counter() - start
    return Production(
        path=str(out),
        showers=showers,
        seed=seed,
        scheme=settings.scheme,
        batch=batch,
        **_machine(simulator),
        seconds=seconds,
        cpu_seconds=time.process_time() - started_cpu,
        showers_per_second=showers / seconds,
        peak_memory_mb=peak_memory_mb(),
        megabytes=out.stat().st_size / 1e6,
        outside=unusual,
    )


def _machine(simulator: Simulator) -> dict[str, Any]:
    """What ran the network, and where."""
    engine = simulator.engine
    return {"engine": engine.name, "threads": engine.threads, "processor": processor()}


def _open(
    simulator: Simulator, particles: Source, out: Path, output: Output, seed: int, overwrite: bool
) -> AbstractContextManager[Writer]:
    attributes = provenance(simulator, particles, seed)
    columns = particles.columns
    return output.open(out, simulator.detector, attributes, columns, overwrite=overwrite)


def _check_numbers(showers: int, seed: int, batch: int) -> None:
    require_seed(seed)
    if showers < 1 or not 1 <= batch <= BLOCK:
        raise UsageError(
            f"the number of showers ({showers}) is at least 1, a batch has 1 to {BLOCK}"
        )


def _outside(
    simulator: Simulator, particles: Source, showers: int, strict: bool, reporter: Reporter
) -> dict[str, int]:
    """Rows outside the domain, reported; DataError if ``strict`` and there are some."""
    rows = range(particles.different_rows(showers))
    counts = outside(simulator, particles, rows, strict=strict)
    if counts:
        reporter.warn(outside_text(simulator, counts, len(rows), particles.source))
    return counts


def _write(writer: Writer, blocks: Iterator[Drawn], showers: int, reporter: Reporter) -> None:
    """Append all batches; raises Terminated after SIGTERM, for the writer to remove its file."""
    rows = 0
    with asked_to_leave() as leaving, reporter.progress("generate", showers, "showers") as advance:
        for cells, columns in blocks:
            if leaving():
                raise Terminated(
                    f"terminated after {rows} showers; the unfinished file was removed"
                )
            writer.append(cells, **columns)
            rows += len(cells)
            advance(len(cells))
