"""Training runs on the points by ordinary recipes, and the record of each."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.errors import UsageError
from caloforge.io.files import write_aside
from caloforge.recipe import Recipe
from validation.points.measure import figures
from validation.points.plan import Task
from validation.points.sample import CLUSTERS, checksum, draw

if TYPE_CHECKING:
    from caloforge.training.material import Material

Record = dict[str, Any]
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


def execute(tasks: Sequence[Task], folder: Path) -> list[Record]:
    """Train what has no record yet as one, judge, write records; return all of them."""
    found = {task: recorded(task, folder) for task in tasks}
    missing = [task for task, record in found.items() if record is None]
    for task, record in zip(missing, perform(missing) if missing else [], strict=True):
        with write_aside(folder / f"{task.name}.json", overwrite=True) as part:
            part.write_text(json.dumps(record) + "\n", encoding="utf-8")
        found[task] = record
    return [record for record in found.values() if record is not None]


def recorded(task: Task, folder: Path) -> Record | None:
    """The record of a task, if there is one of its recipe."""
    path = folder / f"{task.name}.json"
    if not path.is_file():
        return None
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record if is_of(record, task.recipe()) else None


def is_of(record: Mapping[str, Any], recipe: Recipe) -> bool:
    """True if a record is of this recipe, even if an older one wrote fewer fields."""
    try:
        return Recipe.from_json(json.dumps(record["recipe"])) == recipe
    except UsageError:
        return False


def perform(tasks: Sequence[Task]) -> list[Record]:
    """Train as one, judge one by one.

    Raises NonFinite, which says what was trained. The runs before it have their records.
    """
    from caloforge.objectives import NonFinite
    from validation.points.together import train_together

    recipes = [task.recipe() for task in tasks]
    started = time.process_time()
    try:
        generators = train_together(recipes, material())
    except NonFinite as error:
        first = tasks[0]
        raise NonFinite(f"{first.label}, {first.regime} {first.part}: {error}") from error
    seconds = (time.process_time() - started) / len(tasks)
    shared = {"cpu_seconds": round(seconds, 2), "trained_together": len(tasks)}
    return [
        record_of(task, recipe, generator) | shared
        for task, recipe, generator in zip(tasks, recipes, generators, strict=True)
    ]


def record_of(task: Task, recipe: Recipe, generator: Any) -> Record:
    """What a generator makes of the draws that judge it, and where it comes from."""
    from caloforge.training.folder import commit

    judges = JUDGES[task.part]
    samples = {name: generate(generator, drawn(name), recipe) for name in judges}
    found = {name: figures(drawn(name).cells, cells) for name, cells in samples.items()}
    record: Record = {
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
        "commit": commit(),
        "data": {name: checksum(drawn(name)) for name in ("train", *judges)},
        "recipe": json.loads(recipe.to_json()),
    }
    if task.pictured:
        cells = samples["test"].reshape(CLUSTERS, -1, 2)[:, :SHOWN]
        record["points"] = cells.astype(np.float64).round(1).tolist()
    return record


def material() -> Material:
    """What is trained on."""
    from caloforge.training.material import Material

    known = drawn("train")
    return Material(known, known.groups().ids, known.conditions, drawn("validation"))


def train(recipe: Recipe) -> Any:
    """The generator after the last step of an ordinary run."""
    import torch

    from caloforge.training.game import build_game
    from caloforge.training.team import Team

    known, team = material(), Team(torch.device("cpu"))
    game = build_game(recipe, known.scaling(recipe), team)
    stream = known.batches(recipe, team).iterate()
    for step in range(recipe.training.steps):
        game.step(stream, step)
    return game.networks["generator"].eval()


def generate(generator: Any, like: Showers, recipe: Recipe) -> NDArray[np.float32]:
    """One generated point for each real one.  (N, 2)"""
    import torch

    random = torch.Generator().manual_seed(recipe.seed)
    latent = torch.randn((len(like), recipe.generator.latent), generator=random)
    known = torch.from_numpy(like.conditions.astype(np.float32))
    with torch.no_grad():
        cells: NDArray[np.float32] = generator(latent, known).numpy()
    return cells
