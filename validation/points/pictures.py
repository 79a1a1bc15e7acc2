"""Figures 1 and 3 of the benchmark: the points and what each method generates; learning curves.

Shapes: 18 clusters x n points x 2 coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.report.style import MODEL_COLOURS, REAL_FILL, TEXT_POINTS, figure, tidy
from validation.pictures import draw_curves
from validation.points.plan import KEPT
from validation.points.sample import CLUSTERS, sample_of
from validation.summary import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = ("spread 0 (σ = 1)", "spread 1 (σ = 10)")
LIMIT = 145.0
CLOSE = 7.0
MIDDLE = 8
"""Cluster of the class in the middle, without spread."""


def real_points() -> Figure:
    """Figure 1: real points, both spreads."""
    image = figure(6.6, 3.5)
    panels = image.subplots(1, 2, sharex=True, sharey=True)
    for spread, (panel, title) in enumerate(zip(panels, TITLES, strict=True)):
        scatter(panel, real(), spread)
        panel.set_title(title, fontsize=TEXT_POINTS)
        panel.set_xlabel("x", fontsize=TEXT_POINTS)
    panels[0].set_ylabel("y", fontsize=TEXT_POINTS)
    return image


def generated_points(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Figure 3: one column a method, real points first; rows: spread 0, 1, and a narrow cluster."""
    columns = {"real": real()} | {one["label"]: np.array(one["points"]) for one in records}
    image = figure(1.75 * len(columns), 5.6)
    panels = image.subplots(3, len(columns), sharex="row", sharey="row", squeeze=False)
    for number, (label, points) in enumerate(columns.items()):
        for spread in (0, 1):
            scatter(panels[spread, number], points, spread)
        close_up(panels[2, number], points)
        panels[0, number].set_title(label, fontsize=TEXT_POINTS)
    for row, title in enumerate((*TITLES, "spread 0, close")):
        panels[row, 0].set_ylabel(title, fontsize=TEXT_POINTS)
    return image


def learning(panels: Mapping[str, Sequence[Group]]) -> Figure:
    """Score on the validation points against steps, a line a seed, a panel a title."""
    image = figure(4.0 * len(panels), 4.8)
    row = image.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, (title, runs) in zip(row, panels.items(), strict=True):
        draw_curves(panel, runs, "step")
        panel.set_title(title, fontsize=TEXT_POINTS)
        panel.set_xlabel("steps", fontsize=TEXT_POINTS)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        panel.legend(ncols=2, frameon=False, fontsize=TEXT_POINTS - 1, **below)
    row[0].set_ylabel("score on validation points", fontsize=TEXT_POINTS)
    return image


def close_up(panel: Axes, points: NDArray[np.float64]) -> None:
    """The middle cluster of spread 0, real points in grey below."""
    for cluster, colour in ((real()[MIDDLE], REAL_FILL), (points[MIDDLE], MODEL_COLOURS[0])):
        panel.scatter(cluster[:, 0], cluster[:, 1], s=5, linewidths=0, color=colour)
    panel.set(xlim=(-CLOSE, CLOSE), ylim=(-CLOSE, CLOSE), aspect="equal")
    tidy(panel)


def real() -> NDArray[np.float64]:
    """Test points, as many of each cluster as records keep.  (18, n, 2)"""
    return sample_of("test").cells.reshape(CLUSTERS, -1, 2)[:, :KEPT].astype(np.float64)


def scatter(panel: Axes, points: NDArray[np.float64], spread: int) -> None:
    """The nine clusters of a spread, each in one of three colours."""
    for number, cluster in enumerate(points[spread::2]):
        panel.scatter(
            cluster[:, 0], cluster[:, 1], s=2, linewidths=0, color=MODEL_COLOURS[number % 4]
        )
    panel.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), aspect="equal")
    tidy(panel)
