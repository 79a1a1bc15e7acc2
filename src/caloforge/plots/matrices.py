"""Correlation matrices side by side with their difference.

Shapes: d names, matrices (d, d).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.plots.canvas import INK, TEXT_POINTS, figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
MOST_NAMED = 24
"""With more rows, names would touch: numbers are printed instead."""


def correlation_matrix(
    matrix: Values, names: Sequence[str], *, title: str, largest: float = 1.0
) -> Figure:
    """A matrix in colours up to ``largest``, undefined fields grey.  (d, d)"""
    drawn = figure(4.4, 4.0)
    axes = tidy(drawn.subplots())
    axes.set_facecolor("#e5e7eb")
    shown = axes.imshow(np.ma.masked_invalid(matrix), cmap="RdBu_r", vmin=-largest, vmax=largest)
    places = np.arange(len(names))
    small = TEXT_POINTS - 3 if len(names) > MOST_NAMED / 2 else TEXT_POINTS - 2
    labels = list(names) if len(names) <= MOST_NAMED else [str(n) for n in places]
    axes.set_xticks(places, labels, rotation=90, fontsize=small)
    axes.set_yticks(places, labels, fontsize=small)
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=TEXT_POINTS + 0.5, color=INK)
    bar = drawn.colorbar(shown, ax=axes, fraction=0.05, pad=0.02)
    bar.ax.tick_params(labelsize=TEXT_POINTS - 2, colors=INK)
    bar.outline.set_visible(False)
    return drawn
