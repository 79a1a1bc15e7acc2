"""Counts drawn inside a graph: for readers that truncate what they are given.

Shapes: N showers, K cells, S occupied cells, M counts. Each law keeps the mean of every cell; the
random numbers are the runtime's own, seeded anew in each process.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caloforge.export.onnx_builder import FLOAT, Value
from caloforge.simulator.sampling import LARGEST_COUNT, Sampling

FEW = 10.0
"""Expected counts up to which a Poisson number is read off its distribution function."""
MOST_OF_FEW = 36
"""A Poisson number of mean 10 reaches it with a probability of 1e-10."""
LOWEST_LOG = -60.0
"""Processors are slow with numbers too small to be normal ones."""

Encode = Callable[[Value], Value]
"""From counts to what the reader takes for them, cell by cell; nothing becomes 0."""


def draw(rates: Value, sampling: Sampling, encode: Encode) -> Value:
    """Encoded whole numbers of these means.  (N, K) -> (N, K)

    A cell is empty where its rate is no number, or more than a count can be.
    """
    return DRAWS[sampling](rates.where(rates < float(LARGEST_COUNT), 0.0), encode)


def draw_rounded(rates: Value, encode: Encode) -> Value:
    """Counts next to the rate.  (N, K) -> (N, K)"""
    counts = rounded(rates)
    return encode(counts).where(counts > 0.0, 0.0)


def rounded(rates: Value) -> Value:
    """Up with the probability of the remainder, which float32 keeps exactly.  any shape"""
    builder = rates.builder
    whole = builder.apply("Floor", rates)
    up = builder.apply("RandomUniformLike", rates) < rates - whole
    return whole + builder.apply("Cast", up, to=FLOAT)


def draw_poisson(rates: Value, encode: Encode) -> Value:
    """Poisson counts, worked out only where there is one.  (N, K) -> (N, K)

    ONNX has no Poisson numbers. Few are counted by inversion, #{m: u > F(m)}; many follow the
    normal law with its first Cornish-Fisher term, r + sqrt(r - 2/9) g + (g^2 - 1) / 6, rounded
    without bias. Mean and variance are Poisson's: 2/9 is what the square (1/18) and the rounding
    (1/6) add to it.
    """
    builder = rates.builder
    uniform = builder.apply("RandomUniformLike", rates)
    # A zero of the few is decided here, by the number that then decides how many there are.
    some = builder.apply("Or", uniform > builder.apply("Exp", rates * -1.0), rates > FEW)
    nonzero = builder.apply("NonZero", some)
    place = builder.apply("Transpose", nonzero, perm=[1, 0])
    occupied = builder.apply("GatherND", rates, place)
    few = counted(occupied.at_most(FEW), builder.apply("GatherND", uniform, place))
    counts = smooth(occupied).where(occupied > FEW, few)
    return builder.apply("ScatterND", rates * 0.0, place, encode(counts))


def counted(rates: Value, uniform: Value) -> Value:
    """Poisson counts by inversion of the distribution function.  (S,), (S,) -> (S,)"""
    builder = rates.builder
    numbers = np.arange(MOST_OF_FEW, dtype=np.float64)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(numbers[1:]))])
    column = rates.at_least(1e-30).reshape(-1, 1)
    log_share = builder.log(column) * numbers - column - log_factorial
    share = builder.apply("Exp", log_share.at_least(LOWEST_LOG))
    below = share @ np.triu(np.ones((MOST_OF_FEW, MOST_OF_FEW)))
    # The last share of the sum is made exactly 1: no uniform number exceeds it.
    below = below / below.columns(MOST_OF_FEW - 1, MOST_OF_FEW)
    passed = builder.apply("Cast", uniform.reshape(-1, 1) > below, to=FLOAT)
    return builder.apply("ReduceSum", passed, [1], keepdims=0)


def smooth(rates: Value) -> Value:
    """Whole numbers near the normal law; for rates that are not small.  (S,) -> (S,)"""
    builder = rates.builder
    normal = builder.apply("RandomNormalLike", rates)
    shifted = (
        rates
        + builder.apply("Sqrt", (rates - 2 / 9).at_least(0.0)) * normal
        + (normal * normal - 1.0) / 6.0
    )
    return rounded(shifted).at_least(0.0)


DRAWS: dict[Sampling, Callable[[Value, Encode], Value]] = {
    "rounding": draw_rounded,
    "poisson": draw_poisson,
}

__all__ = ["DRAWS", "Encode", "draw"]
