"""Pages from records: a template of each study beside its plan, and the tables that it fills in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from caloforge.io.files import write_aside
from validation.metrics import Measured
from validation.plans import Scan
from validation.runner import Records, Run
from validation.summary import Group, chosen_weights, difference, groups, in_order, of_part

PAGE, TEMPLATE = "README.md", "page.md.j2"
HERE = Path(__file__).parent


def render(study: str, facts: Mapping[str, Any], template: str = TEMPLATE) -> str:
    """The page of a study, a pure function of facts that were made of its records."""
    environment = Environment(
        loader=FileSystemLoader(HERE / study),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    text = environment.get_template(template).render(facts)
    return re.sub(r"\n{3,}", "\n\n", text.rstrip("\n") + "\n")  # sections that are left out


def write_page(folder: Path, text: str) -> None:
    """README.md of a folder, whole or not at all."""
    with write_aside(folder / PAGE, overwrite=True) as part:
        part.write_text(text, encoding="utf-8")


def table(titles: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with its head; nothing without a row."""
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    if not lines:
        return ""
    head = (f"| {' | '.join(titles)} |", f"| {' | '.join(['---'] * len(titles))} |")
    return "\n".join([*head, *lines])


def measured_rows(runs: Iterable[Group], columns: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """A row a group: label, weight, the columns (name, or table and name), how it was trained."""
    rows = []
    for one in runs:
        numbers = [str(one.measured(*reversed(column))) for column in columns]
        weight = "" if one.weight is None else f"{one.weight:g}"
        rows.append([f"`{one.label}`", weight, *numbers, *training_cells(one)])
    return rows


def finals(records: Records, methods: Sequence[str]) -> list[Group]:
    """Evaluated methods at their default recipes, in the order of the plan."""
    return [one for one in in_order(groups(of_part(records, "final")), methods) if one.whole]


def with_baseline(records: Records, part: str, baseline: str) -> list[Group]:
    """Evaluated runs of a part, after the baseline of the final runs that they are held against."""
    runs = [one for one in groups(of_part(records, part)) if one.whole]
    return [*finals(records, [baseline]), *runs] if runs else []


def nearness(first: Group, second: Group) -> str:
    """How much nearer to the real showers the first is than the second, in conditional W1."""
    one = difference(first.by_particle(), second.by_particle())
    where = "nearer" if (one.measured.value or 0) > 0 else "farther"
    size = Measured(abs(one.measured.value or 0), one.measured.error)
    sigma = f"{abs(one.sigma or 0):.1f} sigma"
    return f"`{first.label}` is {where} than `{second.label}` by {size} ({sigma})"


def seed_rows(runs: Sequence[Group], columns: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """``measured_rows`` with the number of seeds behind them."""
    rows = measured_rows(runs, columns)
    return [[*row, one.seeds] for row, one in zip(rows, runs, strict=True)]


def reference_rows(
    references: Mapping[str, Any], columns: Sequence[tuple[str, ...]]
) -> Iterator[list[str]]:
    """A row a baseline: its title and the columns; it was not trained."""
    for one in references["references"].values():
        numbers = [Measured(**one["test" if len(c) == 1 else c[0]][c[-1]]) for c in columns]
        cells = ("-" if number.value is None else str(number) for number in numbers)
        yield [f"*{one['title']}*", "", *cells, *[""] * (len(TRAINING_TITLES) + 1)]


TRAINING_TITLES = ("lit", "flat", "steps", "CPU s")


def training_cells(one: Group) -> list[str]:
    """How many seeds are lit and flat, steps and CPU seconds."""
    return [one.lit, one.flat, one.steps, one.cpu_seconds]


def progress(
    records: Records, plan: Callable[[bool, int, Records], Iterable[Run]], command: str
) -> str:
    """How far a study is, and how it goes on."""
    if records and all(run_made(run, records) for run in plan(True, 0, records)):
        return "**A quick look**: one short run of each method, which says nothing of the methods."
    runs = list(plan(False, 0, records))
    missing = Counter(run.part for run in runs if not run_made(run, records))
    if not missing:
        return f"All {len(runs)} runs are there."
    rest = ", ".join(f"{number} x {part}" for part, number in missing.items())
    there = len(runs) - sum(missing.values())
    return (
        f"**The study is not finished**: {there} of {len(runs)} runs that are known so far are "
        f"there; missing: {rest}. It goes on by `{command}`."
    )


def run_made(run: Run, records: Records) -> bool:
    """Whether the record of a run is there."""
    return run.name in records and run.is_record_of(records[run.name])


WEIGHT_TITLES = ("", "weight", "validation score", "seeds", "steps")


def weight_rows(records: Records, scans: Sequence[Scan]) -> list[list[str]]:
    """Validation scores of the weights that were tried, the best of each scan in bold."""
    rows = []
    for scan in scans:
        of_scan = [one for one in groups(of_part(records, "weight")) if one.label == scan.label]
        best = chosen_weights(of_scan)
        for one in sorted(of_scan, key=lambda one: one.weight or 0):
            score = f"**{one.score()}**" if one is best[one.label] else str(one.score())
            own = " (recipe)" if one.weight == scan.own else ""
            rows.append([f"`{one.label}`", f"{one.weight:g}{own}", score, one.seeds, one.steps])
    return rows


def edges(records: Records, scans: Sequence[Scan]) -> list[str]:
    """Scans whose best weight is the least or the largest that was tried."""
    best = chosen_weights(groups(of_part(records, "weight")))
    return [
        f"`{scan.label}` ({best[scan.label].weight:g})"
        for scan in scans
        if scan.label in best and best[scan.label].weight in (scan.weights[0], scan.weights[-1])
    ]


def provenance(records: Records) -> dict[str, Any]:
    """Where the numbers come from: commits, machines, data, dates, CPU-minutes."""
    values = list(records.values())
    once = {one["recipe_sha256"]: one.get("cpu_seconds") or 0 for one in values}
    return {
        "runs": len(once),
        "minutes": round(sum(once.values()) / 60),
        "commits": distinct(one["commit"] for one in values),
        "torch": distinct(one["torch"] for one in values),
        "processors": distinct(one["hardware"]["processor"] for one in values),
        "dates": distinct(one["date"][:10] for one in values),
        "data": distinct(f"{one['data']['name']} {one['data']['sha256'][:12]}" for one in values),
        "joined": distinct(name for one in values for name in one["data"]["training_files"]),
    }


def distinct(values: Iterable[Any]) -> str:
    """Different values in order, with commas."""
    return ", ".join(sorted({str(value) for value in values}))
