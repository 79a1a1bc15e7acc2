"""Response and resolution against energy, real and generated, with their ratio.

Shapes: b bands of energy.
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
Line = tuple[Values, Values, Values]
"""Energy, value and error of each band."""


def energy_lines(real: Line, others: Mapping[str, Line], *, label: str, energy: str) -> Figure:
    """A number against energy, real in grey, others in colour; their ratio below.  (b,) each"""
    drawn = figure(4.4, 3.8)
    upper, lower = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    upper.errorbar(*real, fmt="s-", color=REAL_EDGE, markersize=4, label="real")
    below = np.where(real[1] > 0, real[1], np.nan)
    for colour, (name, line) in zip(MODEL_COLOURS, others.items(), strict=False):
        upper.errorbar(*line, fmt="o-", color=colour, markersize=3.4, label=name)
        lower.errorbar(
            line[0], line[1] / below, line[2] / below, fmt="o", color=colour, markersize=3
        )
    lower.axhline(1, color=REAL_EDGE, linewidth=0.8)
    lower.set_ylim(*_limits([line[1] / below for line in others.values()]))
    energies = real[0][np.isfinite(real[0])]
    if len(energies) and energies.min() > 0:
        lower.set_xscale("log")
    for axes in (upper, lower):
        tidy(axes)
    upper.set_ylabel(label, fontsize=TEXT_POINTS, color=INK)
    lower.set_ylabel("ratio", fontsize=TEXT_POINTS, color=INK)
    lower.set_xlabel(energy, fontsize=TEXT_POINTS, color=INK)
    upper.legend(frameon=False, fontsize=TEXT_POINTS, labelcolor=INK)
    return drawn


def _limits(ratios: list[Values]) -> tuple[float, float]:
    """Axis of the ratio: at least 0.7 to 1.3, further where ratios are, 0 to 3 at most."""
    known = np.concatenate([ratio[np.isfinite(ratio)] for ratio in ratios] or [np.ones(1)])
    known = known if len(known) else np.ones(1)
    return max(0.0, min(0.7, known.min() - 0.1)), min(3.0, max(1.3, known.max() + 0.1))
