"""One training run of a campaign: a recipe, what is changed in it, how long, and its name."""

from __future__ import annotations

from dataclasses import dataclass

from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name

SCORES = 10
"""Scores on the validation particles in every run, from which it keeps the best generator."""
LABELS = ("part", "label", "method", "rate", "weight")
"""What tells records of one recipe apart."""


@dataclass(frozen=True)
class Task:
    """One training run."""

    part: str
    """What it is for: a trial, a final run, an ablation."""
    label: str
    """The method, or the variant of it."""
    method: str
    """Name of the recipe."""
    cpu_seconds: float
    seed: int
    rate: str | None = None
    """Name of the optimisers, where some are tried."""
    weight: float | None = None
    """Weight of the term, where some are tried."""
    settings: tuple[str, ...] = ()
    """All that is changed in the recipe."""
    cost: str | None = None
    """Runs of one name have steps of one cost: weights and rates cost nothing, terms do."""

    @property
    def name(self) -> str:
        """File name of the record, without suffix."""
        label = self.label.replace(",", "").replace(" ", "-")
        rate = "" if self.rate is None else f"-rate{self.rate}"
        weight = "" if self.weight is None else f"-weight{self.weight:g}"
        return f"{self.part}-{label}{rate}{weight}-seed{self.seed}"

    @property
    def cost_name(self) -> str:
        """Under which its cost is recorded: by default that of the method."""
        return self.cost or self.method

    def recipe(self, detector: str, steps: int) -> Recipe:
        """The recipe of so many steps."""
        changes = (*self.of_every_run(steps), *self.settings)
        return override(recipe_of_name(self.method, detector), list(changes))

    def of_every_run(self, steps: int) -> tuple[str, ...]:
        """What all runs of so many steps change, whatever their recipe."""
        every = max(1, steps // SCORES)
        return (
            f"seed={self.seed}",
            f"training.steps={steps}",
            f"training.validation_interval={every}",
            f"training.checkpoint_interval={2 * every}",
            "training.precision=float32",
        )
