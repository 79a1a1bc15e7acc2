"""Random numbers of a production, and the laws by which counts are drawn from expected counts.

Shapes: N showers, K cells, Z latents, P particles with R repeats, a layer (nx, ny).

Shower number i of a production belongs to block i // BLOCK, and each block has its own
counter-based streams: what a shower is depends on the seed and on its number alone, neither on the
batch size, the workers, nor on how many showers are asked for.

How far counts are clumped is read off the repeats of training showers. What a network makes is
smooth: the rates of neighbouring cells rise and fall together from shower to shower. Clumps do not
cross cells. So of the variance of a cell over the showers of one particle, the part that its
neighbours do not share belongs to the law of counts, as the nugget of a variogram. It is the
variance of the bend b = x_i - (x_left + x_right) / 2, which is v_i + (v_left + v_right) / 4 where
cells are independent; a slope of the rates along three cells leaves no trace in it.

References:
    G. Matheron (1963), Economic Geology 58, 1246: variogram and nugget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import lgamma, log1p
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from caloforge.detector import Detector
from caloforge.documents import Record
from caloforge.errors import DataError, UsageError
from caloforge.machine import require_seed

BLOCK = 1024
"""Showers that share one pair of streams; part of what a seed means, so it never changes."""
BATCH = 64
"""Showers at once where nothing else is asked for: no slower than more, and 30 MB smaller."""
DRAWN_ROWS = 256
"""Showers whose counts are drawn, and then written, at once; changes no shower."""
LARGEST_COUNT = np.iinfo(np.uint16).max
LARGE_RATE, LARGE_ROWS = 32.0, 64
"""Poisson rates above which most terms of the sum are negligible, and how many to sum at once."""


FAINTEST_EXCESS = 1e-6
"""A smaller one moves no probability by 10^-4; below it digits of the gamma function run out."""


class NegativeBinomial(Record):
    """Counts that come in clumps: a Poisson number of tracks, each of which gives some counts.

    The variance of a count of mean r is r (1 + excess + slope r). A negative binomial law is the
    compound of a Poisson number of clumps whose sizes follow the logarithmic law; Poisson is its
    limit of no excess.

    References:
        M. H. Quenouille (1949), Biometrics 5, 162: the compound law.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: Literal["negative-binomial"] = "negative-binomial"
    excess: float = Field(ge=0, le=100, allow_inf_nan=False)
    """Variance over mean, less one, of faint cells."""
    slope: float = Field(default=0.0, ge=0, le=10, allow_inf_nan=False)
    """What is added to it for each count of the mean."""


Sampling = Literal["rounding", "poisson", "continuous"] | NegativeBinomial
"""How rates become cells; ``continuous`` passes them through (energies, coordinates)."""


def name_of_law(sampling: Sampling) -> str:
    """Name of a law, without its numbers."""
    return sampling if isinstance(sampling, str) else sampling.law


def stream(seed: int, block: int, *use: int) -> np.random.Generator:
    """The counter-based stream of a block for one use; UsageError for a seed that is none."""
    sequence = np.random.SeedSequence(require_seed(seed), spawn_key=(block, *use))
    return np.random.Generator(np.random.Philox(sequence))


def block_streams(seed: int, block: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Streams of a block: one for its latents, one for its counts."""
    return stream(seed, block, 0), stream(seed, block, 1)


def draw_latents(rng: np.random.Generator, rows: int, size: int) -> NDArray[np.float32]:
    """Standard normal latents.  (rows, Z)"""
    return rng.standard_normal((rows, size), dtype=np.float32)


def draw_counts(
    rates: NDArray[np.float32], sampling: Sampling, rng: np.random.Generator
) -> NDArray[Any]:
    """Cells drawn from expected cells, uint16 counts or, if continuous, float32.  (N, K) -> (N, K)

    Numbers are consumed row by row, hence cutting ``rates`` into batches changes nothing. Raises
    DataError where a rate is no number or passes what uint16 holds.
    """
    top, bottom = rates.max(initial=0), rates.min(initial=0)
    limit = np.inf if sampling == "continuous" else LARGEST_COUNT
    if not (top < limit and bottom > -np.inf):
        raise DataError(
            f"the simulator expects {top} in a cell (at most {limit}); are the conditions physical?"
        )
    if isinstance(sampling, NegativeBinomial):
        return _negative_binomial(rates, sampling, rng)
    return DRAWS[sampling](rates, rng)


def _round(rates: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Stochastic rounding: up with the probability of the remainder, so its mean is the rate.

    (N, K) -> (N, K). The law of floor(rate + u), but exact for large rates, where that sum rounds.
    A number is drawn for empty cells too: it is cheaper than choosing them, and a rate that is 0
    on one processor and 1e-9 on another then leaves all other cells alone.
    """
    remainder = np.maximum(rates, 0)
    counts = remainder.astype(np.uint16)
    np.subtract(remainder, counts, out=remainder)
    counts += rng.random(rates.shape, dtype=np.float32) < remainder
    return counts


def _poisson(rates: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
    """Poisson counts by inversion: the smallest n whose cumulative probability passes u.  (N, K)

    One uniform number a cell. Most cells stop at exp(-rate), the probability of nothing, which is
    several times faster than to draw each cell by itself.
    """
    uniform = rng.random(rates.shape, dtype=np.float32)
    p_zero = np.maximum(rates, 0)
    np.exp(np.negative(p_zero, out=p_zero), out=p_zero)
    nonzero = np.flatnonzero(uniform >= p_zero)
    counts = np.zeros(rates.size, dtype=np.uint16)
    counts[nonzero] = poisson_quantile(
        uniform.ravel()[nonzero].astype(np.float64), rates.ravel()[nonzero].astype(np.float64)
    )
    return counts.reshape(rates.shape)


def _negative_binomial(
    rates: NDArray[np.float32], law: NegativeBinomial, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Counts in clumps by inversion, as Poisson counts: one uniform number a cell.  (N, K)"""
    uniform = rng.random(rates.shape, dtype=np.float32)
    p_zero = np.maximum(rates, 0)
    p_zero *= -clumps_of_a_count(p_zero, law)
    np.exp(p_zero, out=p_zero)
    nonzero = np.flatnonzero(uniform >= p_zero)
    counts = np.zeros(rates.size, dtype=np.uint16)
    counts[nonzero] = negative_binomial_quantile(
        uniform.ravel()[nonzero].astype(np.float64), rates.ravel()[nonzero].astype(np.float64), law
    )
    return counts.reshape(rates.shape)


def clumps_of_a_count(rates: NDArray[Any], law: NegativeBinomial) -> Any:
    """Expected clumps over expected counts, ln(1 + e) / e for an excess e: a number, or (N, K)."""
    if law.slope == 0:
        return log1p(law.excess) / law.excess if law.excess else 1.0
    excess = np.maximum(rates * law.slope + law.excess, np.float32(1e-3))
    return np.log(1 + excess) / excess


def poisson_quantile(level: NDArray[np.float64], rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest n with P(count <= n) > level, at most LARGEST_COUNT.  (M,), (M,) -> (M,)"""
    return quantile(level, rate, np.zeros(len(rate)))


def negative_binomial_quantile(
    level: NDArray[np.float64], rate: NDArray[np.float64], law: NegativeBinomial
) -> NDArray[np.float64]:
    """The smallest n with P(count <= n) > level, at most LARGEST_COUNT.  (M,), (M,) -> (M,)"""
    return quantile(level, rate, law.excess + law.slope * rate)


def quantile(
    level: NDArray[np.float64], rate: NDArray[np.float64], excess: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles of laws whose variance is mean (1 + excess); without one, Poisson's.  (M,)"""
    counts = np.zeros(len(rate))
    large = np.flatnonzero(rate > LARGE_RATE)
    small = np.flatnonzero(rate <= LARGE_RATE)
    counts[small] = _count_terms(level[small], rate[small], excess[small])
    for start in range(0, len(large), LARGE_ROWS):
        part = large[start : start + LARGE_ROWS]
        counts[part] = _count_near_the_mean(level[part], rate[part], excess[part])
    return np.minimum(counts, LARGEST_COUNT)


def _recursion(
    rate: NDArray[np.float64], excess: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers a, b with p(n) / p(n - 1) = a + b / n, Panjer's recursion.  (M,), (M,)"""
    return excess / (1 + excess), (rate - excess) / (1 + excess)


def _count_near_the_mean(
    level: NDArray[np.float64], rate: NDArray[np.float64], excess: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same for large rates, from the terms within eight sigma of the mean.  (M,) -> (M,)

    What lies outside has a probability of 10^-11, far below the 6 10^-8 that a level resolves.
    """
    reach = 8 * np.sqrt(rate * (1 + excess))
    first = np.maximum(np.floor(rate - reach), 0)
    width = int(np.ceil(2 * reach.max(initial=0)))
    a, b = _recursion(rate, excess)
    factors = b[:, None] / np.maximum(first[:, None] + np.arange(width), 1) + a[:, None]
    factors[:, 0] = [_probability(*values) for values in zip(first, rate, excess, strict=True)]
    cumulative = np.cumsum(np.cumprod(factors, axis=1), axis=1)
    return np.asarray(first + (level[:, None] >= cumulative).sum(axis=1))


def _probability(number: float, rate: float, excess: float) -> float:
    """P(count = number) of one law."""
    if excess < FAINTEST_EXCESS:
        return float(np.exp(number * np.log(rate) - rate - lgamma(number + 1)))
    shape = rate / excess
    binomial = lgamma(shape + number) - lgamma(shape) - lgamma(number + 1)
    empty = -shape * log1p(excess)
    return float(np.exp(binomial + empty + number * np.log(excess / (1 + excess))))


def _count_terms(
    level: NDArray[np.float64], rate: NDArray[np.float64], excess: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How many terms of the sum of probabilities a level passes.  (M,), (M,), (M,) -> (M,)"""
    counts = np.zeros(len(rate))
    cells, (a, b) = np.arange(len(rate)), _recursion(rate, excess)
    clumps = np.log1p(excess) / np.where(excess > 0, excess, 1.0)
    term = np.exp(-rate * np.where(excess > 0, clumps, 1.0))
    cumulative, number = term.copy(), 0
    while len(cells):
        more = level >= cumulative
        counts[cells] += more
        number += 1
        term *= a + b / number
        if number & (number - 1) == 0 or number % 8 == 0:  # now and then, for it costs, too
            # A level above the sum of all terms, by rounding, must end, too.
            more &= (cumulative + term > cumulative) | (rate > number)
            cells, level, rate = cells[more], level[more], rate[more]
            term, cumulative, a, b = term[more], cumulative[more], a[more], b[more]
        cumulative += term
    return counts


def _continue(rates: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The expected cells themselves.  (N, K)"""
    return rates


DRAWS: dict[str, Callable[[NDArray[np.float32], np.random.Generator], NDArray[Any]]] = {
    "rounding": _round,
    "poisson": _poisson,
    "continuous": _continue,
}


def variance_of(rates: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """Variance of a drawn count of each mean.  (N, K) -> (N, K)"""
    if isinstance(sampling, NegativeBinomial):
        return rates * (1 + sampling.excess + sampling.slope * rates)
    return VARIANCES[sampling](rates)


VARIANCES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "rounding": lambda rates: (rates % 1) * (1 - rates % 1),
    "poisson": lambda rates: rates,
    "continuous": np.zeros_like,
}


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
