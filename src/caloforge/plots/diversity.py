"""Generated against real spread, a point a particle.

Shapes: P particles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.plots.canvas import COLOUR_MAP, INK, REAL_EDGE, TEXT_POINTS, figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

Values = NDArray[np.float64]


def diversity_plot(
    real: Values, other: Values, total: Values, *, unit: str, slope: float | None = None
) -> Figure:
    """Spread of generated against that of real showers, coloured by the mean total.  (P,) each

    Logarithmic, particles with no spread at all on one side at the edge; a slope draws its line.
    """
    known = np.isfinite(real) & np.isfinite(other)
    real, other, total = real[known], other[known], total[known]
    low, high = _limits(np.concatenate([real, other]))
    drawn = figure(4.4, 3.9)
    axes = tidy(drawn.subplots())
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
    axes.set_xlabel(f"real spread [{unit}]", fontsize=TEXT_POINTS, color=INK)
    axes.set_ylabel(f"generated spread [{unit}]", fontsize=TEXT_POINTS, color=INK)
    axes.legend(frameon=False, fontsize=TEXT_POINTS - 1, loc="upper left", labelcolor=INK)
    bar = drawn.colorbar(points, ax=axes, fraction=0.05, pad=0.02)
    bar.set_label(f"mean total, real [{unit}]", fontsize=TEXT_POINTS, color=INK)
    bar.ax.tick_params(labelsize=TEXT_POINTS - 1, colors=INK)
    return drawn


def _points(axes: Axes, real: Values, other: Values, total: Values) -> PathCollection:
    """A dot a particle, coloured by its total."""
    from matplotlib.colors import LogNorm

    lit = total[total > 0]
    bounds = (lit.min(), max(lit.max(), 1.01 * lit.min())) if len(lit) else (1, 10)
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


def _limits(spreads: Values) -> tuple[float, float]:
    """Axis range over the positive spreads, a defined one where there are none."""
    lit = spreads[spreads > 0]
    if not len(lit):
        return 1.0, 10.0
    return float(lit.min()) / 1.3, float(lit.max()) * 1.3
