"""Counts drawn inside a graph: for readers that truncate what they are given.

Shapes: N showers, Z latents, K cells, S occupied cells, J levels, B bins. Each law keeps the mean
of every cell to 10^-4. A runtime takes a third of a microsecond for each operator, however few the
numbers: laws are looked up in tables, so that few operators are left.

The runtime has random numbers of its own, but sessions of one process repeat each other's. So each
number is moved round the circle by a part that the reader's noise decides, another one in each
cell: u = frac(runtime + noise @ waves). It stays uniform, to the 10^-6 that single precision
resolves, whatever the noise, and two sessions that are given different noise draw different
showers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import log, log1p, tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import UsageError
from caloforge.export.onnx_builder import FLOAT, INT64, Value
from caloforge.simulator.sampling import LARGEST_COUNT, NegativeBinomial, Sampling

NOISE_USED = 10
WAVES_SEED, WAVE = 20261129, 0.5
"""Ten normal numbers times these have a spread of 1.6 turns: evenly distributed round the circle,
to 10^-21 of it."""
BINS_A_UNIT = 12
"""Bins of the logit of a uniform number: fine in the middle (1/48) and at both tails."""
LOWEST_LOGIT, HIGHEST_LOGIT = -18, 14
"""Of a number that is not 0 or 1 in single precision, and where the last bin ends: a cell is in it
with a probability of 10^-6."""
BINS = BINS_A_UNIT * (HIGHEST_LOGIT - LOWEST_LOGIT)
LEVELS_A_FACTOR_E = 32
"""Levels lie at exp(j / LEVELS_A_FACTOR_E) - 1 counts: at 10 counts a third of one apart, which
adds 0.2 % to the variance between two of them."""
LEAST_EXCESS = 1e-3
"""Below it counts in clumps are as good as Poisson's, and the formulas are not exact."""
SMALLEST_SHARE = 1e-9
"""Of a law, beyond which its table ends."""
MOST_COUNTS = 2_000_000

Encode = Callable[[Value], Value]
"""From counts to what the reader takes for them, cell by cell; nothing becomes 0."""


@dataclass(frozen=True)
class Turns:
    """By how many turns the noise moves the random number of each cell.  (N, K)"""

    part: Value

    @classmethod
    def of(cls, noise: Value, latents: int, cells: int) -> Turns:
        """Those of showers with this noise.  (N, Z) -> (N, K)"""
        n_used = min(latents, NOISE_USED)
        waves = np.random.default_rng(WAVES_SEED).normal(0.0, WAVE, (n_used, cells))
        return cls(noise.leading(n_used, latents) @ waves)

    def uniform(self) -> Value:
        """Random numbers in [0, 1), cell by cell.  (N K,)"""
        part = self.part.reshape(-1)
        variates = part.builder.apply("RandomUniformLike", part) + part
        return variates - part.builder.apply("Floor", variates)


def draw(rates: Value, sampling: Sampling, encode: Encode, turns: Turns) -> Value:
    """Encoded whole numbers of these means, cell by cell.  (N, K) -> (N K,)

    A cell is empty where its rate is no number, or more than a count can be.
    """
    flat, uniform = rates.reshape(-1), turns.uniform()
    possible = flat < float(LARGEST_COUNT)
    if sampling == "rounding":
        counts = rounded(flat.where(possible, 0.0).at_least(0.0), uniform)
        return encode(counts).where(counts > 0.0, 0.0)
    law = sampling if isinstance(sampling, NegativeBinomial) else NegativeBinomial(excess=0)
    p_some = rates.builder.apply("Sub", 1.0, probability_of_nothing(flat, law))
    return draw_occupied(flat, p_some, uniform, (uniform < p_some) & possible, law, encode)


def rounded(rates: Value, uniform: Value) -> Value:
    """Up with the probability of the remainder, which float32 keeps exactly.  any shape"""
    whole = rates.builder.apply("Floor", rates)
    return whole + rates.builder.apply("Cast", uniform < rates - whole, to=FLOAT)


def draw_occupied(
    rates: Value,
    some: Value,
    uniform: Value,
    occupied: Value,
    law: NegativeBinomial,
    encode: Encode,
) -> Value:
    """Encoded counts of a law, worked out only where there is one.  (N K,) -> (N K,)

    The number that decides whether a cell is occupied then decides by how many.
    """
    builder = rates.builder
    places = builder.apply("Range", np.int64(0), builder.apply("Size", rates), np.int64(1))
    place = builder.apply("Compress", places, occupied)
    rate, occupied_below, level = (
        builder.apply("Gather", table, place) for table in (rates, some, uniform)
    )
    counts = count_of_occupied(rate, (occupied_below - level) / level, law)
    return builder.apply("ScatterElements", uniform * 0.0, place, encode(counts))


def probability_of_nothing(rates: Value, law: NegativeBinomial) -> Value:
    """exp(-clumps).  any shape"""
    return rates.builder.apply("Exp", rates * (-1.0 * clumps_of_a_count(rates, law)))


def clumps_of_a_count(rates: Value, law: NegativeBinomial) -> Value | float:
    """Expected clumps over expected counts, ln(1 + e) / e for an excess e.  any shape"""
    if law.slope == 0:
        return log1p(law.excess) / law.excess if law.excess else 1.0
    excess = (rates * law.slope + law.excess).at_least(LEAST_EXCESS)
    return rates.builder.log(excess + 1.0) / excess


def count_of_occupied(rates: Value, odds: Value, law: NegativeBinomial) -> Value:
    """Counts of cells that have some, of these rates and odds of a smaller count.  (S,) -> (S,)

    The quantile function lies in a table for some rates, averaged over each bin of the uniform
    number, here by its logit. Between two rates it is interpolated. What is left of the logit
    within its bin rounds, up with the probability of the remainder.
    """
    builder, table = rates.builder, LawTable.of(law)
    level = builder.log(rates + 1.0) * float(LEVELS_A_FACTOR_E)
    row = builder.apply("Floor", level)
    # A uniform number may be 0, and its odds infinite.
    place = (builder.log(odds) * float(BINS_A_UNIT)).at_most(HIGHEST_LOGIT * BINS_A_UNIT - 0.5)
    entry = row * float(BINS) + builder.apply("Floor", place)
    entry = builder.apply("Cast", entry, to=INT64)
    count, more = (builder.apply("Gather", column, entry) for column in (table.count, table.more))
    # The table has counts less the number of their bin: the place adds it, and what is left.
    return builder.apply("Floor", count + place + more * (level - row))


def bin_edges() -> NDArray[np.float64]:
    """Edges of the bins of a uniform number, whose logits are evenly spaced.  (B + 1,)"""
    logits = np.arange(LOWEST_LOGIT * BINS_A_UNIT, HIGHEST_LOGIT * BINS_A_UNIT + 1) / BINS_A_UNIT
    return np.concatenate([[0.0], 1 / (1 + np.exp(-logits[1:-1])), [1.0]])


@dataclass(frozen=True)
class LawTable:
    """Laws of the count of a cell that is not empty, by expected count and uniform number.

    Bins below the middle have negative numbers. An index below 0 counts from the end of a table, so
    the tables begin with the middle of the first law and end with the rest of it.
    """

    count: NDArray[np.float64]
    """Quantile function, averaged over each bin, less the number of the bin.  (J B,)"""
    more: NDArray[np.float64]
    """What the next law has more.  (J B,)"""

    @classmethod
    @lru_cache(maxsize=4)  # half a CPU second
    def of(cls, law: NegativeBinomial) -> LawTable:
        """Laws up to the largest count; UsageError for too wide a law."""
        levels = np.arange(int(LEVELS_A_FACTOR_E * log(LARGEST_COUNT + 1)) + 3) / LEVELS_A_FACTOR_E
        # Straight lines between points of an exponential lie above it, on average by this factor.
        above = 0.5 / LEVELS_A_FACTOR_E / tanh(0.5 / LEVELS_A_FACTOR_E)
        rates = np.maximum(np.exp(levels) / above - 1, 1e-6)
        first = LOWEST_LOGIT * BINS_A_UNIT
        counts = np.array([quantile_bins(rate, law) for rate in rates])
        counts -= np.arange(first, first + BINS)
        more = np.diff(counts, axis=0, append=counts[-1:])
        return cls(*(np.roll(column.ravel(), first) for column in (counts, more)))


def quantile_bins(rate: float, law: NegativeBinomial) -> NDArray[np.float64]:
    """Quantile function of a count that is not 0, averaged over bins of the level.  (B,)"""
    distribution = count_distribution(rate, law)
    most = distribution.isf(SMALLEST_SHARE * distribution.sf(0))
    if not most < MOST_COUNTS:
        raise UsageError(f"counts with an excess of {law.excess:g} + {law.slope:g} r are too wide")
    counts = np.arange(1, int(most) + 2)
    shares = distribution.pmf(counts)
    level = np.concatenate([[0.0], np.cumsum(shares)])
    sums = np.concatenate([[0.0], np.cumsum(counts * shares)])
    edges = bin_edges() * level[-1]
    return rounding_up(np.diff(np.interp(edges, level, sums)) / np.diff(edges))


def rounding_up(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """What must be rounded for these means of bins.  (B,) -> (B,)

    The uniform number has a density 1 + s (f - 1/2) along a bin of its logit, so the remainder a
    is rounded up with the probability a + s a (1 - a) / 2.
    """
    edges = bin_edges()
    tilt = (1 - edges[1:] - edges[:-1]) / BINS_A_UNIT / 2
    whole = np.floor(means)
    part = means - whole
    return whole + part - tilt * part * (1 - part)


def count_distribution(rate: float, law: NegativeBinomial) -> Any:
    """The law of a count of this mean, as scipy has it."""
    from scipy import stats

    excess = law.excess + law.slope * rate
    if excess < LEAST_EXCESS:
        return stats.poisson(rate)
    return stats.nbinom(rate / excess, 1 / (1 + excess))
