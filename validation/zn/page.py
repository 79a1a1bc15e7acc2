"""README.md of the neutron calorimeter and its pictures, from the records alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from caloforge.report.pictures import save
from validation.metrics import EMPTY, NEAREST, REAL, Measured
from validation.page import (
    TRAINING_TITLES,
    WEIGHT_TITLES,
    edges,
    finals,
    nearness,
    progress,
    provenance,
    reference_rows,
    render,
    seed_rows,
    table,
    weight_rows,
    with_baseline,
    write_page,
)
from validation.plans import FEW_SEEDS
from validation.runner import read_records, read_references
from validation.summary import (
    DIFFERENCE_TITLES,
    SHOWN_SIGMA,
    ByParticle,
    Group,
    apart,
    difference,
    groups,
    of_part,
    ratio_over_seeds,
    reference,
    resampled_ratios,
    sigma_of,
)
from validation.training_runs import Flatness
from validation.zn import pictures
from validation.zn.measures import GROUPS
from validation.zn.plan import (
    BASELINE,
    FACTORS,
    LITERAL_WEIGHTS,
    METHODS,
    PLAN,
    SCORE,
    SCORED,
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
    ("w1_hottest", "W1, hottest cell"),
)
NAMES = tuple((name,) for name, _ in COLUMNS)
TITLES = ("", "weight", *(title for _, title in COLUMNS), *TRAINING_TITLES, "seeds")
SELECTIVE = "diverse - consistent"
SPREADS = {"channels": "spread of channels", "total": "σ(total)", "pairs": "pair distance"}
PARTS = ("literal", "reading", "reweighted", "games")
"""Parts of the plan that are shown as a table of their own."""


def write(folder: Path) -> None:
    """README.md of a folder, and its pictures."""
    records, references = read_records(folder), read_references(folder)
    for name, plot in pictures.all_of(finals(records, METHODS), references).items():
        save(plot, folder / name)
    write_page(folder, page(folder))


def page(folder: Path) -> str:
    """The page of a folder's records."""
    records = read_records(folder)
    return render("zn", facts(records, read_references(folder)))


def summary(folder: Path) -> str:
    """What the terminal shows: the methods and how far the study is."""
    records = read_records(folder)
    values = facts(records, read_references(folder))
    return f"{values['methods']}\n\n{values['progress']}"


def facts(records: Records, references: Record) -> dict[str, Any]:
    """All that the template fills in."""
    runs = finals(records, METHODS)
    widened = widened_by_label(runs, references)
    return {
        "command": COMMAND,
        "seeds": PLAN.seeds,
        "few_seeds": FEW_SEEDS,
        "sigma": SHOWN_SIGMA,
        "progress": progress(records, plan, COMMAND),
        "methods": methods_table(records, references),
        "differences": differences_table(runs, references),
        "better": better(runs),
        "nearer": nearer(runs, references),
        "falling": falling(runs),
        "equal": table(TITLES, seed_rows(with_baseline(records, "equal", BASELINE), NAMES)),
        "equal_scores": scores_at_equal_seconds(records),
        "equal_differences": equal_differences(records),
        "literal_differences": literal_differences(records),
        "all_rows": all_rows(runs),
        "all_rows_sigma": sigma_of(range_of(runs, "w1_all")),
        "baseline": BASELINE,
        "widths": widths(records),
        "lengths": {part: length(records, part) for part in ("early", "long")},
        "literal_weights": LITERAL_WEIGHTS,
        "groups": groups_table(runs, references),
        "widened": widened_table(widened),
        "wider": wider(widened),
        "group_sizes": group_sizes(references),
        "weights": weights_table(records),
        "edges": edges(records, scans()),
        "factors": ", ".join(f"{factor:g}" for factor in FACTORS),
        "particles": references["particles"],
        "numbers": references["numbers"],
        "drawn": bool(runs),
        "provenance": provenance(records) if records else None,
        "parts": {part: part_table(records, part) for part in PARTS},
    }


def methods_table(records: Records, references: Record) -> str:
    """Methods by their default recipes, nearest to the real showers first; then references."""
    runs = sorted(groups(of_part(records, "final")), key=lambda one: one.value("conditional_w1"))
    return table(TITLES, [*seed_rows(runs, NAMES), *reference_rows(references, NAMES)])


def part_table(records: Records, part: str) -> str:
    """Evaluated runs of another part of the plan."""
    return table(TITLES, seed_rows(groups(of_part(records, part)), NAMES))


def sides(runs: Iterable[Group], references: Record) -> dict[str, ByParticle]:
    """Conditional W1 of each particle, of the methods and of the nearest training particle."""
    by_label = {one.label: one.by_particle() for one in runs}
    nearest = references["references"][NEAREST]
    return by_label | {nearest["title"]: reference(nearest["title"], nearest["by_particle"])}


def differences_table(runs: list[Group], references: Record) -> str:
    """Every method against the baseline, against the score, against the nearest particle."""
    by_label = sides(runs, references)
    nearest = references["references"][NEAREST]["title"]
    pairs = [
        (one.label, other)
        for other in (BASELINE, SCORE, nearest)
        for one in runs
        if other in by_label and one.label != other and (one.label, other) != (BASELINE, SCORE)
    ]
    return table(DIFFERENCE_TITLES, (difference(by_label[a], by_label[b]).cells for a, b in pairs))


def better(runs: list[Group]) -> list[str] | None:
    """Terms for diversity that beat the baseline; None before both have several seeds."""
    by_label = {one.label: one for one in runs if len(one.whole) > 1}
    if BASELINE not in by_label or not by_label.keys() & TERMS.keys():
        return None
    base = by_label[BASELINE].by_particle()
    pairs = {
        name: difference(by_label[name].by_particle(), base) for name in TERMS if name in by_label
    }
    return [name for name, one in pairs.items() if (one.sigma or 0) >= SHOWN_SIGMA]


def nearer(runs: list[Group], references: Record) -> list[str]:
    """Methods that are nearer than the shower of the nearest training particle."""
    by_label = sides(runs, references)
    nearest = by_label[references["references"][NEAREST]["title"]]
    return [
        one.label
        for one in runs
        if (difference(by_label[one.label], nearest).sigma or 0) >= SHOWN_SIGMA
    ]


def falling(runs: list[Group]) -> list[str]:
    """Methods of which a learning curve still falls over its last third."""
    return [f"`{one.label}` ({one.flat})" for one in runs if Flatness.of(one.records).fall]


def scores_at_equal_seconds(records: Records) -> list[str]:
    """Game, score, and both, in the CPU seconds of the game: scores on validation particles."""
    equal = {one.label: one for one in with_baseline(records, "equal", BASELINE)}
    return [
        f"`{name}` {equal[name].score()}" for name in (BASELINE, SCORE, SCORED) if name in equal
    ]


def equal_differences(records: Records) -> list[str]:
    """Game, score, and both, in the CPU seconds of the game, pair by pair on test particles."""
    equal = {one.label: one for one in with_baseline(records, "equal", BASELINE)}
    pairs = combinations((SCORE, SCORED, BASELINE), 2)
    return [nearness(equal[a], equal[b]) for a, b in pairs if {a, b} <= equal.keys()]


def literal_differences(records: Records) -> list[str]:
    """The papers' readings against the recipes of the same method."""
    recipes = {one.label: one for one in finals(records, METHODS)}
    return [
        nearness(one, recipes[method])
        for one in groups(of_part(records, "literal"))
        if one.whole and (method := one.records[0]["method"]) in recipes
    ]


def all_rows(runs: list[Group]) -> dict[str, str]:
    """W1 of all rows by method, as the papers compute it."""
    return {one.label: str(one.measured("w1_all")) for one in runs}


def range_of(runs: list[Group], name: str) -> Measured:
    """Largest minus smallest mean of the methods with an adversary, the errors as independent."""
    values = sorted((one.measured(name) for one in runs if one.label != SCORE), key=_value)
    if not values or None in (values[0].value, values[-1].value):
        return Measured(None, None)
    ends = (values[0], values[-1])
    error = math.hypot(*(one.error or 0.0 for one in ends))
    return Measured(_value(ends[1]) - _value(ends[0]), error)


def _value(one: Measured) -> float:
    return math.inf if one.value is None else one.value


def widths(records: Records) -> list[str]:
    """How wide the showers of the baseline are, generated over real, after runs of some lengths."""
    runs = [
        one
        for part in ("early", "final", "long")
        for one in groups(of_part(records, part))
        if one.label == BASELINE and one.whole
    ]
    return [
        f"{one.measured('sigma_total')} and {one.measured('spread_slope')} after {one.steps} steps"
        for one in runs
    ]


def length(records: Records, part: str) -> dict[str, Any]:
    """Runs of another length, and what the terms change against the baseline of that length."""
    runs = [one for one in groups(of_part(records, part)) if one.whole]
    base = next((one for one in runs if one.label == BASELINE), None)
    others = [one for one in runs if one is not base]
    return {
        "table": table(TITLES, seed_rows(runs, NAMES)),
        "against": [nearness(one, base) for one in others] if base else [],
    }


def groups_table(methods: list[Group], references: Record) -> str:
    """The papers' claim: generated over real spread of consistent, middle and diverse particles."""
    titles = ["", *(f"{title}, {group}" for title in SPREADS.values() for group in GROUPS)]
    by_label: dict[str, list[Record]] = {f"`{one.label}`": one.whole for one in methods}
    by_label |= {"*real against real*": [{"spreads": references["other_half"]}]}
    rows = []
    for label, runs in by_label.items():
        cells = [
            str(ratio_over_seeds([run["spreads"][name] for run in runs], real, mask))
            for name in SPREADS
            for group in GROUPS
            for real, mask in [(references["spreads"][name], of_group(references, group))]
        ]
        rows.append([label, *cells])
    return table(titles, rows) if methods else ""


def widened(one: Group, base: Group, references: Record, spread: str) -> dict[str, Measured]:
    """How much wider than the baseline, of real spread: by group, and diverse less consistent."""
    ratios = [
        {
            group: resampled_ratios(
                [run["spreads"][spread] for run in side.whole],
                references["spreads"][spread],
                of_group(references, group),
            )
            for group in GROUPS
        }
        for side in (base, one)
    ]
    for side in ratios:
        side[SELECTIVE] = side[GROUPS[-1]] - side[GROUPS[0]]
    return {name: apart(ratios[0][name], ratios[1][name])[1] for name in (*GROUPS, SELECTIVE)}


Widened = Mapping[str, Mapping[str, Measured]]
"""By method, then by the kind of spread and the group."""


def widened_by_label(runs: list[Group], references: Record) -> Widened:
    """``widened`` of every method but the baseline, the kinds of spread one after the other."""
    base = next((one for one in runs if one.label == BASELINE), None)
    if base is None:
        return {}
    return {
        one.label: {
            f"{title}, {group}": measured
            for name, title in SPREADS.items()
            for group, measured in widened(one, base, references, name).items()
        }
        for one in runs
        if one is not base
    }


def widened_table(rows: Widened) -> str:
    """What each method changes against the baseline in units of real spread, with sigma."""
    titles = ["", *next(iter(rows.values()), {})]
    cells = (
        [f"`{label}`", *(f"{one} ({sigma_of(one)})" for one in columns.values())]
        for label, columns in rows.items()
    )
    return table(titles, cells)


def wider(rows: Widened) -> dict[str, list[str]]:
    """Methods, with the spread, that differ from the baseline; by group, and selectively."""
    return {
        group: [
            f"`{label}` ({title}, {one.sigma:+.1f})"
            for label, columns in rows.items()
            for title in SPREADS.values()
            if (one := columns[f"{title}, {group}"]).sigma is not None
            and abs(one.sigma) >= SHOWN_SIGMA
        ]
        for group in (*GROUPS, SELECTIVE)
    }


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
