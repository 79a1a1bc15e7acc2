"""``transport``: particles in, one showers file out, by as many workers as one likes.

The arrays depend on the request alone: every shower has its own seed, so neither the number of
workers nor deaths, shards or resuming change them (``/cpu_seconds`` is measured and does vary).
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import UsageError
from caloforge.reporter import SILENT, Reporter
from caloforge.transport.assemble import Summary, assemble
from caloforge.transport.external import run_command
from caloforge.transport.farm import WORKER, Station, WorkerCommand, environment_for
from caloforge.transport.request import MISSING, TRANSPORTED, Request
from caloforge.transport.shards import Parts, Shard, open_parts
from caloforge.transport.shots import Shower
from caloforge.transport.tables import Tables
from caloforge.transport.worker import setup_line


@dataclass(frozen=True)
class Farm:
    """How the showers are made; nothing here changes them."""

    workers: int = 1
    renew_after: int | None = None
    worker_command: tuple[str, ...] | None = None


@dataclass
class _Work:
    """Shards to do, shared by the threads that each lead one worker."""

    request: Request
    parts: Parts
    advance: Callable[[int], None]
    shards: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, showers: int) -> None:
        """Progress, from any thread."""
        with self.lock:
            self.advance(showers)

    def note_engine(self, station: Station) -> None:
        """Keep the engine's version for the output."""
        with self.lock:
            if station.engine and not self.parts.noted("engine"):
                self.parts.note({"engine": station.engine})

    def lead(self, do: Callable[[int], Shard], close: Callable[[], None]) -> None:
        """Take shards until there are none; the first error stops all."""
        try:
            while not self.stop.is_set():
                number = self.shards.get_nowait()
                self.parts.save(number, do(number))
        except queue.Empty:
            pass
        except BaseException as error:
            self.errors.append(error)
            self.stop.set()
        finally:
            close()


def transport(
    request: Request,
    tables: Tables | None,
    out: Path,
    *,
    farm: Farm = Farm(),
    resume: bool = False,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Summary:
    """Transport all particles and write the showers file ``out``.

    Raises UsageError, DataError before any work for what cannot be, CaloforgeError when the engine
    does not start or, after writing all others, when showers are missing.
    """
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already; --force replaces it")
    shard_rows = request.shard_rows(farm.workers)
    fates = request.fates
    parts = open_parts(
        out, request.fingerprint, len(request), shard_rows, resume=resume, force=overwrite
    )
    reporter.say(_opening(request, tables, fates))
    try:
        with reporter.progress("transport", len(request), "showers") as advance:
            advance(parts.done_rows())
            _run(_Work(request, parts, advance), tables, farm)
    except BaseException:
        if not parts.done_rows():
            parts.remove()
        raise
    summary = assemble(request, parts, out, overwrite=overwrite)
    parts.remove()
    summary.raise_if_missing(out)
    return summary


def _opening(request: Request, tables: Tables | None, fates: NDArray[np.int8]) -> str:
    """First line of the log: what will be done, by which tables."""
    engine = tables.describe() if tables else f"engine: {request.command}"
    wanted = int((fates == TRANSPORTED).sum())
    return f"{request.detector.name}: {wanted} of {len(request)} showers to transport; {engine}"


def _run(work: _Work, tables: Tables | None, farm: Farm) -> None:
    """Lead the workers in threads until all shards are on disk; raises the first error."""
    for number in work.parts.todo():
        work.shards.put(number)
    count = min(farm.workers, work.shards.qsize())
    leaders = [_leader(work, tables, farm, number) for number in range(count)]
    threads = [threading.Thread(target=work.lead, args=leader) for leader in leaders]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    except BaseException:
        work.stop.set()
        for _, close in leaders:
            close()
        raise
    if work.errors:
        raise work.errors[0]


Leader = tuple[Callable[[int], Shard], Callable[[], None]]


def _leader(work: _Work, tables: Tables | None, farm: Farm, number: int) -> Leader:
    """How one thread makes a shard, and how it ends."""
    request = work.request
    if request.command is not None or tables is None:
        return (lambda shard: _by_command(work, shard)), (lambda: None)
    pdgs = sorted({int(pdg) for pdg in request.particles.pdg})
    command = farm.worker_command or WORKER
    how = WorkerCommand(
        setup_line(request.setup, request.detector, pdgs),
        environment_for(tables.environment(dict(os.environ))),
        work.parts.folder,
        command,
    )
    station = Station(how, number, farm.renew_after, stop=work.stop)
    return (lambda shard: _by_station(work, station, shard)), station.close


def _by_command(work: _Work, number: int) -> Shard:
    rows = work.parts.ranges[number]
    shard = run_command(work.request, rows, work.parts.folder, work.stop)
    work.count(len(rows))
    return shard


def _by_station(work: _Work, station: Station, number: int) -> Shard:
    """Shoot the showers of a shard that reach the calorimeter; the others stay empty."""
    request, rows = work.request, work.parts.ranges[number]
    shard = Shard.empty(len(rows), request.detector.cells, request.overflow_layers)
    shard.fate[:] = request.fates[rows.start : rows.stop]
    shots = [request.shot(row) for row in rows if request.fates[row] == TRANSPORTED]
    work.count(len(rows) - len(shots))

    def answer(shower: Shower) -> None:
        place = shower.index - rows.start
        shard.cells[place], shard.overflow[place] = shower.cells, shower.overflow
        shard.cpu_seconds[place] = shower.cpu_seconds
        work.count(1)

    for shot in station.serve(shots, answer):
        shard.fate[shot.index - rows.start] = MISSING
        work.count(1)
    work.note_engine(station)
    return shard
