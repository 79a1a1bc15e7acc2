"""README.md of the proton campaign, rendered from its records alone, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.campaign.group import CONTRAST, Group, groups
from validation.campaign.page import (
    of_part,
    provenance,
    section,
    state,
    table,
    write_page,
)
from validation.campaign.record import Records, by_name, read_references
from validation.campaign.trials import chosen
from validation.proton import words
from validation.proton.judging import SCHEMES
from validation.proton.plan import (
    CHOOSING,
    FULL,
    METHODS,
    PLAIN,
    QUICK,
    RATES,
    SCANS,
    WHOLE,
    numbers,
    scans,
    trials,
)
from validation.proton.tables import (
    BEYOND,
    CENTRE,
    PUBLISHED,
    Difference,
    beyond_row,
    differences,
    floor_row,
    measured_cells,
    protocol_head,
    protocol_row,
    reference_row,
    tail_rows,
)

Record = Mapping[str, Any]
REMARKS = "remarks.md"
NEEDED_SIGMA = 3.0
LEAST_COMMON = 0.5
"""Part of the particles that a "yes" has to stand on."""
SPLITS = (("final", ""), ("leaky", ", by row (leaky)"))
"""Parts of the campaign that are judged, and what their rows say of it."""
RIVALS = (
    ("shuffled", "real showers of shuffled conditions (had to be reached)", "**no**"),
    ("replayed", "training showers replayed, which know no conditions", "not shown"),
    (PLAIN, f"`{PLAIN}`", "not shown"),
)
"""Of the centre error: against whom, in words, and what is said below that many sigma."""


def write_report(out: Path) -> None:
    """README.md of a folder and its pictures."""
    from caloforge.report.canvas import save
    from validation.proton.pictures import pictures

    write_page(out, render_folder(out))
    finals = groups(of_part(by_name(out), "final"))
    for name, drawn in pictures(in_order(finals), read_references(out)["real"]).items():
        save(drawn, out / name)


def render_folder(out: Path) -> str:
    """The page of a folder's records, and of remarks where somebody wrote some beside them."""
    remarks = out / REMARKS
    text = remarks.read_text(encoding="utf-8").strip() if remarks.is_file() else ""
    return render(by_name(out), read_references(out), text)


def render(records: Records, references: Record, remarks: str = "") -> str:
    """The whole page, a pure function of the records."""
    parts = [
        words.INTRODUCTION,
        progress(records),
        reached(records, references),
        remarks,
        protocol_section(records, references),
        beyond_section(records, references),
        pairs_section(records, references),
        section("Figures", words.FIGURES) if of_part(records, "final") else "",
        tails_section(records),
        scans_section(records),
        trials_section(records),
        words.REFERENCE,
        words.GRID,
        provenance(records),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def progress(records: Records) -> str:
    """How far the campaign is, and how it goes on."""
    return state(records, numbers(FULL), QUICK.final, words.COMMAND)


def reached(records: Records, references: Record) -> str:
    """What had to be reached in the centre error, and whether the regressor helps."""
    finals = groups(of_part(records, "final"))
    found = {
        (one.first.label, one.second.label): one
        for one in differences(finals, references, (CENTRE,))
    }
    rows = []
    for rival, title, unproved in RIVALS:
        if (one := found.get((WHOLE, rival))) is not None:
            rows.append(
                [f"beats {title}", told(one), one.seeds, one.shared, verdict(one, unproved)]
            )
    if not rows:
        return ""
    names = (f"`{WHOLE}`", "found", "seeds", "particles", f"≥ {NEEDED_SIGMA:g} sigma")
    return section("What had to be reached", words.REACHED, table(names, rows))


def told(one: Difference) -> str:
    """A difference of centre errors and its significance, or why there is none."""
    if one.contrast is None:
        return one.missing
    sigma = one.contrast.measured.sigma
    return f"{one.contrast.measured} mm, " + ("no error" if sigma is None else f"{sigma:.1f} sigma")


def verdict(one: Difference, unproved: str) -> str:
    """Whether the first is better; no "yes" for the seeds or particles that happen to shine."""
    sigma = None if one.contrast is None else one.contrast.measured.sigma
    if sigma is None or sigma < NEEDED_SIGMA:
        return unproved
    if not one.first.whole:
        return f"{one.first.having} seeds"
    if one.common < LEAST_COMMON * one.particles:
        return f"{one.shared} particles"
    return "yes"


def in_order(found: list[Group]) -> list[Group]:
    """Methods in the order of the paper, ours last."""
    return sorted(found, key=lambda one: METHODS.index(one.label))


def protocol_section(records: Records, references: Record) -> str:
    """Table 1 of the paper in both schemes, both splits."""
    floor = references["references"]["real"]["published"]
    parts = []
    for scheme in SCHEMES:
        rows = []
        for part, note in SPLITS:
            for one in in_order(groups(of_part(records, part))):
                runs = [run["published"] for run in one.whole]
                paper = PUBLISHED.get(one.label, "") if scheme == SCHEMES[0] and not note else ""
                rows.append(protocol_row(f"{one.label}{note}", runs, scheme, paper))
        rows.append(protocol_row("*floor: half against half*", [floor], scheme, ""))
        parts.append(f"Scheme `{scheme}`.\n\n{table(protocol_head(), rows)}")
    return section("Table 1: the published protocol", words.TABLE, "\n\n".join(parts))


def beyond_section(records: Records, references: Record) -> str:
    """What a marginal distance does not see."""
    rows = [
        beyond_row(one, note)
        for part, note in SPLITS
        for one in in_order(groups(of_part(records, part)))
    ]
    # All runs by row are judged on the same rows, so that one floor is that of all of them.
    leaky = [one["floor"] for one in of_part(records, "leaky") if "floor" in one][:1]
    rows += [floor_row("floor: real against real, by row", {"test": one}) for one in leaky]
    rows += [reference_row(one) for one in references["references"].values()]
    names = ("", *(title for _, _, title in BEYOND), "seeds", "steps", "CPU s")
    return section("Particle by particle", words.BEYOND, table(names, rows))


def pairs_section(records: Records, references: Record) -> str:
    """Differences with paired errors."""
    rows = [one.row for one in differences(groups(of_part(records, "final")), references)]
    names = ("", *CONTRAST, "seeds", "particles")
    return section("Who is better", words.PAIRS, table(names, rows)) if rows else ""


def tails_section(records: Records) -> str:
    """Tails of the channels of Fig. 3."""
    finals = [one for one in in_order(groups(of_part(records, "final"))) if one.whole]
    rows = [cells for one in finals for cells in tail_rows(one)]
    names = ("", "", "above real 95 %", "above real 99 %", "dark", "dark, real")
    return section("Tails", words.TAILS, table(names, rows)) if rows else ""


def scans_section(records: Records) -> str:
    """Each weight over decades."""
    found = groups(of_part(records, "scan"))
    order = list(SCANS)
    best = chosen(list(scans(FULL, 0, rate_of(found), (CHOOSING,))), records)
    rows = []
    for one in sorted(found, key=lambda one: (order.index(one.label), one.weight or 0)):
        picked = best is not None and (one.label, one.weight) == (best.label, best.weight)
        score = f"**{score_of(one)}**" if picked else score_of(one)
        rows.append([one.label, f"{one.weight:g}", score, *measured_cells(one), one.steps])
    names = ("", "weight", "validation", *(title for _, _, title in BEYOND), "steps")
    methods = ", ".join(f"`{label}`: `{scan.method}`" for label, scan in SCANS.items())
    text = f"{words.SCANS} {methods}."
    return section("One weight at a time", text, table(names, rows)) if rows else ""


def rate_of(found: list[Group]) -> str | None:
    """Name of the optimisers that runs have."""
    rates = [run["rate"] for one in found for run in one.records]
    return rates[0] if rates else None


def trials_section(records: Records) -> str:
    """Optimisers that were tried, on validation particles: every seed, and what was chosen."""
    best = chosen(trials(FULL, 0), records)
    rows = []
    for rate in RATES:
        tried = tuple(one for one in of_part(records, "trial") if one["rate"] == rate)
        if tried:
            scores = ", ".join(score_of(Group(rate, None, (one,))) for one in tried)
            shown = f"**{scores}**" if best is not None and best.rate == rate else scores
            rows.append([rate, shown, Group(rate, None, tried).steps])
    names = ("optimisers", "validation score of each seed", "steps")
    return section("Trials", words.TRIALS, table(names, rows)) if rows else ""


def score_of(one: Group) -> str:
    """Validation score of a single run."""
    scores = [run["validation_score"] for run in one.records]
    return "failed" if scores[0] is None else f"{scores[0]:.2f}"


def terminal(out: Path) -> str:
    """What the command line prints."""
    records, references = by_name(out), read_references(out)
    parts = [beyond_section(records, references), reached(records, references), progress(records)]
    return "\n\n".join(part for part in parts if part)


__all__ = ["render", "render_folder", "terminal", "write_report"]
