"""An observable against the attribute that it follows: real, generated, at fixed latents.

Shapes: N showers, b bins, v values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.plots.canvas import INK, MODEL_COLOURS, REAL_EDGE, TEXT_POINTS, figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
BINS = 10
Points = tuple[Values, Values]
"""Attribute and observable of each shower, (N,) each."""


def attribute_lines(
    real: Points,
    others: Mapping[str, Points],
    *,
    attribute: str,
    observable: str,
    moved: Points | None = None,
) -> Figure:
    """Mean and error in bins of the attribute; ``moved``: values (v,) and means of a traversal."""
    drawn = figure(4.4, 3.2)
    axes = tidy(drawn.subplots())
    edges = np.unique(np.quantile(real[0], np.linspace(0, 1, BINS + 1)))
    axes.errorbar(*binned_mean(*real, edges), fmt="s-", color=REAL_EDGE, markersize=4, label="real")
    for colour, (name, points) in zip(MODEL_COLOURS, others.items(), strict=False):
        axes.errorbar(
            *binned_mean(*points, edges), fmt="o", color=colour, markersize=3.4, label=name
        )
    if moved is not None:
        axes.plot(*moved, "--", color=MODEL_COLOURS[1], linewidth=1.3, label="at fixed latents")
    axes.set_xlabel(attribute, fontsize=TEXT_POINTS, color=INK)
    axes.set_ylabel(observable, fontsize=TEXT_POINTS, color=INK)
    axes.legend(frameon=False, fontsize=TEXT_POINTS, labelcolor=INK)
    return drawn


def binned_mean(at: Values, observed: Values, edges: Values) -> tuple[Values, Values, Values]:
    """Middle, mean and its error in each bin, NaN without showers.  (b,) each"""
    bins = max(len(edges) - 1, 1)
    place = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, bins - 1)
    known = np.isfinite(observed)
    count = np.bincount(place[known], minlength=bins).astype(np.float64)
    count[count == 0] = np.nan
    sums = [np.bincount(place[known], v[known], bins) / count for v in (at, observed, observed**2)]
    error = np.sqrt(np.maximum(sums[2] - sums[1] ** 2, 0) / count)
    return sums[0], sums[1], error
