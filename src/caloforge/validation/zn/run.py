"""One run of the campaign: an ordinary run folder, judged, and its record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.errors import UsageError
from caloforge.evaluate.case import Case, assemble
from caloforge.evaluate.conditional import conditional_w1
from caloforge.evaluate.judgement import Judgement
from caloforge.files import sha256_of, write_aside
from caloforge.machine import processor
from caloforge.objectives import NonFinite
from caloforge.recipe import Recipe
from caloforge.reporter import SILENT, Reporter
from caloforge.search.trial import finish
from caloforge.validation.zn.plan import Task

Record = dict[str, Any]
RUNS, WORK, KEPT = "runs", "work", "final"
MEASURES = (
    "w1_all",
    "w1",
    "conditional_w1",
    "spread_slope",
    "spread_correlation",
    "sigma_total",
    "mean_total",
)
"""What a record keeps of a judgement."""
LABELS = ("part", "label", "method", "rate", "weight")
"""What tells records of one recipe apart."""
JUDGE_SEED = 0


def execute(task: Task, steps: int, data: Path, out: Path, reporter: Reporter = SILENT) -> Record:
    """Train what is missing of a run, judge it on the test particles if it chooses nothing.

    Raises Terminated after SIGTERM; the run goes on when it is executed again.
    """
    recipe, folder = task.recipe(steps), out / WORK / task.name
    record = _header(task, recipe, data)
    if (judged_before := same_run(out, record)) is not None:
        write(out / RUNS / f"{task.name}.json", judged_before)
        return judged_before
    try:
        summary = finish(
            recipe.to_json(), data, record["data"]["sha256"], folder, reporter=reporter
        )
    except NonFinite as error:
        record |= {"failed": str(error), "validation_score": None, "cpu_seconds": None}
    else:
        record |= {
            "validation_score": summary["best_score"],
            "best_step": summary["best_step"],
            "cpu_seconds": round(summary["cpu_seconds"], 1),
        }
        if task.part != "trial":
            record |= judged(assemble(str(folder), data, seed=JUDGE_SEED))
    write(out / RUNS / f"{task.name}.json", record)
    _tidy(task, folder)
    return record


def same_run(out: Path, header: Record) -> Record | None:
    """A judged record of the same recipe and data under this task's label: one run, two tables."""
    for path in sorted((out / RUNS).glob("*.json")):
        other: Record = json.loads(path.read_text(encoding="utf-8"))
        if "test" in other and all(other[key] == header[key] for key in ("recipe", "data")):
            return other | {key: header[key] for key in LABELS}
    return None


def _header(task: Task, recipe: Recipe, data: Path) -> Record:
    from caloforge.training.folder import circumstances

    facts = circumstances(data, sha256_of(data))
    return {
        "format": "caloforge-validation-run",
        "version": 1,
        "claim": "zn",
        "part": task.part,
        "label": task.label,
        "method": task.method,
        "rate": task.rate,
        "weight": task.weight,
        "seed": task.seed,
        "steps": recipe.training.steps,
        "budget_cpu_seconds": task.cpu_seconds,
        "commit": facts["commit"],
        "torch": facts["torch"],
        "processor": processor(),
        "data": {"name": data.name, "sha256": facts["data"]["sha256"]},
        "recipe": json.loads(recipe.to_json()),
    }


def judged(case: Case) -> Record:
    """What the test particles say, and the conditional W1 of each of them."""
    judgement = case.judge(seed=JUDGE_SEED)
    return {"test": numbers_of(judgement, "model"), "by_particle": by_particle(case)}


def numbers_of(judgement: Judgement, candidate: str) -> dict[str, Any]:
    """The measures that are kept, as value and error."""
    return {name: judgement.measured(name, candidate).record for name in MEASURES}


def by_particle(case: Case) -> list[float]:
    """Conditional W1 of each test particle, mean over channels; all runs meet the same halves."""
    detector = case.real.detector
    found = conditional_w1(
        detector.read_out(case.real.cells),
        detector.read_out(case.generated.cells),
        case.real.particle,
        case.generated.particle,
        rng=np.random.default_rng(JUDGE_SEED),
    )
    return [round(value, 3) for value in found.values.mean(axis=1).tolist()]


def is_of(record: Mapping[str, Any], recipe: Recipe) -> bool:
    """True if a record is of this recipe, even if an older one wrote fewer fields."""
    try:
        return Recipe.from_json(json.dumps(record["recipe"])) == recipe
    except UsageError:
        return False


def write(path: Path, record: Record) -> None:
    """A record, whole or not at all."""
    with write_aside(path, overwrite=True) as part:
        part.write_text(json.dumps(record) + "\n", encoding="utf-8")


def _tidy(task: Task, folder: Path) -> None:
    """Final runs stay for ``caloforge compare``, without what only resuming needs."""
    if task.part == KEPT:
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
