"""README.md of the benchmark and its pictures, from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from caloforge.recipes.points import REGIMES
from caloforge.report.pictures import save
from validation.metrics import Measured
from validation.page import distinct, progress, render, table, write_page
from validation.points.measures import NAMES, score
from validation.points.pictures import generated_points, learning, real_points
from validation.points.plan import LONG_STEPS, METHODS, QUICK_STEPS, READINGS, plan, weights_tried
from validation.runner import Records, read_records, read_references
from validation.summary import Group, groups
from validation.training_runs import FLAT, Flatness

Record = Mapping[str, Any]
Floors = Mapping[str, Mapping[str, float]]
COMMAND = "python -m validation points"
PAPER: dict[str, tuple[float, float, float, float]] = {
    "dcgan": (0.2, 2.3, 0.7, 7.4),
    "ms-gan": (115.5, 280.7, 9.0, 6.7),
    "divco": (163.3, 3.7, 1.1, 7.0),
    "sdi-gan": (3.3, 127.4, 1.2, 2.1),
}
"""Table 1 of arXiv:2207.01561: variance at spread 0 and 1, W1 at spread 0 and 1."""
FIGURES = ("var 0", "var 1", "W1 0", "W1 1")
COLUMNS = ("method", "weight", *FIGURES, "flat", "CPU s")
TRIAL_COLUMNS = ("regime", "method", "weight", *FIGURES, "score", "CPU s")
SCORE, BASELINE = "calibrated", "dcgan"
TRUE = {"variance_0": 1, "variance_1": 100}


class Statement(NamedTuple):
    """A statement on a mean over seeds in the fragile regime, and the values that meet it."""

    text: str
    method: str
    figure: str
    low: float = 0
    high: float = inf
    draw: str = "test"


STATEMENTS = (
    Statement("`dcgan` collapses: var 1 < 60", "dcgan", "variance_1", high=60),
    Statement("`dcgan` collapses: W1 1 > 4", "dcgan", "w1_1", low=4),
    Statement("`sdi-gan` var 0 <= 3.3 (the paper)", "sdi-gan", "variance_0", high=3.3),
    Statement("`sdi-gan` var 1 within 27 of 100 (the paper)", "sdi-gan", "variance_1", 73, 127),
    Statement("`sdi-gan` W1 0 <= 1.2 (the paper)", "sdi-gan", "w1_0", high=1.2),
    Statement("`sdi-gan` W1 1 <= 2.1 (the paper)", "sdi-gan", "w1_1", high=2.1),
    Statement("`calibrated` var 0 within 20 %", "calibrated", "variance_0", 0.8, 1.2),
    Statement("`calibrated` var 1 within 20 %", "calibrated", "variance_1", 80, 120),
    Statement("`calibrated` W1 0 < 0.35", "calibrated", "w1_0", high=0.35),
    Statement("`calibrated` W1 1 < 1.3", "calibrated", "w1_1", high=1.3),
    Statement("aim: `calibrated` W1 0 <= 0.08", "calibrated", "w1_0", high=0.08, draw="large"),
    Statement("aim: `calibrated` W1 1 <= 0.75", "calibrated", "w1_1", high=0.75, draw="large"),
)


def write(folder: Path) -> None:
    """README.md, figures 1 and 3 where records keep points, learning curves where they have any."""
    records = of_plan(read_records(folder))
    write_page(folder, page(folder))
    save(real_points(), folder / "figure1.png")
    for regime in REGIMES:
        if runs := [one for one in finals(records, regime) if "points" in one]:
            save(generated_points(runs), folder / f"figure3-{regime}.png")
    if panels := curves(records):
        save(learning(panels), folder / "learning.png")


def page(folder: Path) -> str:
    """The page of a folder's records."""
    return render("points", facts(read_records(folder), read_references(folder)))


def summary(folder: Path) -> str:
    """What the terminal shows: both regimes, the paper, how far the study is."""
    values = facts(read_records(folder), read_references(folder))
    tables_of_regimes = [
        f"{one['name']} regime\n{one['tables'][1000]}" for one in values["regimes"]
    ]
    return "\n\n".join(
        [*tables_of_regimes, f"Table 1 of arXiv:2207.01561\n{values['paper']}", values["progress"]]
    )


def of_plan(records: Records) -> list[Record]:
    """Records of the plan at hand: the folder may hold those of other weights."""
    quick = bool(records) and all(is_quick(one) for one in records.values())
    return [records[run.name] for run in plan(quick, 0, records) if run.name in records]


def is_quick(record: Record) -> bool:
    """Whether a record is of a quick study."""
    return bool(record["recipe"]["training"]["steps"] == QUICK_STEPS)


def facts(records: Records, floors: Floors) -> dict[str, Any]:
    """All that the template fills in."""
    planned_records = of_plan(records)
    return {
        "command": COMMAND,
        "progress": progress(records, plan, COMMAND),
        "regimes": [
            regime(planned_records, floors, name)
            for name in REGIMES
            if finals(planned_records, name)
        ],
        "paper": paper_table(),
        "statements": statements_table(planned_records),
        "flat_percent": round(100 * FLAT),
        "learning": list(curves(planned_records)),
        "trials": trials_table(planned_records, floors),
        "edges": edges(planned_records, "final", "reading"),
        "readings": readings_table(planned_records),
        "long": long_table(planned_records),
        "long_steps": LONG_STEPS,
        "edges_of_readings": edges(planned_records, "reading"),
        "runs": len(planned_records),
        "minutes": round(sum(one["cpu_seconds"] for one in planned_records) / 60),
        "commits": distinct(one["commit"] for one in planned_records),
        "processors": distinct(
            one["hardware"]["processor"] for one in planned_records if "hardware" in one
        ),
    }


def regime(records: Sequence[Record], floors: Floors, name: str) -> dict[str, Any]:
    """Table 1 of one regime at both numbers of points per cluster."""
    by_method = by_label(finals(records, name))
    tables = {}
    for draw, number in (("test", 1000), ("large", 5000)):
        rows = [row(label, group, draw) for label, group in by_method.items()]
        floor = [f"{floors[draw][figure]:.2f}" for figure in NAMES]
        tables[number] = table(COLUMNS, [*rows, ["*noise floor*", "", *floor, "", ""]])
    return {"name": name, "tables": tables}


def paper_table() -> str:
    """Rows of the paper's Table 1."""
    rows = [
        [f"{name}{'¹' if name == 'divco' else ''}", *map(str, values)]
        for name, values in PAPER.items()
    ]
    return table(("paper", *FIGURES), rows)


def statements_table(records: Sequence[Record]) -> str:
    """What had to be reached, and what was; statements without a run are left out."""
    rows = []
    for one in STATEMENTS:
        if results := values(finals(records, "fragile"), one.method, one.figure, one.draw):
            is_met = one.low <= float(np.mean(results)) <= one.high
            points = "5000" if one.draw == "large" else "1000"
            rows.append([one.text, "fragile", points, mean_and_error(results), yes(is_met)])
    for figure, true in TRUE.items():
        both = [values(finals(records, "healthy"), one, figure) for one in (SCORE, BASELINE)]
        if all(both):
            ours, baseline = (gap(numbers, true) for numbers in both)
            text = f"`{SCORE}` var {figure[-1]} no farther from {true} than `{BASELINE}`"
            is_met = (ours.value or 0) <= (baseline.value or 0)
            rows.append([text, "healthy", "1000", f"{ours} against {baseline}", yes(is_met)])
    return table(("statement", "regime", "points per cluster", "found", "met"), rows)


def trials_table(records: Sequence[Record], floors: Floors) -> str:
    """What each weight gave in the trials, on validation points, the best score in bold."""
    rows = []
    for name in REGIMES:
        tried = groups(one for one in records if (one["part"], one["regime"]) == ("trial", name))
        scores = [validation_scores(one.records, floors) for one in tried]
        best: dict[str, float] = {}
        for one, values in zip(tried, scores, strict=True):
            best[one.label] = min(best.get(one.label, inf), fmean(values))
        for one, values in zip(tried, scores, strict=True):
            *cells, _, seconds = row(one.label, one.records, "validation")
            text = mean_and_error(values)
            is_best = fmean(values) == best[one.label]
            rows.append([name, *cells, f"**{text}**" if is_best else text, seconds])
    return table(TRIAL_COLUMNS, rows)


def validation_scores(runs: Sequence[Record], floors: Floors) -> list[float]:
    """Of each run what chooses the weight."""
    return [score(one["figures"]["validation"], floors["validation"]) for one in runs]


def edges(records: Sequence[Record], *parts: str) -> list[str]:
    """Methods and readings whose chosen weight is the least or the largest that was tried."""
    tried = {(one["regime"], one["label"]) for one in records if one["part"] == "trial"}
    chosen = {
        (one["regime"], one["label"]): one
        for one in records
        if one["part"] in parts and (one["regime"], one["label"]) in tried
    }
    return [
        f"`{label}` ({regime}, {one['weight']:g})"
        for (regime, label), one in chosen.items()
        if one["weight"] in (weights_tried(label)[0], weights_tried(label)[-1])
    ]


def curves(records: Sequence[Record]) -> dict[str, list[Group]]:
    """Runs with a learning curve by the title of their panel: the regimes, the readings."""
    panels = {f"{name} regime": finals(records, name) for name in REGIMES}
    panels["readings, fragile regime"] = [one for one in records if one["part"] == "reading"]
    with_curve = {
        title: groups(one for one in runs if "learning_curve" in one)
        for title, runs in panels.items()
    }
    return {title: runs for title, runs in with_curve.items() if runs}


def readings_table(records: Sequence[Record]) -> str:
    """The other readings of the papers' terms and the parts of ``calibrated``."""
    by_reading = by_label(one for one in records if one["part"] == "reading")
    return table(
        COLUMNS, (row(name, by_reading[name], "test") for name in READINGS if name in by_reading)
    )


def long_table(records: Sequence[Record]) -> str:
    """Longer runs in both regimes, at the weights of the final runs."""
    return table(
        ("regime", *COLUMNS),
        (
            [name, *row(label, group, "test")]
            for name in REGIMES
            for label, group in by_label(finals(records, name, "long")).items()
        ),
    )


def finals(records: Iterable[Record], regime: str, part: str = "final") -> list[Record]:
    """Final runs of a regime, or its longer ones, in the order of the methods."""
    order = list(METHODS)
    runs = [one for one in records if one["part"] == part and one["regime"] == regime]
    return sorted(runs, key=lambda one: (order.index(one["method"]), one["seed"]))


def by_label(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records of one method or reading together."""
    groups: dict[str, list[Record]] = {}
    for one in records:
        groups.setdefault(one["label"], []).append(one)
    return groups


def row(name: str, group: Sequence[Record], draw: str) -> list[str]:
    """Means and errors of the mean over seeds, and how many learning curves are flat."""
    numbers = [mean_and_error([one["figures"][draw][figure] for one in group]) for figure in NAMES]
    seconds = float(np.mean([one["cpu_seconds"] for one in group]))
    weight = group[0]["weight"]
    label = "" if weight is None else f"{weight:g}"
    return [name, label, *numbers, flat(group), f"{seconds:.0f}"]


def flat(group: Sequence[Record]) -> str:
    """How many learning curves are flat over their last third, and where the others go."""
    curves = Flatness.of(group)
    if not sum(curves):
        return ""
    numbers = {"fall": curves.fall, "rise": curves.rise}
    others = [f"{n} {verb}{'s' if n == 1 else ''}" for verb, n in numbers.items() if n]
    text = f"{curves.flat} of {sum(curves)}"
    return f"{text} ({', '.join(others)})" if others else text


def values(records: Sequence[Record], method: str, figure: str, draw: str = "test") -> list[float]:
    """A figure of each run of a method."""
    return [one["figures"][draw][figure] for one in records if one["method"] == method]


def gap(numbers: Sequence[float], true: float) -> Measured:
    """How far a mean over seeds is from what is true, with the error of the mean."""
    error = float(np.std(numbers, ddof=1)) / len(numbers) ** 0.5 if len(numbers) > 1 else None
    return Measured(abs(float(np.mean(numbers)) - true), error)


def mean_and_error(numbers: Sequence[float]) -> str:
    """Mean ± standard error over seeds; the bare value of a single seed."""
    digits = 1 if np.mean(numbers) >= 20 else 2
    mean = f"{np.mean(numbers):.{digits}f}"
    if len(numbers) < 2:
        return mean
    error = float(np.std(numbers, ddof=1)) / len(numbers) ** 0.5
    return f"{mean} ± {error:.{digits}f}"


def yes(met: bool) -> str:
    """Bold where it is not."""
    return "yes" if met else "**no**"
