"""Pictures that studies share: showers of records, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.report.style import MODEL_COLOURS, TEXT_POINTS, figure, tidy
from validation.summary import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def image(shower: Mapping[str, Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A shower of a record.  (nx, ny)"""
    cells = np.zeros(shape)
    cells.flat[shower["cells"]] = shower["counts"]
    return cells


def learning_curves(runs: Sequence[Group]) -> Figure:
    """Validation score against steps and against CPU seconds, a line a seed."""
    plot = figure(9.0, 3.6)
    titles = {"step": "steps", "cpu_seconds": "CPU seconds"}
    for axes, (what, title) in zip(plot.subplots(1, 2, sharey=True), titles.items(), strict=True):
        draw_curves(axes, runs, what)
        axes.set_xlabel(title, fontsize=TEXT_POINTS)
    plot.axes[0].set_ylabel("score on validation particles", fontsize=TEXT_POINTS)
    lines = plot.axes[0].get_legend_handles_labels()
    plot.legend(*lines, loc="outside right upper", frameon=False, fontsize=TEXT_POINTS)
    return plot


def draw_curves(axes: Axes, runs: Sequence[Group], what: str) -> None:
    """Scores against steps or CPU seconds on a log scale, a colour a group and a line a seed."""
    for number, one in enumerate(runs):
        style: dict[str, Any] = {
            "color": MODEL_COLOURS[number % len(MODEL_COLOURS)],
            "linestyle": "-" if number < len(MODEL_COLOURS) else "--",
        }
        for place, run in enumerate(one.records):
            curve, label = run["learning_curve"], one.label if place == 0 else None
            axes.plot(curve[what], curve["score"], linewidth=0.9, label=label, **style)
    axes.set_yscale("log")
    tidy(axes)
