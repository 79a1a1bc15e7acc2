"""README.md of the layered campaign, rendered from its records alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caloforge.evaluate.resampling import Measured
from validation.calogan import words
from validation.calogan.judging import UNTRAINED
from validation.calogan.pictures import PICTURES, draw
from validation.calogan.plan import ABLATIONS, FULL, HEADS, METHODS, QUICK, WHOLE
from validation.calogan.summary import targets
from validation.calogan.tables import (
    HEAD,
    attributes,
    bands,
    differences,
    headlines,
    line,
    observables,
    qualification,
    shares,
    slopes,
)
from validation.campaign.group import Group, groups
from validation.campaign.page import of_part, provenance, section, table, write_page
from validation.campaign.record import Records, by_name, read_references

Record = Mapping[str, Any]
REMARKS = "remarks.md"


def write_report(out: Path) -> None:
    """Pictures of the run folders that are there, and README.md."""
    draw(out)
    write_page(out, render_folder(out))


def render_folder(out: Path) -> str:
    """The page of a folder's records, and of remarks where somebody wrote some beside them."""
    shown = tuple(name for name in PICTURES if (out / name).is_file())
    remarks = out / REMARKS
    text = remarks.read_text(encoding="utf-8").strip() if remarks.is_file() else ""
    return render(by_name(out), read_references(out), shown, text)


def render(
    records: Records, references: Record, shown: tuple[str, ...] = (), remarks: str = ""
) -> str:
    """The whole page, a pure function of the records, the pictures there are, and remarks."""
    found = groups(of_part(records, "final"))
    found.sort(key=lambda one: METHODS.index(one.label))
    found = [one for one in found if one.whole]
    parts = [words.INTRODUCTION, state(records)]
    if found:
        parts.append(section("Recipes", words.HEADLINES, headlines(found, references)))
        parts.append(targets_section(found, references))
    parts.append(remarks)
    if found:
        parts += list(_sections(found, references))
    parts += [parts_section(records), pictures_section(shown), provenance(records)]
    return "\n\n".join(part for part in parts if part) + "\n"


def state(records: Records) -> str:
    """How far the campaign is, and how it goes on; rows of another budget will be trained again."""
    if {one["budget_cpu_seconds"] for one in records.values()} == {QUICK.final}:
        return f"**A quick look**: {QUICK.final:g} CPU seconds a run, one seed, no parts left out."
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
    return (WHOLE, *(f"no {name}" for name in ABLATIONS), *(f"head {name}" for name in HEADS))


def _sections(found: list[Group], references: Record) -> Iterator[str]:
    yield section("The classifier", words.QUALIFICATION, qualification(found, references))
    yield section("Attributes", words.ATTRIBUTES, attributes(found))
    yield section("Slopes", words.SLOPES, slopes(found))
    yield section("Energy", words.ENERGY, shares(found))
    yield "\n\n".join([words.BANDS, bands(found, references)])
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
    known = {one.label: one for one in groups(of_part(records, "ablation"))}
    found = [known[label] for label in labels() if label in known]
    if not found:
        return ""
    parts = [section("What its parts are worth", words.PARTS, table(HEAD, map(line, found)))]
    whole = [one for one in found if one.whole]
    if whole and whole[0].label == WHOLE:
        parts += [words.DIFFERENCES, differences(whole, whole[0])]
    return "\n\n".join(parts)


def pictures_section(shown: tuple[str, ...]) -> str:
    """The pictures that were drawn."""
    if not shown:
        return ""
    pictures = "\n\n".join(f"![{PICTURES[n]}]({n})\n\n{PICTURES[n]}" for n in shown)
    return section("Pictures", words.PICTURES, pictures)


def terminal(out: Path) -> str:
    """What the command line prints."""
    records = by_name(out)
    found = [one for one in groups(of_part(records, "final")) if one.whole]
    shown = headlines(found, read_references(out)) if found else "no run is there"
    return "\n\n".join([shown, state(records)])
