"""Radial profiles with their ratio.

Shapes: r rings.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
Profile = tuple[Values, Values]
"""Mean part of the response in each ring, and its error."""


def radial_profiles(real: Profile, others: Mapping[str, Profile], edges_mm: Values) -> Figure:
    """Part of the response by distance from the centre of the shower.  (r,) each, (r + 1,)"""
    drawn = figure(4.4, 3.8)
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    middles = (edges_mm[1:] + edges_mm[:-1]) / 2
    upper.stairs(real[0], edges_mm, fill=True, color=REAL_FILL, label="real")
    upper.errorbar(middles, *real, fmt="none", ecolor=REAL_EDGE)
    for colour, (name, profile) in zip(MODEL_COLOURS, others.items(), strict=False):
        upper.stairs(profile[0], edges_mm, color=colour, linewidth=1.4, label=name)
        below = np.where(real[0] > 0, real[0], np.nan)
        lower.errorbar(
            middles, profile[0] / below, profile[1] / below, fmt="o", color=colour, markersize=2.6
        )
    lower.axhline(1, color=REAL_EDGE, linewidth=0.8)
    lower.set_ylim(0.7, 1.3)
    if real[0].max(initial=0) > 0:
        upper.set_yscale("log")
    for axes in (upper, lower):
        tidy(axes)
    upper.set_ylabel("part of the response", fontsize=TEXT_POINTS, color=INK)
    lower.set_ylabel("ratio", fontsize=TEXT_POINTS, color=INK)
    lower.set_xlabel("distance from the centre [mm]", fontsize=TEXT_POINTS, color=INK)
    upper.legend(frameon=False, fontsize=TEXT_POINTS, labelcolor=INK)
    return drawn
