"""Records of one method together: means over seeds, errors of particles and seeds, differences.

Shapes: P test particles, S seeds, B resamplings of the particles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.metrics import Measured, of_replicates, resampled_mean
from validation.training_runs import Flatness

Record = Mapping[str, Any]
Values = NDArray[np.float64]
SHOWN_SIGMA = 3.0
"""From so many sigma on a difference is called one."""
DARK = 0.1
"""Part of the real mean total below which a generator has gone dark."""


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only."""

    label: str
    weight: float | None
    records: tuple[Record, ...]

    @property
    def whole(self) -> list[Record]:
        """Runs that were evaluated."""
        return [one for one in self.records if "test" in one]

    @property
    def seeds(self) -> str:
        """How many seeds there are, and how many of them failed."""
        finished, runs = sum("failed" not in one for one in self.records), len(self.records)
        return str(runs) if finished == runs else f"{finished} of {runs}"

    def measured(self, name: str, table: str = "test") -> Measured:
        """Mean over the seeds where it is defined; the error holds that of the particles.

        Seeds do not average the error of the particles: they meet the same ones.
        """
        return over_seeds([one[table][name] for one in self.whole])

    def value(self, name: str, table: str = "test") -> float:
        """Mean over seeds, infinite where there is none."""
        value = self.measured(name, table).value
        return math.inf if value is None else value

    def score(self) -> Measured:
        """Validation score, mean over seeds with the error of seeds."""
        scores = [one.get("validation_score") for one in self.records]
        return over_seeds([{"value": score, "error": None} for score in scores])

    @property
    def steps(self) -> str:
        """Steps of its runs."""
        steps = sorted({one["steps"] for one in self.records})
        return str(steps[0]) if len(steps) == 1 else f"{steps[0]}-{steps[-1]}"

    @property
    def cpu_seconds(self) -> str:
        """Mean CPU seconds of a run, empty where all failed."""
        seconds = [one["cpu_seconds"] for one in self.records if one.get("cpu_seconds")]
        return f"{fmean(seconds):.0f}" if seconds else ""

    @property
    def flat(self) -> str:
        """How many learning curves are flat over their last third; how many fall, how many rise."""
        curves = Flatness.of(self.records)
        if not sum(curves):
            return ""
        words = [f"{curves.flat} of {sum(curves)}"]
        words += [f"{curves.fall} fall"] if curves.fall else []
        words += [f"{curves.rise} rise"] if curves.rise else []
        return ", ".join(words)

    @property
    def lit(self) -> str:
        """How many seeds did not go dark."""
        totals = [one["test"]["mean_total"]["value"] or 0 for one in self.whole]
        return f"{sum(total >= DARK for total in totals)} of {len(self.records)}"

    def by_particle(self, name: str = "by_particle") -> ByParticle:
        """A number of each particle, of the seeds that have it."""
        runs = [one[name] for one in self.whole if any(v is not None for v in one[name])]
        return ByParticle(self.label, np.array(runs, dtype=np.float64), len(self.records))


def groups(records: Iterable[Record]) -> list[Group]:
    """Runs of one label and weight together, in the order of first appearance."""
    by_setting: dict[tuple[str, float | None], list[Record]] = {}
    for one in sorted(records, key=lambda one: int(one["seed"])):
        by_setting.setdefault((one["label"], one["weight"]), []).append(one)
    return [Group(label, weight, tuple(runs)) for (label, weight), runs in by_setting.items()]


def of_part(records: Mapping[str, Record], *parts: str) -> list[Record]:
    """Records of some parts of a study."""
    return [one for one in records.values() if one["part"] in parts]


def in_order(candidates: Iterable[Group], labels: Sequence[str]) -> list[Group]:
    """Groups whose label is named, in the order of the labels, then of the weights."""
    members = [one for one in candidates if one.label in labels]
    return sorted(members, key=lambda one: (labels.index(one.label), one.weight or 0))


def over_seeds(numbers: Sequence[Mapping[str, Any]]) -> Measured:
    """Mean of numbers of the same particles over seeds; errors in quadrature."""
    there = [one for one in numbers if one["value"] is not None]
    if not there:
        return Measured(None, None, "failed" if not numbers else "undefined")
    values = [float(one["value"]) for one in there]
    particles = fmean(one["error"] or 0.0 for one in there)
    seeds = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    has_error = any(one["error"] for one in there) or len(values) > 1
    return Measured(fmean(values), math.hypot(particles, seeds) if has_error else None)


@dataclass(frozen=True)
class ByParticle:
    """A number of each test particle, for every run of a method or for a reference."""

    label: str
    values: Values
    """NaN for a particle that has none.  (S, P)"""
    runs: int | None = None
    """All runs, those without the number, too; None: a reference needs no run."""

    @property
    def having(self) -> str:
        """How many of the runs have the number."""
        return "" if self.runs is None else f"{len(self.values)} of {self.runs}"


def reference(label: str, values: Sequence[float | None]) -> ByParticle:
    """A reference that needs no run."""
    return ByParticle(label, np.array([values], dtype=np.float64))


@dataclass(frozen=True)
class Difference:
    """Second minus first, over the particles that both have: positive, if the first is nearer."""

    first: ByParticle
    second: ByParticle
    common: int
    """Particles that are compared."""
    particles: Measured
    """With the paired error of the particles alone."""
    measured: Measured
    """With the error of the seeds in quadrature."""

    @property
    def sigma(self) -> float | None:
        """Significance with the errors of particles and seeds."""
        return self.measured.sigma

    @property
    def cells(self) -> list[str]:
        """Cells of a row of ``DIFFERENCE_TITLES``."""
        numbers = [str(self.measured), *(sigma_of(m) for m in (self.measured, self.particles))]
        seeds = " / ".join(side.having for side in (self.first, self.second) if side.having)
        total = max(side.values.shape[-1] for side in (self.first, self.second))
        return [self.first.label, self.second.label, *numbers, seeds, f"{self.common} of {total}"]


DIFFERENCE_TITLES = (
    "first", "second", "second - first", "sigma", "by particles alone", "seeds", "particles",
)  # fmt: skip


def difference(first: ByParticle, second: ByParticle) -> Difference:
    """Paired over particles by the same resamplings; seeds are not paired.

    A side without a number for hard particles would look better by leaving them out: only
    particles that every run of both sides has are compared.
    """
    sides = (first, second)
    if not all(len(side.values) for side in sides):
        missing = Measured(None, None, "a side has no such number")
        return Difference(first, second, 0, missing, missing)
    common = np.isfinite(np.concatenate([side.values for side in sides])).all(axis=0)
    if not common.any():
        missing = Measured(None, None, "no common particle")
        return Difference(first, second, 0, missing, missing)
    means = [
        np.stack([resampled_mean(np.where(common, row, np.nan).tolist()) for row in side.values])
        for side in sides
    ]
    return Difference(first, second, int(common.sum()), *apart(means[0], means[1]))


def apart(first: Values, second: Values) -> tuple[Measured, Measured]:
    """Second minus first: with the paired error of particles, and with seeds.  (S, 1 + B) each"""
    particles = of_replicates(second.mean(axis=0) - first.mean(axis=0))
    seeds = (_error_of_seeds(one[:, 0]) for one in (first, second))
    error = math.hypot(particles.error or 0.0, *seeds)
    return particles, Measured(particles.value, error, particles.note)


def _error_of_seeds(values: Values) -> float:
    """Standard error of a mean over seeds, 0 for a single one."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def sigma_of(number: Measured) -> str:
    """Significance as text, empty without an error."""
    return "" if number.sigma is None else f"{number.sigma:.1f}"


def ratio_over_seeds(
    runs: Sequence[Sequence[float | None]], real: Sequence[float | None], mask: Sequence[bool]
) -> Measured:
    """Mean of generated over mean of real numbers of some particles, over seeds.  S x (P,)"""
    return over_seeds([of_replicates(one).record for one in resampled_ratios(runs, real, mask)])


def resampled_ratios(
    runs: Sequence[Sequence[float | None]], real: Sequence[float | None], mask: Sequence[bool]
) -> Values:
    """The same of each run under all resamplings of the particles.  S x (P,) -> (S, 1 + B)"""
    selection = np.array(mask, dtype=bool)
    below = np.where(selection, np.array(real, dtype=np.float64), np.nan)
    ratios = []
    for values in runs:
        above = np.where(selection, np.array(values, dtype=np.float64), np.nan)
        both = np.isfinite(above) & np.isfinite(below)
        parts = [resampled_mean(np.where(both, side, np.nan).tolist()) for side in (above, below)]
        ratios.append(parts[0] / parts[1])
    return np.array(ratios, dtype=np.float64)


def chosen_weights(scans: Iterable[Group]) -> dict[str, Group]:
    """Of each label the weight of the lowest mean validation score over seeds."""
    best: dict[str, Group] = {}
    for one in sorted(scans, key=lambda one: (rank(one), one.weight or 0.0)):
        best.setdefault(one.label, one)
    return best


def rank(one: Group) -> float:
    """Mean validation score; infinite where a seed failed, since a weight must not fail."""
    scores = [run.get("validation_score") for run in one.records]
    return math.inf if None in scores else fmean(score for score in scores if score is not None)
