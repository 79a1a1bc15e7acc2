"""One run of a campaign: an ordinary run folder, judged, and its record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from caloforge.evaluate.inputs import load
from caloforge.io.files import sha256_of
from caloforge.machine import processor
from caloforge.objectives import NonFinite
from caloforge.recipe import Recipe
from caloforge.reporter import SILENT, Reporter
from caloforge.search.trial import finish
from validation.campaign.campaign import Campaign
from validation.campaign.judging import JUDGE_SEED
from validation.campaign.record import RUNS, WORK, Record, same_run, write
from validation.campaign.task import LABELS, Task


def execute(
    campaign: Campaign, task: Task, steps: int, data: Path, out: Path, reporter: Reporter = SILENT
) -> Record:
    """Train what is missing of a run, judge it on the test part if it chooses nothing.

    Raises Terminated after SIGTERM; the run goes on when it is executed again.
    """
    recipe, folder = task.recipe(campaign.detector, steps), out / WORK / task.name
    record = _header(campaign.claim, task, recipe, data)
    if (judged_before := same_run(out, record, recipe)) is not None:
        write(out / RUNS / f"{task.name}.json", judged_before)
        return judged_before
    try:
        summary = finish(recipe, data, record["data"]["sha256"], folder, reporter=reporter)
    except NonFinite as error:
        record |= {"failed": str(error), "validation_score": None, "cpu_seconds": None}
    else:
        record |= {
            "validation_score": summary["best_score"],
            "best_step": summary["best_step"],
            "cpu_seconds": round(summary["cpu_seconds"], 1),
        }
        if task.part not in campaign.unjudged:
            record |= campaign.judge(load(str(folder), data, seed=JUDGE_SEED))
    write(out / RUNS / f"{task.name}.json", record)
    _tidy(folder, keep=task.part in campaign.kept)
    return record


def _header(claim: str, task: Task, recipe: Recipe, data: Path) -> Record:
    from caloforge.training.folder import circumstances

    facts = circumstances(data, sha256_of(data))
    return {
        "format": "caloforge-validation-run",
        "version": 1,
        "claim": claim,
        **{name: getattr(task, name) for name in LABELS},
        "seed": task.seed,
        "steps": recipe.training.steps,
        "budget_cpu_seconds": task.cpu_seconds,
        "commit": facts["commit"],
        "torch": facts["torch"],
        "processor": processor(),
        "data": {"name": data.name, "sha256": facts["data"]["sha256"]},
        "recipe": json.loads(recipe.to_json()),
    }


def _tidy(folder: Path, *, keep: bool) -> None:
    """A kept run stays without what only resuming needs."""
    if keep:
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
