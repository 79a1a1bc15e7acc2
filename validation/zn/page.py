"""README.md of the neutron calorimeter and its pictures, from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from caloforge.report.canvas import save
from validation.metrics import EMPTY, NEAREST, REAL, Measured
from validation.page import (
    TRAINING_TITLES,
    WEIGHT_TITLES,
    edges,
    measured_rows,
    progress,
    provenance,
    render,
    table,
    weight_rows,
    write_page,
)
from validation.plans import FEW_SEEDS
from validation.runner import read_records, read_references
from validation.summary import (
    DIFFERENCE_TITLES,
    SHOWN_SIGMA,
    ByParticle,
    Group,
    difference,
    groups,
    in_order,
    of_part,
    ratio_over_seeds,
    reference,
)
from validation.zn import pictures
from validation.zn.measures import GROUPS
from validation.zn.plan import (
    BASELINE,
    FACTORS,
    METHODS,
    PLAN,
    SCORE,
    TERMS,
    plan,
    scans,
)

Record = Mapping[str, Any]
Records = Mapping[str, Record]
COMMAND = "python -m validation zn"
COLUMNS = (
    ("conditional_w1", "cond. W1"),
    ("w1", "W1"),
    ("w1_all", "W1, all rows"),
    ("spread_slope", "slope"),
    ("spread_correlation", "corr."),
    ("sigma_total", "σ(total)"),
    ("mean_total", "mean total"),
)
NAMES = tuple((name,) for name, _ in COLUMNS)
TITLES = ("", "weight", *(title for _, title in COLUMNS), *TRAINING_TITLES, "seeds")
SPREADS = {"channels": "spread of channels", "total": "σ(total)", "pairs": "pair distance"}
PARTS = ("equal", "literal", "reweighted", "early", "long", "games")
"""Parts of the plan that are shown as a table of their own."""


def write(folder: Path) -> None:
    """README.md of a folder, and its pictures."""
    records, references = read_records(folder), read_references(folder)
    for name, drawn in pictures.all_of(finals(records), references).items():
        save(drawn, folder / name)
    write_page(folder, page(folder))


def page(folder: Path) -> str:
    """The page of a folder's records."""
    records = read_records(folder)
    return render("zn", facts(records, read_references(folder)))


def summary(folder: Path) -> str:
    """What the terminal shows: the methods and how far the study is."""
    records = read_records(folder)
    known = facts(records, read_references(folder))
    return f"{known['methods']}\n\n{known['progress']}"


def finals(records: Records) -> list[Group]:
    """Evaluated methods at their default recipes, in the order of the plan."""
    found = in_order(groups(of_part(records, "final")), METHODS)
    return [one for one in found if one.whole]


def facts(records: Records, references: Record) -> dict[str, Any]:
    """All that the template fills in."""
    found = finals(records)
    return {
        "command": COMMAND,
        "seeds": PLAN.seeds,
        "few_seeds": FEW_SEEDS,
        "sigma": SHOWN_SIGMA,
        "progress": progress(records, plan, COMMAND),
        "methods": methods_table(records, references),
        "differences": differences_table(found, references),
        "better": better(found),
        "nearer": nearer(found, references),
        "groups": groups_table(found, references),
        "group_sizes": group_sizes(references),
        "weights": weights_table(records),
        "edges": edges(records, scans()),
        "factors": ", ".join(f"{factor:g}" for factor in FACTORS),
        "particles": references["particles"],
        "numbers": references["numbers"],
        "drawn": bool(found),
        "provenance": provenance(records) if records else None,
        "parts": {part: part_table(records, part) for part in PARTS},
    }


def rows_of(found: Iterable[Group]) -> list[list[str]]:
    """Rows of runs that differ in their seed only."""
    found = list(found)
    rows = measured_rows(found, NAMES)
    return [[*row, one.seeds] for row, one in zip(rows, found, strict=True)]


def methods_table(records: Records, references: Record) -> str:
    """Methods by their default recipes, nearest to the real showers first; then references."""
    found = sorted(groups(of_part(records, "final")), key=lambda one: one.value("conditional_w1"))
    rows = rows_of(found)
    for one in references["references"].values():
        numbers = [Measured(**one["test"][name]) for name, _ in COLUMNS]
        cells = ("-" if number.value is None else str(number) for number in numbers)
        rows.append([f"*{one['title']}*", "", *cells, *[""] * 5])
    return table(TITLES, rows)


def part_table(records: Records, part: str) -> str:
    """Evaluated runs of another part of the plan."""
    return table(TITLES, rows_of(one for one in groups(of_part(records, part)) if one.records))


def sides(found: Iterable[Group], references: Record) -> dict[str, ByParticle]:
    """Conditional W1 of each particle, of the methods and of the nearest training particle."""
    known = {one.label: one.by_particle() for one in found}
    nearest = references["references"][NEAREST]
    return known | {nearest["title"]: reference(nearest["title"], nearest["by_particle"])}


def differences_table(found: list[Group], references: Record) -> str:
    """Every method against the baseline, against the score, against the nearest particle."""
    known = sides(found, references)
    nearest = references["references"][NEAREST]["title"]
    pairs = [
        (one.label, other)
        for other in (BASELINE, SCORE, nearest)
        for one in found
        if other in known and one.label != other
    ]
    return table(DIFFERENCE_TITLES, (difference(known[a], known[b]).cells for a, b in pairs))


def better(found: list[Group]) -> list[str] | None:
    """Terms for diversity that beat the baseline; None before both have several seeds."""
    known = {one.label: one for one in found if len(one.whole) > 1}
    if BASELINE not in known or not known.keys() & TERMS.keys():
        return None
    base = known[BASELINE].by_particle()
    pairs = {name: difference(known[name].by_particle(), base) for name in TERMS if name in known}
    return [name for name, one in pairs.items() if (one.sigma or 0) >= SHOWN_SIGMA]


def nearer(found: list[Group], references: Record) -> list[str]:
    """Methods that are nearer than the shower of the nearest training particle."""
    known = sides(found, references)
    nearest = known[references["references"][NEAREST]["title"]]
    return [
        one.label
        for one in found
        if (difference(known[one.label], nearest).sigma or 0) >= SHOWN_SIGMA
    ]


def groups_table(found: list[Group], references: Record) -> str:
    """The papers' claim: generated over real spread of consistent, middle and diverse particles."""
    titles = ["", *(f"{title}, {group}" for title in SPREADS.values() for group in GROUPS)]
    known: dict[str, list[Record]] = {f"`{one.label}`": one.whole for one in found}
    known |= {"*real against real*": [{"spreads": references["other_half"]}]}
    rows = []
    for label, runs in known.items():
        cells = [
            str(ratio_over_seeds([run["spreads"][name] for run in runs], real, chosen))
            for name in SPREADS
            for group in GROUPS
            for real, chosen in [(references["spreads"][name], of_group(references, group))]
        ]
        rows.append([label, *cells])
    return table(titles, rows) if found else ""


def of_group(references: Record, group: str) -> list[bool]:
    """Which test particles are of a group."""
    return [one == group for one in references["groups"]]


def group_sizes(references: Record) -> str:
    """How many particles each group has."""
    sizes = [f"{sum(of_group(references, group))} {group}" for group in GROUPS]
    return f"{', '.join(sizes)}, {sum(one is None for one in references['groups'])} in none"


def weights_table(records: Records) -> str:
    """Validation scores of the weights that were tried, the best of each term in bold."""
    return table(WEIGHT_TITLES, weight_rows(records, scans()))


__all__ = ["EMPTY", "REAL", "facts", "page", "summary", "write"]
