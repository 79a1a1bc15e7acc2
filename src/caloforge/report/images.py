"""Pictures of showers: log colours, dark cells masked, origin lower, axes in mm.

Shapes: n showers of one layer, images (n, nx, ny) with axis 0 along x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Layer
from caloforge.report.style import COLOUR_MAP, INK, TEXT_POINTS, figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

Values = NDArray[np.float64]
TEXT_INCHES = 0.38
"""Height of the text below an image in a row of them."""
DECADES = 4
"""Log colours span at most so many decades below the brightest cell."""


def shower_rows(
    rows: Mapping[str, tuple[NDArray[Any], Sequence[str]]],
    layer: Layer,
    *,
    label: str,
) -> Figure:
    """One row of images for each sample, one colour scale for all, a text under each image.

    Args:
        rows: Images, (n, nx, ny), and as many texts, by the name of the sample.
        layer: That the images are of.
        label: Of the colours, with the unit.

    Returns:
        The figure.

    Example:
        >>> from caloforge.detectors import ALICE_ZN
        >>> layer = ALICE_ZN.layers[0]
        >>> images = np.ones((2, *layer.shape))
        >>> plot = shower_rows({"real": (images, ["a", "b"])}, layer, label="photons")
    """
    columns = max(len(images) for images, _ in rows.values())
    height = PANEL_INCHES * (_aspect(layer) if _has_equal_axes(layer) else 1) + TEXT_INCHES
    plot = figure(PANEL_INCHES * columns + 0.95, height * len(rows) + 0.35)
    grid = plot.subplots(len(rows), columns, squeeze=False, sharex=True, sharey=True)
    scale = log_scale(np.concatenate([images.ravel() for images, _ in rows.values()]))
    for line, (name, (images, texts)) in zip(grid, rows.items(), strict=True):
        for axes in line[len(images) :]:
            axes.set_axis_off()
        for axes, image, text in zip(line, images, texts, strict=False):
            artist = show(axes, image, layer, scale)
            axes.set_xlabel(text, fontsize=TEXT_POINTS - 1, color=INK)
        line[0].set_ylabel(f"{name}\n{layer.axes[1]}", fontsize=TEXT_POINTS, color=INK)
    plot.supxlabel(layer.axes[0], fontsize=TEXT_POINTS, color=INK)
    colour_bar(plot, artist, list(grid.ravel()), label)
    return plot


def mean_image(image: Values, layer: Layer, *, title: str, label: str, brightest: float) -> Figure:
    """A mean image in log colours.  (nx, ny)

    Args:
        image: Mean of the cells, (nx, ny).
        layer: That the image is of.
        title: Of the figure.
        label: Of the colours, with the unit.
        brightest: Value at the end of the colours, which pictures beside it share.

    Returns:
        The figure.

    Example:
        >>> from caloforge.detectors import ALICE_ZN
        >>> layer = ALICE_ZN.layers[0]
        >>> image = np.ones(layer.shape)
        >>> plot = mean_image(image, layer, title="real", label="photons", brightest=1.0)
    """
    return _single(image, layer, log_scale(np.array([brightest])), title, label)


def difference_image(image: Values, layer: Layer, *, title: str, label: str) -> Figure:
    """A difference of mean images, white where they agree.  (nx, ny)

    Args:
        image: Difference of the cells, (nx, ny).
        layer: That the image is of.
        title: Of the figure.
        label: Of the colours, with the unit.

    Returns:
        The figure.

    Example:
        >>> from caloforge.detectors import ALICE_ZN
        >>> layer = ALICE_ZN.layers[0]
        >>> image = np.zeros(layer.shape)
        >>> plot = difference_image(image, layer, title="difference", label="photons")
    """
    from matplotlib.colors import TwoSlopeNorm

    largest = float(np.abs(image).max()) or 1.0
    scale = TwoSlopeNorm(0, -largest, largest)
    return _single(image, layer, scale, title, label, colours="RdBu_r", masked=False)


def log_scale(values: NDArray[Any]) -> Normalize:
    """Log colours for the lit cells; a defined scale where nothing is lit."""
    from matplotlib.colors import LogNorm

    positive = values[values > 0]
    if not len(positive):
        return LogNorm(1, 10)
    brightest = float(positive.max())
    faintest = max(float(positive.min()), brightest / 10**DECADES)
    if len(positive) == 1:
        faintest = brightest / 10**DECADES
    return LogNorm(faintest, brightest if brightest > faintest else 10 * faintest)


def _single(
    image: Values,
    layer: Layer,
    scale: Normalize,
    title: str,
    label: str,
    *,
    colours: str = COLOUR_MAP,
    masked: bool = True,
) -> Figure:
    plot = figure(4.4, 3.6)
    axes = plot.subplots()
    artist = show(axes, image, layer, scale, colours=colours, masked=masked)
    axes.set_title(title, fontsize=TEXT_POINTS + 0.5, color=INK)
    axes.set_xlabel(layer.axes[0], fontsize=TEXT_POINTS, color=INK)
    axes.set_ylabel(layer.axes[1], fontsize=TEXT_POINTS, color=INK)
    colour_bar(plot, artist, [axes], label)
    return plot


def show(
    axes: Axes,
    image: NDArray[Any],
    layer: Layer,
    scale: Normalize,
    *,
    colours: str = COLOUR_MAP,
    masked: bool = True,
) -> AxesImage:
    """Draw an image [x][y] with x to the right and y upwards."""
    tidy(axes)
    axes.tick_params(top=False, right=False, length=2, labelsize=TEXT_POINTS - 2)
    axes.set_facecolor("#f3f4f6")
    pixels = np.ma.masked_less_equal(image, 0) if masked else image
    return axes.imshow(
        pixels.T,
        origin="lower",
        extent=layer.extent,
        norm=scale,
        cmap=colours,
        interpolation="nearest",
        aspect="equal" if _has_equal_axes(layer) else "auto",
    )


def _aspect(layer: Layer) -> float:
    """Height of a layer over its width."""
    left, right, low, high = layer.extent
    return (high - low) / (right - left)


def _has_equal_axes(layer: Layer) -> bool:
    """False where an image to scale would be a strip."""
    return 0.4 < _aspect(layer) < 2.5


def colour_bar(plot: Figure | SubFigure, artist: AxesImage, axes: list[Axes], label: str) -> None:
    bar = plot.colorbar(artist, ax=axes, fraction=0.05, pad=0.02, aspect=30)
    bar.set_label(label, fontsize=TEXT_POINTS, color=INK)
    bar.ax.tick_params(labelsize=TEXT_POINTS - 1, colors=INK)
    bar.outline.set_visible(False)


Images = Mapping[str, Values]
"""By the name of the layer."""
Columns = Sequence[tuple[str, Images]]
"""Titles and images; a title may stand twice."""
PANEL_INCHES, LOW_PANEL_INCHES, SIDE_INCHES = 1.75, 1.35, 1.3
"""Of an image alone, of one with others above and below, and beside them."""


def layer_images(
    columns: Mapping[str, Images], layers: Sequence[Layer], *, label: str, difference: bool = False
) -> Figure:
    """Images of all layers, one colour scale and one bar a layer.  (nx, ny) each

    Args:
        columns: Images by the name of their layer, by the title of their column.
        layers: Of the detector.
        label: Of the colours, with the unit.
        difference: Colours around zero, white where there is no difference.

    Returns:
        The figure.

    Example:
        >>> from caloforge.detectors import ATLAS_EM
        >>> images = {layer.name: np.ones(layer.shape) for layer in ATLAS_EM.layers}
        >>> plot = layer_images({"real": images}, ATLAS_EM.layers, label="GeV")
    """
    return layer_lines({"": list(columns.items())}, layers, label=label, difference=difference)


def layer_lines(
    samples: Mapping[str, Columns],
    layers: Sequence[Layer],
    *,
    label: str,
    difference: bool = False,
) -> Figure:
    """``layer_images`` with several samples, one under another in each layer.  (nx, ny) each

    Args:
        samples: Titles and images of the columns, as many for each, by the name of the sample.
        layers: Of the detector.
        label: Of the colours, with the unit.
        difference: Colours around zero, white where there is no difference.

    Returns:
        The figure.

    Example:
        >>> from caloforge.detectors import ATLAS_EM
        >>> images = {layer.name: np.ones(layer.shape) for layer in ATLAS_EM.layers}
        >>> samples = {name: [("1 GeV", images)] for name in ("real", "generated")}
        >>> plot = layer_lines(samples, ATLAS_EM.layers, label="GeV")
    """
    width = max(len(columns) for columns in samples.values())
    height = PANEL_INCHES if len(samples) == 1 else LOW_PANEL_INCHES
    lines = len(layers) * len(samples)
    plot = figure(PANEL_INCHES * width + SIDE_INCHES, height * lines + SIDE_INCHES / 2)
    draw_layer_lines(plot, samples, layers, label=label, difference=difference)
    return plot


def draw_layer_lines(
    plot: Figure | SubFigure,
    samples: Mapping[str, Columns],
    layers: Sequence[Layer],
    *,
    label: str,
    difference: bool = False,
) -> None:
    """Draw ``layer_lines`` into a figure, or into a part of one."""
    lines = len(layers) * len(samples)
    width = max(len(columns) for columns in samples.values())
    grid = plot.subplots(lines, width, squeeze=False, sharex=True)
    for number, layer in enumerate(layers):
        own = grid[number * len(samples) : (number + 1) * len(samples)]
        _draw_layer(plot, own, samples, layer, label=label, difference=difference)
    for line, columns in zip(grid, samples.values(), strict=False):
        for axes, (title, _) in zip(line, columns, strict=True):
            axes.set_title(title, fontsize=TEXT_POINTS, color=INK)
    # An axis that is not there costs nothing: ticks inside a grid take most of the time.
    for axes in grid[:-1].flat:
        axes.xaxis.set_visible(False)
    for axes in grid[:, 1:].flat:
        axes.yaxis.set_visible(False)
    plot.supxlabel(layers[-1].axes[0], fontsize=TEXT_POINTS, color=INK)


def _draw_layer(
    plot: Figure | SubFigure,
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
            artist = show(axes, image, layer, scale, colours=colours, masked=not difference)
            axes.set_aspect("auto")
            if not difference and not image.any():
                axes.text(0.5, 0.5, "dark", transform=axes.transAxes, ha="center", color=INK)
        parts = (layer.name, name, layer.axes[1])
        line[0].set_ylabel("\n".join(filter(None, parts)), fontsize=TEXT_POINTS, color=INK)
    if difference or np.any(images):
        colour_bar(plot, artist, list(grid.ravel()), label)


def _scale(images: Values, *, difference: bool) -> Normalize:
    """Log colours, or colours around zero.  (samples, columns, nx, ny)"""
    from matplotlib.colors import TwoSlopeNorm

    if not difference:
        return log_scale(images)
    largest = float(np.abs(images).max()) or 1.0
    return TwoSlopeNorm(0, -largest, largest)
