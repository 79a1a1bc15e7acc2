"""One training run on the points, by the ordinary recipe, round and networks, and its record."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.errors import UsageError
from caloforge.files import write_aside
from caloforge.recipe import Recipe
from caloforge.validation.points.measure import figures
from caloforge.validation.points.plan import Task
from caloforge.validation.points.sample import CLUSTERS, checksum, draw

DRAWS = {"train": (1000, 1), "validation": (1000, 2), "test": (1000, 3), "large": (5000, 4)}
"""Points per cluster and seed of each draw. Only ``validation`` chooses anything."""
JUDGES = {"trial": ("validation",), "final": ("test", "large"), "reading": ("test", "large")}
SHOWN = 100
"""Generated points of each cluster that a record keeps for the pictures."""


@lru_cache(maxsize=len(DRAWS))
def drawn(name: str) -> Showers:
    """The named draw; the same in every run."""
    number, seed = DRAWS[name]
    return draw(number, np.random.default_rng(seed))


def execute(task: Task, folder: Path) -> dict[str, Any]:
    """Train, judge, write the record; a record that is there already is read."""
    path = folder / f"{task.name}.json"
    recipe = task.recipe()
    if path.is_file():
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if is_of(record, recipe):
            return record
    record = perform(task, recipe)
    with write_aside(path, overwrite=True) as part:
        part.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return record


def is_of(record: Mapping[str, Any], recipe: Recipe) -> bool:
    """True if a record is of this recipe, even if an older one wrote fewer fields."""
    try:
        return Recipe.from_json(json.dumps(record["recipe"])) == recipe
    except UsageError:
        return False


def perform(task: Task, recipe: Recipe) -> dict[str, Any]:
    """Train and judge."""
    from caloforge.training.folder import commit

    started = time.process_time()
    generator = train(recipe)
    seconds = time.process_time() - started
    samples = {name: generate(generator, drawn(name), recipe) for name in JUDGES[task.part]}
    found = {name: figures(drawn(name).cells, cells) for name, cells in samples.items()}
    record: dict[str, Any] = {
        "format": "caloforge-validation-run",
        "version": 1,
        "claim": "points",
        "part": task.part,
        "regime": task.regime,
        "label": task.label,
        "method": task.method,
        "weight": task.weight,
        "seed": task.seed,
        "figures": {
            name: {figure: round(value, 4) for figure, value in one.items()}
            for name, one in found.items()
        },
        "cpu_seconds": round(seconds, 2),
        "commit": commit(),
        "data": {name: checksum(drawn(name)) for name in ("train", *JUDGES[task.part])},
        "recipe": json.loads(recipe.to_json()),
    }
    if task.pictured:
        cells = samples["test"].reshape(CLUSTERS, -1, 2)[:, :SHOWN]
        record["points"] = cells.astype(np.float64).round(1).tolist()
    return record


def train(recipe: Recipe) -> Any:
    """The generator after the last step, averaged if the recipe says so."""
    import torch

    from caloforge.training.averaging import Average
    from caloforge.training.game import build_game
    from caloforge.training.material import Material
    from caloforge.training.team import Team

    known = drawn("train")
    material = Material(known, known.groups().ids, known.conditions, drawn("validation"))
    team = Team(torch.device("cpu"))
    game = build_game(recipe, material.scaling(recipe), team)
    stream = material.batches(recipe, team).iterate()
    average = Average(game.networks["generator"], recipe.training.average)
    for step in range(recipe.training.steps):
        game.step(stream, step)
        average.update(game.networks["generator"], step)
    return average.network


def generate(generator: Any, like: Showers, recipe: Recipe) -> NDArray[np.float32]:
    """One generated point for each real one.  (N, 2)"""
    import torch

    random = torch.Generator().manual_seed(recipe.seed)
    latent = torch.randn((len(like), recipe.generator.latent), generator=random)
    known = torch.from_numpy(like.conditions.astype(np.float32))
    with torch.no_grad():
        cells: NDArray[np.float32] = generator(latent, known).numpy()
    return cells
