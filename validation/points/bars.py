"""What had to be reached on the points, and whether it was; frozen before the runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np

from caloforge.evaluate.resampling import Measured

Record = Mapping[str, Any]
Runs = Callable[[str], Sequence[Record]]
"""Final runs of a regime."""


class Bar(NamedTuple):
    """A statement on a mean over seeds, and the values that meet it."""

    statement: str
    method: str
    figure: str
    low: float = 0
    high: float = inf
    draw: str = "test"
    regime: str = "fragile"

    def values(self, runs: Runs) -> list[float]:
        """The figure of each seed."""
        return values(runs(self.regime), self.method, self.figure, self.draw)

    def met(self, found: Sequence[float]) -> bool:
        """Whether a mean over seeds is where it should be."""
        return self.low <= float(np.mean(found)) <= self.high


BARS: tuple[Bar, ...] = (
    Bar("`dcgan` collapses: var 1 < 60", "dcgan", "variance_1", high=60),
    Bar("`dcgan` collapses: W1 1 > 4", "dcgan", "w1_1", low=4),
    Bar("`sdi-gan` var 0 <= 3.3 (the paper)", "sdi-gan", "variance_0", high=3.3),
    Bar("`sdi-gan` var 1 within 27 of 100 (the paper)", "sdi-gan", "variance_1", 73, 127),
    Bar("`sdi-gan` W1 0 <= 1.2 (the paper)", "sdi-gan", "w1_0", high=1.2),
    Bar("`sdi-gan` W1 1 <= 2.1 (the paper)", "sdi-gan", "w1_1", high=2.1),
    Bar("`calibrated` var 0 within 20 %", "calibrated", "variance_0", 0.8, 1.2),
    Bar("`calibrated` var 1 within 20 %", "calibrated", "variance_1", 80, 120),
    Bar("`calibrated` W1 0 < 0.35", "calibrated", "w1_0", high=0.35),
    Bar("`calibrated` W1 1 < 1.3", "calibrated", "w1_1", high=1.3),
)
"""At 1000 points per cluster, fragile regime."""
STRETCH: tuple[Bar, ...] = (
    Bar("stretch: `calibrated` W1 0 <= 0.08", "calibrated", "w1_0", high=0.08, draw="large"),
    Bar("stretch: `calibrated` W1 1 <= 0.75", "calibrated", "w1_1", high=0.75, draw="large"),
)
"""At 5000 points per cluster, fragile regime: aims, not conditions."""
OURS, BASELINE = "calibrated", "dcgan"
TRUE = {"variance_0": 1, "variance_1": 100}


def reached(runs: Runs, shown: Callable[[Sequence[float]], str]) -> list[list[str]]:
    """Rows of all statements: where they hold, what was found (``shown`` formats it), whether met.

    Statements on methods that have no run are left out.
    """
    rows = []
    for bar in (*BARS, *STRETCH):
        if found := bar.values(runs):
            points = "5000" if bar.draw == "large" else "1000"
            rows.append([bar.statement, bar.regime, points, shown(found), yes(bar.met(found))])
    return [*rows, *healthy(runs)]


def healthy(runs: Runs) -> list[list[str]]:
    """Whether ours is as near to the true variances as the baseline, where that works."""
    rows = []
    for figure, true in TRUE.items():
        both = [values(runs("healthy"), one, figure) for one in (OURS, BASELINE)]
        if all(both):
            ours, baseline = (gap(found, true) for found in both)
            statement = f"`{OURS}` var {figure[-1]} no farther from {true} than `{BASELINE}`"
            met = (ours.value or 0) <= (baseline.value or 0)
            rows.append([statement, "healthy", "1000", f"{ours} against {baseline}", yes(met)])
    return rows


def values(records: Sequence[Record], method: str, figure: str, draw: str = "test") -> list[float]:
    """A figure of each run of a method."""
    return [one["figures"][draw][figure] for one in records if one["method"] == method]


def gap(found: Sequence[float], true: float) -> Measured:
    """How far a mean over seeds is from what is true, with the error of the mean."""
    error = float(np.std(found, ddof=1)) / len(found) ** 0.5 if len(found) > 1 else None
    return Measured(abs(float(np.mean(found)) - true), error)


def yes(met: bool) -> str:
    """Bold where it is not."""
    return "yes" if met else "**no**"
