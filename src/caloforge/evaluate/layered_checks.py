"""What is asked of a layered detector beyond the table: attributes, energy, a sharper classifier.

Shapes: as in ``two_sample``. Every number stands beside the same number of real showers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from caloforge.errors import DataError
from caloforge.evaluate.classifier import classify
from caloforge.evaluate.energy_bands import bands, shares, sums_of
from caloforge.evaluate.inputs import cells_and_observables, conditions_of
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.regression import read_back
from caloforge.evaluate.schooling import NEEDS_TORCH, Schooling
from caloforge.evaluate.slopes import slopes
from caloforge.evaluate.two_sample import Compared
from caloforge.evaluate.widening import FACTOR, widened

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

ONE = Measured(1.0, None)


def layered_checks(
    real: Showers,
    generated: Showers,
    train: Showers | None,
    *,
    schooling: Schooling | None,
    seed: int = 0,
) -> Iterator[Compared]:
    """All rows of a detector with several layers, none for others.

    What networks judge needs real training showers, torch and a ``schooling``.
    """
    if len(real.detector.layers) < 2 or real.detector.signed:
        return
    yield from _slopes(real, generated, np.random.default_rng([seed, 0x510]))
    if real.detector.energy is not None:
        yield from _energy(real, generated, np.random.default_rng([seed, 0xE0]))
    if train is None or not len(train) or schooling is None:
        return
    if find_spec("torch") is None:
        missing = Measured(None, None, NEEDS_TORCH)
        yield Compared("auc_both", TITLES["auc_both"], missing, missing, "low")
        return
    try:
        yield from _read_back(real, generated, train, seed)
        yield from _classified(real, generated, train, schooling, seed)
    except DataError as error:
        missing = Measured(None, None, str(error))
        yield Compared("auc_both", TITLES["auc_both"], missing, missing, "low")


def _slopes(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[Compared]:
    for one in slopes(real, generated, rng=rng):
        seen = one.attribute.observable
        unit = f"{seen.unit or real.detector.unit}/{one.attribute.unit}"
        title = f"slope of {seen.title} with {one.attribute.name} [{unit}]"
        name = one.attribute.name.replace(" ", "_")
        yield Compared(f"slope_{name}", title, one.generated, one.real, "floor")


def _energy(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[Compared]:
    sums = sums_of(real, generated, rng)
    energy, unit = real.detector.energy, real.detector.unit
    names = tuple(layer.name for layer in real.detector.layers)
    for share in shares(sums, names):
        title = f"energy: {share.name} over {energy}"
        yield Compared(f"share_{share.name}", title, share.generated, share.real, "floor")
    yield _overflow(real)
    below = [Measured(float((s.cells < 0).mean()), None) for s in (generated, real)]
    yield Compared("negative", "energy: part of the cells below zero", below[0], below[1], "low")
    for number, band in enumerate(bands(sums)):
        where = f"{energy} {band.low:.3g} to {band.high:.3g} {unit}, generated over real"
        for name, title, value in (
            ("mean", "mean total", band.mean),
            ("sigma", "sigma(total) / mean", band.relative_sigma),
            ("resolution", f"sigma(total / {energy})", band.resolution),
        ):
            yield Compared(f"band_{name}_{number}", f"{title}, {where}", value, ONE, "floor")


def _overflow(real: Showers) -> Compared:
    """Cells are generated, what falls beside them is not: said, with its size in real showers."""
    told = Measured(None, None, "not told")
    if real.overflow is not None and real.detector.energy is not None:
        incident = real.conditions[:, real.detector.column(real.detector.energy)].sum()
        told = Measured(float(real.overflow.sum(dtype=np.float64) / incident), None)
    title = f"energy: beside the cells (overflow) over {real.detector.energy}"
    return Compared("overflow", title, Measured(None, None, "not generated"), told, "floor")


def _read_back(real: Showers, generated: Showers, train: Showers, seed: int) -> Iterator[Compared]:
    for one in read_back(train, real, generated, seed=seed):
        title = f"R² of {one.name}, read back by a regressor of real showers"
        yield Compared(f"r2_{one.name}", title, one.generated, one.real, "floor")
        title = f"R² of {one.name}, generated over real"
        yield Compared(f"r2_ratio_{one.name}", title, one.ratio, ONE, "floor")


TITLES = {
    "auc_both": "classifier AUC, cells and observables",
    "auc_conditions": "classifier AUC, cells, observables and conditions",
    "auc_widened": f"the same classifier on real showers widened by {FACTOR - 1:.0%}",
}


def _classified(
    real: Showers, generated: Showers, train: Showers, schooling: Schooling, seed: int
) -> Iterator[Compared]:
    """Two classifiers with their floor, and what they make of a copy that is a little too wide.

    The floor is real against real training showers, as many as are judged.
    """
    other = as_many(train, len(real), seed)
    copy = dataclasses.replace(other, cells=widened(other.cells, real.detector), overflow=None)
    found = {
        name: auc_of(real, sample, schooling, seed, told=told)
        for name, sample, told in (
            ("auc_both", generated, False),
            ("auc_conditions", generated, True),
            ("auc_widened", copy, False),
            ("floor", other, False),
            ("floor_conditions", other, True),
        )
    }
    for name, floor in (
        ("auc_both", "floor"),
        ("auc_conditions", "floor_conditions"),
        ("auc_widened", "floor"),
    ):
        best = "high" if name == "auc_widened" else "low"
        yield Compared(name, TITLES[name], found[name], found[floor], best)


def auc_of(
    real: Showers, made: Showers, schooling: Schooling, seed: int, *, told: bool = False
) -> Measured:
    """AUC of real against other showers by cells and observables; ``told`` adds conditions."""
    first, second = cells_and_observables(real, made)
    if told:
        known = conditions_of(real, made)
        first, second = (np.hstack(pair) for pair in zip((first, second), known, strict=True))
    return classify(first, second, real.particle, made.particle, seed=seed, schooling=schooling).auc


def as_many(train: Showers, rows: int, seed: int) -> Showers:
    """Training showers drawn at random, as many as rows are judged."""
    chosen = np.random.default_rng([seed, 0xF1]).permutation(len(train))[:rows]
    return train.rows(np.sort(chosen))
