"""Records of one method together: means over seeds, errors of particles and seeds, differences.

Shapes: P test particles, S seeds, B resamplings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.comparison import CombinedSeeds, Contrast, combine_seeds
from caloforge.evaluate.engine import RESAMPLINGS
from caloforge.evaluate.resampling import Measured, resamplings

Record = Mapping[str, Any]
Values = NDArray[np.float64]
SEED = 0


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only."""

    label: str
    weight: float | None
    records: tuple[Record, ...]

    @property
    def whole(self) -> list[Record]:
        """Runs that did not fail."""
        return [one for one in self.records if "test" in one]

    def measured(self, name: str, table: str = "test") -> Measured:
        """Mean over the seeds where it is defined; the error holds that of the particles.

        Seeds do not average the error of the particles: they meet the same ones.
        """
        found = [one[table][name] for one in self.whole]
        values = [one["value"] for one in found if one["value"] is not None]
        if not values:
            return Measured(None, None, "failed" if not found else "undefined")
        particles = fmean(one["error"] or 0.0 for one in found)
        seeds = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        return Measured(fmean(values), math.hypot(particles, seeds))

    def value(self, name: str) -> float:
        """Mean over seeds, infinite where there is none."""
        value = self.measured(name).value
        return math.inf if value is None else value

    @property
    def steps(self) -> str:
        """Steps of its runs."""
        steps = sorted({one["steps"] for one in self.records})
        return str(steps[0]) if len(steps) == 1 else f"{steps[0]}-{steps[-1]}"

    @property
    def cpu_seconds(self) -> str:
        """Mean CPU seconds of a run, empty where all failed."""
        seconds = [one["cpu_seconds"] for one in self.whole]
        return f"{fmean(seconds):.0f}" if seconds else ""

    def having(self, name: str) -> list[Record]:
        """Runs that have a number of some particle: dark showers have no centre."""
        return [one for one in self.whole if any(value is not None for value in one[name])]

    def pooled(self, name: str = "by_particle") -> CombinedSeeds:
        """A number of each particle, all seeds under the resamplings that all methods share.

        Seeds that do not have it are left out; there must be one that has.
        """
        return combine_seeds([replicates(one[name]) for one in self.having(name)])


def groups(records: Iterable[Record]) -> list[Group]:
    """Runs of one label and weight together."""
    found: dict[tuple[str, float | None], list[Record]] = {}
    for one in sorted(records, key=lambda one: one["seed"]):
        found.setdefault((one["label"], one["weight"]), []).append(one)
    return [Group(label, weight, tuple(runs)) for (label, weight), runs in found.items()]


def replicates(by_particle: Sequence[float | None]) -> Values:
    """Mean over the particles that have the number, under all resamplings.  (P,) -> (1 + B,)"""
    values = np.array(by_particle, dtype=np.float64)
    weights = resamplings(len(values), RESAMPLINGS, np.random.default_rng(SEED))
    there = np.isfinite(values)
    mass = weights[:, there].sum(axis=1)
    means: Values = np.full(len(weights), np.nan)
    np.divide(weights[:, there] @ values[there], mass, out=means, where=mass > 0)
    return means


def contrast_cells(one: Contrast) -> list[str]:
    """Cells of a row: who, against whom, the difference, its sigmas with and without seeds."""
    both, alone = (_shown(number.sigma) for number in (one.measured, one.particles))
    return [one.first, one.second, str(one.measured), both, alone]


CONTRAST = ("first", "second", "second - first", "sigma", "sigma by particles alone")
"""Titles of those cells."""


def _shown(sigma: float | None) -> str:
    return "" if sigma is None else f"{sigma:.1f}"
