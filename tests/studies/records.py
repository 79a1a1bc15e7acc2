"""Records of whole plans without training: one real record, repeated with other numbers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from validation.runner import RUNS, Run, write_record
from validation.training_runs import LABELS, TrainingRun

Plan = Callable[[bool, int, dict[str, Any]], Iterator[Run]]


def everything(plan: Plan, like: dict[str, Any], *, quick: bool = False) -> dict[str, Any]:
    """A record of every run of a plan, until it names no more."""
    records: dict[str, Any] = {}
    while new := [run for run in plan(quick, 0, records) if run.name not in records]:
        records |= {run.name: record_of(run, like) for run in new}  # type: ignore[arg-type]
    return records


def record_of(run: TrainingRun, like: dict[str, Any]) -> dict[str, Any]:
    """The record that a run would leave, its numbers shifted by its name."""
    recipe, rng = run.recipe(), np.random.default_rng(len(run.name) + run.seed)
    actual = copy.deepcopy(like)
    actual |= {name: getattr(run, name) for name in LABELS}
    actual |= {"seed": run.seed, "recipe": json.loads(recipe.to_json()), "recipe_sha256": run.name}
    actual |= {"steps": recipe.training.steps, "cpu_seconds": 100.0 + 50 * ("sdi" in run.label)}
    actual["validation_score"] = float(rng.uniform(5, 10))
    for number in actual["test"].values():
        number["value"] = number["value"] and number["value"] * float(rng.uniform(0.9, 1.1))
    if run.evaluate is None:
        del actual["test"]
    return actual


def write_all(folder: Path, records: dict[str, Any], references: dict[str, Any]) -> Path:
    """A folder of a study."""
    (folder / RUNS).mkdir(parents=True)
    for name, record in records.items():
        write_record(folder / RUNS / f"{name}.json", record)
    write_record(folder / "references.json", references)
    return folder
