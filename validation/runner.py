"""The one runner of all studies: a plan gives runs, a run leaves a record, records give the page.

A record that is there is not made again, so that a study goes on where it was stopped or killed.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from caloforge.errors import CaloforgeError, GateFailed, Terminated, UsageError
from caloforge.io.files import write_aside
from caloforge.jobs import Call, Done, Limits, executor_of, only_run
from caloforge.machine import asked_to_leave
from caloforge.reporter import Reporter

Record = dict[str, Any]
Records = Mapping[str, Mapping[str, Any]]
"""By the name of the run."""
RUNS, WORK, REFERENCES = "runs", "work", "references.json"


class Run(Protocol):
    """One piece of work that leaves one record; fit for another process."""

    @property
    def name(self) -> str:
        """File name of the record, without suffix."""

    @property
    def part(self) -> str:
        """What it is for: a final run, a trial."""

    def is_record_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of this very run."""

    def execute(self, folder: Path) -> Record:
        """The record; what is unfinished stays in ``folder / WORK``. Terminated after SIGTERM."""


@dataclass(frozen=True)
class Study:
    """What makes a study; functions live in modules, so that processes can pass them on."""

    name: str
    plan: Callable[[bool, int, Records], Iterator[Run]]
    """(quick, seed, records) -> all runs that the records let one know, the most telling first."""
    page: Callable[[Path], None]
    """Writes README.md and the pictures of a folder from its records."""
    summary: Callable[[Path], str]
    """What the terminal shows of a folder."""
    references: Callable[[], Record] = dict
    """What runs are held against, made once for a folder."""
    unmet: Callable[[Path], list[str]] = lambda folder: []
    """Statements that the records do not meet, where that fails the study."""


def carry_out(
    study: Study,
    folder: Path,
    *,
    quick: bool,
    seed: int,
    workers: int,
    reporter: Reporter,
    minutes: float | None = None,
    only: str | None = None,
    page: bool = False,
) -> Record:
    """Make the records that are missing and write the page; the same command goes on.

    Raises Terminated after SIGTERM, GateFailed where statements are not met, CaloforgeError where
    runs failed. After ``minutes`` the runs under way leave with a checkpoint. ``only`` names the
    runs to make, by a pattern as of files; ``page``: make none.
    """
    prepare(study, folder)
    if page or only:
        study = replace(study, plan=partial(runs_of_name, study.plan, only))
    errors: dict[str, CaloforgeError] = {}
    with only_run(folder):
        try:
            with asked_to_leave() as leaving, time_limit(minutes):
                for run, result in results(study, folder, quick, seed, workers, errors):
                    reporter.say(f"{run.name}: {outcome(result)}")
                    if leaving():
                        raise Terminated(f"stopped; the same command goes on with {folder}")
        except Terminated:
            if minutes is None:
                raise
            reporter.say(f"{minutes:g} minutes are over; the same command goes on")
        finally:
            study.page(folder)
    missing = sum(1 for _ in unmade(study, folder, quick, seed))
    record = {"study": study.name, "folder": str(folder)}
    counts = {"records": len(read_records(folder)), "missing": missing}
    reporter.result(study.summary(folder), record | counts)
    require(study, folder, errors, quick=quick)
    return record | counts


def runs_of_name(
    plan: Callable[[bool, int, Records], Iterator[Run]],
    only: str | None,
    quick: bool,
    seed: int,
    records: Records,
) -> Iterator[Run]:
    """The runs whose names match a pattern among all of a plan; none without a pattern."""
    if only is None:
        return
    matches = [run for run in plan(quick, seed, records) if fnmatchcase(run.name, only)]
    if not matches:
        raise UsageError(f"no run of that name: {only}")
    yield from matches


def require(
    study: Study, folder: Path, failed: Mapping[str, CaloforgeError], *, quick: bool
) -> None:
    """Raise for runs that failed and statements that are not met; quick studies are no test."""
    if failed:
        name, error = next(iter(failed.items()))
        raise CaloforgeError(f"{len(failed)} runs failed; first {name}: {error}")
    if not quick and (unmet := study.unmet(folder)):
        raise GateFailed(f"{len(unmet)} statements are not met; first: {unmet[0]}")


def prepare(study: Study, folder: Path) -> None:
    """Folders, and the references that every run is held against."""
    for name in (RUNS, WORK):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / WORK / ".gitignore").write_text("*\n", encoding="utf-8")
    if not (folder / REFERENCES).is_file():
        write_record(folder / REFERENCES, study.references())


def results(
    study: Study,
    folder: Path,
    quick: bool,
    seed: int,
    workers: int,
    failed: dict[str, CaloforgeError],
) -> Iterator[tuple[Run, Done]]:
    """Runs with their records as they end; the plan is asked again as records come."""
    executor, at_once = executor_of(workers), 1 if workers == 1 else None
    while True:
        pending = (run for run in unmade(study, folder, quick, seed) if run.name not in failed)
        runs = list(islice(pending, at_once))
        if not runs:
            return
        calls = [Call(record_run, (run, folder), f"running {run.name}") for run in runs]
        for result in executor.run(calls, Limits(attempts=1)):
            run = runs[result.number]
            if isinstance(result.error, CaloforgeError):
                failed[run.name] = result.error
            elif result.error is not None:
                raise result.error
            yield run, result


def record_run(run: Run, folder: Path) -> Record:
    """Execute a run and keep its record."""
    record = run.execute(folder)
    write_record(folder / RUNS / f"{run.name}.json", record)
    return record


def unmade(study: Study, folder: Path, quick: bool, seed: int) -> Iterator[Run]:
    """Runs of the plan that have no record yet."""
    records = read_records(folder)
    for run in study.plan(quick, seed, records):
        if run.name not in records or not run.is_record_of(records[run.name]):
            yield run


def read_records(folder: Path) -> dict[str, Record]:
    """All records of a folder by the name of their run."""
    paths = sorted((folder / RUNS).glob("*.json"))
    return {path.stem: read_record(path) for path in paths}


def read_record(path: Path) -> Record:
    """One record."""
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def read_references(folder: Path) -> Record:
    """What the runs of a folder are held against."""
    return read_record(folder / REFERENCES)


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """A record, whole or not at all."""
    with write_aside(path, overwrite=True) as part:
        part.write_text(json.dumps(record) + "\n", encoding="utf-8")


def outcome(result: Done) -> str:
    """How a run ended, in one line."""
    if result.error is not None:
        return f"failed: {result.error}"
    return str(result.value.get("outcome", "recorded"))


@contextmanager
def time_limit(minutes: float | None) -> Iterator[None]:
    """SIGTERM to this process when the time is over, as a batch system would send it."""
    if minutes is None:
        yield
        return
    timer = threading.Timer(60 * minutes, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
