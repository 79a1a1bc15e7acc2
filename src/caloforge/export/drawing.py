"""Counts drawn inside a graph: for readers that truncate what they are given.

Shapes: N showers, Z latents, K cells, S occupied cells, M counts. Each law keeps the mean of every
cell.

The runtime has random numbers of its own, but sessions of one process repeat each other's. So each
number is moved round the circle by a part that the reader's noise decides, another one in each
cell: u = frac(runtime + noise @ waves). It stays exactly uniform, whatever the noise, and two
sessions that are given different noise draw different showers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log1p, pi

import numpy as np

from caloforge.errors import UsageError
from caloforge.export.onnx_builder import FLOAT, Value
from caloforge.simulator.sampling import LARGEST_COUNT, NegativeBinomial, Sampling, quantile

FEW = 10.0
"""Expected counts up to which a number is read off its distribution function."""
POISSON_TERMS = 36
"""A Poisson number of mean 10 reaches it with a probability of 1e-10."""
SMALLEST_SHARE = 1e-9
"""Of the law of a few counts in clumps, beyond which its distribution function is cut off."""
MOST_TERMS = 512
LOWEST_LOG = -60.0
"""Processors are slow with numbers too small to be normal ones."""
NOISE_USED = 10
WAVES_SEED, WAVE = 20261129, 3.0
"""Ten normal numbers times these have a spread of 9 turns: evenly distributed round the circle."""

Encode = Callable[[Value], Value]
"""From counts to what the reader takes for them, cell by cell; nothing becomes 0."""


@dataclass(frozen=True)
class Turns:
    """By what part of a turn the noise moves the random number of each cell.  (N, K) or (S,)"""

    part: Value

    @classmethod
    def of(cls, noise: Value, latents: int, cells: int) -> Turns:
        """Those of showers with this noise.  (N, Z) -> (N, K)"""
        n_latents = min(latents, NOISE_USED)
        waves = np.random.default_rng(WAVES_SEED).normal(0.0, WAVE, (n_latents, cells))
        return cls(fraction(noise.columns(0, n_latents) @ waves))

    def uniform(self) -> Value:
        """Random numbers in [0, 1).  (N, K) or (S,)"""
        return fraction(self.part.builder.apply("RandomUniformLike", self.part) + self.part)

    def at(self, place: Value) -> Turns:
        """Those of some cells.  (S, 2) -> (S,)"""
        return Turns(self.part.builder.apply("GatherND", self.part, place))


def fraction(value: Value) -> Value:
    """What is left without the whole part.  any shape"""
    return value - value.builder.apply("Floor", value)


def draw(rates: Value, sampling: Sampling, encode: Encode, turns: Turns) -> Value:
    """Encoded whole numbers of these means.  (N, K) -> (N, K)

    A cell is empty where its rate is no number, or more than a count can be.
    """
    finite = rates.where(rates < float(LARGEST_COUNT), 0.0).at_least(0.0)
    if sampling == "rounding":
        counts = rounded(finite, turns.uniform())
        return encode(counts).where(counts > 0.0, 0.0)
    return draw_occupied(finite, law_in_graph(sampling), encode, turns)


def rounded(rates: Value, uniform: Value) -> Value:
    """Up with the probability of the remainder, which float32 keeps exactly.  any shape"""
    whole = rates.builder.apply("Floor", rates)
    return whole + rates.builder.apply("Cast", uniform < rates - whole, to=FLOAT)


class Poisson:
    """Independent counts, in operators of ONNX."""

    def clumps(self, rates: Value) -> Value | float:
        """Expected clumps over expected counts.  any shape"""
        return 1.0

    def spread(self, rates: Value) -> Value | float:
        """Variance over mean F.  any shape"""
        return 1.0

    def log_shares(self, rates: Value) -> Value:
        """Logarithm of the probability of 0, 1, 2 ... counts.  (S, 1) -> (S, M)"""
        numbers = np.arange(POISSON_TERMS, dtype=np.float64)
        log_factorial = np.concatenate([[0.0], np.cumsum(np.log(numbers[1:]))])
        return rates.builder.log(rates) * numbers - rates - log_factorial

    @property
    def terms(self) -> int:
        """How many counts a cell of few expected ones can have."""
        return POISSON_TERMS


@dataclass(frozen=True)
class Clumps:
    """Counts in clumps, in operators of ONNX."""

    law: NegativeBinomial

    def excess(self, rates: Value) -> Value:
        """Variance over mean, less one.  any shape"""
        return (rates * self.law.slope + self.law.excess).at_least(1e-3)

    def clumps(self, rates: Value) -> Value | float:
        """Expected clumps over expected counts, ln(1 + e) / e.  any shape"""
        if self.law.slope == 0 and self.law.excess > 0:
            return log1p(self.law.excess) / self.law.excess
        excess = self.excess(rates)
        return rates.builder.log(excess + 1.0) / excess

    def spread(self, rates: Value) -> Value | float:
        """Variance over mean F.  any shape"""
        return self.excess(rates) + 1.0

    def log_shares(self, rates: Value) -> Value:
        """Logarithm of the probability of 0, 1, 2 ... counts.  (S, 1) -> (S, M)

        By Panjer's recursion p(n) / p(n - 1) = (e + (r - e) / n) / (1 + e), as a sum.
        """
        numbers = np.arange(1, self.terms, dtype=np.float64)
        excess = self.excess(rates)
        ratio = ((rates - excess) / numbers + excess) / (excess + 1.0)
        steps = rates.builder.log(ratio.at_least(1e-30)) @ _sums(self.terms - 1)
        nothing = rates * self.clumps(rates) * -1.0
        return rates.builder.apply("Concat", nothing, steps + nothing, axis=1)

    @property
    def terms(self) -> int:
        """How many counts a cell of few expected ones can have; UsageError for too wide a law."""
        excess = self.law.excess + self.law.slope * FEW
        level = np.array([1 - SMALLEST_SHARE])
        most = int(quantile(level, np.array([FEW]), np.array([excess]))[0]) + 2
        if most > MOST_TERMS:
            raise UsageError(
                f"counts with a variance of {1 + excess:g} times the mean are too wide"
            )
        return most


def law_in_graph(sampling: Sampling) -> Poisson | Clumps:
    """A law of counts in operators of ONNX."""
    return Clumps(sampling) if isinstance(sampling, NegativeBinomial) else Poisson()


def draw_occupied(rates: Value, law: Poisson | Clumps, encode: Encode, turns: Turns) -> Value:
    """Counts of a law, worked out only where there is one.  (N, K) -> (N, K)

    Few are counted by inversion, #{m: u > F(m)}; many follow the normal law with its first
    Cornish-Fisher term, rounded without bias.
    """
    builder = rates.builder
    uniform = turns.uniform()
    nothing = builder.apply("Exp", rates * law.clumps(rates) * -1.0)
    # A zero of the few is decided here, by the number that then decides how many there are.
    some = builder.apply("Or", uniform > nothing, rates > FEW)
    place = builder.apply("Transpose", builder.apply("NonZero", some), perm=[1, 0])
    occupied, uniform_of_cells = (
        builder.apply("GatherND", table, place) for table in (rates, uniform)
    )
    few = count_by_level(occupied.at_most(FEW), law, uniform_of_cells)
    counts = smooth(occupied, law, uniform_of_cells, turns.at(place)).where(occupied > FEW, few)
    return builder.apply("ScatterND", rates * 0.0, place, encode(counts))


def count_by_level(rates: Value, law: Poisson | Clumps, uniform: Value) -> Value:
    """Counts by inversion of the distribution function.  (S,), (S,) -> (S,)"""
    builder = rates.builder
    log_shares = law.log_shares(rates.at_least(1e-30).reshape(-1, 1))
    below = builder.apply("Exp", log_shares.at_least(LOWEST_LOG)) @ _sums(law.terms)
    # The last share of the sum is made exactly 1: no uniform number exceeds it.
    below = below / below.columns(law.terms - 1, law.terms)
    passed = builder.apply("Cast", uniform.reshape(-1, 1) > below, to=FLOAT)
    return builder.apply("ReduceSum", passed, [1], keepdims=0)


def smooth(rates: Value, law: Poisson | Clumps, uniform: Value, turns: Turns) -> Value:
    """Whole numbers near the normal law; for rates that are not small.  (S,) -> (S,)

    A count of mean r and variance F r is r + s g + c (g^2 - 1) with c = (2 F - 1) / 6, a sixth of
    its skewness times its deviation; s^2 = F r - 2 c^2 - 1/6 leaves room for that and for rounding.
    Their ``uniform`` decided nothing yet: it gives the normal number g, with another one.
    """
    builder, spread = rates.builder, law.spread(rates)
    skew = (spread * 2.0 - 1.0) / 6.0
    width = builder.apply("Sqrt", (rates * spread - skew * skew * 2.0 - 1 / 6).at_least(0.0))
    radius = builder.apply("Sqrt", builder.log(uniform * -1.0 + 1.0) * -2.0)
    normal = radius * builder.cos(turns.uniform() * (2 * pi))
    shifted = rates + width * normal + (normal * normal - 1.0) * skew
    return rounded(shifted, turns.uniform()).at_least(0.0)


def _sums(terms: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The matrix that makes running sums of rows.  (terms, terms)"""
    return np.triu(np.ones((terms, terms)))
