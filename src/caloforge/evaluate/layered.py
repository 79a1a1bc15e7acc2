"""Longitudinal and lateral shapes of a calorimeter with layers: ours, and CaloGAN's by name.

Shapes: N showers, K cells, layers d = 0, 1, 2 from the front.

arXiv:1712.10321, Table 1 and calo.md c3. With E_d the energy of a layer and E their sum:
f_d = E_d / E; depth = last layer with energy; l_d = sum d E_d; s_d = l_d / E;
sigma_s = sqrt(sum d^2 E_d / E - s_d^2); E_ratio = (first - second) / (first + second) hottest cell;
lateral width = sqrt(<H^2> - <H>^2) along one axis. Ours takes the true middle of each cell, along
both axes; the authors take ``linspace(-240, 240, n)`` along axis 0 and call occupancy sparsity.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector, Layer
from caloforge.evaluate.layout import LayerCells, Layout
from caloforge.evaluate.observable import Observable, mean_over_cells, ratio
from caloforge.evaluate.shapes import total

Values = NDArray[np.float64]
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
    """The 20 shower shapes of CaloGAN, by the authors' names and definitions."""
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
    sums: Values = _of(cells, layout, layer).sum(axis=1)
    return sums


def fraction(cells: Values, layout: Layout, *, layer: int) -> Values:
    """Energy of a layer over the total, NaN for an empty shower.  (N,)"""
    return ratio(layer_sum(cells, layout, layer=layer), total(cells, layout))


def layer_occupancy(cells: Values, layout: Layout, *, layer: int) -> Values:
    """Fraction of the cells of a layer that are lit.  (N,)"""
    lit: Values = (_of(cells, layout, layer) > 0).mean(axis=1)
    return lit


def hottest_pair(cells: Values, layout: Layout, *, layer: int) -> Values:
    """(first - second) / (first + second) of the hottest cells; NaN for a dark layer.  (N,)"""
    first, second = _hottest(_of(cells, layout, layer))
    return ratio(first - second, first + second)


def their_pair(cells: Values, layout: Layout, *, layer: int) -> Values:
    """As CaloGAN computes it: 0, not undefined, for a dark layer.  (N,)"""
    first, second = _hottest(_of(cells, layout, layer))
    quotient: Values = (first - second) / (first + second + CALOGAN_EPSILON)
    return quotient


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
    sums: Values = _energies(cells, layout) @ np.arange(len(layout.layers), dtype=np.float64)
    return sums


def mean_depth(cells: Values, layout: Layout) -> Values:
    """s_d = l_d / E, NaN for an empty shower.  (N,)"""
    return ratio(depth_weighted(cells, layout), total(cells, layout))


def depth_width(cells: Values, layout: Layout) -> Values:
    """Standard deviation of the depth, NaN for an empty shower.  (N,)"""
    return _deviation(_energies(cells, layout), np.arange(len(layout.layers), dtype=np.float64))


def last_layer(cells: Values, layout: Layout) -> Values:
    """Number of the last layer with energy, NaN for an empty shower.  (N,)"""
    lit = _energies(cells, layout) > 0
    last = len(layout.layers) - 1 - np.argmax(lit[:, ::-1], axis=1)
    return np.where(lit.any(axis=1), last.astype(np.float64), np.nan)


def _of(cells: Values, layout: Layout, layer: int) -> Values:
    return cells[:, layout.layers[layer].cells]


def _centre(cells: Values, layer: LayerCells, axis: str) -> Values:
    return mean_over_cells(cells[:, layer.cells], layer.x_mm if axis == "x" else layer.y_mm)


def _energies(cells: Values, layout: Layout) -> Values:
    """Energy of each layer.  (N, layers)"""
    return np.stack([cells[:, layer.cells].sum(axis=1) for layer in layout.layers], axis=1)


def _hottest(cells: Values) -> tuple[Values, Values]:
    top = np.partition(cells, -2, axis=1)[:, -2:]
    return top[:, 1], top[:, 0]


def _deviation(weights: Values, at: Values) -> Values:
    """Standard deviation of a place, weighted by the response; NaN without any.  (N,)"""
    square = mean_over_cells(weights, at**2) - mean_over_cells(weights, at) ** 2
    return np.sqrt(np.maximum(square, 0))
