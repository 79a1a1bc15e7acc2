"""Pictures of showers in layers of different shape: a row a layer, a column a sample.

Shapes: images (nx, ny) of one layer, axis 0 along x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Layer
from caloforge.plots.canvas import COLOUR_MAP, INK, TEXT_POINTS, figure
from caloforge.plots.images import colour_bar, log_scale, show

if TYPE_CHECKING:
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
Images = Mapping[str, Values]
"""By the name of the layer."""
Columns = Sequence[tuple[str, Images]]
"""Titles and images; a title may stand twice."""
PANEL_INCHES, LOW_PANEL_INCHES, SIDE_INCHES = 1.75, 1.35, 1.3
"""Of an image alone, of one with others above and below, and beside them."""


def layer_images(
    columns: Mapping[str, Images], layers: Sequence[Layer], *, label: str, difference: bool = False
) -> Figure:
    """One colour scale and one bar a layer; ``columns`` maps a title to the images of a sample.

    ``difference``: around zero, white where there is none.
    """
    return layer_lines({"": list(columns.items())}, layers, label=label, difference=difference)


def layer_lines(
    samples: Mapping[str, Columns],
    layers: Sequence[Layer],
    *,
    label: str,
    difference: bool = False,
) -> Figure:
    """The same with several samples, one under another in each layer, as many columns each."""
    width = max(len(columns) for columns in samples.values())
    height = PANEL_INCHES if len(samples) == 1 else LOW_PANEL_INCHES
    lines = len(layers) * len(samples)
    drawn = figure(PANEL_INCHES * width + SIDE_INCHES, height * lines + SIDE_INCHES / 2)
    grid = drawn.subplots(lines, width, squeeze=False, sharex=True)
    for number, layer in enumerate(layers):
        own = grid[number * len(samples) : (number + 1) * len(samples)]
        _draw_layer(drawn, own, samples, layer, label=label, difference=difference)
    for line, columns in zip(grid, samples.values(), strict=False):
        for axes, (title, _) in zip(line, columns, strict=True):
            axes.set_title(title, fontsize=TEXT_POINTS, color=INK)
    # An axis that is not there costs nothing: ticks inside a grid take most of the time.
    for axes in grid[:-1].flat:
        axes.xaxis.set_visible(False)
    for axes in grid[:, 1:].flat:
        axes.yaxis.set_visible(False)
    drawn.supxlabel(layers[-1].axes[0], fontsize=TEXT_POINTS, color=INK)
    return drawn


def _draw_layer(
    drawn: Figure,
    grid: NDArray[Any],
    samples: Mapping[str, Columns],
    layer: Layer,
    *,
    label: str,
    difference: bool,
) -> None:
    """All images of one layer in one colour scale.  grid (samples, columns)"""
    images = [[image[layer.name] for _, image in columns] for columns in samples.values()]
    scale = _scale(np.array(images), difference=difference)
    colours = "RdBu_r" if difference else COLOUR_MAP
    for line, name, row in zip(grid, samples, images, strict=True):
        for axes, image in zip(line, row, strict=True):
            shown = show(axes, image, layer, scale, colours=colours, masked=not difference)
            axes.set_aspect("auto")
            if not difference and not image.any():
                axes.text(0.5, 0.5, "dark", transform=axes.transAxes, ha="center", color=INK)
        parts = (layer.name, name, layer.axes[1])
        line[0].set_ylabel("\n".join(filter(None, parts)), fontsize=TEXT_POINTS, color=INK)
    if difference or np.any(images):
        colour_bar(drawn, shown, list(grid.ravel()), label)


def _scale(images: Values, *, difference: bool) -> Normalize:
    """Log colours, or colours around zero.  (samples, columns, nx, ny)"""
    from matplotlib.colors import TwoSlopeNorm

    if not difference:
        return log_scale(images)
    largest = float(np.abs(images).max()) or 1.0
    return TwoSlopeNorm(0, -largest, largest)
