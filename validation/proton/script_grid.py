"""``python -m validation proton-script``: the paper's 45 points of three weights, by its script.

Only the arithmetic of ``script.py`` knows weights in the script's units. Light networks, one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from caloforge.recipe import Recipe, override
from caloforge.report.pictures import save
from validation.metrics import Measured, table_of
from validation.page import progress, provenance, render, table, write_page
from validation.proton import pictures
from validation.proton.plan import PLAN
from validation.proton.script import GRID, grid
from validation.runner import Records, read_records, read_references
from validation.training_runs import Flatness, TrainingRun

STUDY = "proton-script"
COMMAND = f"python -m validation {STUDY}"
MAP = "grid.png"
STEPS, QUICK_STEPS = 1000, 60
PAPER = {"diversity": 0.1, "intensity": 1e-10, "auxiliary": 1e-3}
"""The point that the paper chose, by W1 on its test part."""
MEASURES = ("w1_all", "w1", "conditional_w1", "centre_error", "sigma_total", "mean_total")
SINGLE_TITLES = ("weight", "value", "mean validation score", "least", "points")
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


def scores(records: Records) -> dict[tuple[float, ...], float]:
    """Validation score by the three weights, in the order of ``GRID``; without failed runs."""
    return {
        tuple(weights_of(one).values()): one["validation_score"]
        for one in records.values()
        if one.get("validation_score") is not None
    }


def weights_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The three weights of a run."""
    term = record["recipe"]["objective"]["PublishedScript"]
    return {name: term[name] for name in GRID}


def single_weight_rows(records: Records) -> list[list[str]]:
    """Each value of each weight: mean score over the values of the others, its error, the least."""
    points, rows = scores(records), []
    for place, (name, values) in enumerate(GRID.items()):
        for value in values:
            some = [score for weights, score in points.items() if weights[place] == value]
            if len(some) > 1:
                mean = Measured(fmean(some), stdev(some) / len(some) ** 0.5)
                rows.append([name, f"{value:g}", str(mean), f"{min(some):.2f}", f"{len(some)}"])
    return rows


def place_of_paper(records: Records) -> int | None:
    """Of its point among all, by the validation score; 1 is the best."""
    places = [weights_of(one) == PAPER for one in ordered(records)]
    return 1 + places.index(True) if True in places else None


def row(record: Mapping[str, Any]) -> list[str]:
    """One point: its weights, its scores, the paper's own marked."""
    mark = " (the paper's)" if weights_of(record) == PAPER else ""
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
        "single_weights": table(SINGLE_TITLES, single_weight_rows(records)),
        "place": place_of_paper(records),
        "number": len(records),
        "curves": Flatness.of(records.values()),
        "provenance": provenance(records) if records else None,
    }
    return render("proton", facts, "script.md.j2")


def write(folder: Path) -> None:
    """README.md of the grid and its picture."""
    if points := scores(read_records(folder)):
        save(pictures.score_maps(points, GRID), folder / MAP)
    write_page(folder, page(folder))


def summary(folder: Path) -> str:
    """The best point in one line."""
    best = next(iter(ordered(read_records(folder))), None)
    return "no run yet" if best is None else f"best of the grid: {best['label']}"
