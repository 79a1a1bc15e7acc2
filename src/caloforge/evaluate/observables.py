"""Observables: channel sums and shower shapes, from the cells and the detector alone.

Shapes: N showers, K cells of all layers, flat (a cell [x][y] of a layer (nx, ny) has number
``x * ny + y``), c channels, r rings; layers d = 0, 1, 2 from the front.

A new observable is one function and one row of ``SHAPES``, ``TOWERS`` or ``layered``; metrics, the
gate, tables and pictures take it from there.

Layered detectors have our shapes and those of CaloGAN by name (arXiv:1712.10321, Table 1): with E_d
the energy of a layer and E their sum, f_d = E_d / E; depth = last layer with energy;
l_d = sum d E_d; s_d = l_d / E; sigma_s = sqrt(sum d^2 E_d / E - s_d^2);
E_ratio = (first - second) / (first + second) hottest cell; lateral width = sqrt(<H^2> - <H>^2)
along one axis. Ours takes the true middle of each cell, along both axes; the authors take
``linspace(-240, 240, n)`` along axis 0 and call occupancy sparsity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.detector import Detector, Layer
from caloforge.detector.readout import Channels

Values = NDArray[np.float64]
COMMON = "common"
LEAST_TOWERS = 4
LEAST_DIVISOR = 1e-30


@dataclass(frozen=True)
class LayerCells:
    """The cells of one layer: where they stand in a flat shower, and in space."""

    name: str
    cells: slice
    shape: tuple[int, int]
    x_mm: Values
    """From the middle of the layer, (n,)."""
    y_mm: Values


@dataclass(frozen=True)
class Layout:
    """Cells of all layers in the order of a flat shower."""

    x_mm: Values
    """From the middle of their layer, (K,)."""
    y_mm: Values
    layers: tuple[LayerCells, ...]
    common: NDArray[np.bool_] | None
    """Cells of the common channel of a ZDC, (K,); None where the detector has none."""
    towers: Values | None
    """Membership of cells in the towers of a ZDC, (K, towers)."""
    tower_mm: Values | None
    """Middle of each tower, (towers, 2)."""


def layout_of(detector: Detector) -> Layout:
    """The layout of a detector; towers and common cells by its default scheme."""
    starts = detector.offsets()
    layers = []
    for layer, start in zip(detector.layers, starts, strict=False):
        x, y = layer.places_mm()
        flat = slice(start, start + layer.cells)
        layers.append(LayerCells(layer.name, flat, layer.shape, x.ravel(), y.ravel()))
    x, y = (np.concatenate([getattr(layer, axis) for layer in layers]) for axis in ("x_mm", "y_mm"))
    return Layout(x, y, tuple(layers), *_towers(detector.channels[:1], x, y))


def _towers(
    default: tuple[Channels, ...], x: Values, y: Values
) -> tuple[NDArray[np.bool_] | None, Values | None, Values | None]:
    """Common cells, towers and their middles, None for a detector that is no ZDC."""
    scheme = next((s for s in default if COMMON in s.labels), None)
    if scheme is None or len(scheme.labels) <= LEAST_TOWERS:
        return None, None, None
    number = scheme.labels.index(COMMON)
    members = np.delete(scheme.matrix.astype(np.float64), number, axis=1)
    middles = np.stack([members.T @ x, members.T @ y], axis=1) / members.sum(axis=0)[:, None]
    return np.asarray(scheme.of_cell) == number, members, middles


@dataclass(frozen=True)
class Observable:
    """One number of a shower; NaN where the shower does not have it."""

    name: str
    title: str
    unit: str | None
    """None: the unit of the detector."""
    of: Callable[[Values, Layout], Values]
    """(N, K) -> (N,)"""


def mean_over_cells(cells: Values, of_cell: Values) -> Values:
    """Mean of a number of the cells, weighted by the response; NaN without any.  (N,)"""
    return ratio(cells @ of_cell, cells.sum(axis=1))


def ratio(above: Values, below: Values) -> Values:
    """Quotient, NaN where ``below`` is not positive."""
    return _divided(above, below, lambda size: size > LEAST_DIVISOR)


def quotient(above: Values, below: Values) -> Values:
    """Quotient of signed numbers, NaN where it would divide by zero."""
    return _divided(above, below, lambda size: size != 0)


def _divided(above: Values, below: Values, possible: Callable[[Values], NDArray[Any]]) -> Values:
    above, below = np.broadcast_arrays(above, below)
    result: Values = np.full(above.shape, np.nan)
    np.divide(above, below, out=result, where=possible(below))
    return result


CENTROID_POWER = 0.395
"""Weight of a tower in the centroid is its sum to this power, as ALICE reconstructs it."""


def total(cells: Values, layout: Layout) -> Values:
    """Sum over all cells.  (N,)"""
    return cells.sum(axis=1)


def empty(cells: Values, layout: Layout) -> Values:
    """1 where no cell is lit, else 0; its mean is the fraction of empty showers.  (N,)"""
    return np.where(cells.any(axis=1), 0.0, 1.0)


def centre_x(cells: Values, layout: Layout) -> Values:
    """Mean x of the response in mm, NaN for an empty shower.  (N,)"""
    return mean_over_cells(cells, layout.x_mm)


def centre_y(cells: Values, layout: Layout) -> Values:
    """Mean y of the response in mm, NaN for an empty shower.  (N,)"""
    return mean_over_cells(cells, layout.y_mm)


def width(cells: Values, layout: Layout) -> Values:
    """Root mean square distance from the centre in mm, NaN for an empty shower.  (N,)"""
    squares = mean_over_cells(cells, layout.x_mm**2 + layout.y_mm**2)
    centre = centre_x(cells, layout) ** 2 + centre_y(cells, layout) ** 2
    return np.sqrt(np.maximum(squares - centre, 0))


def occupancy(cells: Values, layout: Layout) -> Values:
    """Fraction of the cells that are lit.  (N,)

    CaloGAN calls it sparsity; the CaloChallenge calls one minus it sparsity.
    """
    return (cells != 0).mean(axis=1)


def hottest(cells: Values, layout: Layout) -> Values:
    """Fraction of the total that the brightest cell holds, NaN for an empty shower.  (N,)"""
    return ratio(cells.max(axis=1), cells.sum(axis=1))


def common_over_towers(cells: Values, layout: Layout) -> Values:
    """Light of the common fibres over that of all towers, NaN without tower light.  (N,)

    A generator with checkerboard artefacts gets this wrong: the common channel is every other cell.
    """
    if layout.common is None:
        return np.full(len(cells), np.nan)
    common = cells[:, layout.common].sum(axis=1)
    return ratio(common, cells.sum(axis=1) - common)


def centroid_x(cells: Values, layout: Layout) -> Values:
    """X of the centroid in mm that ALICE reconstructs from the tower sums.  (N,)"""
    return _centroid(cells, layout, 0)


def centroid_y(cells: Values, layout: Layout) -> Values:
    """Y of the centroid in mm that ALICE reconstructs from the tower sums.  (N,)"""
    return _centroid(cells, layout, 1)


def _centroid(cells: Values, layout: Layout, axis: int) -> Values:
    if layout.towers is None or layout.tower_mm is None:
        return np.full(len(cells), np.nan)
    weights = np.maximum(cells @ layout.towers, 0) ** CENTROID_POWER
    return ratio(weights @ layout.tower_mm[:, axis], weights.sum(axis=1))


TOTAL = Observable("total", "total", None, total)
EMPTY = Observable("empty", "empty showers", "fraction", empty)
SHAPES: tuple[Observable, ...] = (
    Observable("centre_x", "centre in x", "mm", centre_x),
    Observable("centre_y", "centre in y", "mm", centre_y),
    Observable("width", "width", "mm", width),
    Observable("occupancy", "occupancy", "fraction", occupancy),
    Observable("hottest", "hottest cell over total", "fraction", hottest),
)
TOWERS: tuple[Observable, ...] = (
    Observable("common_over_towers", "common over tower sum", "ratio", common_over_towers),
    Observable("centroid_x", "tower centroid in x", "mm", centroid_x),
    Observable("centroid_y", "tower centroid in y", "mm", centroid_y),
)
CALOGAN_HALF_WIDTH_MM = 240.0
CALOGAN_EPSILON = 1e-10


def layered(detector: Detector) -> tuple[Observable, ...]:
    """Our observables of a detector with several layers."""
    return (
        *(row for number, layer in enumerate(detector.layers) for row in _of_layer(number, layer)),
        Observable("depth", "depth (mean layer)", "layers", mean_depth),
        Observable("depth_width", "depth width", "layers", depth_width),
        Observable("last_layer", "last layer with energy", "layers", last_layer),
    )


def _of_layer(number: int, layer: Layer) -> Iterator[Observable]:
    """What one layer shows; a width only along an axis with several cells."""
    for name, title, unit, of in (
        ("fraction", "fraction in {}", "fraction", fraction),
        ("occupancy", "occupancy of {}", "fraction", layer_occupancy),
        ("hottest_pair", "hottest two cells of {}: difference over sum", "ratio", hottest_pair),
    ):
        formula = partial(of, layer=number)
        yield Observable(f"{name}_{layer.name}", title.format(layer.name), unit, formula)
    for axis in ("x", "y"):
        if layer.shape[axis == "y"] > 1:
            width = partial(lateral_width, layer=number, axis=axis)
            yield Observable(
                f"width_{axis}_{layer.name}", f"width in {axis} of {layer.name}", "mm", width
            )


def calogan(detector: Detector) -> tuple[Observable, ...]:
    """The 20 shower shapes of CaloGAN, by the authors' names and definitions.

    References:
        Paganini, de Oliveira & Nachman, arXiv:1712.10321.

    Example:
        >>> from caloforge.detectors import ATLAS_EM
        >>> [one.name for one in calogan(ATLAS_EM)][:5]
        ['E_0', 'E_1', 'E_2', 'E_tot', 'f_0']
    """
    numbers = range(len(detector.layers))
    return (
        *(Observable(f"E_{d}", f"E_{d}", None, partial(layer_sum, layer=d)) for d in numbers),
        Observable("E_tot", "E_tot", None, total),
        *(Observable(f"f_{d}", f"f_{d}", "fraction", partial(fraction, layer=d)) for d in numbers),
        Observable("d", "d", "layers", last_layer),
        *(
            Observable(f"E_ratio_{d}", f"E_ratio,{d}", "ratio", partial(their_pair, layer=d))
            for d in numbers
        ),
        Observable("l_d", "l_d", None, depth_weighted),
        Observable("s_d", "s_d", "layers", mean_depth),
        Observable("sigma_s_d", "sigma_s_d", "layers", depth_width),
        *(
            Observable(f"sigma_{d}", f"sigma_{d}", "mm", partial(their_width, layer=d))
            for d in numbers
        ),
        *(
            Observable(
                f"sparsity_{d}", f"sparsity_{d}", "fraction", partial(layer_occupancy, layer=d)
            )
            for d in numbers
        ),
    )


def layer_sum(cells: Values, layout: Layout, *, layer: int) -> Values:
    """Energy of a layer.  (N,)"""
    return _of(cells, layout, layer).sum(axis=1)


def fraction(cells: Values, layout: Layout, *, layer: int) -> Values:
    """Energy of a layer over the total, NaN for an empty shower.  (N,)"""
    return ratio(layer_sum(cells, layout, layer=layer), total(cells, layout))


def layer_occupancy(cells: Values, layout: Layout, *, layer: int) -> Values:
    """Fraction of the cells of a layer that are lit.  (N,)"""
    return (_of(cells, layout, layer) > 0).mean(axis=1)


def hottest_pair(cells: Values, layout: Layout, *, layer: int) -> Values:
    """(first - second) / (first + second) of the hottest cells; NaN for a dark layer.  (N,)"""
    first, second = hottest_cells(_of(cells, layout, layer), 2).T
    return ratio(first - second, first + second)


def their_pair(cells: Values, layout: Layout, *, layer: int) -> Values:
    """As CaloGAN computes it: 0, not undefined, for a dark layer.  (N,)"""
    first, second = hottest_cells(_of(cells, layout, layer), 2).T
    return (first - second) / (first + second + CALOGAN_EPSILON)


def lateral_width(cells: Values, layout: Layout, *, layer: int, axis: str) -> Values:
    """Standard deviation of the response along an axis in mm, NaN for a dark layer.  (N,)"""
    places: LayerCells = layout.layers[layer]
    return _deviation(cells[:, places.cells], places.x_mm if axis == "x" else places.y_mm)


def their_width(cells: Values, layout: Layout, *, layer: int) -> Values:
    """As CaloGAN computes it: axis 0, places ``linspace(-240, 240, n)``.  (N,)"""
    places = layout.layers[layer]
    rows, columns = places.shape
    at = np.linspace(-CALOGAN_HALF_WIDTH_MM, CALOGAN_HALF_WIDTH_MM, rows)
    return _deviation(cells[:, places.cells], np.repeat(at, columns))


def shift(cells: Values, layout: Layout, *, layers: tuple[int, int], axis: str) -> Values:
    """Centre of the second layer minus that of the first, in mm; NaN if one is dark.  (N,)"""
    first, second = (layout.layers[number] for number in layers)
    return _centre(cells, second, axis) - _centre(cells, first, axis)


def depth_weighted(cells: Values, layout: Layout) -> Values:
    """l_d = sum over layers of d E_d.  (N,)"""
    return _energies(cells, layout) @ np.arange(len(layout.layers), dtype=np.float64)


def mean_depth(cells: Values, layout: Layout) -> Values:
    """s_d = l_d / E, NaN for an empty shower.  (N,)"""
    return ratio(depth_weighted(cells, layout), total(cells, layout))


def depth_width(cells: Values, layout: Layout) -> Values:
    """Standard deviation of the depth, NaN for an empty shower.  (N,)"""
    return _deviation(_energies(cells, layout), np.arange(len(layout.layers), dtype=np.float64))


def last_layer(cells: Values, layout: Layout) -> Values:
    """Number of the last layer with energy, NaN for an empty shower.  (N,)"""
    nonzero = _energies(cells, layout) > 0
    last = len(layout.layers) - 1 - np.argmax(nonzero[:, ::-1], axis=1)
    return np.where(nonzero.any(axis=1), last.astype(np.float64), np.nan)


def _of(cells: Values, layout: Layout, layer: int) -> Values:
    return cells[:, layout.layers[layer].cells]


def _centre(cells: Values, layer: LayerCells, axis: str) -> Values:
    return mean_over_cells(cells[:, layer.cells], layer.x_mm if axis == "x" else layer.y_mm)


def _energies(cells: Values, layout: Layout) -> Values:
    """Energy of each layer.  (N, layers)"""
    return np.stack([cells[:, layer.cells].sum(axis=1) for layer in layout.layers], axis=1)


def hottest_cells(cells: Values, count: int) -> Values:
    """Contents of the hottest cells of each shower, in falling order.  (N, K) -> (N, count)

    Maxima one by one: np.partition takes fifty times as long where most cells are zero. Cells that
    a layer does not have are dark.
    """
    cells, rows = cells.copy(), np.arange(len(cells))
    hottest = np.zeros((len(cells), count))
    for rank in range(min(count, cells.shape[1])):
        at = cells.argmax(axis=1)
        hottest[:, rank] = cells[rows, at]
        cells[rows, at] = -np.inf
    return hottest


def _deviation(weights: Values, at: Values) -> Values:
    """Standard deviation of a place, weighted by the response; NaN without any.  (N,)"""
    square = mean_over_cells(weights, at**2) - mean_over_cells(weights, at) ** 2
    return np.sqrt(np.maximum(square, 0))


PROFILE_ROWS_AT_ONCE = 256
RINGS = 16


def ring_edges(layout: Layout) -> Values:
    """Edges of rings of equal width, out to half the face, in mm.  (r + 1,)"""
    half = min(np.ptp(layout.x_mm), np.ptp(layout.y_mm)) / 2 or 1.0
    return np.linspace(0, half, RINGS + 1)


def radial_profile(cells: NDArray[Any], layout: Layout, edges_mm: Values) -> Values:
    """Part of the response in each ring about the centre of the shower.  (N, K) -> (N, r)

    NaN for empty showers; what lies beyond the last ring is not in any.
    """
    profile = np.empty((len(cells), len(edges_mm) - 1))
    for start in range(0, len(cells), PROFILE_ROWS_AT_ONCE):
        block = np.asarray(cells[start : start + PROFILE_ROWS_AT_ONCE], dtype=np.float64)
        away = np.hypot(
            layout.x_mm - centre_x(block, layout)[:, None],
            layout.y_mm - centre_y(block, layout)[:, None],
        )
        total = block.sum(axis=1)
        for ring, (low, high) in enumerate(pairwise(edges_mm)):
            inside = (block * ((away >= low) & (away < high))).sum(axis=1)
            profile[start : start + len(block), ring] = np.divide(
                inside, total, out=np.full(len(block), np.nan), where=total > 0
            )
    return profile


ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Observed:
    """Observables of showers, next to the cells they come from."""

    cells: NDArray[Any]
    channels: Values
    """Channel sums by one scheme, (N, c)."""
    values: Mapping[str, Values]
    """By the name of the observable, (N,) each."""
    texture: Mapping[str, Values] = field(default_factory=dict)
    """The same of the observables of ``texture``."""


def exactly(cells: Values, layout: Layout, *, photons: int) -> Values:
    """Number of cells with exactly so many photons.  (N,)"""
    return (cells == photons).sum(axis=1).astype(np.float64)


def brightest(cells: Values, layout: Layout, *, rank: int) -> Values:
    """Fraction of the total in the cell of that rank, 1 the hottest; NaN when empty.  (N,)"""
    if cells.shape[1] < rank:
        return np.full(len(cells), np.nan)
    return ratio(hottest_cells(cells, rank)[:, -1], cells.sum(axis=1))


def sum_of_squares(cells: Values, layout: Layout) -> Values:
    """Sum of the squared fractions of the cells, NaN for an empty shower.  (N,)"""
    return ratio((cells**2).sum(axis=1), total(cells, layout) ** 2)


def neighbour_product(cells: Values, layout: Layout) -> Values:
    """Sum of the products of the fractions of neighbouring cells, NaN when empty.  (N,)"""
    products = np.zeros(len(cells))
    for layer in layout.layers:
        images = cells[:, layer.cells].reshape(-1, *layer.shape)
        products += (images[:, 1:] * images[:, :-1]).sum(axis=(1, 2))
        products += (images[:, :, 1:] * images[:, :, :-1]).sum(axis=(1, 2))
    return ratio(products, total(cells, layout) ** 2)


PHOTONS = (1, 2, 3)
RANKS = (2, 3, 4, 5)


def texture(detector: Detector) -> tuple[Observable, ...]:
    """How the response is spread over single cells: what independent cells get wrong.

    They stand beside ``observables`` in tables and classifiers; distances of all observables, the
    gate and the training score do without them.
    """
    return tuple(_texture(detector))


def _texture(detector: Detector) -> Iterator[Observable]:
    if detector.signed:
        return
    for photons in PHOTONS if detector.counts else ():
        title = f"number of cells with a count of {photons}"
        of = partial(exactly, photons=photons)
        yield Observable(f"cells_{photons}", title, "cells", of)
    for rank in RANKS:
        title = f"hottest cell number {rank} over total"
        yield Observable(f"hottest_{rank}", title, "fraction", partial(brightest, rank=rank))
    yield Observable("squares", "sum of squared fractions", "fraction", sum_of_squares)
    title = "products of neighbouring fractions"
    yield Observable("neighbours", title, "fraction", neighbour_product)


def observables(detector: Detector) -> tuple[Observable, ...]:
    """What a detector lets one see, by its layers and towers; ``empty`` is the last one.

    Example:
        >>> from caloforge.detectors import ALICE_ZN
        >>> [one.name for one in observables(ALICE_ZN)][:4]
        ['total', 'centre_x', 'centre_y', 'width']
    """
    return tuple(_chosen(detector))


def _chosen(detector: Detector) -> Iterator[Observable]:
    yield TOTAL
    if not detector.signed:
        yield from SHAPES
        if layout_of(detector).common is not None:
            yield from TOWERS
        if len(detector.layers) > 1:
            yield from layered(detector)
    yield EMPTY


def observe(showers: Showers, scheme: str | None = None) -> Observed:
    """Channel sums and all observables of showers.  (N, K) -> (N, c) and (N,) each

    Args:
        showers: N showers.
        scheme: Read-out scheme of the channel sums; default: that of the detector.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("alice_zp"))
        >>> observed = observe(showers.rows(slice(3)))
        >>> observed.channels.shape, observed.values["width"].shape
        ((3, 5), (3,))
    """
    detector = showers.detector
    return Observed(
        cells=showers.cells,
        channels=detector.read_out(showers.cells, scheme),
        values=values_of(showers.cells, observables(detector), layout := layout_of(detector)),
        texture=values_of(showers.cells, texture(detector), layout),
    )


def values_of(
    cells: NDArray[Any], quantities: tuple[Observable, ...], layout: Layout
) -> dict[str, Values]:
    """Observables of bare cells, block by block.  (N, K) -> (N,) each"""
    columns: dict[str, list[Values]] = {observable.name: [] for observable in quantities}
    for start in range(0, max(1, len(cells)), ROWS_AT_ONCE):
        block = np.asarray(cells[start : start + ROWS_AT_ONCE], dtype=np.float64)
        for observable in quantities:
            columns[observable.name].append(observable.of(block, layout))
    return {name: np.concatenate(parts) for name, parts in columns.items()}
