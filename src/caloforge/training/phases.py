"""A run in phases: the start, if the recipe has one, then the game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from caloforge.recipe import Optimisers, Recipe, start_steps
from caloforge.training.game import Game, adam, batches_of


@dataclass(frozen=True)
class Phase:
    """A game from a step of the run on, which counts its own steps from 0."""

    game: Game
    first: int

    def batches(self, steps: int) -> int:
        """Batches that so many of its steps consume."""
        return steps * batches_of(self.game.objective, self.game.training)


def phases_of(recipe: Recipe, game: Game) -> tuple[Phase, ...]:
    """The phases of a run, in order; the same networks are trained in all of them."""
    steps = start_steps(recipe)
    game_training = game.training.model_copy(update={"steps": recipe.training.steps - steps})
    phases = [Phase(replace(game, training=game_training), steps)]
    if recipe.start is not None and steps:
        optimisers = Optimisers(generator=recipe.start.generator)
        training = game.training.model_copy(update={"steps": steps, **ALONE})
        generator = game.networks["generator"]
        start = replace(
            game,
            optimisers={"generator": adam("generator", generator, optimisers)},
            objective=recipe.start.objective,
            settings=optimisers,
            training=training,
        )
        phases.insert(0, Phase(start, 0))
    return tuple(phases)


ALONE: dict[str, Any] = {"decay_from": 0.5, "pretraining": 0, "warm_up": 0, "generator_steps": 1}
"""How the generator is trained before its opponents."""


def current(phases: Sequence[Phase], step: int) -> Phase:
    """The phase that a step of the run belongs to."""
    return [phase for phase in phases if phase.first <= step][-1]


def batches_before(phases: Sequence[Phase], step: int) -> int:
    """Batches that all steps before this one consume."""
    ends = [phase.first for phase in phases[1:]] + [step]
    return sum(
        phase.batches(min(end, step) - phase.first)
        for phase, end in zip(phases, ends, strict=True)
        if phase.first < step
    )
