"""A production in a folder: what is finished is kept, the rest is made, whoever interrupts it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from caloforge.errors import CaloforgeError, Terminated, UsageError
from caloforge.generate.output import Output
from caloforge.generate.particles import Particles
from caloforge.generate.plan import (
    EVERYTHING,
    MANIFEST,
    SHARD_NAME,
    SHARE_NAME,
    Manifest,
    Plan,
    Settings,
    ShardRecord,
    Share,
    SourcePlan,
    read_manifest,
    remove_production,
    shard_showers,
    share_manifests,
)
from caloforge.generate.shard import make_shard, outside
from caloforge.io.files import is_unfinished, remove_unfinished
from caloforge.jobs import ALONE, LOCK, Call, CallProgress, Executor, Limits, only_run
from caloforge.machine import cpu_flags, peak_memory_mb, processor, require_seed
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator
from caloforge.simulator.engine_choice import choose_engine
from caloforge.simulator.engines import engine_of_name
from caloforge.simulator.shipped import find_simulator

AUTO = "auto"


@dataclass(frozen=True)
class NetworkOptions:
    """How the network shall run, as far as the user says."""

    engine: str | None = None
    threads: int | None = None
    batch: int | None = None

    def settle(
        self, simulator: Path, earlier: Settings | None, reporter: Reporter = SILENT
    ) -> Settings:
        """The user's choices, what was begun, and else a short measurement of the engines."""
        settings = earlier or Settings()
        threads, batch = self.threads or settings.threads, self.batch or settings.batch
        name = self.engine or (earlier.engine if earlier else AUTO)
        if name == AUTO:
            choice = choose_engine(simulator, threads=threads, batch=batch)
            reporter.say(str(choice))
            name = choice.name
        engine_of_name(name)
        return Settings(engine=name, threads=threads, batch=batch)


def begun_settings(folder: Path, overwrite: bool) -> Settings | None:
    """Settings of a production that the folder holds and that shall go on."""
    if overwrite or not (folder / MANIFEST).is_file():
        return None
    return read_manifest(folder).plan.settings


def how_many(showers: int | None, particles: object) -> int:
    """The number asked for, or as many as a file has rows; UsageError for an open spectrum."""
    if showers is not None:
        return showers
    if not isinstance(particles, Particles):
        raise UsageError("a spectrum has no end: say how many showers with -n")
    return len(particles)


def prepare(
    simulator: str | Path,
    source: SourcePlan,
    *,
    showers: int | None,
    seed: int,
    shards: int | None,
    shard_size: int | None,
    output: Output,
    settings: Settings,
    strict: bool = False,
) -> Plan:
    """The plan of a production, after a look at simulator, particles and training range.

    Raises UsageError for impossible numbers, DataError for a simulator or particles that are none.
    """
    require_seed(seed)
    simulator = find_simulator(simulator)
    model = Simulator.load(simulator, threads=settings.threads, engine=settings.engine)
    model.check()
    particles = source.open(model.card, seed)
    number = how_many(showers, particles)
    outside(model, particles, range(particles.different_rows(number)), strict=strict)
    return Plan(
        simulator=str(simulator.absolute()),
        generator_sha256=model.card.generator_sha256,
        source=source,
        source_fingerprint=particles.fingerprint,
        showers=number,
        seed=seed,
        shard_showers=shard_showers(number, shards, shard_size),
        output=output,
        strict=strict,
        settings=settings,
        engine_version=model.engine.name,
        cpu_flags=cpu_flags(),
    )


MANIFEST_ASIDE = f".{Path(MANIFEST).stem}"
"""Beginning of its name before it is whole."""
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
class Progress:
    """The finished shards, and their record on disk."""

    plan: Plan
    folder: Path
    share: Share | None = None
    finished: dict[int, ShardRecord] = field(default_factory=dict)
    wrote_at: float = 0.0
    write_seconds: float = 0.0

    def todo(self) -> list[int]:
        """Shards that are not finished."""
        share = self.share or EVERYTHING
        numbers = filter(share.holds, range(self.plan.shards))
        return [number for number in numbers if number not in self.finished]

    @property
    def manifest(self) -> str:
        """Name of the manifest that is written."""
        return MANIFEST if self.share is None else self.share.manifest

    def add(self, record: ShardRecord) -> None:
        """Note a finished shard; a kill right now costs no more than to make it again."""
        self.finished[record.number] = record
        if time.monotonic() - self.wrote_at > self.write_seconds / MANIFEST_SHARE:
            self.write()

    def write(self) -> None:
        """Write the manifest."""
        start = time.monotonic()
        Manifest.of(self.plan, self.finished).write(self.folder, self.manifest)
        self.wrote_at = time.monotonic()
        self.write_seconds = self.wrote_at - start

    def __str__(self) -> str:
        return (
            f"{len(self.finished)} of {self.plan.shards} shards are finished in {self.folder}: "
            "the same command goes on"
        )


def produce(
    plan: Plan,
    folder: str | Path,
    *,
    executor: Executor = ALONE,
    share: Share | None = None,
    overwrite: bool = False,
    reporter: Reporter = SILENT,
) -> Summary:
    """Make all shards of a plan, or a job's share of them, that the folder does not hold yet.

    Without ``share`` the manifests that jobs of an array left are joined into one.

    Raises UsageError when another run writes there, when the folder was begun by another plan or
    holds something else; what a shard met; Terminated after SIGTERM. Finished shards are kept.
    """
    folder = Path(folder)
    if share is not None and overwrite:
        raise UsageError("--force would remove the shards of other jobs: remove the folder instead")
    with only_run(folder, reporter, shared=share is not None):
        progress = _open(plan, folder, share, overwrite, reporter)
        start = time.perf_counter()
        before = set(progress.finished)
        with _saving(progress):
            _make(progress, executor, reporter)
        if share is None:
            for name in share_manifests(folder):
                (folder / name).unlink()
        records = [record for number, record in progress.finished.items() if number not in before]
        return _summary(progress, records, executor, time.perf_counter() - start, reporter)


def _open(
    plan: Plan, folder: Path, share: Share | None, overwrite: bool, reporter: Reporter
) -> Progress:
    """What is finished in a folder, without the shards that are missing or damaged."""
    if overwrite:
        remove_production(folder)
    progress = Progress(plan, folder, share)
    names = [MANIFEST] if (folder / MANIFEST).exists() else []
    if share is None:
        names += share_manifests(folder)
    elif (folder / share.manifest).exists():
        names.append(share.manifest)
    for name in names:
        _take_over(progress, plan, read_manifest(folder, name), reporter)
    foreign = any(not _is_ours(entry.name, share) for entry in folder.iterdir())
    if not names and foreign and not overwrite:
        raise UsageError(f"{folder} holds files but no {MANIFEST}; name a new folder")
    if share is None:
        remove_unfinished(folder)
    return progress


def _is_ours(name: str, share: Share | None) -> bool:
    """Whether a production without a manifest may hold it: the lock, and what other jobs write."""
    if share is None:
        # The first manifest is written aside, too: a kill may leave that.
        return name == LOCK or (is_unfinished(name) and name.startswith(MANIFEST_ASIDE))
    return name.startswith(".") or any(kind.fullmatch(name) for kind in (SHARD_NAME, SHARE_NAME))


def _take_over(progress: Progress, plan: Plan, manifest: Manifest, reporter: Reporter) -> None:
    """Go on with what a manifest says is finished."""
    folder = progress.folder
    plan.require_same(manifest.plan, folder)
    _note_changes(plan, manifest.plan, reporter)
    paths = {"simulator": plan.simulator, "source": plan.source}
    progress.plan = manifest.plan.model_copy(update=paths)
    for record in manifest.shards:
        if record.number in progress.finished:
            continue
        if record.is_whole(folder):
            progress.finished[record.number] = record
        else:
            reporter.warn(f"{folder / record.file} is missing or changed; it is made again")


def _note_changes(plan: Plan, earlier: Plan, reporter: Reporter) -> None:
    if plan.engine_version != earlier.engine_version:
        reporter.warn(f"begun with {earlier.engine_version}, now {plan.engine_version}")
    if plan.cpu_flags != earlier.cpu_flags:
        reporter.warn(
            "this processor has other instructions than the one that began: counts may differ at "
            "ties of rounding"
        )


@contextmanager
def _saving(progress: Progress) -> Iterator[None]:
    """Write the manifest, whatever happens."""
    progress.write()
    try:
        yield
    except BaseException:
        with suppress(CaloforgeError, OSError):  # a full disk, say: the first error tells
            progress.write()
        raise
    progress.write()


def _make(progress: Progress, executor: Executor, reporter: Reporter) -> None:
    plan, todo = progress.plan, progress.todo()
    if not todo:
        return
    settled = json.dumps(plan.model_dump()), str(progress.folder.absolute())
    calls = [
        Call(make_shard, (number, *settled), f"making shard {number}", counts=True)
        for number in todo
    ]
    limits = Limits(threads=plan.settings.threads)
    done = sum(record.showers for record in progress.finished.values())
    total = done + sum(len(plan.rows(number)) for number in todo)
    with reporter.progress("generate", total, "showers", done) as advance:
        within = CallProgress(advance)
        try:
            for result in executor.run(calls, limits, reporter, within.count):
                record = result.result()
                progress.add(record)
                within.count(result.number, record.showers)
        except Terminated as error:
            raise Terminated(f"{error}; {progress}") from error
        finally:
            if progress.share is None:
                remove_unfinished(progress.folder)


def _summary(
    progress: Progress,
    records: list[ShardRecord],
    executor: Executor,
    seconds: float,
    reporter: Reporter,
) -> Summary:
    plan = progress.plan
    outside: Counter[str] = Counter()
    for record in progress.finished.values():
        outside.update(record.outside)
    if outside:
        rows = ", ".join(f"{name} in {count}" for name, count in outside.items())
        reporter.warn(f"conditions outside the domain, of {plan.showers} rows: {rows}")
    showers = sum(record.showers for record in records)
    return Summary(
        path=str(progress.folder),
        showers=plan.showers,
        shards=plan.shards,
        made=showers,
        seconds=seconds,
        cpu_seconds=sum(record.cpu_seconds for record in records),
        showers_per_second=showers / seconds,
        engine=plan.engine_version,
        threads=plan.settings.threads,
        batch=plan.settings.batch,
        workers=executor.workers,
        executor=executor.name,
        processor=processor(),
        peak_memory_mb=peak_memory_mb(),
        megabytes=sum(record.bytes for record in progress.finished.values()) / 1e6,
        outside=dict(outside),
    )
