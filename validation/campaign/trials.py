"""Optimisers that are tried before a comparison, and how the best trial is chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from validation.campaign.record import Records
from validation.campaign.task import Task


def rates(generator: float, critic: float, weight_decay: float = 0.0) -> tuple[str, ...]:
    """Settings of both players, whatever the recipe says."""
    return (
        f"optimisers.generator.learning_rate={generator}",
        f"optimisers.generator.weight_decay={weight_decay}",
        f"optimisers.critic.learning_rate={critic}",
    )


RATES: Mapping[str, tuple[str, ...]] = {
    "2e-4": rates(0.0002, 0.0002),
    "5e-4": rates(0.0005, 0.0005),
    "1e-3": rates(0.001, 0.001),
    "as-calibrated": rates(0.001, 0.0005, weight_decay=0.1),
}
"""Settings of both players by name; the first are those of ``dcgan``."""
TRIAL_SEED = 1000
"""Seeds of trials start here: no judged run shares one."""


def chosen(choice: Sequence[Task], records: Records) -> Task | None:
    """The trial of the lowest validation score; None while one is missing.

    Trials that differ in their seed only count as one, with their mean score: one lucky run of an
    unstable game says little of its settings.
    """
    if not choice or any(task.name not in records for task in choice):
        return None
    scores: dict[Task, list[float]] = {}
    for task in choice:
        alike = replace(task, seed=choice[0].seed)
        scores.setdefault(alike, []).append(_or_infinity(records[task.name]["validation_score"]))
    return min(scores, key=lambda task: fmean(scores[task]))


def _or_infinity(value: Any) -> float:
    return math.inf if value is None else float(value)
