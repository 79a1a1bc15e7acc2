"""Tables of the layered campaign: a row a number, a column a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caloforge.evaluate.resampling import Measured
from validation.calogan.judging import UNTRAINED
from validation.calogan.summary import (
    farthest,
    farthest_of,
    mean_separation,
    minus,
    names,
    separation_of,
    smallest,
    upper,
)
from validation.campaign.group import Group
from validation.campaign.page import table

Record = Mapping[str, Any]

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


def headlines(found: list[Group], references: Record) -> str:
    """One line a recipe, and what real showers give in their place."""
    return table(HEAD, [*(line(group) for group in found), floor_line(found[0], references)])


def floor_line(group: Group, references: Record) -> list[str]:
    """Real against real, as far as there is such a number."""
    floor = group.whole[0]["floor"]
    told = references.get("bands", {})
    worst = [
        farthest_of(Measured(**one) for name, one in told.items() if name.startswith(prefix))
        for prefix in ("band_mean_", "band_sigma_", "band_resolution_")
    ]
    aucs = [str(Measured(**floor[name])) for name in ("auc_both", "auc_conditions")]
    numbers = [*map(str, worst), str(separation_of(references))]
    return ["*real against real*", aucs[0], "", aucs[1], "", *numbers, "", "", ""]


def line(group: Group) -> list[str]:
    """Cells of one recipe or variant."""
    if not group.whole:
        return [group.label, "failed", *[""] * (len(HEAD) - 2)]
    auc = group.measured("auc_both")
    return [
        f"`{group.label}`",
        str(auc),
        f"{upper(group):.4f}",
        str(group.measured("auc_conditions")),
        str(smallest(group, "r2_ratio_")),
        str(farthest(group, "band_mean_")),
        str(farthest(group, "band_sigma_")),
        str(farthest(group, "band_resolution_")),
        str(mean_separation(group)),
        str(len(group.whole)),
        group.steps,
        group.cpu_seconds,
    ]


DIFFERENCES = ("", "separation", "minus whole", "sigma", "worst R² ratio", "minus whole", "sigma")


def differences(found: list[Group], whole: Group) -> str:
    """What each variant is worth against the whole recipe, in numbers that do not saturate."""
    rows = []
    for group in found:
        cells = [f"`{group.label}`"]
        for of in (mean_separation, lambda one: smallest(one, "r2_ratio_")):
            number, difference = of(group), minus(of(group), of(whole))
            sigma = "" if difference.sigma is None else f"{difference.sigma:.1f}"
            cells += [str(number), str(difference), sigma]
        rows.append(cells if group is not whole else [*cells[:2], "", "", cells[4], "", ""])
    return table(DIFFERENCES, rows)


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
    """R2 of each attribute: of real showers, and generated over real."""
    rows = []
    for name in names(found[0], "r2_ratio_"):
        real = found[0].measured(name.replace("ratio_", ""), "floor")
        label = name.removeprefix("r2_ratio_")
        rows.append([label, str(real), *(str(one.measured(name)) for one in found)])
    return table(("", "real R²", *_titles(found)), rows)


def _titles(found: list[Group]) -> list[str]:
    return [f"`{group.label}`" for group in found]


def slopes(found: list[Group]) -> str:
    """Slope of each attribute's observable, with that at fixed latents in brackets."""
    first, rows = found[0], []
    for name in names(first, "slope_"):
        title = first.whole[0]["titles"][name].removeprefix("slope of ")
        attribute = name.removeprefix("slope_").replace("_", " ")
        cells = [f"{one.measured(name)} ({one.measured(attribute, 'traversals')})" for one in found]
        rows.append([title, str(first.measured(name, "floor")), *cells])
    return table(("", "transport", *_titles(found)), rows)


def shares(found: list[Group]) -> str:
    """Energy by layer, overflow, negative cells."""
    rows = _beside_floor(found, [*names(found[0], "share_"), "overflow", "negative"])
    return table(("", "real", *_titles(found)), rows)


def _beside_floor(found: list[Group], wanted: list[str]) -> list[list[str]]:
    titles = found[0].whole[0]["titles"]
    return [
        [
            titles[name].removeprefix("energy: "),
            str(Measured(**found[0].whole[0]["floor"][name])),
            *(_or_note(one, name) for one in found),
        ]
        for name in wanted
    ]


def _or_note(group: Group, name: str) -> str:
    """The mean over seeds, or why there is none."""
    number = group.measured(name)
    return str(number if number.value is not None else Measured(**group.whole[0]["test"][name]))


def bands(found: list[Group], references: Record) -> str:
    """Mean, width and resolution in bands of energy, of other real showers first."""
    titles, floor = found[0].whole[0]["titles"], references.get("bands", {})
    rows = []
    for name in names(found[0], "band_mean_"):
        each = [name.replace("mean", what) for what in ("mean", "sigma", "resolution")]
        real = " / ".join(str(Measured(**floor[one])) for one in each) if floor else "-"
        cells = [" / ".join(str(group.measured(one)) for one in each) for group in found]
        rows.append([titles[name].split(", ")[1], real, *cells])
    return table(("", "real against real", *_titles(found)), rows)


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
    return table((title, "real against real", *_titles(found)), rows)
