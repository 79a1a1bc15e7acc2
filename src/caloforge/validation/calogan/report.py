"""README.md of the layered campaign, rendered from its records alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caloforge.evaluate.measured import Measured
from caloforge.validation.calogan import words
from caloforge.validation.calogan.judging import UNTRAINED
from caloforge.validation.calogan.pictures import PICTURES, draw
from caloforge.validation.calogan.plan import ABLATIONS, FULL, HEADS, METHODS
from caloforge.validation.calogan.summary import targets
from caloforge.validation.calogan.tables import (
    HEAD,
    attributes,
    bands,
    headlines,
    line,
    observables,
    qualification,
    shares,
    slopes,
)
from caloforge.validation.campaign.group import Group, groups
from caloforge.validation.campaign.page import of_part, provenance, section, table, write_page
from caloforge.validation.campaign.record import Records, by_name, read_references

Record = Mapping[str, Any]


def write_report(out: Path) -> None:
    """Pictures of the run folders that are there, and README.md."""
    draw(out)
    write_page(out, render_folder(out))


def render_folder(out: Path) -> str:
    """The page of a folder's records."""
    shown = tuple(name for name in PICTURES if (out / name).is_file())
    return render(by_name(out), read_references(out), shown)


def render(records: Records, references: Record, shown: tuple[str, ...] = ()) -> str:
    """The whole page, a pure function of the records and of which pictures exist."""
    found = groups(of_part(records, "final"))
    found.sort(key=lambda one: METHODS.index(one.label))
    found = [one for one in found if one.whole]
    parts = [words.INTRODUCTION, state(records)]
    if found:
        parts += list(_sections(found, references))
    parts += [parts_section(records), pictures_section(shown), provenance(records)]
    return "\n\n".join(part for part in parts if part) + "\n"


def state(records: Records) -> str:
    """How far the campaign is, and how it goes on; rows of another budget will be trained again."""
    runs = {
        **{("final", one, FULL.final): FULL.seeds for one in METHODS},
        **{("ablation", one, FULL.ablation): FULL.ablation_seeds for one in labels()},
    }
    there = Counter(
        (one["part"], one["label"], one["budget_cpu_seconds"])
        for one in records.values()
        if "test" in one
    )
    left = [f"{n - there[run]} x {run[1]}" for run, n in runs.items() if there[run] < n]
    if not left:
        return "All runs are there."
    other = sum(number for run, number in there.items() if run not in runs)
    said = f" {other} of them had another budget than the plan and will be trained again." * (
        other > 0
    )
    return (
        f"**The campaign is not finished**: {len(records)} runs are there.{said} Missing (runs of "
        f"{FULL.final:g} CPU seconds, parts of {FULL.ablation:g}): {', '.join(left)}. It goes on "
        f"by `{words.COMMAND}`."
    )


def labels() -> tuple[str, ...]:
    """Labels of all ablations."""
    return ("whole", *(f"no {name}" for name in ABLATIONS), *(f"head {name}" for name in HEADS))


def _sections(found: list[Group], references: Record) -> Iterator[str]:
    yield section("Recipes", words.HEADLINES, headlines(found))
    yield targets_section(found, references)
    yield section("The classifier", words.QUALIFICATION, qualification(found, references))
    yield section("Attributes", words.ATTRIBUTES, attributes(found))
    yield section("Slopes", words.SLOPES, slopes(found))
    yield section("Energy", words.ENERGY, shares(found))
    yield "\n\n".join([words.BANDS, bands(found)])
    yield section("Observables", words.OBSERVABLES, observables(found, references, "separation"))
    yield observables(found, references, "w1")


def targets_section(found: list[Group], references: Record) -> str:
    """What was asked, and what was reached."""
    known = {one.label: one for one in found}
    ours = known.get(METHODS[0])
    if ours is None:
        return ""
    rows = [
        [one.demand, one.reached, "yes" if one.kept else "**no**"]
        for one in targets(ours, known.get("calogan"), Measured(**references[UNTRAINED]))
    ]
    return section("Targets", f"Of `{METHODS[0]}`.", table(("demand", "reached", "kept"), rows))


def parts_section(records: Records) -> str:
    """Ablations and heads of the published recipe."""
    found = {one.label: one for one in groups(of_part(records, "ablation"))}
    rows = [line(found[label]) for label in labels() if label in found]
    return section("What its parts are worth", words.PARTS, table(HEAD, rows)) if rows else ""


def pictures_section(shown: tuple[str, ...]) -> str:
    """The pictures that were drawn."""
    if not shown:
        return ""
    return section(
        "Pictures", "\n\n".join(f"![{PICTURES[n]}]({n})\n\n{PICTURES[n]}" for n in shown)
    )


def terminal(out: Path) -> str:
    """What the command line prints."""
    records = by_name(out)
    found = [one for one in groups(of_part(records, "final")) if one.whole]
    return "\n\n".join([headlines(found) if found else "no run is there", state(records)])
