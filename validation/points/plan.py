"""What is trained: methods with their weights, two regimes, trials, final runs, other readings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.recipes.points import in_regime

Part = Literal["trial", "final", "reading"]


@dataclass(frozen=True)
class Method:
    """A recipe, the term whose weight is chosen, and the four weights that are tried."""

    term: str | None = None
    weights: tuple[float, ...] = ()


METHODS = {
    "dcgan": Method(),
    "ms-gan": Method("ModeSeeking", (0.001, 0.003, 0.01, 0.03)),
    "ds-gan": Method("DiversitySensitive", (1, 3, 10, 30)),
    "divco": Method("LatentContrast", (0.1, 0.3, 1, 3)),
    "sdi-gan": Method("SelectiveDiversity", (0.003, 0.01, 0.03, 0.1)),
    "divbal-gan": Method("BalancedDiversity", (0.03, 0.1, 0.3, 1)),
    "calibrated": Method("LogRatio", (0.1, 0.3, 1, 3)),
}

READINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ms-gan, per pair": ("ms-gan", ("objective.ModeSeeking.average=pair",)),
    "sdi-gan, per pair": ("sdi-gan", ("objective.SelectiveDiversity.average=pair",)),
    "divbal-gan, per pair": ("divbal-gan", ("objective.BalancedDiversity.average=pair",)),
    "divbal-gan, through tanh": ("divbal-gan", ("objective.BalancedDiversity.balance=literal",)),
    "calibrated without the score": ("calibrated", ("objective.EnergyScore.weight=0",)),
    "calibrated without the log-ratio": ("calibrated", ("objective.LogRatio.weight=0",)),
    "calibrated, the score alone": (
        "calibrated",
        ("objective.NonSaturating.weight=0", "objective.LogRatio.weight=0"),
    ),
}
"""Other readings (docs/decisions) and parts of ``calibrated``, at the chosen weight."""


@dataclass(frozen=True)
class Budget:
    """Steps and seeds, the same for every method."""

    steps: int
    seeds: int
    trial_steps: int = 0
    trial_seeds: int = 0
    reading_seeds: int = 0


FULL = Budget(steps=5000, seeds=5, trial_steps=5000, trial_seeds=2, reading_seeds=5)
QUICK = Budget(steps=1500, seeds=2)
TRIAL_SEED = 1000
"""Seeds of trials start here: no final run shares one."""


@dataclass(frozen=True)
class Task:
    """One training run."""

    part: Part
    regime: str
    label: str
    """The method, or the reading of it."""
    method: str
    steps: int
    seed: int
    weight: float | None = None
    settings: tuple[str, ...] = ()
    pictured: bool = False
    """True where the record keeps points for the pictures."""

    @property
    def name(self) -> str:
        """File name of the record, without suffix."""
        label = self.label.replace(",", "").replace(" ", "-")
        weight = "" if self.weight is None else f"-weight{self.weight:g}"
        return f"{self.regime}-{self.part}-{label}{weight}-seed{self.seed}"

    def recipe(self) -> Recipe:
        """The recipe that is trained."""
        term = METHODS[self.method].term
        settings = [f"training.steps={self.steps}", f"seed={self.seed}"]
        if self.weight is not None:
            settings.append(f"objective.{term}.weight={self.weight}")
        recipe = in_regime(recipe_of_name(self.method, "points"), self.regime)
        return override(recipe, settings + list(self.settings))


Weights = dict[tuple[str, str], float | None]
"""Chosen weight by regime and method; None where there is none to choose."""


def trials(budget: Budget, seed: int, regime: str) -> list[Task]:
    """Every weight of every method, the same number of runs for each."""
    return [
        Task("trial", regime, name, name, budget.trial_steps, TRIAL_SEED + seed + k, weight)
        for name, method in METHODS.items()
        for weight in method.weights
        for k in range(budget.trial_seeds)
    ]


def finals(budget: Budget, seed: int, regime: str, weights: Weights) -> list[Task]:
    """Every method at its chosen weight, on seeds that chose nothing."""
    return [
        Task(
            "final",
            regime,
            label=name,
            method=name,
            steps=budget.steps,
            seed=seed + k,
            weight=weights[regime, name],
            pictured=k == 0,
        )
        for name in METHODS
        for k in range(budget.seeds)
    ]


def readings(budget: Budget, seed: int, weights: Weights) -> list[Task]:
    """The other readings, in the fragile regime."""
    return [
        Task(
            "reading",
            "fragile",
            label=label,
            method=method,
            steps=budget.steps,
            seed=seed + k,
            weight=weights["fragile", method],
            settings=settings,
        )
        for label, (method, settings) in READINGS.items()
        if method in METHODS
        for k in range(budget.reading_seeds)
    ]
