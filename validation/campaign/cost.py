"""CPU seconds of a step of each recipe, measured once: they turn a budget into steps."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from caloforge.io.files import write_aside
from validation.campaign.task import SCORES, Task

if TYPE_CHECKING:
    from caloforge.recipe import Recipe
    from caloforge.training.run import Run

FILE = "costs.json"
WARM_STEPS, TIMED_STEPS = 3, 12
Cost = dict[str, float]
"""CPU seconds of one ``step`` and one ``score`` on the validation particles."""


def steps_of(task: Task, costs: dict[str, Cost]) -> int:
    """Steps that fit the budget beside the scores; a budget is no promise on another machine."""
    cost = costs[task.cost_name]
    return max(SCORES, int((task.cpu_seconds - SCORES * cost["score"]) / cost["step"]))


def costs_with(task: Task, detector: str, folder: Path, data: Path) -> dict[str, Cost]:
    """The recorded costs, that of the task among them; measured now if it is not there."""
    path = folder / FILE
    known: dict[str, Cost] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if task.cost_name not in known:
        known[task.cost_name] = measure(task.recipe(detector, 1000), data)
        with write_aside(path, overwrite=True) as part:
            part.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known


def measure(recipe: Recipe, data: Path) -> Cost:
    """Median CPU seconds of some steps, and of one score."""
    import torch

    from caloforge.search.trial import THREADS

    torch.set_num_threads(THREADS)
    run = _run(recipe, data)
    stream, seconds = run.batches.iterate(), []
    for step in range(WARM_STEPS + TIMED_STEPS):
        started = time.process_time()
        run.game.step(stream, step)
        run.average.update(run.game.networks["generator"], step)
        seconds.append(time.process_time() - started)
    started = time.process_time()
    run.validation.score(run.average.network, run.team.device)
    score = time.process_time() - started
    step_seconds = statistics.median(seconds[WARM_STEPS:])
    return {"step": round(step_seconds, 5), "score": round(score, 3)}


def _run(recipe: Recipe, data: Path) -> Run:
    """The run at step 0, without a folder."""
    import torch

    from caloforge.data.showers import ShowerFile
    from caloforge.reporter import SILENT
    from caloforge.train import prepare
    from caloforge.training.folder import RunFolder
    from caloforge.training.material import divide
    from caloforge.training.team import Team

    with ShowerFile(data, recipe.resolve()) as file:
        material = divide(file, recipe.data)
    return prepare(recipe, material, RunFolder(data), Team(torch.device("cpu")), SILENT)
