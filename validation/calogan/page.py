"""README.md of the layered calorimeter, from the records alone, and the pictures of run folders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from caloforge.recipes import RECIPES
from validation.calogan.pictures import LEARNING, PICTURES, draw
from validation.calogan.plan import (
    FLIPPED,
    LAYERED,
    LAYERED_ALONE,
    METHODS,
    NO_ENERGY,
    NON_SATURATING,
    PART_STEPS,
    PLAN,
    REFERENCE_OF,
    UNCHANGED,
    WHOLE,
    parts,
    plan,
    steps_of_start,
)
from validation.metrics import Measured
from validation.page import finals, progress, provenance, render, table, write_page
from validation.runner import read_records, read_references
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
    "", "AUC", "AUC with conditions", "AUC of trees", "worst R² ratio", "worst layer mean",
    "worst band mean", "worst σ/mean", "worst resolution", "separation", "flat", "steps", "CPU s",
    "seeds",
)  # fmt: skip
UNDEFINED = Measured(None, None, "-")
LABELS = {
    "flipped": FLIPPED,
    "non_saturating": NON_SATURATING,
    "layered": LAYERED,
    "layered_alone": LAYERED_ALONE,
}


def write(folder: Path) -> None:
    """Pictures of the records and of the run folders that are there, and README.md."""
    draw(folder, finals(read_records(folder), METHODS))
    write_page(folder, page(folder))


def page(folder: Path) -> str:
    """The page of a folder's records and pictures."""
    names_of_pictures = [name for name in PICTURES if (folder / name).is_file()]
    return render(
        "calogan", facts(read_records(folder), read_references(folder), names_of_pictures)
    )


def summary(folder: Path) -> str:
    """What the terminal shows: the recipes and how far the study is."""
    values = facts(read_records(folder), read_references(folder), [])
    return f"{values['recipes']}\n\n{values['progress']}"


def facts(records: Records, references: Record, picture_names: Sequence[str]) -> dict[str, Any]:
    """All that the template fills in."""
    recipes = finals(records, METHODS)
    floor = floor_of(recipes, references)
    parts_trained = evaluated(in_order(groups(of_part(records, "part")), list(parts())))
    return {
        "command": COMMAND,
        "seeds": PLAN.seeds,
        "part_steps": PART_STEPS,
        "start_steps": steps_of_start(PART_STEPS),
        "whole": WHOLE,
        "labels": LABELS,
        "progress": progress(records, plan, COMMAND),
        "draws": references["draws"],
        "tails": references["tails"],
        "without_energy_term": without_energy_term(parts_trained),
        "recipes": table(HEADLINES, [*headlines(recipes), *floor_rows(floor)]),
        "seed_by_seed": table(SEED_TITLES, seed_by_seed(recipes)),
        "resolutions": resolutions(recipes, floor),
        "falling": falling(recipes),
        "scaled": scaled(recipes),
        "learning": LEARNING if recipes else None,
        "attributes": rows_table(recipes, "r2_ratio_", beside=real_r_squared),
        "slopes": slopes(recipes),
        "shares": rows_table(recipes, "share_", "overflow", "negative"),
        "bands": rows_table(recipes, "band_", beside=partial(band_floor, floor)),
        "observables": rows_table(recipes, *SEPARATIONS),
        "parts": table(HEADLINES, headlines(parts_trained)),
        "worth": worth(parts_trained),
        "equal": part_table(records, "equal"),
        "long": part_table(records, "long"),
        "pictures": {name: PICTURES[name] for name in picture_names},
        "provenance": provenance(records) if records else None,
    }


def part_table(records: Records, part: str) -> str:
    """Evaluated runs of another part of the plan, in the order of the recipes."""
    runs = evaluated(in_order(groups(of_part(records, part)), METHODS))
    return table(HEADLINES, headlines(runs))


def evaluated(candidates: Iterable[Group]) -> list[Group]:
    """Groups with an evaluated run."""
    return [one for one in candidates if one.whole]


def number(group: Group, name: str, side: str = "value") -> Measured:
    """A two-sample number of a group, or its noise floor, over seeds."""
    results = [run["two_sample"][name][side] for run in group.whole if name in run["two_sample"]]
    return over_seeds([one or {"value": None, "error": None} for one in results])


def names(group: Group, *prefixes: str) -> list[str]:
    """Two-sample numbers whose names begin so, each once, prefix by prefix."""
    metrics = group.whole[0]["two_sample"]
    names = (name for prefix in prefixes for name in metrics if name.startswith(prefix))
    return list(dict.fromkeys(names))


def floor_of(runs: Sequence[Group], references: Record) -> list[Group]:
    """Other real showers in the place of those of the first group; none without one."""
    return [
        replace(one, records=tuple(with_floors(run, references) for run in one.whole))
        for one in runs[:1]
    ]


def with_floors(run: Record, references: Record) -> Record:
    """A run whose numbers are those of real showers."""
    numbers = {name: {"value": of["floor"]} for name, of in run["two_sample"].items()}
    return {**run, "two_sample": numbers | references["two_sample"]}


def farthest(group: Group, prefix: str) -> str | None:
    """Name of the ratio that is farthest from 1."""
    off = {
        name: abs(value - 1)
        for name in names(group, prefix)
        if (value := number(group, name).value) is not None
    }
    return max(off, key=off.__getitem__, default=None)


def worst_ratio(group: Group) -> Measured:
    """The smallest R² ratio of the attributes that the networks receive."""
    generator = group.whole[0]["recipe"]["generator"]
    attributes = generator.get("attributes", generator.get("told"))
    prefixes = ["r2_ratio_"] if attributes is None else [f"r2_ratio_{name}" for name in attributes]
    ratios = [number(group, name) for name in names(group, *prefixes)]
    defined = [one for one in ratios if one.value is not None]
    return min(defined, key=lambda one: one.value or 0, default=UNDEFINED)


def worst_of_bands(group: Group, prefix: str) -> Measured:
    """The ratio of the band that is farthest from 1."""
    name = farthest(group, prefix)
    return UNDEFINED if name is None else number(group, name)


def resolutions(runs: Sequence[Group], floor: Sequence[Group]) -> list[str]:
    """Of each recipe σ(total / E) of the band farthest from 1, beside other real showers there."""
    texts = []
    for one in runs:
        name = farthest(one, "band_resolution_")
        if name is not None:
            real = number(floor[0], name)
            texts.append(f"{number(one, name)} for `{one.label}` (other real showers {real})")
    return texts


def without_energy_term(runs: Sequence[Group]) -> str:
    """The worst resolution of the short runs with and without the term that holds the energy."""
    by_label = {one.label: worst_of_bands(one, "band_resolution_") for one in runs}
    if not {UNCHANGED, NO_ENERGY} <= by_label.keys():
        return ""
    without, whole = by_label[NO_ENERGY], by_label[UNCHANGED]
    return f"{without} without the term that holds the energy, {whole} with it"


SEED_TITLES = (
    "", "seed", "validation score", "AUC", "AUC of trees", "worst R² ratio", "CPU s", "processor",
)  # fmt: skip


def seed_by_seed(runs: Sequence[Group]) -> Iterator[list[str]]:
    """The seeds of each recipe: a mean of few says little where one of them is apart."""
    for one in runs:
        for run in one.whole:
            alone = replace(one, records=(run,))
            numbers = (number(alone, "auc_both"), number(alone, "auc_boosted"), worst_ratio(alone))
            score = f"{run['validation_score']:.3f}"
            machine = (f"{run['cpu_seconds']:.0f}", run["hardware"]["processor"])
            yield [f"`{one.label}`", str(run["seed"]), score, *map(str, numbers), *machine]


def falling(runs: Sequence[Group]) -> dict[str, str]:
    """Of each recipe the mean change of the validation score within the last third of a run."""
    changes = {
        one.label: [run["last_third"] for run in one.whole if run["last_third"] is not None]
        for one in runs
    }
    return {label: f"{100 * fmean(of):+.1f} %" for label, of in changes.items() if of}


def scaled(runs: Sequence[Group]) -> list[str]:
    """Recipes whose generator draws the total first and scales its cells to it."""
    kinds = {one.label: one.whole[0]["recipe"]["generator"]["kind"] for one in runs}
    return [label for label, kind in kinds.items() if kind == "layered"]


def layer_means(group: Group) -> Measured:
    """Generated over real share of the energy, of the layer farthest from 1."""
    ratios = []
    for name in (f"share_layer_{layer}" for layer in range(3)):
        generated, real = number(group, name), number(group, name, "floor")
        if generated.value is not None and real.value:
            error = math.hypot(generated.error or 0, real.error or 0)
            ratios.append(Measured(generated.value / real.value, error / real.value))
    return max(ratios, key=lambda one: abs((one.value or 0) - 1), default=UNDEFINED)


def separation(group: Group) -> Measured:
    """Mean over the shower shapes, each taken as independent."""
    numbers = [number(group, name) for name in SEPARATIONS]
    defined = [one for one in numbers if one.value is not None]
    if not defined:
        return UNDEFINED
    error = math.hypot(*(one.error or 0 for one in defined)) / len(defined)
    return Measured(fmean(one.value or 0 for one in defined), error)


def headlines(runs: Sequence[Group]) -> list[list[str]]:
    """One row a recipe or variant."""
    rows = []
    for one in runs:
        label = f"`{one.label}`" if one.label in RECIPES else one.label
        rows.append([label, *headline(one), one.flat, one.steps, one.cpu_seconds, one.seeds])
    return rows


def floor_rows(floor: Sequence[Group]) -> list[list[str]]:
    """What real showers give in the place of generated ones."""
    return [["*noise floor: real against real*", *headline(one), *[""] * 4] for one in floor]


def headline(one: Group) -> list[str]:
    """The numbers of a row."""
    aucs = [number(one, name) for name in ("auc_both", "auc_conditions", "auc_boosted")]
    bands = [worst_of_bands(one, f"band_{name}_") for name in ("mean", "sigma", "resolution")]
    values = (*aucs, worst_ratio(one), layer_means(one), *bands, separation(one))
    return [str(value) for value in values]


def rows_table(
    runs: Sequence[Group], *prefixes: str, beside: Callable[[Group, str], Measured] | None = None
) -> str:
    """A row a number, a column a recipe; first what ``beside`` gives, by default the floor."""
    if not runs:
        return ""
    rows = []
    for name in names(runs[0], *prefixes):
        real = number(runs[0], name, "floor") if beside is None else beside(runs[0], name)
        cells = [str(real), *(str(number(one, name)) for one in runs)]
        rows.append([name.replace("_", " "), *cells])
    return table(("", "real", *(f"`{one.label}`" for one in runs)), rows)


def real_r_squared(group: Group, name: str) -> Measured:
    """R² of real showers beside a ratio."""
    return number(group, name.replace("ratio_", ""), "floor")


def band_floor(floor: Sequence[Group], _: Group, name: str) -> Measured:
    """A band of other real showers."""
    return number(floor[0], name)


def slopes(runs: Sequence[Group]) -> str:
    """Slope of each attribute's observable, with that at fixed latents in brackets."""
    if not runs:
        return ""
    rows = []
    for name in names(runs[0], "slope_"):
        attribute = name.removeprefix("slope_")
        cells = [str(number(runs[0], name, "floor"))]
        for one in runs:
            traversals = [run["traversals"].get(attribute.replace("_", " ")) for run in one.whole]
            defined = [value for value in traversals if value is not None]
            fixed = f" ({over_seeds(defined)})" if defined else ""
            cells.append(f"{number(one, name)}{fixed}")
        rows.append([attribute.replace("_", " "), *cells])
    return table(("", "transport", *(f"`{one.label}`" for one in runs)), rows)


def worth(runs: Sequence[Group]) -> str:
    """What each part is worth in numbers that do not saturate, against what it differs from."""
    by_label = {one.label: one for one in runs}
    rows = []
    for label, one in by_label.items():
        other = by_label.get(REFERENCE_OF.get(label, UNCHANGED))
        if other is None or other is one:
            continue
        cells = [label, other.label]
        for of in (separation, worst_ratio):
            apart = minus(of(one), of(other))
            cells += [str(apart), sigma_of(apart)]
        rows.append(cells)
    titles = ("", "minus", "separation", "sigma", "worst R² ratio", "sigma")
    return table(titles, rows)


def minus(one: Measured, other: Measured) -> Measured:
    """A difference of two recipes: errors in quadrature, as if they had met other showers."""
    if one.value is None or other.value is None:
        return UNDEFINED
    return Measured(one.value - other.value, math.hypot(one.error or 0, other.error or 0))
