"""What is trained: methods, the settings that are tried for each, ablations, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from validation.campaign.task import Task
from validation.campaign.trials import RATES, TRIAL_SEED, chosen

DETECTOR = "alice_zn"
READING = "reading"
"""Part of the trials in the papers' reading of what critic and terms see."""


@dataclass(frozen=True)
class Method:
    """A recipe, the term whose weight is tried, and the four weights."""

    term: str | None = None
    weights: tuple[float, ...] = ()
    rated: bool = True
    """Takes the optimisers that were best for ``dcgan``."""


METHODS: dict[str, Method] = {
    "calibrated": Method(rated=False),
    "dcgan": Method(),
    "sdi-gan": Method("SelectiveDiversity", (0.001, 0.01, 0.1, 1)),
    "divbal-gan": Method("BalancedDiversity", (0.003, 0.03, 0.3, 3)),
    "ms-gan": Method("ModeSeeking", (0.001, 0.01, 0.1, 1)),
    "ds-gan": Method("DiversitySensitive", (0.1, 1, 10, 100)),
    "divco": Method("LatentContrast", (0.1, 0.3, 1, 3)),
}
"""In the order in which they are run."""

GAME = "NonSaturating"
"""Whoever has an adversary takes the optimisers that were best for ``dcgan``."""
SCORE, ADVERSARY = '"EnergyScore": {"weight": 1}', f'"{GAME}": {{"weight": %g}}'


def objective(*terms: str) -> str:
    """A whole objective as one setting."""
    return f"objective={{{', '.join(terms)}}}"


ABLATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "score, all views": ("calibrated", ()),
    "adversary alone": ("calibrated", (objective(ADVERSARY % 1),)),
    "score and adversary": ("calibrated", (objective(SCORE, ADVERSARY % 0.1),)),
    "score, adversary, log-ratio": (
        "calibrated",
        (objective(SCORE, ADVERSARY % 0.1, '"LogRatio": {"weight": 0.1, "floor": 0.01}'),),
    ),
    "score, cells": ("calibrated", ('objective.EnergyScore.views=["cells"]',)),
    "score, sums of blocks": ("calibrated", ('objective.EnergyScore.views=["blocks"]',)),
    "score, channels": ("calibrated", ('objective.EnergyScore.views=["channels"]',)),
    "score, projections": ("calibrated", ('objective.EnergyScore.views=["along"]',)),
    "score, units of neighbours": ("calibrated", ("objective.EnergyScore.normalise=neighbours",)),
    "score, one shower of each particle": (
        "calibrated",
        ("data.showers_per_particle=1", "objective.EnergyScore.normalise=neighbours"),
    ),
    "dcgan, one shower of each particle": ("dcgan", ("data.showers_per_particle=1",)),
}
"""By label: the method and what is changed."""

ALIKE = frozenset({"score, units of neighbours"})
"""Ablations whose steps cost what those of the method do."""
UNDRAWN = "training.drawn=false"
"""The papers' reading: critic and terms see expected counts, not drawn ones."""
WINDOWS: dict[str, tuple[float, ...]] = {
    "calibrated": (0.001, 0.01, 0.1, 1),
    "sdi-gan": (0.001, 0.01, 0.1, 1),
}
"""Weights over three decades: of the adversary beside the score, of the diversity term."""


@dataclass(frozen=True)
class Budget:
    """CPU seconds of a run, and seeds."""

    trial: float
    final: float
    ablation: float
    seeds: int = 6
    """Three showed that seeds of one method differ by more than methods do."""
    ablation_seeds: int = 1
    tried: bool = True
    """False: no trials, the recipes' own settings, and no ablations."""


FULL = Budget(trial=120, final=180, ablation=180)
QUICK = Budget(trial=0, final=10, ablation=0, seeds=1, tried=False)


Record = Mapping[str, Any]


def upcoming(budget: Budget, seed: int, records: Mapping[str, Record]) -> Iterator[Task]:
    """All tasks that the records let one know, the most telling first.

    A method's first judged run follows its trials; what depends on a trial that is not there yet
    is not known yet.
    """
    first = [run for name in METHODS for run in _begin(name, budget, seed, records)]
    yield from first
    for number in range(1, budget.seeds):
        for task in [task for task in first if task.part == "final"]:
            yield replace(task, seed=seed + number)
    if budget.tried:
        yield from _further(budget, seed, records)


def _begin(name: str, budget: Budget, seed: int, records: Mapping[str, Record]) -> Iterator[Task]:
    """Trials of a method, and its final run with what they chose."""
    choice = trials(name, budget, seed, records)
    yield from choice
    best = chosen(choice, records) if choice else _untried(name, budget, seed, records)
    if best is not None:
        yield replace(best, part="final", seed=seed, cpu_seconds=budget.final)


def trials(name: str, budget: Budget, seed: int, records: Mapping[str, Record]) -> list[Task]:
    """Four trials of a method: weights, or optimisers where it has none to choose."""
    method = METHODS[name]
    if not budget.tried or not method.rated:
        return []
    if method.term is None:
        return rate_trials(budget, seed)
    rate = best_rate(budget, seed, records)
    if rate is None:
        return []
    return [
        tried("trial", name, budget.trial, TRIAL_SEED + seed, rate, weight)
        for weight in method.weights
    ]


def rate_trials(budget: Budget, seed: int) -> list[Task]:
    """``dcgan`` with each of the optimisers."""
    return [tried("trial", "dcgan", budget.trial, TRIAL_SEED + seed, rate) for rate in RATES]


def tried(
    part: str,
    method: str,
    cpu_seconds: float,
    seed: int,
    rate: str | None = None,
    weight: float | None = None,
) -> Task:
    """A run of a method with some optimisers, and a weight of the term that is tried."""
    weighed = () if weight is None else (f"objective.{METHODS[method].term}.weight={weight}",)
    settings = (*_optimisers(rate), *weighed)
    return Task(part, method, method, cpu_seconds, seed, rate, weight, settings)


def _optimisers(rate: str | None) -> tuple[str, ...]:
    return () if rate is None else RATES[rate]


def best_rate(budget: Budget, seed: int, records: Mapping[str, Record]) -> str | None:
    """Optimisers of the best trial of ``dcgan``; None while one is missing."""
    best = chosen(rate_trials(budget, seed), records)
    return None if best is None else best.rate


def _untried(name: str, budget: Budget, seed: int, records: Mapping[str, Record]) -> Task | None:
    """A method that runs as its recipe says; None while it waits for trials."""
    if METHODS[name].rated and budget.tried:
        return None
    return Task("final", name, name, budget.final, seed)


def _further(budget: Budget, seed: int, records: Mapping[str, Record]) -> Iterator[Task]:
    """Ablations and windows of weights, seed by seed, then the other reading."""
    rate = best_rate(budget, seed, records)
    for number in range(budget.ablation_seeds):
        for label, (method, settings) in ABLATIONS.items():
            contested = METHODS[method].rated or any(GAME in setting for setting in settings)
            if contested and rate is None:
                continue
            known = rate if contested else None
            plain = tried("ablation", method, budget.ablation, seed + number, known)
            cost = None if label in ALIKE or not settings else label
            yield replace(plain, label=label, settings=(*plain.settings, *settings), cost=cost)
        if rate is not None:
            yield from _windows(budget, seed + number, rate)
    if rate is not None:
        yield from _readings(budget, seed, rate)


def _windows(budget: Budget, seed: int, rate: str) -> Iterator[Task]:
    for weight in WINDOWS["calibrated"]:
        both = (objective(SCORE, ADVERSARY % weight),)
        plain = tried("window", "calibrated", budget.ablation, seed, rate)
        settings = (*plain.settings, *both)
        yield replace(plain, weight=weight, settings=settings, cost="score and adversary")
    for weight in WINDOWS["sdi-gan"]:
        yield tried("window", "sdi-gan", budget.ablation, seed, rate, weight)


def _readings(budget: Budget, seed: int, rate: str) -> Iterator[Task]:
    """The trials of all published methods over again, on expected counts."""
    for name in (name for name, one in METHODS.items() if one.rated):
        for weight in METHODS[name].weights or (None,):
            plain = tried(READING, name, budget.trial, TRIAL_SEED + seed, rate, weight)
            yield replace(plain, settings=(*plain.settings, UNDRAWN))
