"""All runs of a campaign, the most telling first; resumable, a record each; then the page."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from caloforge.data.samples import sample_path
from caloforge.errors import Terminated
from caloforge.jobs import Call, Limits, executor_of, only_run
from caloforge.reporter import Reporter
from caloforge.termination import asked_to_leave
from validation.campaign.campaign import Campaign, Plan
from validation.campaign.cost import costs_with, steps_of
from validation.campaign.record import REFERENCES, RUNS, WORK, Record, by_name, is_of
from validation.campaign.record import write as write_record
from validation.campaign.run import execute
from validation.campaign.task import Task


def carry_out(
    campaign: Campaign,
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
    data, plan = sample_path(campaign.detector), campaign.quick if quick else campaign.full
    prepare(campaign, out, data)
    with only_run(out):
        try:
            with asked_to_leave() as leaving, time_limit(minutes):
                for task, record in runs(campaign, out, data, plan, seed, workers):
                    reporter.say(f"{task.name}: {told(record)}")
                    if leaving():
                        raise Terminated(f"stopped; the same command goes on with {out}")
        except Terminated:
            if minutes is None:
                raise
            reporter.say(f"{minutes:g} minutes are over; the same command goes on")
        finally:
            campaign.report(out)
    number = len(by_name(out))
    reporter.result(campaign.terminal(out), {"out": str(out), "runs": number})
    return {"runs": number}


def prepare(campaign: Campaign, out: Path, data: Path) -> None:
    """Folders, and the references that every run is held against."""
    for name in (RUNS, WORK):
        (out / name).mkdir(parents=True, exist_ok=True)
    (out / WORK / ".gitignore").write_text("*\n", encoding="utf-8")
    if not (out / REFERENCES).is_file():
        write_record(out / REFERENCES, campaign.references(data))


def runs(
    campaign: Campaign, out: Path, data: Path, plan: Plan, seed: int, workers: int
) -> Iterator[tuple[Task, Record]]:
    """Tasks with their records, as they end; each choice is made when its trials are there."""
    executor = executor_of(workers)
    while waiting := list(islice(missing(campaign, out, data, plan, seed), first(workers))):
        calls = [
            Call(execute, (campaign, task, steps, data, out), f"running {task.name}")
            for task, steps in waiting
        ]
        for done in executor.run(calls, Limits(attempts=1)):
            yield waiting[done.number][0], done.result()


def first(workers: int) -> int | None:
    """How many runs to begin before looking anew: one, if nothing runs beside it."""
    return 1 if workers == 1 else None


def missing(
    campaign: Campaign, out: Path, data: Path, plan: Plan, seed: int
) -> Iterator[tuple[Task, int]]:
    """Known tasks, with their steps, that have no record of their recipe yet."""
    records = by_name(out)
    for task in plan(seed, records):
        steps = steps_of(task, costs_with(task, campaign.detector, out, data))
        recipe = task.recipe(campaign.detector, steps)
        if task.name not in records or not is_of(records[task.name], recipe):
            yield task, steps


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
