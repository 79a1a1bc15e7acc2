"""Counts that a graph draws follow their law: mean, variance and every probability."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from scipy import stats

from caloforge.export.drawing import Turns, count_distribution, count_of_occupied, draw
from caloforge.export.onnx_builder import OnnxBuilder, Output, Value
from caloforge.simulator.sampling import NegativeBinomial, Sampling

RATES = np.array([1e-3, 0.03, 0.5, 2.0, 7.7, 25.0, 300.0], np.float32)
NO_COUNTS = np.array([0.0, -1.0, np.nan, np.inf, 1e9], np.float32)
ROWS, CALLS = 20_000, 10
LAWS = {
    "poisson": "poisson",
    "clumps": NegativeBinomial(excess=0.3),
    "steep": NegativeBinomial(excess=0.3, slope=0.01),
}


def drawn(law: Sampling, rates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Counts of each rate, drawn by a graph.  (ROWS CALLS, n)"""
    builder = OnnxBuilder("test")
    noise, expected = Value("noise", builder), Value("rates", builder)
    counts = draw(expected, law, lambda value: value, Turns.of(noise, 10, len(rates)))
    builder.rename(counts.reshape(-1, len(rates)), "counts")
    ports = {"noise": ["batch", 10], "rates": ["batch", len(rates)]}
    session = onnxruntime.InferenceSession(
        builder.model(ports, Output("counts", ["batch", len(rates)]))
    )
    rng = np.random.default_rng(7)
    feeds = (rng.normal(size=(ROWS, 10)).astype(np.float32) for _ in range(CALLS))
    table = np.tile(rates, (ROWS, 1))
    return np.concatenate([session.run(None, {"noise": feed, "rates": table})[0] for feed in feeds])


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_counts_follow_their_law(law: Sampling) -> None:
    counts = drawn(law, RATES)
    assert (counts == np.floor(counts)).all()
    of_law = law if isinstance(law, NegativeBinomial) else NegativeBinomial(excess=0)
    for rate, column in zip(RATES.astype(np.float64), counts.T, strict=True):
        distribution = count_distribution(rate, of_law)
        error = distribution.std() / np.sqrt(len(column))
        assert abs(column.mean() - rate) < 4.5 * error
        kurtosis = float(distribution.stats("k")) + 2
        tolerance = 0.01 + 4.5 * np.sqrt(kurtosis / len(column))
        assert column.var() / distribution.var() == pytest.approx(1, abs=tolerance)
        if rate < 10:  # a histogram of single counts
            numbers = np.arange(int(distribution.isf(20 / len(column))) + 1)
            expected = len(column) * distribution.pmf(numbers)
            observed = np.array([(column == number).sum() for number in numbers])
            chi_square = ((observed - expected) ** 2 / expected)[expected > 5].sum()
            assert chi_square < stats.chi2.isf(1e-5, (expected > 5).sum())


def quantiles(
    law: NegativeBinomial, rate: float, level: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Counts of an occupied cell at given levels of its law.  (n,) -> (n,)"""
    builder = OnnxBuilder("test")
    counts = count_of_occupied(Value("rates", builder), Value("odds", builder), law)
    builder.rename(counts, "counts")
    session = onnxruntime.InferenceSession(
        builder.model({"rates": ["n"], "odds": ["n"]}, Output("counts", ["n"]))
    )
    odds = (level / (1 - level)).astype(np.float32)
    return session.run(None, {"rates": np.full_like(odds, rate), "odds": odds})[0]


@pytest.mark.parametrize(
    "law", [NegativeBinomial(excess=0), LAWS["steep"]], ids=["poisson", "steep"]
)
@pytest.mark.parametrize("rate", [1e-3, 0.1, 1.37, 11.3, 250.3, 4001.7])
def test_counts_keep_their_mean_at_rates_between_levels(law: NegativeBinomial, rate: float) -> None:
    level = (np.arange(400_000) + 0.5) / 400_000
    some = count_distribution(rate, law).sf(0)
    assert quantiles(law, rate, level).mean() == pytest.approx(rate / some, rel=3e-4)


def test_tails_are_as_long_as_those_of_the_law() -> None:
    column = drawn(LAWS["clumps"], np.full(5, 60.0, np.float32)).ravel()
    distribution = count_distribution(60.0, NegativeBinomial(excess=0.3))
    for level in (1e-4, 1e-3, 0.999, 0.9999):
        below = (column <= distribution.ppf(level)).mean()
        expected = distribution.cdf(distribution.ppf(level))
        error = np.sqrt(expected * (1 - expected) / len(column))
        assert below == pytest.approx(expected, abs=5 * error)


def test_a_cell_is_empty_where_its_rate_is_no_number_of_counts() -> None:
    assert (drawn(LAWS["clumps"], NO_COUNTS) == 0).all()
