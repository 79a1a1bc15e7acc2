"""Learning curves of a run: score, losses by player, learning rates, from its lines of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from caloforge.errors import DataError
from caloforge.report.style import INK, MODEL_COLOURS, REAL_EDGE, TEXT_POINTS, figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = Mapping[str, Any]
WIDTH_INCHES, PANEL_INCHES = 7.2, 2.1
LOG_RANGE = 30.0
"""Positive curves that span more are drawn on a log scale."""


def learning_curves(lines: Sequence[Line], title: str) -> Figure:
    """A figure with the score, the losses of each player and the learning rates over the steps.

    Args:
        lines: of ``metrics.jsonl``, by rising ``step``; those with ``score`` were scored.
        title: of the figure.

    Raises:
        DataError: there are no lines.
    """
    if not lines:
        raise DataError(f"{title}: no line of metrics yet")
    players = list(dict.fromkeys(name for line in lines for name in line.get("losses", {})))
    height = PANEL_INCHES * (2 + len(players)) + 0.4
    plot = figure(WIDTH_INCHES, height)
    panels = plot.subplots(2 + len(players), 1, sharex=True, squeeze=False)[:, 0]
    plot.suptitle(title, fontsize=TEXT_POINTS + 1, color=INK)
    draw_score(panels[0], lines)
    for axes, player in zip(panels[1:], players, strict=False):
        curves = series(lines, "losses", player)
        draw_curves(axes, curves, f"losses of the {player}")
    draw_curves(panels[-1], series(lines, "learning_rate"), "learning rate", log=False)
    panels[-1].set_xlabel("step", fontsize=TEXT_POINTS, color=INK)
    return plot


def series(lines: Sequence[Line], *path: str) -> dict[str, list[tuple[int, float]]]:
    """Numbers below a path of the lines, by name, as (step, value)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        place: Any = line
        for name in path:
            place = place.get(name, {}) if isinstance(place, Mapping) else {}
        for name, value in place.items() if isinstance(place, Mapping) else ():
            if isinstance(value, int | float):
                found.setdefault(name, []).append((line["step"], float(value)))
    return found


def draw_score(axes: Axes, lines: Sequence[Line]) -> None:
    """The validation score, and where it was lowest."""
    points = [(one["step"], one["score"]) for one in lines if one.get("score") is not None]
    curves = {"validation score": points} if points else {}
    draw_curves(axes, curves, "validation score")
    if points:
        step, score = min(points, key=lambda point: point[1])
        axes.plot(step, score, "o", color=MODEL_COLOURS[0], markersize=5)
        axes.axvline(step, color=REAL_EDGE, linewidth=0.8, linestyle=":")
        axes.set_title(f"best {score:.4g} at step {step}", fontsize=TEXT_POINTS - 1, loc="right")


def draw_curves(
    axes: Axes, curves: Mapping[str, list[tuple[int, float]]], label: str, *, log: bool = True
) -> None:
    """Curves of one quantity, on a log scale where they are positive and span a lot."""
    values = [value for points in curves.values() for _, value in points]
    for number, (name, points) in enumerate(curves.items()):
        colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
        marker = "." if len(points) < 40 else ""
        axes.plot(*zip(*points, strict=True), color=colour, label=name, lw=1.2, marker=marker)
    if log and values and min(values) > 0 and max(values) > LOG_RANGE * min(values):
        axes.set_yscale("log")
    if len(curves) > 1 or label.startswith("losses"):
        axes.legend(
            fontsize=TEXT_POINTS - 2, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5)
        )
    axes.set_ylabel(label, fontsize=TEXT_POINTS - 1, color=INK)
    tidy(axes)
