"""What is trained: three recipes, ablations of the published one, variants of its regressor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from validation.campaign.record import Records
from validation.campaign.task import Task

DETECTOR = "atlas_em"
METHODS = ("calibrated", "conditional-calogan", "calogan")
"""Ours first; the page shows them in this order."""
ABLATED = "conditional-calogan"
ABLATIONS: dict[str, tuple[str, ...]] = {
    "blur": ("generator.blur=[]",),
    "attention": ("generator.attention=false",),
    "minibatch": ("critic.minibatch=false",),
    "softsparsity": ("critic.occupancy=null",),
}
"""Parts of the Conditional CaloGAN that are left out, and how."""
WHOLE, FROZEN = "whole", "frozen"
HEADS: dict[str, tuple[str, ...]] = {
    "both": ("objective.AttributeRegression.learns=both",),
    FROZEN: ("training.pretraining=100",),
}
"""What the regressor of attributes learns from; the recipe's own is real showers only."""
TEST = ("data.test=0.2",)
"""1 600 showers to judge with: a classifier of 800 would have twice the error."""


@dataclass(frozen=True)
class Budget:
    """CPU seconds of a run, and seeds."""

    final: float
    ablation: float
    seeds: int = 3
    ablation_seeds: int = 3


FULL = Budget(final=390, ablation=60)
QUICK = Budget(final=20, ablation=0, seeds=1, ablation_seeds=0)


def upcoming(
    budget: Budget, seed: int, records: Records, *, ablate: tuple[str, ...] = tuple(ABLATIONS)
) -> Iterator[Task]:
    """All runs, the most telling first: one seed of each recipe, then more of them, then parts."""
    del records
    for number, method in product(range(budget.seeds), METHODS):
        yield Task("final", method, method, budget.final, seed + number, settings=TEST)
    for number in range(budget.ablation_seeds):
        yield from _parts(budget, seed + number, ablate)


def _parts(budget: Budget, seed: int, ablate: tuple[str, ...]) -> Iterator[Task]:
    variants = {WHOLE: (), **{f"no {name}": ABLATIONS[name] for name in ablate}}
    variants |= {f"head {name}": settings for name, settings in HEADS.items()}
    for label, settings in variants.items():
        changes = (*TEST, *settings)
        # The first steps of a frozen head are cheap: it gets as many as the whole recipe.
        cost = f"{ABLATED}, {WHOLE if label == f'head {FROZEN}' else label}"
        yield Task("ablation", label, ABLATED, budget.ablation, seed, settings=changes, cost=cost)
