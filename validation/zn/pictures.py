"""The figure of the weights over three decades, and its ranges in words, from records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caloforge.evaluate.resampling import Measured
from caloforge.report.canvas import MODEL_COLOURS, REAL_FILL, TEXT_POINTS, figure, save, tidy
from validation.campaign.group import Group, groups
from validation.campaign.page import of_part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = Mapping[str, Any]
WINDOW = "weights.png"
PANELS = {"conditional_w1": "conditional W1 [counts]", "spread_slope": "slope of the spread"}
FLOOR = "real"


def save_pictures(out: Path, records: Mapping[str, Record], references: Record) -> None:
    """The figure, where there is something to draw."""
    found = groups(of_part(records, "window"))
    if found:
        save(weights(found, references), out / WINDOW)


def weights(found: Iterable[Group], references: Record) -> Figure:
    """Conditional W1 and slope against the weight, a line a method, the floor as a band."""
    drawn = figure(7.0, 3.2)
    lines: dict[str, list[Group]] = {}
    for one in sorted(found, key=lambda one: one.weight or 0):
        lines.setdefault(one.label, []).append(one)
    for axes, (measure, label) in zip(drawn.subplots(1, 2), PANELS.items(), strict=True):
        _floor(axes, Measured(**references["references"][FLOOR]["test"][measure]))
        for colour, (name, runs) in zip(MODEL_COLOURS, lines.items(), strict=False):
            _line(axes, runs, measure, name, colour)
        _finish(axes, label)
    lines_and_labels = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(
        *lines_and_labels, loc="outside upper center", ncols=3, frameon=False, fontsize=TEXT_POINTS
    )
    return drawn


def _floor(axes: Axes, floor: Measured) -> None:
    value, error = floor.value or 0.0, floor.error or 0.0
    axes.axhspan(value - error, value + error, color=REAL_FILL, label="real against real")


def _line(axes: Axes, runs: list[Group], measure: str, name: str, colour: str) -> None:
    numbers = [one.measured(measure) for one in runs]
    axes.errorbar(
        np.array([one.weight for one in runs], dtype=float),
        np.array([one.value for one in numbers], dtype=float),
        np.array([one.error for one in numbers], dtype=float),
        fmt="o-",
        markersize=4,
        color=colour,
        label=name,
    )


def _finish(axes: Axes, label: str) -> None:
    axes.set_xscale("log")
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    axes.set_xlabel("weight", fontsize=TEXT_POINTS)
    axes.set_ylabel(label, fontsize=TEXT_POINTS)
    tidy(axes)


def ranges(found: Iterable[Group]) -> str:
    """How far conditional W1 and slope move while a weight moves over its decades."""
    lines: dict[str, list[Group]] = {}
    for one in found:
        if one.whole:
            lines.setdefault(one.label, []).append(one)
    return " ".join(_range(label, runs) for label, runs in lines.items() if len(runs) > 1)


def _range(label: str, runs: Sequence[Group]) -> str:
    distances, slopes = (
        [one.value(name) for one in runs] for name in ("conditional_w1", "spread_slope")
    )
    weights = [one.weight or 0 for one in runs]
    return (
        f"`{label}`, weights {min(weights):g} to {max(weights):g}: conditional W1 "
        f"{min(distances):.1f} to {max(distances):.1f}, slope {min(slopes):.2f} to "
        f"{max(slopes):.2f}."
    )


__all__ = ["WINDOW", "ranges", "save_pictures", "weights"]
