"""README.md of the comparison, rendered from its records alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caloforge.validation.campaign.group import CONTRAST, groups
from caloforge.validation.campaign.page import (
    of_part,
    provenance,
    section,
    state,
    table,
    write_page,
)
from caloforge.validation.campaign.record import by_name, read_references
from caloforge.validation.campaign.trials import RATES
from caloforge.validation.zn.pictures import WINDOW, save_pictures
from caloforge.validation.zn.plan import ABLATIONS, FULL, METHODS, QUICK, Budget
from caloforge.validation.zn.plan import WINDOWS as TRIED
from caloforge.validation.zn.summary import COLUMNS, group_row, luckiest, pairs, reference_row
from caloforge.validation.zn.words import (
    COMMAND,
    FINALS,
    FINDINGS,
    INTRODUCTION,
    LUCKIEST,
    PAIRS,
    TRIALS,
    WINDOWS,
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
        INTRODUCTION,
        progress(records),
        finals_section(records, references),
        pairs_section(records, references),
        luckiest_section(records),
        trials_section(records),
        ablations_section(records),
        windows_section(records),
        provenance(records),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def progress(records: Records) -> str:
    """How far the campaign is, and how it goes on."""
    return state(records, planned(), QUICK.final, COMMAND)


def planned(budget: Budget = FULL) -> dict[str, int]:
    """Numbers of runs by part; trials that are not known yet are counted, too."""
    return {
        "trial": sum(number(name) for name, method in METHODS.items() if method.rated),
        "final": len(METHODS) * budget.seeds,
        "ablation": len(ABLATIONS) * budget.ablation_seeds,
        "window": sum(map(len, TRIED.values())),
    }


def finals_section(records: Records, references: Record) -> str:
    """Methods at equal CPU seconds, and what needs no network."""
    found = sorted(groups(of_part(records, "final")), key=lambda one: one.value("conditional_w1"))
    rows = [group_row(one) for one in found]
    rows += [reference_row(one) for one in references["references"].values()]
    return section("Methods", FINALS, table(COLUMNS, rows))


def pairs_section(records: Records, references: Record) -> str:
    """Differences of conditional W1 with paired errors."""
    found = pairs(groups(of_part(records, "final")), references)
    return section("Who is better", PAIRS, table(CONTRAST, found)) if found else ""


def luckiest_section(records: Records) -> str:
    """Our worst seed against the best seed of every other method."""
    found = luckiest(groups(of_part(records, "final")))
    shown = f"{table(CONTRAST[:4], found)}\n\n{FINDINGS}"
    return section("Worst against best", LUCKIEST, shown) if found else ""


def trials_section(records: Records) -> str:
    """What was tried for each method, on validation particles."""
    rows = []
    best: dict[str, tuple[Any, ...]] = {}
    tried = of_part(records, "trial")
    for one in tried:
        score = one["validation_score"]
        if score is not None and score < best.get(one["method"], (float("inf"),))[0]:
            best[one["method"]] = (score, one["rate"], one["weight"])
    for one in sorted(tried, key=lambda one: (list(METHODS).index(one["method"]), trial_key(one))):
        score = "failed" if one["validation_score"] is None else f"{one['validation_score']:.2f}"
        whole = sum(other["method"] == one["method"] for other in tried) == number(one["method"])
        taken = whole and best.get(one["method"], ())[1:] == (one["rate"], one["weight"])
        rows.append(
            [
                one["method"],
                one["rate"] or "",
                weight_of(one),
                f"**{score}**" if taken else score,
                f"{one['steps']}",
                seconds_of(one),
            ]
        )
    names = ("method", "optimisers", "weight", "validation score", "steps", "CPU s")
    return section("Trials", TRIALS, table(names, rows)) if rows else ""


def ablations_section(records: Records) -> str:
    """Parts of ``calibrated``, and one shower of each particle."""
    found = {one.label: one for one in groups(of_part(records, "ablation"))}
    rows = [group_row(found[label]) for label in ABLATIONS if label in found]
    text = f"{FULL.ablation / 60:g} CPU-minutes a run, test particles."
    return section("Ablations", text, table(COLUMNS, rows)) if rows else ""


def windows_section(records: Records) -> str:
    """Weights over three decades."""
    found = sorted(groups(of_part(records, "window")), key=lambda one: (one.label, one.weight or 0))
    rows = [group_row(one) for one in found]
    text = f"{WINDOWS}\n\n![Conditional W1 and slope against the weight]({WINDOW})"
    return section("Weights over three decades", text, table(COLUMNS, rows)) if rows else ""


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
