"""Records of one method together: means over seeds, errors of particles and seeds, differences.

Shapes: P test particles, S seeds, B resamplings.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np

from caloforge.compare.pooling import Contrast, Pooled, contrast, pool
from caloforge.evaluate.judge import RESAMPLINGS
from caloforge.evaluate.measured import Measured, resamplings

Record = Mapping[str, Any]
MEASURES = (
    ("conditional_w1", "cond. W1"),
    ("w1", "W1"),
    ("spread_slope", "slope"),
    ("spread_correlation", "corr."),
    ("sigma_total", "σ(total)"),
    ("mean_total", "mean total"),
)
COLUMNS = ("", "weight", *(title for _, title in MEASURES), "seeds", "steps", "CPU s")
RIVALS = ("calibrated", "dcgan")
"""Every method is held against these two, and against the nearest particle."""
NEAREST = "nearest"
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

    def measured(self, name: str) -> Measured:
        """Mean over seeds; the error holds that of the particles, which seeds do not average."""
        found = [one["test"][name] for one in self.whole]
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

    def cells(self) -> list[str]:
        """Cells of a table row."""
        weight = "" if self.weight is None else f"{self.weight:g}"
        seconds = [one["cpu_seconds"] for one in self.whole]
        steps = sorted({one["steps"] for one in self.records})
        numbers = [str(self.measured(name)) for name, _ in MEASURES]
        spent = f"{fmean(seconds):.0f}" if seconds else ""
        return [self.label, weight, *numbers, str(len(self.whole)), _range(steps), spent]

    @property
    def pooled(self) -> Pooled:
        """Conditional W1 of all seeds under the resamplings that all methods share."""
        return pool([replicates(one["by_particle"]) for one in self.whole])


def groups(records: Iterable[Record]) -> list[Group]:
    """Runs of one label and weight together."""
    found: dict[tuple[str, float | None], list[Record]] = {}
    for one in sorted(records, key=lambda one: one["seed"]):
        found.setdefault((one["label"], one["weight"]), []).append(one)
    return [Group(label, weight, tuple(runs)) for (label, weight), runs in found.items()]


def replicates(by_particle: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Mean over particles under all resamplings.  (P,) -> (1 + B,)"""
    values = np.array(by_particle)
    weights = resamplings(len(values), RESAMPLINGS, np.random.default_rng(SEED))
    means: np.ndarray[Any, np.dtype[np.float64]] = weights @ values / weights.sum(axis=1)
    return means


def pairs(found: Iterable[Group], references: Record) -> list[list[str]]:
    """Rows of differences: every method and ``calibrated``, ``dcgan``, the nearest particle."""
    known = {one.label: one.pooled for one in found if one.whole}
    ranked = sorted(known, key=lambda label: float(known[label].replicates[:, 0].mean()))
    known[NEAREST] = pool([replicates(references["references"][NEAREST]["by_particle"])])
    wanted = [
        (a, b) for a, b in itertools.combinations(ranked, 2) if a in RIVALS or b in RIVALS
    ] + [(label, NEAREST) for label in ranked]
    return [_cells(contrast(a, b, known)) for a, b in wanted]


def _cells(one: Contrast) -> list[str]:
    both, alone = (_shown(number.sigma) for number in (one.measured, one.particles))
    return [one.first, one.second, str(one.measured), both, alone]


def reference_row(one: Record) -> list[str]:
    """A row of what needs no network."""
    numbers = [Measured(**one["test"][name]) for name, _ in MEASURES]
    return [
        f"*{one['title']}*",
        "",
        *("-" if n.value is None else str(n) for n in numbers),
        "",
        "",
        "",
    ]


def _shown(sigma: float | None) -> str:
    return "" if sigma is None else f"{sigma:.1f}"


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]}-{values[-1]}"
