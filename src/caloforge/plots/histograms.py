"""Histograms with a ratio panel and errors that know which showers belong together.

Shapes: N real and M generated showers, P particles, b bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.plots.canvas import (
    INK,
    MODEL_COLOURS,
    REAL_EDGE,
    REAL_FILL,
    TEXT_POINTS,
    figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
Slots = NDArray[np.int64]
RATIO_LIMITS = (0.3, 1.9)
TAIL = 0.995
"""Quantile of both samples at which the axis ends; the last bin holds all above it."""


@dataclass(frozen=True)
class Binned:
    """Fractions of the showers by particle and bin, and their sums; (P, b) and (b,)."""

    by_particle: Values

    @property
    def fraction(self) -> Values:
        """Fraction of the showers in each bin.  (b,)"""
        sums: Values = self.by_particle.sum(axis=0)
        return sums

    @property
    def error(self) -> Values:
        """Standard error when whole particles are drawn: sqrt(sum over particles of n^2).  (b,)"""
        errors: Values = np.sqrt((self.by_particle**2).sum(axis=0))
        return errors


def binned(values: Values, slot: Slots, particles: int, edges: Values) -> Binned:
    """Showers by particle and bin; the outermost hold what lies beyond.  (N,) -> (P, b)

    Showers where the value is undefined are left out of the bins, not of the normalisation.
    """
    there = np.isfinite(values)
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values[there], side="right") - 1, 0, bins - 1)
    cells = np.bincount(slot[there] * bins + place, minlength=particles * bins)
    return Binned(cells.reshape(particles, bins) / max(1, len(values)))


def paired_ratio(real: Binned, other: Binned) -> tuple[Values, Values]:
    """Other over real and its error, the particles of both being the same.  (b,), (b,)

    For r = G / R of sums over particles, var r = sum_p (g_p - r n_p)^2 / R^2. NaN where R = 0.
    """
    below = np.where(real.fraction > 0, real.fraction, np.nan)
    ratio = other.fraction / below
    rest = other.by_particle - ratio * real.by_particle
    return ratio, np.sqrt((rest**2).sum(axis=0)) / below


def shared_edges(samples: list[Values], *, whole: bool, bins: int = 30) -> Values:
    """Bin edges over the bulk of all samples; whole numbers share no bin unevenly.  (b + 1,)"""
    finite = [sample[np.isfinite(sample)] for sample in samples]
    pooled = np.concatenate(finite)
    if not len(pooled):
        return np.linspace(0, 1, bins + 1)
    low = pooled.min() if whole else min(np.quantile(s, 1 - TAIL) for s in finite if len(s))
    high = max(np.quantile(s, TAIL) for s in finite if len(s))
    if whole:
        step = max(1, int(np.ceil((high - low + 1) / bins)))
        return np.arange(low, high + 1 + step, step) - 0.5
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def ratio_histogram(
    real: tuple[Values, Slots],
    others: Mapping[str, tuple[Values, Slots]],
    particles: int,
    *,
    label: str,
    whole: bool = False,
) -> Figure:
    """Real showers as a filled histogram, others as lines, their ratio below.  (N,), (M,) each

    A sample is its values and the slot of the particle of each; ``whole`` marks whole numbers.
    """
    edges = shared_edges([real[0], *(values for values, _ in others.values())], whole=whole)
    drawn = figure(4.4, 3.8)
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    truth = binned(*real, particles, edges)
    _draw_real(upper, truth, edges)
    for colour, (name, sample) in zip(MODEL_COLOURS, others.items(), strict=False):
        made = binned(*sample, particles, edges)
        _draw_other(upper, made, edges, colour, name)
        _draw_ratio(lower, truth, made, edges, colour)
    _finish(upper, lower, label)
    if truth.fraction.any():
        upper.set_yscale("log")
    return drawn


def _draw_real(axes: Axes, truth: Binned, edges: Values) -> None:
    axes.stairs(truth.fraction, edges, fill=True, color=REAL_FILL, label="real")
    axes.stairs(truth.fraction, edges, color=REAL_EDGE, linewidth=0.8)
    lit = truth.fraction > 0
    axes.errorbar(
        _middles(edges)[lit],
        truth.fraction[lit],
        truth.error[lit],
        fmt="none",
        ecolor=REAL_EDGE,
        elinewidth=0.9,
    )


def _draw_other(axes: Axes, made: Binned, edges: Values, colour: str, name: str) -> None:
    axes.stairs(made.fraction, edges, color=colour, linewidth=1.4, label=name)
    lit = made.fraction > 0
    axes.errorbar(
        _middles(edges)[lit],
        made.fraction[lit],
        made.error[lit],
        fmt="none",
        ecolor=colour,
        elinewidth=0.9,
    )


def _draw_ratio(axes: Axes, truth: Binned, made: Binned, edges: Values, colour: str) -> None:
    ratio, error = paired_ratio(truth, made)
    low, high = RATIO_LIMITS
    shown = np.isfinite(ratio) & (ratio >= low) & (ratio <= high)
    at = _middles(edges)
    axes.errorbar(
        at[shown], ratio[shown], error[shown], fmt="o", color=colour, markersize=2.6, elinewidth=0.9
    )
    for beyond, place, marker in ((ratio > high, high, "^"), (ratio < low, low, "v")):
        axes.plot(
            at[beyond],
            np.full(beyond.sum(), place),
            marker,
            color=colour,
            markersize=4,
            clip_on=False,
        )


def _finish(upper: Axes, lower: Axes, label: str) -> None:
    for axes in (upper, lower):
        tidy(axes)
    upper.set_ylabel("fraction of showers", fontsize=TEXT_POINTS, color=INK)
    upper.legend(
        frameon=False,
        fontsize=TEXT_POINTS,
        labelcolor=INK,
        ncols=3,
        loc="lower right",
        bbox_to_anchor=(1, 0.99),
        borderaxespad=0.2,
    )
    lower.axhline(1, color=REAL_EDGE, linewidth=0.8)
    lower.set_ylim(*RATIO_LIMITS)
    lower.set_ylabel("ratio", fontsize=TEXT_POINTS, color=INK)
    lower.set_xlabel(label, fontsize=TEXT_POINTS, color=INK)


def _middles(edges: Values) -> Values:
    return (edges[1:] + edges[:-1]) / 2
