"""README.md of the comparison, rendered from its records alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from caloforge.files import write_aside
from caloforge.validation.zn.campaign import REFERENCES, by_name
from caloforge.validation.zn.plan import ABLATIONS, FULL, METHODS, QUICK, RATES, Budget
from caloforge.validation.zn.plan import WINDOWS as TRIED
from caloforge.validation.zn.summary import COLUMNS, groups, pairs, reference_row
from caloforge.validation.zn.words import COMMAND, FINALS, INTRODUCTION, PAIRS, TRIALS, WINDOWS

Record = Mapping[str, Any]
Records = Mapping[str, Record]


def write_report(out: Path) -> None:
    """README.md of a folder."""
    with write_aside(out / "README.md", overwrite=True) as part:
        part.write_text(render_folder(out), encoding="utf-8")


def render_folder(out: Path) -> str:
    """The page of a folder's records."""
    references = json.loads((out / REFERENCES).read_text(encoding="utf-8"))
    return render(by_name(out), references)


def render(records: Records, references: Record) -> str:
    """The whole page, a pure function of the records."""
    parts = [
        INTRODUCTION,
        state(records),
        finals_section(records, references),
        pairs_section(records, references),
        trials_section(records),
        ablations_section(records),
        windows_section(records),
        provenance(records),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def state(records: Records) -> str:
    """How far the campaign is, and how it goes on."""
    if {one["budget_cpu_seconds"] for one in records.values()} == {QUICK.final}:
        return f"**A quick look**: {QUICK.final:g} CPU seconds a run, nothing tried, one seed."
    left = absent(records)
    if not left:
        return "All runs are there."
    shown = ", ".join(f"{runs} x {what}" for what, runs in left.items())
    return (
        f"**The campaign is not finished**: {len(records)} runs are there; missing: {shown}. Rows "
        f"of fewer seeds say so. It goes on by `{COMMAND}`."
    )


def absent(records: Records, budget: Budget = FULL) -> dict[str, int]:
    """Numbers of runs without a record, by part; trials that are not known yet are counted, too."""
    planned = {
        "trial": sum(number(name) for name, method in METHODS.items() if method.rated),
        "final": len(METHODS) * budget.seeds,
        "ablation": len(ABLATIONS) * budget.ablation_seeds,
        "window": sum(map(len, TRIED.values())),
    }
    there = {part: sum(one["part"] == part for one in records.values()) for part in planned}
    left = {part: planned[part] - there[part] for part in planned}
    return {part: runs for part, runs in left.items() if runs > 0}


def finals_section(records: Records, references: Record) -> str:
    """Methods at equal CPU seconds, and what needs no network."""
    found = sorted(groups(of_part(records, "final")), key=lambda one: one.value("conditional_w1"))
    rows = [row(one.cells()) for one in found]
    rows += [row(reference_row(one)) for one in references["references"].values()]
    title = f"## Methods\n\n{FINALS}"
    return "\n\n".join([title, "\n".join([head(*COLUMNS), *rows])])


def pairs_section(records: Records, references: Record) -> str:
    """Differences of conditional W1 with paired errors."""
    found = pairs(groups(of_part(records, "final")), references)
    if not found:
        return ""
    rows = [row(cells) for cells in found]
    names = ("first", "second", "second - first", "sigma", "sigma by particles alone")
    return "\n\n".join([f"## Who is better\n\n{PAIRS}", "\n".join([head(*names), *rows])])


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
            row(
                [
                    one["method"],
                    one["rate"] or "",
                    weight_of(one),
                    f"**{score}**" if taken else score,
                    f"{one['steps']}",
                    seconds_of(one),
                ]
            )
        )
    names = ("method", "optimisers", "weight", "validation score", "steps", "CPU s")
    return "\n\n".join([f"## Trials\n\n{TRIALS}", "\n".join([head(*names), *rows])]) if rows else ""


def ablations_section(records: Records) -> str:
    """Parts of ``calibrated``, and one shower of each particle."""
    found = {one.label: one for one in groups(of_part(records, "ablation"))}
    rows = [row(found[label].cells()) for label in ABLATIONS if label in found]
    text = f"## Ablations\n\n{FULL.ablation / 60:g} CPU-minutes a run, test particles."
    return "\n\n".join([text, "\n".join([head(*COLUMNS), *rows])]) if rows else ""


def windows_section(records: Records) -> str:
    """Weights over three decades."""
    found = groups(of_part(records, "window"))
    rows = [row(one.cells()) for one in sorted(found, key=lambda one: (one.label, one.weight or 0))]
    text = f"## Weights over three decades\n\n{WINDOWS}"
    return "\n\n".join([text, "\n".join([head(*COLUMNS), *rows])]) if rows else ""


def provenance(records: Records) -> str:
    """Where the numbers come from."""
    if not records:
        return ""
    told = {
        name: ", ".join(sorted({str(one[name]) for one in records.values()}))
        for name in ("commit", "torch", "processor")
    }
    data = sorted({f"{one['data']['name']} {one['data']['sha256']}" for one in records.values()})
    minutes = sum(one["cpu_seconds"] or 0 for one in records.values()) / 60
    return (
        f"## Provenance\n\n{len(records)} runs, {minutes:.0f} CPU-minutes; commit "
        f"{told['commit']}; torch {told['torch']}; {told['processor']}, one thread, shared with "
        "other work; showers: "
        f"{', '.join(data)}. One JSON record a run in `runs/`: recipe, seed, steps, CPU seconds, "
        "validation score, judgement. This page is rendered from them, and a test renders it again."
    )


def of_part(records: Records, part: str) -> list[Record]:
    """Records of one part of the campaign."""
    return [one for one in records.values() if one["part"] == part]


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


def head(*names: str) -> str:
    """Head of a table."""
    return f"{row(names)}\n{row(['---'] * len(names))}"


def row(cells: Iterable[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def terminal(out: Path) -> str:
    """What the command line prints: the finals."""
    records = by_name(out)
    references = json.loads((out / REFERENCES).read_text(encoding="utf-8"))
    return "\n\n".join([finals_section(records, references), state(records)])


__all__ = ["absent", "render", "render_folder", "terminal", "write_report"]
