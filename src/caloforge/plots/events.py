"""Sums of one, two and three spectators: the peaks that a ZDC is calibrated with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.plots.canvas import INK, MODEL_COLOURS, REAL_FILL, TEXT_POINTS, figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
BINS = 60


def event_peaks(peaks: Mapping[str, tuple[Values, Values]], *, label: str) -> Figure:
    """Real sums filled, generated ones as lines, one pair a name such as ``2n``.  (E,), (E,)"""
    drawn = figure(4.4, 3.4)
    axes = tidy(drawn.subplots())
    both = [values for pair in peaks.values() for values in pair]
    high = max((float(np.quantile(values, 0.998)) for values in both), default=1.0)
    edges = np.linspace(0, high if high > 0 else 1.0, BINS + 1)
    for colour, (name, (real, made)) in zip(MODEL_COLOURS, peaks.items(), strict=False):
        heights = [np.histogram(v, edges)[0] / max(len(v), 1) for v in (real, made)]
        axes.stairs(heights[0], edges, fill=True, color=REAL_FILL, alpha=0.6)
        axes.stairs(heights[1], edges, color=colour, linewidth=1.3, label=f"{name} generated")
    axes.set_xlabel(label, fontsize=TEXT_POINTS, color=INK)
    axes.set_ylabel("part of the events (grey: real)", fontsize=TEXT_POINTS, color=INK)
    axes.legend(frameon=False, fontsize=TEXT_POINTS - 1, labelcolor=INK)
    return drawn
