"""README.md of the comparison, rendered from its records alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.campaign.group import CONTRAST, groups
from validation.campaign.page import (
    of_part,
    provenance,
    section,
    state,
    table,
    write_page,
)
from validation.campaign.record import by_name, read_references
from validation.campaign.task import Task
from validation.campaign.trials import RATES
from validation.zn import words
from validation.zn.changes import changes
from validation.zn.pictures import WINDOW, ranges, save_pictures
from validation.zn.plan import (
    ABLATIONS,
    FULL,
    METHODS,
    QUICK,
    READING,
    Budget,
    upcoming,
)
from validation.zn.summary import (
    COLUMNS,
    DEMANDS,
    READ_IN_BOTH_WAYS,
    best_trials,
    demands,
    group_row,
    luckiest,
    pairs,
    read_in_both_ways,
    reference_row,
)

Record = Mapping[str, Any]
Records = Mapping[str, Record]


def write_report(out: Path) -> None:
    """README.md of a folder, and its figure."""
    save_pictures(out, by_name(out), read_references(out))
    write_page(out, render_folder(out))


def render_folder(out: Path) -> str:
    """The page of a folder's records."""
    return render(by_name(out), read_references(out))


def render(records: Records, references: Record) -> str:
    """The whole page, a pure function of the records."""
    parts = [
        words.introduction(hours()),
        progress(records),
        finals_section(records, references),
        demands_section(records, references),
        pairs_section(records, references),
        luckiest_section(records, references),
        trials_section(records),
        ablations_section(records, references),
        windows_section(records),
        readings_section(records),
        provenance(records),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def progress(records: Records) -> str:
    """How far the campaign is, and how it goes on."""
    return state(records, planned(), QUICK.final, words.COMMAND)


def tasks(budget: Budget = FULL) -> list[Task]:
    """All runs of a campaign; which weight a trial chooses changes none of their number."""
    known: dict[str, Task] = {}
    while True:
        there = {name: {"validation_score": 0.0} for name in known}
        new = {one.name: one for one in upcoming(budget, 0, there) if one.name not in known}
        if not new:
            return list(known.values())
        known |= new


def planned(budget: Budget = FULL) -> dict[str, int]:
    """Numbers of runs by part; trials that are not known yet are counted, too."""
    return dict(Counter(one.part for one in tasks(budget)))


def hours(budget: Budget = FULL) -> float:
    """CPU-hours of the whole campaign."""
    return sum(one.cpu_seconds for one in tasks(budget)) / 3600


def finals_section(records: Records, references: Record) -> str:
    """Methods at equal CPU seconds, and what needs no network."""
    found = sorted(groups(of_part(records, "final")), key=lambda one: one.value("conditional_w1"))
    rows = [group_row(one) for one in found]
    rows += [reference_row(one) for one in references["references"].values()]
    return section("Methods", words.FINALS, _beside(table(COLUMNS, rows), words.seconds(found)))


def demands_section(records: Records, references: Record) -> str:
    """What had to be reached, and what was."""
    rows = demands(groups(of_part(records, "final")), references, METHODS)
    if not rows:
        return ""
    shown = _beside(table(DEMANDS, rows), words.unproven(rows))
    return section("What had to be reached", words.DEMANDS, shown)


def pairs_section(records: Records, references: Record) -> str:
    """Differences of conditional W1 with paired errors."""
    found = pairs(groups(of_part(records, "final")), references)
    return section("Who is better", words.PAIRS, table(CONTRAST, found)) if found else ""


def luckiest_section(records: Records, references: Record) -> str:
    """Our worst seed against the best seed of every other method."""
    runs = groups(of_part(records, "final"))
    found = luckiest(runs)
    shown = _beside(table(CONTRAST[:4], found), words.findings(runs, references))
    return section("Worst against best", words.LUCKIEST, shown) if found else ""


def trials_section(records: Records) -> str:
    """What was tried for each method, on validation particles."""
    tried = of_part(records, "trial")
    ended = Counter(one["method"] for one in tried)
    best = {name: one for name, one in best_trials(tried).items() if ended[name] == number(name)}
    rows = [
        trial_row(one, taken=one is best.get(one["method"]))
        for one in sorted(
            tried, key=lambda one: (list(METHODS).index(one["method"]), trial_key(one))
        )
    ]
    if not rows:
        return ""
    names = ("method", "optimisers", "weight", "validation score", "steps", "CPU s")
    told = words.edges(best, {name: method.weights for name, method in METHODS.items()})
    return section("Trials", words.TRIALS, _beside(table(names, rows), told))


def trial_row(one: Record, *, taken: bool) -> list[str]:
    """Cells of a trial, bold if the final runs take it."""
    score = "failed" if one["validation_score"] is None else f"{one['validation_score']:.2f}"
    shown = f"**{score}**" if taken else score
    return [
        one["method"],
        one["rate"] or "",
        weight_of(one),
        shown,
        str(one["steps"]),
        seconds_of(one),
    ]


def ablations_section(records: Records, references: Record) -> str:
    """Parts of ``calibrated``, and one shower of each particle."""
    found = {one.label: one for one in groups(of_part(records, "ablation"))}
    rows = [group_row(found[label]) for label in ABLATIONS if label in found]
    told = _beside(words.seconds(list(found.values())), changes(found, references))
    shown = _beside(table(COLUMNS, rows), told)
    return section("Ablations", words.ABLATIONS, shown) if rows else ""


def windows_section(records: Records) -> str:
    """Weights over three decades."""
    found = sorted(groups(of_part(records, "window")), key=lambda one: (one.label, one.weight or 0))
    rows = [group_row(one) for one in found]
    text = f"{words.WINDOWS}\n\n![Conditional W1 and slope against the weight]({WINDOW})"
    shown = _beside(table(COLUMNS, rows), _beside(ranges(found), words.seconds(found)))
    return section("Weights over three decades", text, shown) if rows else ""


def readings_section(records: Records) -> str:
    """The published methods on expected counts."""
    title = "The papers' reading: expected counts"
    rows = read_in_both_ways(of_part(records, "trial"), of_part(records, READING))
    shown = _beside(table(READ_IN_BOTH_WAYS, rows), words.both_ways(rows))
    return section(title, words.READINGS, shown) if rows else ""


def _beside(shown: str, told: str) -> str:
    """A table and what is said below it, if anything."""
    return "\n\n".join(part for part in (shown, told) if part)


def number(method: str) -> int:
    """How many trials a method gets."""
    return len(METHODS[method].weights) or len(RATES)


def trial_key(one: Record) -> tuple[float, float]:
    """Order of trials in the table."""
    return (float(one["weight"] or 0), list(RATES).index(one["rate"]) if one["rate"] else 0)


def weight_of(one: Record) -> str:
    """The weight that was tried, empty without."""
    return "" if one["weight"] is None else f"{one['weight']:g}"


def seconds_of(one: Record) -> str:
    """CPU seconds, empty for a failed run."""
    return "" if one["cpu_seconds"] is None else f"{one['cpu_seconds']:.0f}"


def terminal(out: Path) -> str:
    """What the command line prints: the finals."""
    records = by_name(out)
    return "\n\n".join([finals_section(records, read_references(out)), progress(records)])


__all__ = ["planned", "render", "render_folder", "terminal", "write_report"]
