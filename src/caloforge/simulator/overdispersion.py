"""How far counts are clumped, read off the repeats of training showers.

Shapes: N showers, P particles with R repeats, a layer (nx, ny). What a network makes is smooth: the
rates of neighbouring cells rise and fall together from shower to shower. Clumps do not cross cells.
So
of the variance of a cell over the showers of one particle, the part that its neighbours do not
share belongs to the law of counts, as the nugget of a variogram. It is the variance of the bend
b = x_i - (x_left + x_right) / 2, which is v_i + (v_left + v_right) / 4 where cells are independent;
a slope of the rates along three cells leaves no trace in it.

References:
    G. Matheron (1963), Economic Geology 58, 1246: variogram and nugget.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.simulator.sampling import NegativeBinomial

Array = NDArray[np.float64]
EDGES = np.geomspace(0.02, 64.0, 24)
"""Of the bins of mean counts; below, repeats tell little, above are few cells."""
FEWEST_REPEATS = 4
FEWEST_CELLS = 200
"""Cells that a bin must have."""


def read_off(
    detector: Detector, cells: NDArray[np.uint16], particle: NDArray[np.int64]
) -> NegativeBinomial:
    """The negative binomial law whose variance is that of repeats, in faint cells.

    What the variance over the mean gains with the mean is fitted, too, but left to the network,
    which makes it: showers of the shipped ZN simulator, drawn by Poisson's law, have an excess of
    0.000 and a slope of 0.031, real ones 0.202 and 0.029 (154 validation particles).

    Args:
        detector: a detector of counts.
        cells: showers, rows of one particle adjacent.  (N, K)
        particle: number of the particle of each row.  (N,)

    Raises:
        UsageError: where no particle has enough repeats, or too few cells have light.
    """
    sums = np.zeros((3, len(EDGES) + 1))
    for images in _images_of_particles(detector, cells, particle):
        for other, *sums_of_half in _bends(images):
            bins = np.digitize(other, EDGES)
            for row, values in zip(sums, (np.ones_like(other), *sums_of_half), strict=True):
                row += np.bincount(bins, values, len(EDGES) + 1)
    number, means, nuggets = sums[:, 1:-1]
    usable = (number >= FEWEST_CELLS) & (means > 0)
    if not usable.any():
        raise UsageError(
            f"too few repeats of {detector.name} to read clumps off (at least {FEWEST_REPEATS} "
            "showers of each particle): give sampling.excess a number, or set sampling=poisson"
        )
    mean, excess = means[usable] / number[usable], nuggets[usable] / means[usable] - 1
    constant, _ = _fitted(mean, excess, number[usable])
    return NegativeBinomial(excess=round(constant, 4))


def _fitted(mean: Array, excess: Array, number: Array) -> tuple[float, float]:
    """Least squares of excess + slope mean, neither of them negative.  (bins,) each"""
    from scipy.optimize import nnls

    spread = 1 + np.maximum(excess, 0)
    width = np.sqrt((2 * spread**2 + spread / mean) / number)
    terms = np.stack([np.ones_like(mean), mean], axis=1)
    (constant, slope), _ = nnls(terms / width[:, None], excess / width)
    return float(constant), float(slope)


def _images_of_particles(
    detector: Detector, cells: NDArray[np.uint16], particle: NDArray[np.int64]
) -> Iterator[Array]:
    """Images of one layer of all repeats of one particle.  (R, nx, ny) each"""
    starts = np.flatnonzero(np.r_[True, particle[1:] != particle[:-1], True])
    for first, last in pairwise(starts):
        if last - first >= FEWEST_REPEATS:
            yield from detector.split(cells[first:last].astype(np.float64)).values()


def _bends(images: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Of cells between two others: mean in other repeats, mean, variance of the bend.  (M,) each

    The mean of other repeats decides the bin: bright accidents would else choose their own.
    """
    halves = (images[0::2], images[1::2])
    for other, own in (halves, halves[::-1]):
        around, mean = other.mean(axis=0), own.mean(axis=0)
        away = own - mean
        for left, middle, right in THREES:
            bend = away[:, *middle] - (away[:, *left] + away[:, *right]) / 2
            variance = (bend**2).sum(axis=0) / (len(own) - 1)
            means = (t[middle] + (t[left] + t[right]) / 4 for t in (around, mean))
            other_mean, own_mean = (value.ravel() for value in means)
            yield other_mean / 1.5, own_mean / 1.5, variance.ravel() / 1.5


ALL, LEFT, MIDDLE, RIGHT = slice(None), slice(None, -2), slice(1, -1), slice(2, None)
THREES = (
    ((LEFT, ALL), (MIDDLE, ALL), (RIGHT, ALL)),
    ((ALL, LEFT), (ALL, MIDDLE), (ALL, RIGHT)),
)
"""Three cells in a row, along each axis."""
