"""W1 against its definition written as loops, and against known answers."""

import itertools

import numpy as np
import pytest

from caloforge.errors import DataError
from caloforge.evaluate.metrics.wasserstein import w1, w1_channels, weighted_w1


def area_between(a, b, weights_a=None, weights_b=None):
    """Integral of |F_a - F_b| by loops over the gaps of the merged values."""
    weights_a = [1.0] * len(a) if weights_a is None else weights_a
    weights_b = [1.0] * len(b) if weights_b is None else weights_b
    grid = sorted([*a, *b])
    area = 0.0
    for low, high in itertools.pairwise(grid):
        below_a = sum(w for value, w in zip(a, weights_a, strict=True) if value <= low)
        below_b = sum(w for value, w in zip(b, weights_b, strict=True) if value <= low)
        area += abs(below_a / sum(weights_a) - below_b / sum(weights_b)) * (high - low)
    return area


@pytest.mark.parametrize(("n", "m"), [(7, 7), (5, 11), (1, 4), (30, 29)])
def test_w1_is_the_area_between_the_cumulative_distributions(n, m):
    rng = np.random.default_rng(n * m)
    a, b = rng.poisson(4, n).astype(float), rng.normal(3, 2, m)
    assert w1(a, b) == pytest.approx(area_between(a, b), rel=1e-12)


def test_w1_of_equal_samples_is_zero_and_of_a_shift_is_the_shift():
    sample = np.random.default_rng(0).exponential(5, 200)
    assert w1(sample, np.random.default_rng(1).permutation(sample)) == 0
    assert w1(sample, sample + 3.25) == pytest.approx(3.25, rel=1e-12)
    assert w1(np.repeat(sample, 3), sample) == pytest.approx(0, abs=1e-12)


def test_channels_are_independent_columns():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(23, 3))
    together = w1_channels(a, b)
    assert together.shape == (3,)
    for column in range(3):
        assert together[column] == pytest.approx(area_between(a[:, column], b[:, column]))


def test_weights_act_like_repeated_rows():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=12), rng.normal(size=9)
    weights_a, weights_b = rng.integers(0, 4, (6, 12)), rng.integers(0, 4, (6, 9))
    result = weighted_w1(a, b, weights_a.astype(float), weights_b.astype(float))
    for row in range(6):
        expected = w1(np.repeat(a, weights_a[row]), np.repeat(b, weights_b[row]))
        assert result[row] == pytest.approx(expected, rel=1e-10)
        assert result[row] == pytest.approx(area_between(a, b, weights_a[row], weights_b[row]))


def test_a_resampling_without_weight_is_undefined_not_zero():
    result = weighted_w1(np.ones(2), np.ones(2), np.zeros((1, 2)), np.ones((1, 2)))
    assert np.isnan(result[0])


@pytest.mark.parametrize("bad", [np.array([]), np.array([1.0, np.nan]), np.array([np.inf])])
def test_samples_must_be_finite_and_not_empty(bad):
    with pytest.raises(DataError, match="finite"):
        w1(bad, np.ones(3))
