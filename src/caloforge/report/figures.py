"""Histograms with a ratio panel and errors that know which showers belong together.

Shapes: N real and M generated showers, P particles, b bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.metrics.two_sample import counts_by_particle
from caloforge.report.style import (
    COLOUR_MAP,
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
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure


Values = NDArray[np.float64]
Indices = NDArray[np.int64]
RATIO_LIMITS = (0.3, 1.9)
PROFILE_LIMITS = (0.7, 1.3)
TAIL = 0.995
"""Quantile of both samples at which the axis ends; the last bin holds all above it."""


@dataclass(frozen=True)
class Binned:
    """Fractions of the showers by particle and bin, and their sums; (P, b) and (b,)."""

    by_particle: Values

    @property
    def fraction(self) -> Values:
        """Fraction of the showers in each bin.  (b,)"""
        return self.by_particle.sum(axis=0)

    @property
    def error(self) -> Values:
        """Standard error when whole particles are drawn: sqrt(sum over particles of n^2).  (b,)"""
        return np.sqrt((self.by_particle**2).sum(axis=0))


def binned(values: Values, particle_index: Indices, particles: int, edges: Values) -> Binned:
    """Showers by particle and bin; the outermost hold what lies beyond.  (N,) -> (P, b)

    Showers where the value is undefined are left out of the bins, not of the normalisation.
    """
    counts = counts_by_particle(values, particle_index, particles, edges)
    return Binned(counts / max(1, len(values)))


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
    real: tuple[Values, Indices],
    others: Mapping[str, tuple[Values, Indices]],
    particles: int,
    *,
    label: str,
    whole: bool = False,
) -> Figure:
    """Real showers as a filled histogram, others as lines, their ratio below.  (N,), (M,) each

    Args:
        real: A number of each real shower, (N,), and the number of its particle from 0, (N,).
        others: The same of generated showers, by their label.
        particles: Number of particles that both sides have.
        label: Of the axis, with the unit.
        whole: True for whole numbers, which then share no bin unevenly.

    Returns:
        The figure. Errors are those of whole particles, since showers of one are alike.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> particle = np.repeat(np.arange(10), 4)
        >>> sample = (rng.normal(size=40), particle)
        >>> plot = ratio_histogram(sample, {"mine": sample}, 10, label="total [photons]")
    """
    edges = shared_edges([real[0], *(values for values, _ in others.values())], whole=whole)
    plot, upper, lower = with_ratio()
    truth = binned(*real, particles, edges)
    _draw_real(upper, truth, edges)
    for colour, (name, sample) in zip(MODEL_COLOURS, others.items(), strict=False):
        other = binned(*sample, particles, edges)
        _draw_other(upper, other, edges, colour, name)
        _draw_ratio(lower, truth, other, edges, colour)
    above: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 0.99)}
    what = "fraction of showers"
    _finish(upper, lower, label, what, RATIO_LIMITS, ncols=3, borderaxespad=0.2, **above)
    if truth.fraction.any():
        upper.set_yscale("log")
    return plot


def _draw_real(axes: Axes, truth: Binned, edges: Values) -> None:
    axes.stairs(truth.fraction, edges, fill=True, color=REAL_FILL, label="real")
    axes.stairs(truth.fraction, edges, color=REAL_EDGE, linewidth=0.8)
    _draw_errors(axes, truth, edges, REAL_EDGE)


def _draw_other(axes: Axes, other: Binned, edges: Values, colour: str, name: str) -> None:
    axes.stairs(other.fraction, edges, color=colour, linewidth=1.4, label=name)
    _draw_errors(axes, other, edges, colour)


def _draw_errors(axes: Axes, binned: Binned, edges: Values, colour: str) -> None:
    filled = binned.fraction > 0
    at, fraction, error = (x[filled] for x in (_middles(edges), binned.fraction, binned.error))
    axes.errorbar(at, fraction, error, fmt="none", ecolor=colour, elinewidth=0.9)


def _draw_ratio(axes: Axes, truth: Binned, other: Binned, edges: Values, colour: str) -> None:
    ratio, error = paired_ratio(truth, other)
    _draw_points(axes, _middles(edges), ratio, error, RATIO_LIMITS, colour)


def _draw_points(
    axes: Axes, at: Values, ratio: Values, error: Values, limits: tuple[float, float], colour: str
) -> None:
    """Points with errors; what lies beyond the limits of the axis is an arrow at its end."""
    low, high = limits
    inside = np.isfinite(ratio) & (ratio >= low) & (ratio <= high)
    axes.errorbar(
        at[inside],
        ratio[inside],
        error[inside],
        fmt="o",
        color=colour,
        markersize=2.6,
        elinewidth=0.9,
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


def with_ratio() -> tuple[Figure, Axes, Axes]:
    """A figure, its axes, and those of a ratio below."""
    plot = figure(4.4, 3.8)
    upper, lower = plot.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    return plot, upper, lower


def _finish(
    upper: Axes, lower: Axes, x: str, y: str, limits: tuple[float, float], **legend: Any
) -> None:
    """Labels, legend, and the line where the ratio is one."""
    labelled(upper, y=y).legend(frameon=False, fontsize=TEXT_POINTS, labelcolor=INK, **legend)
    labelled(lower, x, "ratio").axhline(1, color=REAL_EDGE, linewidth=0.8)
    lower.set_ylim(*limits)


def labelled(axes: Axes, x: str = "", y: str = "") -> Axes:
    """Axes in the house style with labels."""
    tidy(axes).set_ylabel(y, fontsize=TEXT_POINTS, color=INK)
    if x:
        axes.set_xlabel(x, fontsize=TEXT_POINTS, color=INK)
    return axes


def _middles(edges: Values) -> Values:
    return (edges[1:] + edges[:-1]) / 2


BINS = 10
Points = tuple[Values, Values]
"""Attribute and observable of each shower, (N,) each."""


def attribute_lines(
    real: Points,
    others: Mapping[str, Points],
    *,
    attribute: str,
    observable: str,
    traversal: Points | None = None,
) -> Figure:
    """Mean and error of an observable in bins of an attribute.

    Args:
        real: Attribute and observable of each real shower, (N,) each.
        others: The same of generated showers, by their label.
        attribute: Label of the attribute, with its unit.
        observable: Label of the observable, with its unit.
        traversal: Values of the attribute at fixed latents, and the mean observable, (v,) each.

    Returns:
        The figure.

    Example:
        >>> energy = np.linspace(1, 100, 50)
        >>> plot = attribute_lines(
        ...     (energy, energy), {}, attribute="E [GeV]", observable="total [GeV]"
        ... )
    """
    plot = figure(4.4, 3.2)
    axes = tidy(plot.subplots())
    edges = np.unique(np.quantile(real[0], np.linspace(0, 1, BINS + 1)))
    axes.errorbar(*binned_mean(*real, edges), fmt="s-", color=REAL_EDGE, markersize=4, label="real")
    for colour, (name, points) in zip(MODEL_COLOURS, others.items(), strict=False):
        axes.errorbar(
            *binned_mean(*points, edges), fmt="o", color=colour, markersize=3.4, label=name
        )
    if traversal is not None:
        axes.plot(*traversal, "--", color=MODEL_COLOURS[1], linewidth=1.3, label="at fixed latents")
    labelled(axes, attribute, observable)
    axes.legend(frameon=False, fontsize=TEXT_POINTS, labelcolor=INK)
    return plot


def binned_mean(at: Values, observed: Values, edges: Values) -> tuple[Values, Values, Values]:
    """Middle, mean and its error in each bin, NaN without showers.  (b,) each"""
    bins = max(len(edges) - 1, 1)
    place = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, bins - 1)
    finite = np.isfinite(observed)
    count = np.bincount(place[finite], minlength=bins).astype(np.float64)
    count[count == 0] = np.nan
    sums = [
        np.bincount(place[finite], v[finite], bins) / count for v in (at, observed, observed**2)
    ]
    error = np.sqrt(np.maximum(sums[2] - sums[1] ** 2, 0) / count)
    return sums[0], sums[1], error


def diversity_plot(
    real: Values, other: Values, total: Values, *, unit: str, slope: float | None = None
) -> Figure:
    """Spread of generated against that of real showers, coloured by the mean total.  (P,) each

    Args:
        real: Spread of the real showers of each particle, (P,).
        other: Spread of the generated showers, (P,).
        total: Mean total of the real showers, (P,).
        unit: Of all three.
        slope: Slope of the line that is drawn beside the diagonal.

    Returns:
        The figure. Its axes are logarithmic; particles without any spread stand at the edge.

    Example:
        >>> spread = np.array([1.0, 2.0, 5.0])
        >>> plot = diversity_plot(spread, spread, 10 * spread, unit="photons", slope=1.0)
    """
    finite = np.isfinite(real) & np.isfinite(other)
    real, other, total = real[finite], other[finite], total[finite]
    low, high = _spread_limits(np.concatenate([real, other]))
    plot = figure(4.4, 3.9)
    axes = tidy(plot.subplots())
    axes.plot([low, high], [low, high], color=REAL_EDGE, linewidth=1, label="as real")
    if slope is not None and slope > 0:
        axes.plot(
            [low, high],
            [slope * low, slope * high],
            "--",
            color=INK,
            linewidth=0.9,
            label=f"slope {slope:.2f}",
        )
    points = _points(axes, np.clip(real, low, high), np.clip(other, low, high), total)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    labelled(axes, f"real spread [{unit}]", f"generated spread [{unit}]")
    axes.legend(frameon=False, fontsize=TEXT_POINTS - 1, loc="upper left", labelcolor=INK)
    bar = plot.colorbar(points, ax=axes, fraction=0.05, pad=0.02)
    bar.set_label(f"mean total, real [{unit}]", fontsize=TEXT_POINTS, color=INK)
    bar.ax.tick_params(labelsize=TEXT_POINTS - 1, colors=INK)
    return plot


def _points(axes: Axes, real: Values, other: Values, total: Values) -> PathCollection:
    """A dot a particle, coloured by its total."""
    from matplotlib.colors import LogNorm

    positive = total[total > 0]
    bounds = (
        (positive.min(), max(positive.max(), 1.01 * positive.min())) if len(positive) else (1, 10)
    )
    return axes.scatter(
        real,
        other,
        c=np.clip(total, *bounds),
        s=14,
        norm=LogNorm(*bounds),
        cmap=COLOUR_MAP,
        edgecolors="white",
        linewidths=0.3,
        zorder=3,
    )


def _spread_limits(spreads: Values) -> tuple[float, float]:
    """Axis range over the positive spreads, a defined one where there are none."""
    positive = spreads[spreads > 0]
    if not len(positive):
        return 1.0, 10.0
    return float(positive.min()) / 1.3, float(positive.max()) * 1.3


EVENT_BINS = 60


def event_peaks(peaks: Mapping[str, tuple[Values, Values]], *, label: str) -> Figure:
    """Sums over the showers of an event: real ones filled, generated ones as lines.  (E,), (E,)

    Args:
        peaks: Real and generated sums, (E,) each, by a name such as ``2n``.
        label: Of the axis, with the unit.

    Returns:
        The figure.

    Example:
        >>> sums = np.linspace(0, 1000, 200)
        >>> plot = event_peaks({"2n": (sums, sums)}, label="sum [photons]")
    """
    plot = figure(4.4, 3.4)
    axes = tidy(plot.subplots())
    both = [values for pair in peaks.values() for values in pair]
    high = max((float(np.quantile(values, 0.998)) for values in both), default=1.0)
    edges = np.linspace(0, high if high > 0 else 1.0, EVENT_BINS + 1)
    for colour, (name, (real, generated)) in zip(MODEL_COLOURS, peaks.items(), strict=False):
        heights = [np.histogram(v, edges)[0] / max(len(v), 1) for v in (real, generated)]
        axes.stairs(heights[0], edges, fill=True, color=REAL_FILL, alpha=0.6)
        axes.stairs(heights[1], edges, color=colour, linewidth=1.3, label=f"{name} generated")
    labelled(axes, label, "part of the events (grey: real)")
    axes.legend(frameon=False, fontsize=TEXT_POINTS - 1, labelcolor=INK)
    return plot


MOST_NAMED = 24
"""With more rows, names would touch: numbers are printed instead."""


def correlation_matrix(
    matrix: Values, names: Sequence[str], *, title: str, largest: float = 1.0
) -> Figure:
    """A matrix in colours, undefined fields grey.  (d, d)

    Args:
        matrix: Correlations, or differences of them, (d, d).
        names: Of the rows.
        title: Of the figure.
        largest: Magnitude at the ends of the colours.

    Returns:
        The figure.

    Example:
        >>> plot = correlation_matrix(np.eye(2), ["total", "width"], title="real")
    """
    plot = figure(4.4, 4.0)
    axes = tidy(plot.subplots())
    axes.set_facecolor("#e5e7eb")
    artist = axes.imshow(np.ma.masked_invalid(matrix), cmap="RdBu_r", vmin=-largest, vmax=largest)
    places = np.arange(len(names))
    small = TEXT_POINTS - 3 if len(names) > MOST_NAMED / 2 else TEXT_POINTS - 2
    labels = list(names) if len(names) <= MOST_NAMED else [str(n) for n in places]
    axes.set_xticks(places, labels, rotation=90, fontsize=small)
    axes.set_yticks(places, labels, fontsize=small)
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=TEXT_POINTS + 0.5, color=INK)
    bar = plot.colorbar(artist, ax=axes, fraction=0.05, pad=0.02)
    bar.ax.tick_params(labelsize=TEXT_POINTS - 2, colors=INK)
    bar.outline.set_visible(False)
    return plot


Profile = tuple[Values, Values]
"""Mean part of the response in each ring, and its error."""


def radial_profiles(real: Profile, others: Mapping[str, Profile], edges_mm: Values) -> Figure:
    """Part of the response by distance from the centre of the shower.  (r,) each, (r + 1,)

    Args:
        real: Mean part of the response in each ring of the real showers, and its error, (r,) each.
        others: The same of generated showers, by their label.
        edges_mm: Edges of the rings, (r + 1,).

    Returns:
        The figure.

    Example:
        >>> profile = (np.array([0.7, 0.3]), np.array([0.01, 0.01]))
        >>> plot = radial_profiles(profile, {"mine": profile}, np.array([0.0, 5.0, 10.0]))
    """
    plot, upper, lower = with_ratio()
    middles = _middles(edges_mm)
    upper.stairs(real[0], edges_mm, fill=True, color=REAL_FILL, label="real")
    upper.errorbar(middles, *real, fmt="none", ecolor=REAL_EDGE)
    for colour, (name, profile) in zip(MODEL_COLOURS, others.items(), strict=False):
        upper.stairs(profile[0], edges_mm, color=colour, linewidth=1.4, label=name)
        below = np.where(real[0] > 0, real[0], np.nan)
        _draw_points(lower, middles, profile[0] / below, profile[1] / below, PROFILE_LIMITS, colour)
    if real[0].max(initial=0) > 0:
        upper.set_yscale("log")
    where = "distance from the centre [mm]"
    _finish(upper, lower, where, "part of the response", PROFILE_LIMITS)
    return plot


Line = tuple[Values, Values, Values]
"""Energy, value and error of each band."""


def energy_lines(real: Line, others: Mapping[str, Line], *, label: str, energy: str) -> Figure:
    """A number against energy, real in grey, others in colour; their ratio below.  (b,) each

    Args:
        real: Energy, number and error of each band of real showers, (b,) each.
        others: The same of generated showers, by their label.
        label: Of the number, with its unit.
        energy: Label of the energy, with its unit.

    Returns:
        The figure.

    Example:
        >>> line = (np.array([1.0, 10.0]), np.array([0.9, 1.0]), np.array([0.1, 0.1]))
        >>> plot = energy_lines(line, {"mine": line}, label="response", energy="E [GeV]")
    """
    plot, upper, lower = with_ratio()
    upper.errorbar(*real, fmt="s-", color=REAL_EDGE, markersize=4, label="real")
    below = np.where(real[1] > 0, real[1], np.nan)
    limits = _ratio_limits([line[1] / below for line in others.values()])
    for colour, (name, line) in zip(MODEL_COLOURS, others.items(), strict=False):
        upper.errorbar(*line, fmt="o-", color=colour, markersize=3.4, label=name)
        _draw_points(lower, line[0], line[1] / below, line[2] / below, limits, colour)
    energies = real[0][np.isfinite(real[0])]
    if len(energies) and energies.min() > 0:
        lower.set_xscale("log")
    _finish(upper, lower, energy, label, limits)
    return plot


def _ratio_limits(ratios: list[Values]) -> tuple[float, float]:
    """Axis of the ratio: at least 0.7 to 1.3, further where ratios are, 0 to 3 at most."""
    finite = np.concatenate([ratio[np.isfinite(ratio)] for ratio in ratios] or [np.ones(1)])
    finite = finite if len(finite) else np.ones(1)
    return max(0.0, min(0.7, finite.min() - 0.1)), min(3.0, max(1.3, finite.max() + 0.1))
