"""Figures 2 and 3 of the proton paper, from the records.

Shapes: n showers as images (n, 56, 30); N channel sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from caloforge.detectors import ALICE_ZP
from caloforge.report.figures import ratio_histogram
from caloforge.report.images import shower_rows
from caloforge.report.style import TEXT_POINTS, figure
from validation.pictures import image, learning_curves
from validation.proton.measures import TAILS
from validation.summary import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]


def all_of(runs: Sequence[Group], real: Record) -> dict[str, Figure]:
    """Figures by file name; none without a run."""
    if not runs:
        return {}
    channels = {f"figure3-{title.replace(' ', '')}.png": label for label, title in TAILS.items()}
    return {
        "figure2.png": showers_of(runs, real),
        **{name: sums_of(runs, real, label) for name, label in channels.items()},
        "learning.png": learning_curves(runs),
    }


def showers_of(runs: Sequence[Group], real: Record) -> Figure:
    """Figure 2: a row of showers for each method, the same particles below each other."""
    layer = ALICE_ZP.layers[0]
    rows = {}
    for label, record in ({"real": real} | {one.label: one.whole[0] for one in runs}).items():
        images = np.stack([image(one, layer.shape) for one in record["showers"]])
        texts = [f"{total:.0f}" for total in images.sum(axis=(1, 2))]
        rows[label.removeprefix("proton-")] = (images, texts)
    return shower_rows(rows, layer, label="photons")


def sums_of(runs: Sequence[Group], real: Record, label: str) -> Figure:
    """Figure 3: a channel, all seeds of a method together."""
    place = np.array(real["place"])
    others = {
        one.label.removeprefix("proton-"): (
            np.concatenate([np.array(run["sums"][label], dtype=float) for run in one.whole]),
            np.tile(place, len(one.whole)),
        )
        for one in runs
    }
    truth = np.array(real["sums"][label], dtype=float)
    title = f"photons in {TAILS[label]}"
    return ratio_histogram((truth, place), others, place.max() + 1, label=title, whole=True)


def score_maps(
    scores: Mapping[tuple[float, ...], float], grid: Mapping[str, Sequence[float]]
) -> Figure:
    """Score over the first two weights, a panel for each value of the third."""
    (row_name, rows), (column_name, columns), (panel_name, panels) = grid.items()
    plot = figure(9.6, 2.6)
    limits = {"vmin": min(scores.values()), "vmax": max(scores.values())}
    for axes, panel in zip(plot.subplots(1, len(panels), sharey=True), panels, strict=True):
        values = np.array([[scores.get((y, x, panel), np.nan) for x in columns] for y in rows])
        artist = axes.imshow(values, cmap="viridis", aspect="auto", **limits)
        for (y, x), score in np.ndenumerate(values):
            if np.isfinite(score):
                ink = "white" if artist.norm(score) < 0.5 else "black"
                text = {"ha": "center", "va": "center", "color": ink, "fontsize": TEXT_POINTS - 1}
                axes.text(x, y, f"{score:.1f}", **text)
        axes.set_title(f"{panel_name} {panel:g}", fontsize=TEXT_POINTS)
        axes.set_xlabel(column_name, fontsize=TEXT_POINTS)
        axes.set_xticks(range(len(columns)), [f"{x:g}" for x in columns])
        axes.set_yticks(range(len(rows)), [f"{y:g}" for y in rows])
        axes.tick_params(labelsize=TEXT_POINTS - 1, length=0)
    plot.axes[0].set_ylabel(row_name, fontsize=TEXT_POINTS)
    plot.colorbar(artist, ax=plot.axes, label="validation score")
    return plot
