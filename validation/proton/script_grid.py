"""``python -m validation proton-script``: the paper's 45 points of three weights, by its script.

Only the arithmetic of ``script.py`` knows weights in the script's units. Light networks, one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caloforge.recipe import Recipe, override
from validation.metrics import Measured, table_of
from validation.page import progress, provenance, render, table, write_page
from validation.proton.plan import PLAN
from validation.proton.script import GRID, grid
from validation.runner import Records, read_records, read_references
from validation.training_runs import TrainingRun

STUDY = "proton-script"
COMMAND = f"python -m validation {STUDY}"
STEPS, QUICK_STEPS = 1000, 60
PAPER = {"diversity": 0.1, "intensity": 1e-10, "auxiliary": 1e-3}
"""The point that the paper chose, by W1 on its test part."""
MEASURES = ("w1_all", "w1", "conditional_w1", "centre_error", "sigma_total", "mean_total")
TITLES = ("W1, all rows", "W1", "cond. W1", "centre error [mm]", "σ(total)", "mean total")


@dataclass(frozen=True)
class ScriptRun(TrainingRun):
    """A run of the script with some weights."""

    weights: Mapping[str, float] = field(default_factory=dict)

    def plain(self) -> Recipe:
        """The recipe of the script at these weights."""
        recipe_of_weights = next(recipe for weights, recipe in grid() if weights == self.weights)
        return override(recipe_of_weights, [f"seed={self.seed}", *self.settings])


def plan(quick: bool, seed: int, records: Records) -> Iterator[ScriptRun]:
    """A run of each point."""
    del records
    for weights, _ in grid():
        if quick and weights != PAPER:
            continue
        label = " ".join(f"{name}={value:g}" for name, value in weights.items())
        yield ScriptRun(
            study=STUDY,
            detector=PLAN.detector,
            part="grid",
            label=label,
            method="script",
            seed=seed,
            evaluate=table_of,
            settings=(*PLAN.common, f"training.steps={QUICK_STEPS if quick else STEPS}"),
            weights=weights,
        )


def ordered(records: Records) -> list[Mapping[str, Any]]:
    """Records by their validation score; failed runs last."""
    return sorted(
        records.values(),
        key=lambda one: (one.get("validation_score") is None, one.get("validation_score") or 0.0),
    )


def row(record: Mapping[str, Any]) -> list[str]:
    """One point: its weights, its scores, the paper's own marked."""
    term = record["recipe"]["objective"]["PublishedScript"]
    mark = " (the paper's)" if {name: term[name] for name in GRID} == PAPER else ""
    score, test = record.get("validation_score"), record.get("test", {})
    numbers = [str(Measured(**test[name])) if test else "" for name in MEASURES]
    score_text = "failed" if score is None else f"{score:.2f}"
    return [f"{record['label']}{mark}", score_text, *numbers, str(record["steps"])]


def reference_row(record: Mapping[str, Any]) -> list[str]:
    """The same measures of the noise floor, or of what else needs no network."""
    numbers = [Measured(**record["test"][name]) for name in MEASURES]
    cells = ("-" if number.value is None else str(number) for number in numbers)
    return [f"*{record['title']}*", "", *cells, ""]


def page(folder: Path) -> str:
    """The page of a folder's records."""
    records, references = read_records(folder), read_references(folder)["references"]
    rows = [row(record) for record in ordered(records)]
    rows += [reference_row(record) for record in references.values()]
    facts = {
        "command": COMMAND,
        "progress": progress(records, plan, COMMAND),
        "points": table(("weights", "validation", *TITLES, "steps"), rows),
        "provenance": provenance(records) if records else None,
    }
    return render("proton", facts, "script.md.j2")


def write(folder: Path) -> None:
    """README.md of the grid."""
    write_page(folder, page(folder))


def summary(folder: Path) -> str:
    """The best point in one line."""
    best = next(iter(ordered(read_records(folder))), None)
    return "no run yet" if best is None else f"best of the grid: {best['label']}"
