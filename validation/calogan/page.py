"""README.md of the layered calorimeter, from the records alone, and the pictures of run folders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from caloforge.recipes import RECIPES
from validation.calogan.pictures import PICTURES, draw
from validation.calogan.plan import METHODS, PART_STEPS, PLAN, WHOLE, parts, plan
from validation.metrics import Measured
from validation.page import progress, provenance, render, table, write_page
from validation.runner import read_records
from validation.summary import Group, groups, in_order, of_part, over_seeds, sigma_of

Record = Mapping[str, Any]
Records = Mapping[str, Record]
COMMAND = "python -m validation calogan"
SEPARATIONS = (
    *(
        f"separation10_{name}_layer_{number}"
        for name in ("fraction", "occupancy", "hottest_pair", "width_x", "width_y")
        for number in range(3)
    ),
    "separation10_depth",
    "separation10_depth_width",
    "separation10_last_layer",
)
"""The shower shapes of arXiv:1712.10321, in ten bins of equal population."""
HEADLINES = (
    "", "AUC", "AUC with conditions", "worst R² ratio", "worst layer mean", "worst band mean",
    "worst σ/mean", "worst resolution", "separation", "flat", "steps", "CPU s", "seeds",
)  # fmt: skip


def write(folder: Path) -> None:
    """Pictures of the run folders that are there, and README.md."""
    draw(folder)
    write_page(folder, page(folder))


def page(folder: Path) -> str:
    """The page of a folder's records and pictures."""
    shown = [name for name in PICTURES if (folder / name).is_file()]
    return render("calogan", facts(read_records(folder), shown))


def summary(folder: Path) -> str:
    """What the terminal shows: the recipes and how far the study is."""
    known = facts(read_records(folder), [])
    return f"{known['recipes']}\n\n{known['progress']}"


def facts(records: Records, shown: Sequence[str]) -> dict[str, Any]:
    """All that the template fills in."""
    found = whole(in_order(groups(of_part(records, "final")), METHODS))
    changed = whole(in_order(groups(of_part(records, "part")), list(parts())))
    equal = whole(groups(of_part(records, "equal")))
    return {
        "command": COMMAND,
        "seeds": PLAN.seeds,
        "part_steps": PART_STEPS,
        "whole": WHOLE,
        "progress": progress(records, plan, COMMAND),
        "recipes": table(HEADLINES, headlines(found)),
        "attributes": rows_table(found, "r2_ratio_", real="r2_"),
        "slopes": slopes(found),
        "shares": rows_table(found, "share_", "overflow", "negative"),
        "bands": rows_table(found, "band_"),
        "observables": rows_table(found, *SEPARATIONS),
        "parts": table(HEADLINES, headlines(changed, floor=False)),
        "worth": worth(changed),
        "equal": table(HEADLINES, headlines(equal, floor=False)),
        "pictures": {name: PICTURES[name] for name in shown},
        "provenance": provenance(records) if records else None,
    }


def whole(found: Iterable[Group]) -> list[Group]:
    """Groups with an evaluated run."""
    return [one for one in found if one.whole]


def number(group: Group, name: str, side: str = "value") -> Measured:
    """A two-sample number of a group, or its noise floor, over seeds."""
    found = [run["two_sample"][name][side] for run in group.whole if name in run["two_sample"]]
    return over_seeds([one or {"value": None, "error": None} for one in found])


def names(group: Group, *prefixes: str) -> list[str]:
    """Two-sample numbers whose names begin so, in the order of the record."""
    known = group.whole[0]["two_sample"]
    return [name for prefix in prefixes for name in known if name.startswith(prefix)]


def farthest(group: Group, prefix: str, side: str = "value") -> Measured:
    """Of several ratios the one farthest from 1."""
    return extreme(group, [prefix], side, lambda one: abs((one.value or 0) - 1))


def worst_ratio(group: Group, side: str = "value") -> Measured:
    """The smallest R² ratio of the attributes that the networks receive."""
    received = group.whole[0]["recipe"]["generator"]["told"]
    prefixes = ["r2_ratio_"] if received is None else [f"r2_ratio_{name}" for name in received]
    return extreme(group, prefixes, side, lambda one: -(one.value or 0))


def extreme(
    group: Group, prefixes: Sequence[str], side: str, key: Callable[[Measured], float]
) -> Measured:
    """The number for which ``key`` is largest; undefined without one."""
    found = [number(group, name, side) for name in names(group, *prefixes)]
    known = [one for one in found if one.value is not None]
    return max(known, key=key, default=Measured(None, None, "-"))


def layer_means(group: Group) -> Measured:
    """Generated over real share of the energy, of the layer farthest from 1."""
    found = []
    for name in (f"share_layer_{layer}" for layer in range(3)):
        made, real = number(group, name), number(group, name, "floor")
        if made.value is not None and real.value:
            error = math.hypot(made.error or 0, real.error or 0)
            found.append(Measured(made.value / real.value, error / real.value))
    return max(found, key=lambda one: abs((one.value or 0) - 1), default=Measured(None, None, "-"))


def separation(group: Group, side: str = "value") -> Measured:
    """Mean over the shower shapes, each taken as independent."""
    found = [number(group, name, side) for name in SEPARATIONS]
    known = [one for one in found if one.value is not None]
    if not known:
        return Measured(None, None, "-")
    error = math.hypot(*(one.error or 0 for one in known)) / len(known)
    return Measured(fmean(one.value or 0 for one in known), error)


def headlines(found: Sequence[Group], floor: bool = True) -> list[list[str]]:
    """One row a recipe or variant, and what real showers give in their place."""
    rows = []
    for one in found:
        told = f"`{one.label}`" if one.label in RECIPES else one.label
        rows.append([told, *headline(one), one.flat, one.steps, one.cpu_seconds, one.seeds])
    if found and floor:
        rows.append(["*noise floor: real against real*", *headline(found[0], "floor"), *[""] * 4])
    return rows


def headline(one: Group, side: str = "value") -> list[str]:
    """The numbers of a row."""
    layers = layer_means(one) if side == "value" else Measured(None, None, "")
    numbers = [number(one, "auc_both", side), number(one, "auc_conditions", side)]
    ratio = worst_ratio(one, side)
    bands = [farthest(one, f"band_{name}_", side) for name in ("mean", "sigma", "resolution")]
    return [str(value) for value in (*numbers, ratio, layers, *bands, separation(one, side))]


def rows_table(found: Sequence[Group], *prefixes: str, real: str = "") -> str:
    """A row a number, a column a recipe, the noise floor or the real value first."""
    if not found:
        return ""
    rows = []
    for name in names(found[0], *prefixes):
        beside = real + name.removeprefix(prefixes[0]) if real else name
        cells = [str(number(found[0], beside, "floor")), *(str(number(g, name)) for g in found)]
        rows.append([name.replace("_", " "), *cells])
    return table(("", "real", *(f"`{one.label}`" for one in found)), rows)


def slopes(found: Sequence[Group]) -> str:
    """Slope of each attribute's observable, with that at fixed latents in brackets."""
    if not found:
        return ""
    rows = []
    for name in names(found[0], "slope_"):
        attribute = name.removeprefix("slope_")
        cells = [str(number(found[0], name, "floor"))]
        for one in found:
            moved = [run["traversals"].get(attribute.replace("_", " ")) for run in one.whole]
            known = [value for value in moved if value is not None]
            fixed = f" ({over_seeds(known)})" if known else ""
            cells.append(f"{number(one, name)}{fixed}")
        rows.append([attribute.replace("_", " "), *cells])
    return table(("", "transport", *(f"`{one.label}`" for one in found)), rows)


def worth(found: Sequence[Group]) -> str:
    """What each part is worth against the whole recipe, in numbers that do not saturate."""
    known = {one.label: one for one in found}
    if "whole" not in known:
        return ""
    rows = []
    for label, one in known.items():
        if label == "whole":
            continue
        cells = [label]
        for of in (separation, worst_ratio):
            first, second = of(known["whole"]), of(one)
            apart = minus(second, first)
            cells += [str(apart), sigma_of(apart)]
        rows.append(cells)
    titles = ("", "separation, minus whole", "sigma", "worst R² ratio, minus whole", "sigma")
    return table(titles, rows)


def minus(one: Measured, other: Measured) -> Measured:
    """A difference of two recipes: errors in quadrature, as if they had met other showers."""
    if one.value is None or other.value is None:
        return Measured(None, None, "-")
    return Measured(one.value - other.value, math.hypot(one.error or 0, other.error or 0))
