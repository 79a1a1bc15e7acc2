"""Counts drawn inside a graph: for readers that truncate what they are given.

Shapes: N showers, Z latents, K cells, S occupied cells, J levels, B bins. Each law keeps the mean
of every cell. A runtime takes half a microsecond for each operator, however few the numbers: laws
are looked up in tables, so that few operators are left.

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
from itertools import pairwise
from math import log, log1p
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
SEGMENTS = (
    (0, 16), (8**-3, 16), (8**-2, 32), (8**-1, 96),
    (1 - 8**-1, 32), (1 - 8**-2, 32), (1 - 8**-3, 32), (1 - 8**-4, 32), (1 - 8**-5, 32), (1, 0),
)  # fmt: skip
"""Ranges of the uniform number, closer together at the tails: where each starts, and its bins. An
occupied cell is in the last bin with a probability of 10^-6."""
BINS = sum(bins for _, bins in SEGMENTS)
FAINT, LEVELS_A_FACTOR_E = 2.0, 32
"""Levels lie at FAINT (exp(j / LEVELS_A_FACTOR_E) - 1) counts: at 10 counts a third of one apart,
which adds 0.2 % to the variance between two of them."""
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
    p_zero = probability_of_nothing(flat, law)
    occupied = (uniform > p_zero) & possible
    return draw_occupied(flat, p_zero, uniform, occupied, law, encode)


def rounded(rates: Value, uniform: Value) -> Value:
    """Up with the probability of the remainder, which float32 keeps exactly.  any shape"""
    whole = rates.builder.apply("Floor", rates)
    return whole + rates.builder.apply("Cast", uniform < rates - whole, to=FLOAT)


def draw_occupied(
    rates: Value,
    nothing: Value,
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
    rate, empty, level = (
        builder.apply("Gather", table, place) for table in (rates, nothing, uniform)
    )
    some = builder.apply("Sub", 1.0, empty)
    counts = count_of_occupied(rate, rate / some, (level - empty) / some, law)
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


def count_of_occupied(rates: Value, means: Value, uniform: Value, law: NegativeBinomial) -> Value:
    """Counts of cells that have some, of these rates and means where not empty.  (S,) -> (S,)

    The quantile function lies in a table for some rates, averaged over each bin of the uniform
    number. Between two rates it is interpolated by the means of both, which keeps the mean. What
    is left of the uniform number within its bin rounds, up with the probability of the remainder.
    """
    builder, table = rates.builder, LawTable.of(law)
    level = builder.apply("Floor", builder.log(rates / FAINT + 1.0) * float(LEVELS_A_FACTOR_E))
    row = builder.apply("Cast", level, to=INT64)
    below, scale = (builder.apply("Gather", column, row) for column in (table.mean, table.scale))
    part = builder.clip((means - below) * scale, 0.0, 1.0)
    start, bins = (np.array(column, dtype=np.float64) for column in zip(*SEGMENTS, strict=True))
    steepness = bins[:-1] / np.diff(start)
    lines = builder.apply("Gemm", uniform.reshape(-1, 1), steepness[None], -steepness * start[:-1])
    places = lines.at_least(0.0).at_most(bins[:-1])
    place = builder.apply("ReduceSum", places, [1], keepdims=0)
    bin_number = builder.apply("Floor", place)
    entry = builder.apply("Cast", level * float(BINS) + bin_number, to=INT64)
    count = builder.apply("Gather", table.count, entry)
    more = builder.apply("Gather", table.count, entry + np.int64(BINS)) - count
    # The table has counts less the number of their bin: the place adds it, and what is left.
    return builder.apply("Floor", count + place + more * part)


def bin_edges() -> NDArray[np.float64]:
    """Edges of the bins of a uniform number.  (B + 1,)"""
    segments = [
        np.linspace(start, stop, bins, endpoint=False)
        for (start, bins), (stop, _) in pairwise(SEGMENTS)
    ]
    return np.concatenate([*segments, [1.0]])


@dataclass(frozen=True)
class LawTable:
    """Laws of the count of a cell that is not empty, by expected count and uniform number."""

    mean: NDArray[np.float64]
    """Of each law.  (J,)"""
    scale: NDArray[np.float64]
    """One over the way to the mean of the next.  (J,)"""
    count: NDArray[np.float64]
    """Quantile function, averaged over each bin, less the number of the bin.  (J B,)"""

    @classmethod
    @lru_cache(maxsize=4)  # half a CPU second
    def of(cls, law: NegativeBinomial) -> LawTable:
        """Laws up to the largest count; UsageError for too wide a law."""
        levels = int(LEVELS_A_FACTOR_E * log(LARGEST_COUNT / FAINT + 1)) + 3
        rates = np.maximum(FAINT * np.expm1(np.arange(levels) / LEVELS_A_FACTOR_E), 1e-6)
        quantiles = np.array([quantile_bins(rate, law) for rate in rates])
        means = quantiles @ np.diff(bin_edges())
        table = quantiles - np.arange(BINS, dtype=np.float64)
        return cls(means, 1 / np.diff(means, append=np.inf), table.ravel())


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
    return np.asarray(np.diff(np.interp(edges, level, sums)) / np.diff(edges))


def count_distribution(rate: float, law: NegativeBinomial) -> Any:
    """The law of a count of this mean, as scipy has it."""
    from scipy import stats

    excess = law.excess + law.slope * rate
    if excess < LEAST_EXCESS:
        return stats.poisson(rate)
    return stats.nbinom(rate / excess, 1 / (1 + excess))
