"""Training on the points: the last generator of a recipe, and scores along the way.

Shapes: N rows = 18 clusters x n points.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.recipe import Recipe
from validation.points.measures import figures, least, score
from validation.points.sample import sample_of
from validation.runner import Record
from validation.training_runs import SCORES, last_third


@dataclass
class LearningCurve:
    """Scores of a generator in training on the validation points, outside its random streams."""

    recipe: Recipe
    start: float = field(default_factory=time.process_time)
    scoring_seconds: float = 0.0
    """CPU seconds that the scores took, which are no part of the training."""
    points: list[tuple[int, float, float]] = field(default_factory=list)
    """Steps, CPU seconds of training, score."""

    @property
    def training_seconds(self) -> float:
        """CPU seconds since the start without those of the scores."""
        return time.process_time() - self.start - self.scoring_seconds

    def after_step(self, step: int, generator: Any) -> None:
        """Score the generator where the curve has a point."""
        if step not in steps_of_scores(self.recipe.training.steps):
            return
        seconds, start = self.training_seconds, time.process_time()
        cells = generate(generator.eval(), sample_of("validation"), self.recipe)
        generator.train()
        value = score(figures(sample_of("validation").cells, cells), least())
        self.points.append((step, seconds, value))
        self.scoring_seconds += time.process_time() - start

    @property
    def record(self) -> Record:
        """The curve as other studies keep it, and its change over the last third."""
        steps, seconds, scores = zip(*self.points, strict=True)
        curve = {
            "step": list(steps),
            "cpu_seconds": [round(value, 2) for value in seconds],
            "score": [round(value, 4) for value in scores],
        }
        return {"learning_curve": curve, "last_third": last_third(curve["score"])}


def steps_of_scores(steps: int) -> set[int]:
    """Where a run of so many steps is scored: evenly, and after the last step."""
    return {round(number * steps / SCORES) for number in range(1, SCORES + 1)} - {0}


def train(recipe: Recipe, curve: LearningCurve | None = None) -> Any:
    """The generator after the last step, without a run folder; a curve is filled on the way."""
    import torch

    from caloforge.training.dataset import Dataset
    from caloforge.training.distributed import DistributedContext
    from caloforge.training.game import build_game

    torch.set_num_threads(1)  # networks this small lose by threads
    train_sample, context = sample_of("train"), DistributedContext(torch.device("cpu"))
    dataset = Dataset(
        train_sample, train_sample.groups().ids, train_sample.conditions, sample_of("validation")
    )
    game = build_game(recipe, dataset.scaling(recipe), context)
    stream = dataset.batches(recipe, context).iterate()
    for step in range(recipe.training.steps):
        game.step(stream, step)
        if curve is not None:
            curve.after_step(step + 1, game.networks["generator"])
    return game.networks["generator"].eval()


def generate(generator: Any, like: Showers, recipe: Recipe) -> NDArray[np.float32]:
    """One generated point for each real one.  (N, 2)"""
    import torch

    random = torch.Generator().manual_seed(recipe.seed)
    latent = torch.randn((len(like), recipe.generator.latent), generator=random)
    conditions = torch.from_numpy(like.conditions.astype(np.float32))
    with torch.no_grad():
        cells: NDArray[np.float32] = generator(latent, conditions).numpy()
    return cells
