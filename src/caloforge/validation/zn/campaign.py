"""All runs of the comparison, the most telling first; resumable, a record each; then the page."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caloforge.data.samples import sample_path
from caloforge.errors import Terminated
from caloforge.production.lock import only_run
from caloforge.reporter import Reporter
from caloforge.search.workers import in_processes
from caloforge.termination import asked_to_leave
from caloforge.validation.zn.cost import costs_with, steps_of
from caloforge.validation.zn.plan import DETECTOR, FULL, QUICK, Budget, Task, upcoming
from caloforge.validation.zn.run import RUNS, WORK, Record, execute, is_of, write

REFERENCES = "references.json"


def validate(
    out: Path,
    *,
    quick: bool,
    seed: int,
    workers: int,
    reporter: Reporter,
    minutes: float | None = None,
) -> dict[str, Any]:
    """Train what is not there yet, write records and README.md into a folder.

    After ``minutes`` the run under way is left with a checkpoint; the same command goes on.
    """
    from caloforge.validation.zn.report import terminal, write_report

    budget, data = QUICK if quick else FULL, sample_path(DETECTOR)
    prepare(out, data)
    with only_run(out):
        try:
            with asked_to_leave() as leaving, time_limit(minutes):
                for task, record in runs(out, data, budget, seed, workers):
                    reporter.say(f"{task.name}: {told(record)}")
                    if leaving():
                        raise Terminated(f"stopped; the same command goes on with {out}")
        except Terminated:
            if minutes is None:
                raise
            reporter.say(f"{minutes:g} minutes are over; the same command goes on")
        finally:
            write_report(out)
    records = read_records(out)
    reporter.result(terminal(out), {"out": str(out), "runs": len(records)})
    return {"runs": len(records)}


def prepare(out: Path, data: Path) -> None:
    """Folders, and the references that every run is held against."""
    from caloforge.validation.zn.reference import references

    for name in (RUNS, WORK):
        (out / name).mkdir(parents=True, exist_ok=True)
    (out / WORK / ".gitignore").write_text("*\n", encoding="utf-8")
    if not (out / REFERENCES).is_file():
        write(out / REFERENCES, references(data))


def runs(
    out: Path, data: Path, budget: Budget, seed: int, workers: int
) -> Iterator[tuple[Task, Record]]:
    """Tasks with their records, as they end; each choice is made when its trials are there."""
    while (first := next(missing(out, data, budget, seed), None)) is not None:
        if workers == 1:
            yield first[0], execute(*first, data, out)
            continue
        waiting = list(missing(out, data, budget, seed))
        jobs = [(execute, (task, steps, data, out)) for task, steps in waiting]
        for number, result in in_processes(jobs, workers):
            if isinstance(result, Exception):
                raise result
            yield waiting[number][0], result


def missing(out: Path, data: Path, budget: Budget, seed: int) -> Iterator[tuple[Task, int]]:
    """Known tasks, with their steps, that have no record of their recipe yet."""
    records = by_name(out)
    for task in upcoming(budget, seed, records):
        steps = steps_of(task, costs_with(task, out, data))
        if task.name not in records or not is_of(records[task.name], task.recipe(steps)):
            yield task, steps


def by_name(out: Path) -> dict[str, Record]:
    """All records of a folder by the name of their task."""
    paths = sorted((out / RUNS).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def read_records(out: Path) -> list[Record]:
    """All records of a folder, by name."""
    return list(by_name(out).values())


def told(record: Record) -> str:
    """A run in one line."""
    if record.get("failed"):
        return f"failed: {record['failed']}"
    score = f"validation {record['validation_score']:.2f}"
    seconds = f"{record['steps']} steps, {record['cpu_seconds']:.0f} CPU s"
    test = record.get("test", {}).get("conditional_w1", {}).get("value")
    return f"{score}, {seconds}" if test is None else f"{score}, test {test:.2f}, {seconds}"


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


__all__ = ["by_name", "missing", "read_records", "runs", "validate"]
