"""Pictures of showers in layers of different shape: a row a layer, a column a sample.

Shapes: images (nx, ny) of one layer, axis 0 along x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Layer
from caloforge.plots.canvas import COLOUR_MAP, INK, TEXT_POINTS, figure
from caloforge.plots.images import colour_bar, log_scale, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
Images = Mapping[str, Values]
"""By the name of the layer."""
PANEL_INCHES, SIDE_INCHES = 1.75, 1.3


def layer_images(
    columns: Mapping[str, Images], layers: Sequence[Layer], *, label: str, difference: bool = False
) -> Figure:
    """One colour scale and one bar a layer; ``columns`` maps a title to the images of a sample.

    ``difference``: around zero, white where there is none.
    """
    from matplotlib.colors import TwoSlopeNorm

    drawn = figure(
        PANEL_INCHES * len(columns) + SIDE_INCHES, PANEL_INCHES * len(layers) + SIDE_INCHES / 2
    )
    grid = drawn.subplots(len(layers), len(columns), squeeze=False, sharex=True)
    for line, layer in zip(grid, layers, strict=True):
        stack = np.stack([images[layer.name] for images in columns.values()])
        largest = float(np.abs(stack).max()) or 1.0
        scale = TwoSlopeNorm(0, -largest, largest) if difference else log_scale(stack)
        for axes, image in zip(line, stack, strict=True):
            shown = show(
                axes,
                image,
                layer,
                scale,
                colours="RdBu_r" if difference else COLOUR_MAP,
                masked=not difference,
            )
            axes.set_aspect("auto")
            axes.label_outer()
        line[0].set_ylabel(f"{layer.name}\n{layer.axes[1]}", fontsize=TEXT_POINTS, color=INK)
        colour_bar(drawn, shown, list(line), label)
    for axes, title in zip(grid[0], columns, strict=True):
        axes.set_title(title, fontsize=TEXT_POINTS, color=INK)
    drawn.supxlabel(layers[-1].axes[0], fontsize=TEXT_POINTS, color=INK)
    return drawn
