"""What is trained: the four rows of the paper and ours, both splits, one weight at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from caloforge.search.grid import Axis, points, settings
from validation.campaign.record import Records
from validation.campaign.task import Task
from validation.campaign.trials import TRIAL_SEED, chosen, rates

DETECTOR = "alice_zp"
PLAIN, WHOLE, OURS = "proton-gan", "proton-sdi-intensity-aux", "calibrated"
PAPER = (PLAIN, "proton-sdi", "proton-sdi-intensity", WHOLE)
"""The rows of Table 1 of arXiv:2406.03263, in its order."""
METHODS = (*PAPER, OURS)
TEST = "data.test=0.2"
"""As many particles judge as the published split keeps rows."""
LEAKY = "data.split=row"


@dataclass(frozen=True)
class Scan:
    """One weight over decades, all others as the recipe says."""

    method: str
    axis: Axis


SCANS = {
    "lambda_in": Scan(
        "proton-sdi-intensity", Axis("objective.Intensity.weight", (1e-5, 1e-4, 1e-3, 1e-2, 1e-1))
    ),
    "lambda_div": Scan(
        "proton-sdi", Axis("objective.SelectiveDiversity.weight", (1e-4, 1e-3, 1e-2, 1e-1, 1))
    ),
    "lambda_aux": Scan(
        WHOLE, Axis("objective.ShowerCentre.weight", (1e-5, 1e-4, 1e-3, 1e-2, 1e-1))
    ),
}


CHOOSING, HOLDING = "lambda_in", ("proton-sdi-intensity", WHOLE)
"""The scan whose best weight on the validation particles the rows with an intensity take."""
RATES: dict[str, tuple[str, ...]] = {
    "own": (),
    **{
        f"slow-critic-{rate:g}": rates(rate, rate / 10, weight_decay=0.1)
        for rate in (0.001, 0.0005, 0.0002)
    },
}
"""Optimisers that ``proton-gan`` tries: the recipe's, and the ratio of ten of the public code."""


@dataclass(frozen=True)
class Budget:
    """CPU seconds of a run, and seeds."""

    trial: float
    final: float
    scan: float
    seeds: int = 5
    trial_seeds: int = 2
    whole: bool = True
    """False: no trials, the recipes' own optimisers, no split by row, no scans."""


FULL = Budget(trial=45, final=150, scan=40)
"""A longer campaign is other numbers here; 360 a run and 120 a scan were allowed."""
QUICK = Budget(trial=0, final=10, scan=0, seeds=1, whole=False)


def numbers(budget: Budget) -> dict[str, int]:
    """Runs of a whole campaign by part."""
    return {
        "trial": len(RATES) * budget.trial_seeds,
        "final": len(METHODS) * budget.seeds,
        "leaky": len(METHODS),
        "scan": sum(len(scan.axis.values) for scan in SCANS.values()),
    }


def cpu_seconds(budget: Budget) -> float:
    """CPU seconds of a whole campaign."""
    runs = numbers(budget)
    judged = (runs["final"] + runs["leaky"]) * budget.final
    return runs["trial"] * budget.trial + judged + runs["scan"] * budget.scan


def upcoming(budget: Budget, seed: int, records: Records) -> Iterator[Task]:
    """All tasks that the records let one know, the most telling first."""
    rate: str | None = None
    intensity: tuple[str, ...] = ()
    if budget.whole:
        yield from (tried := trials(budget, seed))
        if (best := chosen(tried, records)) is None:
            return
        rate = best.rate
        yield from (scanned := list(scans(budget, seed, rate, (CHOOSING,))))
        if (picked := chosen(scanned, records)) is None:
            return
        intensity = picked.settings[-1:]
    first = [
        held_by(run_of("final", name, budget.final, seed, rate), intensity) for name in METHODS
    ]
    for number in range(budget.seeds):
        yield from (replace(task, seed=seed + number) for task in first)
    if budget.whole:
        for task in first:
            yield replace(task, part="leaky", settings=(*task.settings, LEAKY))
        others = tuple(label for label in SCANS if label != CHOOSING)
        for task in scans(budget, seed, rate, others):
            yield held_by(task, intensity)


def trials(budget: Budget, seed: int) -> list[Task]:
    """``proton-gan`` with each of the optimisers, some seeds each."""
    return [
        run_of("trial", PLAIN, budget.trial, TRIAL_SEED + seed + number, rate)
        for number, rate in product(range(budget.trial_seeds), RATES)
    ]


def run_of(part: str, method: str, cpu_seconds: float, seed: int, rate: str | None) -> Task:
    """A run of a recipe with the test part of this campaign; ours has its own optimisers."""
    rate = None if method == OURS else rate
    changes = (TEST, *(() if rate is None else RATES[rate]))
    return Task(part, method, method, cpu_seconds, seed, rate, settings=changes)


def held_by(task: Task, intensity: tuple[str, ...]) -> Task:
    """The task with the intensity's weight that the scan chose, where its recipe has such a term.

    It stands before the task's own settings, which may scan another weight.
    """
    if task.method not in HOLDING:
        return task
    return replace(task, settings=(*task.settings[:1], *intensity, *task.settings[1:]))


def scans(budget: Budget, seed: int, rate: str | None, labels: tuple[str, ...]) -> Iterator[Task]:
    """Each weight alone, by the grid of ``caloforge search``."""
    for label in labels:
        scan = SCANS[label]
        plain = run_of("scan", scan.method, budget.scan, seed, rate)
        for point in points([scan.axis]):
            changed = (*plain.settings, *settings(point))
            yield replace(plain, label=label, weight=point[0][1], settings=changed)
