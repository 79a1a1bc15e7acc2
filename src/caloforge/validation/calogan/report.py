"""README.md of the layered campaign, rendered from its records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from caloforge.evaluate.measured import Measured
from caloforge.validation.calogan import words
from caloforge.validation.calogan.judging import UNTRAINED
from caloforge.validation.calogan.pictures import PICTURES, draw
from caloforge.validation.calogan.plan import ABLATIONS, FULL, HEADS, METHODS
from caloforge.validation.calogan.summary import (
    farthest,
    mean_of,
    names,
    row,
    smallest,
    targets,
    upper,
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
    """How far the campaign is, and how it goes on."""
    runs = {
        **{("final", one): FULL.seeds for one in METHODS},
        **{("ablation", one): FULL.ablation_seeds for one in labels()},
    }
    left = []
    for (part, label), wanted in runs.items():
        there = sum(
            one["part"] == part and one["label"] == label and "test" in one
            for one in records.values()
        )
        if there < wanted:
            left.append(f"{wanted - there} x {label}")
    if not left:
        return "All runs are there."
    return (
        f"**The campaign is not finished**: {len(records)} runs are there; missing: "
        f"{', '.join(left)}. It goes on by `{words.COMMAND}`."
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


HEAD = (
    "",
    "AUC",
    "95 % bound",
    "AUC told",
    "worst R² ratio",
    "worst mean",
    "worst σ/mean",
    "worst resolution",
    "separation",
    "seeds",
    "steps",
    "CPU s",
)


def headlines(found: list[Group]) -> str:
    """One line a recipe or a variant."""
    return table(HEAD, [line(group) for group in found])


def line(group: Group) -> list[str]:
    """Cells of one recipe or variant."""
    if not group.whole:
        return [group.label, "failed", *[""] * (len(HEAD) - 2)]
    auc = group.measured("auc_both")
    return [
        f"`{group.label}`",
        str(auc),
        f"{upper(auc):.4f}",
        str(group.measured("auc_conditions")),
        str(smallest(group, "r2_ratio_")),
        str(farthest(group, "band_mean_")),
        str(farthest(group, "band_sigma_")),
        str(farthest(group, "band_resolution_")),
        str(mean_of(group, "separation")),
        str(len(group.whole)),
        group.steps,
        group.cpu_seconds,
    ]


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


def qualification(found: list[Group], references: Record) -> str:
    """What the classifier makes of showers that it should know."""
    first = found[0].whole[0]
    rows = [
        ("real against real", str(Measured(**first["floor"]["auc_both"]))),
        ("real, widened by 10 %", str(Measured(**first["test"]["auc_widened"]))),
        ("untrained generator", str(Measured(**references[UNTRAINED]))),
        *((f"`{one.label}`", str(one.measured("auc_both"))) for one in found),
    ]
    return table(("showers", "AUC"), rows)


def attributes(found: list[Group]) -> str:
    """R2 of each attribute."""
    first = found[0]
    rows = []
    for name in names(first, "r2_ratio_"):
        plain = name.replace("ratio_", "")
        real = str(first.measured(plain, "floor"))
        rows.append(row(name.removeprefix("r2_ratio_"), found, _number(name, real)))
    return table(("", "real R²", *_ratios(found)), [_second(r) for r in rows])


def _number(name: str, real: str) -> Any:
    return lambda group: f"{real}|{group.measured(name)}"


def _second(cells: Any) -> list[str]:
    """The real number once, then that of each recipe."""
    label, *both = cells
    pairs = [cell.split("|") for cell in both]
    return [label, pairs[0][0], *(pair[1] for pair in pairs)]


def _ratios(found: list[Group]) -> list[str]:
    return [f"`{group.label}`" for group in found]


def slopes(found: list[Group]) -> str:
    """Slope of each attribute's observable, with that at fixed latents in brackets."""
    first, rows = found[0], []
    for name in names(first, "slope_"):
        title = first.whole[0]["titles"][name].removeprefix("slope of ")
        attribute = name.removeprefix("slope_").replace("_", " ")
        cells = [f"{one.measured(name)} ({one.measured(attribute, 'traversals')})" for one in found]
        rows.append([title, str(first.measured(name, "floor")), *cells])
    return table(("", "transport", *_ratios(found)), rows)


def shares(found: list[Group]) -> str:
    """Energy by layer, overflow, negative cells."""
    rows = _beside_floor(found, [*names(found[0], "share_"), "overflow", "negative"])
    return table(("", "real", *_ratios(found)), rows)


def _beside_floor(found: list[Group], wanted: list[str]) -> list[list[str]]:
    titles = found[0].whole[0]["titles"]
    return [
        [
            titles[name].removeprefix("energy: "),
            str(Measured(**found[0].whole[0]["floor"][name])),
            *(str(one.measured(name)) for one in found),
        ]
        for name in wanted
    ]


def bands(found: list[Group]) -> str:
    """Mean, width and resolution in bands of energy."""
    titles = found[0].whole[0]["titles"]
    rows = []
    for name in names(found[0], "band_mean_"):
        where = titles[name].split(", ")[1]
        each = [
            " / ".join(
                str(one.measured(name.replace("mean", what)))
                for what in ("mean", "sigma", "resolution")
            )
            for one in found
        ]
        rows.append([where, *each])
    return table(("", *_ratios(found)), rows)


def observables(found: list[Group], references: Record, what: str) -> str:
    """The 20 observables of every recipe beside real against real."""
    rows = [
        [
            f"`{name}`",
            str(Measured(**floor)),
            *(str(one.measured(name, what)) for one in found),
        ]
        for name, floor in references[what].items()
    ]
    title = {"separation": "separation power", "w1": "W1 (GeV, mm, or none)"}[what]
    return table((title, "real against real", *_ratios(found)), rows)


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
