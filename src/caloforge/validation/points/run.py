"""One training run on the points, by the ordinary recipe, round and networks, and its record."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.recipe import Recipe
from caloforge.training.folder import commit
from caloforge.training.game import build_game
from caloforge.training.material import Material
from caloforge.training.team import Team
from caloforge.validation.points.measure import Figures, figures
from caloforge.validation.points.sample import checksum, draw

TRAINING_POINTS = 1000
DRAWS = {"train": (1000, 1), "validation": (1000, 2), "test": (1000, 3), "large": (5000, 4)}
"""Points per cluster and seed of each draw. Only ``validation`` chooses anything."""


@lru_cache(maxsize=len(DRAWS))
def drawn(name: str) -> Showers:
    """The named draw; the same in every run."""
    number, seed = DRAWS[name]
    return draw(number, np.random.default_rng(seed))


def train(recipe: Recipe) -> torch.nn.Module:
    """The generator after the last step."""
    known = drawn("train")
    material = Material(known, known.groups().ids, known.conditions, drawn("validation"))
    team = Team(torch.device("cpu"))
    game = build_game(recipe, material.scaling(recipe), team)
    stream = material.batches(recipe, team).iterate()
    for step in range(recipe.training.steps):
        game.step(stream, step)
    return game.networks["generator"].eval()


@torch.no_grad()
def generate(generator: torch.nn.Module, like: Showers, recipe: Recipe) -> NDArray[np.float32]:
    """One generated point for each real one.  (N, 2)"""
    random = torch.Generator().manual_seed(recipe.seed)
    latent = torch.randn((len(like), recipe.generator.latent), generator=random)
    known = torch.from_numpy(like.conditions.astype(np.float32))
    cells: NDArray[np.float32] = generator(latent, known).numpy()
    return cells
