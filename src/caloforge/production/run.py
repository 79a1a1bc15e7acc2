"""A production in a folder: what is finished is kept, the rest is made, whoever interrupts it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from caloforge.errors import CaloforgeError, Terminated, UsageError
from caloforge.io.files import remove_unfinished
from caloforge.machine import peak_memory_mb, processor
from caloforge.production.executors import ALONE, Crew
from caloforge.production.lock import LOCK, only_run
from caloforge.production.manifest import (
    MANIFEST,
    Manifest,
    ShardRecord,
    read_manifest,
    remove_production,
)
from caloforge.production.plan import Plan
from caloforge.reporter import SILENT, Reporter
from caloforge.termination import asked_to_leave

MANIFEST_SHARE = 0.05
"""Of the time that may go into rewriting the manifest."""


@dataclass(frozen=True)
class Summary:
    """What a run of a production did."""

    path: str
    showers: int
    """In the whole production."""
    shards: int
    made: int
    """Showers of this run; those of finished shards were skipped."""
    seconds: float
    cpu_seconds: float
    showers_per_second: float
    engine: str
    threads: int
    batch: int
    workers: int
    executor: str
    processor: str
    peak_memory_mb: float
    megabytes: float
    outside: dict[str, int]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        text = (
            f"{self.path}: {self.showers} showers in {self.shards} shards, {self.megabytes:.1f} MB"
        )
        if not self.made:
            return f"{text}; it was complete already"
        return (
            f"{text}; made {self.made} now in {self.seconds:.1f} s = {self.showers_per_second:.0f} "
            f"showers/s ({self.executor}, {self.workers} worker(s), {self.engine}, "
            f"{self.threads} thread(s), batch {self.batch}, {self.processor})"
        )


@dataclass
class Ledger:
    """The finished shards, and their record on disk."""

    plan: Plan
    folder: Path
    finished: dict[int, ShardRecord] = field(default_factory=dict)
    wrote_at: float = 0.0
    write_seconds: float = 0.0

    def todo(self) -> list[int]:
        """Shards that are not finished."""
        return [number for number in range(self.plan.shards) if number not in self.finished]

    def add(self, record: ShardRecord) -> None:
        """Note a finished shard; a kill right now costs no more than to make it again."""
        self.finished[record.number] = record
        if time.monotonic() - self.wrote_at > self.write_seconds / MANIFEST_SHARE:
            self.write()

    def write(self) -> None:
        """Write the manifest."""
        started = time.monotonic()
        Manifest.of(self.plan, self.finished).write(self.folder)
        self.wrote_at = time.monotonic()
        self.write_seconds = self.wrote_at - started


def produce(
    plan: Plan,
    folder: Path,
    *,
    crew: Crew = ALONE,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Summary:
    """Make all shards of a plan that the folder does not hold yet.

    Raises UsageError when another run writes there, when the folder was begun by another plan or
    holds something else; what a shard met; Terminated after SIGTERM. Finished shards are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with only_run(folder):
        ledger = _open(plan, folder, overwrite, reporter)
        started = time.perf_counter(), time.process_time()
        before = set(ledger.finished)
        with _saving(ledger):
            _make(ledger, crew, reporter)
        made = [record for number, record in ledger.finished.items() if number not in before]
        return _summary(ledger, made, crew, started, reporter)


def _open(plan: Plan, folder: Path, overwrite: bool, reporter: Reporter) -> Ledger:
    """The ledger of a folder, without the shards that are missing or damaged."""
    remove_unfinished(folder)
    if overwrite:
        remove_production(folder)
    ledger = Ledger(plan, folder)
    if (folder / MANIFEST).exists():
        begun = read_manifest(folder)
        plan.require_same(begun.plan, folder)
        _note_changes(plan, begun.plan, reporter)
        moved = {"simulator": plan.simulator, "source": plan.source}
        ledger.plan = begun.plan.model_copy(update=moved)
        for record in begun.shards:
            if record.is_whole(folder):
                ledger.finished[record.number] = record
            else:
                reporter.warn(f"{folder / record.file} is missing or changed; it is made again")
    elif any(entry.name != LOCK for entry in folder.iterdir()) and not overwrite:
        raise UsageError(f"{folder} holds files but no {MANIFEST}; name a new folder")
    return ledger


def _note_changes(plan: Plan, begun: Plan, reporter: Reporter) -> None:
    if plan.engine_version != begun.engine_version:
        reporter.warn(f"begun with {begun.engine_version}, now {plan.engine_version}")
    if plan.cpu_flags != begun.cpu_flags:
        reporter.warn(
            "this processor has other instructions than the one that began: counts may differ at "
            "ties of rounding"
        )


@contextmanager
def _saving(ledger: Ledger) -> Iterator[None]:
    """Write the manifest, whatever happens."""
    ledger.write()
    try:
        yield
    except BaseException:
        with suppress(CaloforgeError, OSError):  # a full disk, say: the first error tells
            ledger.write()
        raise
    ledger.write()


def _make(ledger: Ledger, crew: Crew, reporter: Reporter) -> None:
    plan, todo = ledger.plan, ledger.todo()
    if not todo:
        return
    with (
        asked_to_leave() as leaving,
        reporter.progress("generate", plan.showers, "showers") as advance,
    ):
        advance(sum(record.showers for record in ledger.finished.values()))
        try:
            for record in crew.make(plan, ledger.folder, todo, leaving):
                ledger.add(record)
                advance(record.showers)
        except Terminated as error:
            raise Terminated(f"{error}; {_state(ledger)}") from error
        finally:
            remove_unfinished(ledger.folder)


def _state(ledger: Ledger) -> str:
    return (
        f"{len(ledger.finished)} of {ledger.plan.shards} shards are finished in {ledger.folder}: "
        "the same command goes on"
    )


def _summary(
    ledger: Ledger,
    made: list[ShardRecord],
    crew: Crew,
    started: tuple[float, float],
    reporter: Reporter,
) -> Summary:
    plan = ledger.plan
    outside: Counter[str] = Counter()
    for record in ledger.finished.values():
        outside.update(record.outside)
    if outside:
        rows = ", ".join(f"{name} in {count}" for name, count in outside.items())
        reporter.warn(f"conditions outside the training range, of {plan.showers} rows: {rows}")
    seconds = time.perf_counter() - started[0]
    showers = sum(record.showers for record in made)
    return Summary(
        path=str(ledger.folder),
        showers=plan.showers,
        shards=plan.shards,
        made=showers,
        seconds=seconds,
        cpu_seconds=sum(record.cpu_seconds for record in made),
        showers_per_second=showers / seconds,
        engine=plan.engine_version,
        threads=plan.settings.threads,
        batch=plan.settings.batch,
        workers=crew.workers,
        executor=crew.executor,
        processor=processor(),
        peak_memory_mb=peak_memory_mb(),
        megabytes=sum(record.bytes for record in ledger.finished.values()) / 1e6,
        outside=dict(outside),
    )


__all__ = ["Summary", "produce"]
