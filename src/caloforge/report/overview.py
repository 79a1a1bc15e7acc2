"""One figure of what is in a file of showers: some showers, mean images, spectra.

Shapes: N rows, K cells, L layers, P particles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector, Layer
from caloforge.io.productions import open_showers
from caloforge.io.showers import ShowerFile
from caloforge.report.figures import binned_mean, labelled
from caloforge.report.images import draw_layer_lines
from caloforge.report.style import COLOUR_MAP, INK, REAL_EDGE, REAL_FILL, TEXT_POINTS, figure
from caloforge.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Values = NDArray[np.float64]

WIDTH_INCHES, IMAGE_INCHES, PANEL_INCHES = 10.0, 1.75, 2.7
MOST_LAYERS = 5
MOST_POINTS = 5000
STEEP = 30
"""Ratio of the highest to a usual value from which an axis is logarithmic."""
SHOWERS = 4
PARTICLE_QUANTILES = (0.5, 0.9)
"""Of the mean total: the particles of which repeats are drawn."""
ROW_QUANTILES = (0.2, 0.5, 0.8, 0.95)
"""Of the total: the showers that are drawn where particles have no repeats."""
BINS, ENERGY_BINS = 50, 12


@dataclass(frozen=True)
class _Walk:
    """What one walk through the cells gives."""

    total: Values
    """(N,)"""
    mean: Values
    """(K,)"""
    by_layer: Values
    """Mean sum of each layer.  (L,)"""
    some: Values
    """Cells of some rows, evenly spaced.  (n, K)"""


def overview(path: Path, *, reporter: Reporter = SILENT) -> Figure:
    """A figure of a file of showers, or of a production, larger than memory or not.

    Args:
        path: Showers in our format.
        reporter: Shows how far the walk through the file is.

    Returns:
        The figure: some showers, their mean image and spectra.

    Raises:
        DataError: The file is none of ours, damaged, newer, or of another detector.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> plot = overview(sample_path("alice_zp"))
    """
    with open_showers(path) as file:
        walk = _walk(file, reporter)
        return _draw_points(file, walk) if file.detector.signed else _draw_showers(file, walk)


def _walk(file: ShowerFile, reporter: Reporter) -> _Walk:
    detector = file.detector
    sums = np.zeros(detector.cells)
    every = -(-len(file) // MOST_POINTS)
    totals, some, first = [], [], 0
    with reporter.progress("read", len(file)) as advance:
        for chunk in file.chunks():
            sums += chunk.cells.sum(axis=0, dtype=np.float64)
            totals.append(chunk.total())
            if detector.signed:
                some.append(chunk.cells[-first % every :: every])
            first += len(chunk)
            advance(len(chunk))
    mean = sums / len(file)
    by_layer = np.add.reduceat(mean, detector.offsets()[:-1])
    cells = np.concatenate(some).astype(float) if some else np.zeros((0, detector.cells))
    return _Walk(np.concatenate(totals), mean, by_layer, cells)


def _draw_showers(file: ShowerFile, walk: _Walk) -> Figure:
    detector = file.detector
    layers = _some(detector.layers)
    images = IMAGE_INCHES * len(layers) + 0.4
    plot = figure(WIDTH_INCHES, images + 2 * PANEL_INCHES + 0.4)
    parts = plot.subfigures(2, 1, squeeze=False, height_ratios=(images, 2 * PANEL_INCHES))
    upper, lower = parts.ravel()
    rows = _rows_to_draw(file, walk.total)
    columns = [(f"mean of {len(file)}", _images(detector, walk.mean))]
    for name, row in rows:
        title = f"{name}\n{walk.total[row]:.4g} {_unit(detector)}"
        columns.append((title, _images(detector, file.cells(row, row + 1)[0])))
    draw_layer_lines(upper, {"": columns}, layers, label=_cell_label(detector))
    spectrum, energies, response, last = lower.subplots(2, 2).ravel()
    _histogram(spectrum, walk.total, f"total [{_unit(detector)}]", "showers")
    _particles(energies, file)
    _response(response, file, walk.total)
    if (file.groups().counts > 1).any():
        _spreads(last, lower, file, walk.total)
    else:
        _by_layer(last, detector, walk.by_layer)
    _title(plot, file)
    return plot


def _some(layers: Sequence[Layer]) -> list[Layer]:
    """All layers, or some of many, evenly spaced."""
    places = np.linspace(0, len(layers) - 1, min(MOST_LAYERS, len(layers))).round().astype(int)
    return [layers[place] for place in places]


def _images(detector: Detector, cells: NDArray[np.floating]) -> dict[str, Values]:
    return {name: image[0] for name, image in detector.split(cells[None].astype(float)).items()}


def _rows_to_draw(file: ShowerFile, total: Values) -> list[tuple[str, int]]:
    """Titles and rows: two showers each of two particles, or showers at quantiles of the total."""
    groups = file.groups()
    repeated = np.flatnonzero(groups.counts > 1)
    if len(repeated) >= len(PARTICLE_QUANTILES):
        means = np.add.reduceat(total, groups.starts)[repeated] / groups.counts[repeated]
        particles = repeated[_at_quantiles(means, PARTICLE_QUANTILES)]
        return [
            (f"particle {groups.ids[one]}, shower {shower + 1}", int(groups.starts[one]) + shower)
            for one in particles
            for shower in range(SHOWERS // len(PARTICLE_QUANTILES))
        ]
    return [(f"row {row}", int(row)) for row in _at_quantiles(total, ROW_QUANTILES)]


def _at_quantiles(values: Values, quantiles: Sequence[float]) -> NDArray[np.int64]:
    """Places of the values at quantiles of those that are not dark."""
    order = np.argsort(values, kind="stable")
    order = order[np.count_nonzero(values <= 0) :] if (values > 0).any() else order
    return order[(np.array(quantiles) * (len(order) - 1)).round().astype(int)]


def _unit(detector: Detector) -> str:
    return detector.quantity if detector.counts else detector.unit


def _cell_label(detector: Detector) -> str:
    return f"{detector.quantity} in a cell" + ("" if detector.counts else f" [{detector.unit}]")


def _energy(file: ShowerFile) -> tuple[str, Values]:
    """The condition that is an energy, or the first one: its label and values.  (N,)"""
    conditions = file.detector.conditions
    energy = next((c for c in conditions if c.unit == "GeV"), conditions[0])
    return f"{energy.name} [{energy.unit}]", file.conditions[:, file.detector.column(energy.name)]


def _histogram(axes: Axes, values: Values, x: str, y: str) -> None:
    counts, edges = np.histogram(values, BINS)
    axes.stairs(counts, edges, fill=True, color=REAL_FILL)
    axes.stairs(counts, edges, color=REAL_EDGE, linewidth=0.9)
    _scale(axes, counts)
    labelled(axes, x, y)


def _scale(axes: Axes, counts: NDArray[np.integer]) -> None:
    """Logarithmic where most bins would be invisible otherwise."""
    if counts.max() > STEEP * np.median(counts):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    else:
        axes.set_ylim(bottom=0, top=1.2 * counts.max())


def _particles(axes: Axes, file: ShowerFile) -> None:
    """Energies of the particles, by type where the file tells it."""
    label, energy = _energy(file)
    starts = file.groups().starts
    types = np.zeros(len(starts), int) if file.pdg is None else file.pdg[starts]
    kinds, counts = np.unique(types, return_counts=True)
    edges = np.histogram_bin_edges(energy[starts], BINS)
    for kind in kinds[np.argsort(-counts, kind="stable")][:MOST_LAYERS]:
        kind_label = None if file.pdg is None else f"PDG {kind}"
        axes.stairs(np.histogram(energy[starts][types == kind], edges)[0], edges, label=kind_label)
    _scale(axes, np.histogram(energy[starts], edges)[0])
    if file.pdg is not None:
        axes.legend(frameon=False, fontsize=TEXT_POINTS - 1, labelcolor=INK)
    labelled(axes, label, "particles")


def _response(axes: Axes, file: ShowerFile, total: Values) -> None:
    label, energy = _energy(file)
    what = f"total [{_unit(file.detector)}]"
    if file.detector.energy is not None and (energy > 0).all():
        total, what = total / energy, f"total / {label.partition(' ')[0]}"
    rows = np.linspace(0, len(total) - 1, min(MOST_POINTS, len(total))).round().astype(int)
    axes.plot(energy[rows], total[rows], ".", color=REAL_FILL, markersize=2, rasterized=True)
    edges = np.unique(np.quantile(energy, np.linspace(0, 1, ENERGY_BINS + 1)))
    if len(edges) > 1:
        axes.errorbar(*binned_mean(energy, total, edges), fmt="o-", color=INK, markersize=3)
    labelled(axes, label, f"{what}; mean in black")


def _spreads(axes: Axes, plot: SubFigure, file: ShowerFile, total: Values) -> None:
    """Standard deviation of the total over the repeats of each particle, against its mean."""
    groups = file.groups()
    mean = np.add.reduceat(total, groups.starts) / groups.counts
    square = np.add.reduceat((total - np.repeat(mean, groups.counts)) ** 2, groups.starts)
    sigma = np.sqrt(square / np.maximum(groups.counts - 1, 1))
    lit = (groups.counts > 1) & (mean > 0) & (sigma > 0)
    unit = _unit(file.detector)
    label, energy = _energy(file)
    points = axes.scatter(
        mean[lit], sigma[lit], c=energy[groups.starts][lit], s=9, cmap=COLOUR_MAP, linewidths=0
    )
    if lit.any():
        axes.set(xscale="log", yscale="log")
        bar = plot.colorbar(points, ax=axes, fraction=0.05, pad=0.02)
        bar.set_label(label, fontsize=TEXT_POINTS, color=INK)
        bar.ax.tick_params(labelsize=TEXT_POINTS - 1, colors=INK)
    labelled(axes, f"mean total of a particle [{unit}]", f"its standard deviation [{unit}]")


def _by_layer(axes: Axes, detector: Detector, sums: Values) -> None:
    """Mean sum of each layer."""
    places = np.arange(len(sums))
    axes.bar(places, sums, color=REAL_FILL, edgecolor=REAL_EDGE)
    if len(sums) <= 2 * MOST_LAYERS:
        axes.set_xticks(places, [layer.name for layer in detector.layers])
    if (sums > 0).all() and sums.max() > STEEP * sums.min():
        axes.set_yscale("log")
    labelled(axes, "layer", f"mean sum [{_unit(detector)}]")


def _draw_points(file: ShowerFile, walk: _Walk) -> Figure:
    """Cells that are coordinates: where points lie, and their distributions."""
    detector = file.detector
    cells = walk.some
    plot = figure(WIDTH_INCHES, 4.2)
    grid = plot.subplots(1, 2)
    unit = "" if detector.unit == "1" else f" [{detector.unit}]"
    names = [f"{layer.name}{unit}" for layer in detector.layers]
    grid[0].plot(cells[:, 0], cells[:, -1], ".", color=REAL_EDGE, markersize=3, rasterized=True)
    grid[0].set_aspect("equal", "datalim")
    labelled(grid[0], names[0], names[-1])
    for name, column in zip(names[:MOST_LAYERS], cells.T, strict=False):
        grid[1].hist(column, BINS, histtype="step", label=name)
    grid[1].legend(frameon=False, fontsize=TEXT_POINTS, labelcolor=INK)
    labelled(grid[1], f"coordinate{unit}", "rows")
    _title(plot, file)
    return plot


def _title(plot: Figure, file: ShowerFile) -> None:
    detector = file.detector
    what = "rows" if detector.signed else "showers"
    count = f"{len(file)} {what} of {len(file.groups())} particles"
    plot.suptitle(f"{detector.title}: {count}", fontsize=TEXT_POINTS + 1, color=INK)
