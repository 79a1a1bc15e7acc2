"""``python -m validation proton-script``: the paper's 45 points of three weights, by its script.

Only the arithmetic of ``published.py`` knows weights in the script's units, so only it can repeat
the paper's grid. Light networks, one seed, 45 x 60 CPU seconds; ``--quick``: the paper's point.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from caloforge.evaluate.engine import evaluate
from caloforge.evaluate.inputs import EvaluationInputs
from caloforge.evaluate.resampling import Measured
from caloforge.recipe import Recipe, override
from validation.campaign import judging
from validation.campaign.campaign import Campaign
from validation.campaign.carry_out import carry_out
from validation.campaign.judging import JUDGE_SEED
from validation.campaign.page import provenance, state, table, write_page
from validation.campaign.record import Record, Records, by_name, read_references
from validation.campaign.task import Task
from validation.proton.judging import references
from validation.proton.plan import DETECTOR, TEST
from validation.proton.published import GRID, grid

CLAIM = "proton-script"
COMMAND = f"python -m validation {CLAIM}"
CPU_SECONDS, QUICK_CPU_SECONDS = 60.0, 10.0
POINTS = tuple(weights for weights, _ in grid())
MINUTES = len(POINTS) * CPU_SECONDS / 60
PAPER = {"diversity": 0.1, "intensity": 1e-10, "auxiliary": 1e-3}
"""The point that the paper chose, by W1 on its test part."""
MEASURES = ("w1_all", "w1", "conditional_w1", "centre_error", "sigma_total", "mean_total")
TITLES = ("W1, all rows", "W1", "cond. W1", "centre error [mm]", "σ(total)", "mean total")
TEXT = f"""# The published script's grid of weights

The losses are those of the paper's public code, with all that its equations do not say
(`src/caloforge/validation/proton/published.py`), with our light networks and optimisers, on the
split by particle of `python -m validation proton`: the same particles judge. Weights are in the
script's units. Rows stand in the order of the validation score, which alone may choose; the paper
chose on its test part. Below them what needs no network, on the same particles.

**Command**: `{COMMAND}` ({MINUTES:.0f} CPU-minutes, resumable, `--minutes` leaves),
`--quick` for the paper's point alone."""


@dataclass(frozen=True)
class ScriptTask(Task):
    """A run of the script with some weights."""

    weights: Mapping[str, float] = field(default_factory=dict)

    def recipe(self, detector: str, steps: int) -> Recipe:
        """The script's recipe of so many steps."""
        found = next(recipe for weights, recipe in grid() if weights == self.weights)
        return override(found, [f"detector={detector}", *self.of_every_run(steps), *self.settings])


def upcoming(
    points: tuple[Mapping[str, float], ...], cpu_seconds: float, seed: int, records: Records
) -> Iterator[ScriptTask]:
    """A run of each point."""
    del records
    for weights in points:
        label = " ".join(f"{name}={value:g}" for name, value in weights.items())
        settings = (TEST,)
        yield ScriptTask(
            "grid", label, "script", cpu_seconds, seed, settings=settings, weights=weights
        )


def judged(case: EvaluationInputs) -> Record:
    """The measures of the test part."""
    judgement = evaluate(case.real, case.generated, case.train, seed=JUDGE_SEED)
    return {"test": judging.numbers_of(judgement, MEASURES)}


def ordered(records: Records) -> list[Mapping[str, Any]]:
    """Records by their validation score; failed runs last."""
    return sorted(
        records.values(),
        key=lambda one: (one["validation_score"] is None, one["validation_score"] or 0.0),
    )


def row(record: Mapping[str, Any]) -> list[str]:
    """One point: its weights, its scores, the paper's own marked."""
    term = record["recipe"]["objective"]["PublishedScript"]
    weights = {name: term[name] for name in GRID}
    mark = " (the paper's)" if weights == PAPER else ""
    score, test = record["validation_score"], record.get("test", {})
    numbers = [str(Measured(**test[name])) if test else "" for name in MEASURES]
    shown = "failed" if score is None else f"{score:.2f}"
    return [f"{record['label']}{mark}", shown, *numbers, str(record["steps"])]


def reference_row(record: Mapping[str, Any]) -> list[str]:
    """The same measures of the floor, or of what else needs no network."""
    numbers = [Measured(**record["test"][name]) for name in MEASURES]
    cells = ("-" if number.value is None else str(number) for number in numbers)
    return [f"*{record['title']}*", "", *cells, ""]


def write_report(out: Path) -> None:
    """README.md of the grid."""
    records = by_name(out)
    lines = [row(record) for record in ordered(records)]
    lines += [reference_row(record) for record in read_references(out)["references"].values()]
    told = state(records, {"grid": len(POINTS)}, QUICK_CPU_SECONDS, COMMAND)
    parts = [TEXT, told, table(("weights", "validation", *TITLES, "steps"), lines)]
    write_page(out, "\n\n".join([*parts, provenance(records)]) + "\n")


def terminal(out: Path) -> str:
    """The best point in one line."""
    best = next(iter(ordered(by_name(out))), None)
    return "no run yet" if best is None else f"best of the grid: {json.dumps(best['label'])}"


CAMPAIGN = Campaign(
    claim=CLAIM,
    detector=DETECTOR,
    full=partial(upcoming, POINTS, CPU_SECONDS),
    quick=partial(upcoming, (PAPER,), QUICK_CPU_SECONDS),
    judge=judged,
    references=references,
    report=write_report,
    terminal=terminal,
    kept=frozenset(),
)
validate = partial(carry_out, CAMPAIGN)
