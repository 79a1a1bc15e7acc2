"""Exchange tests against all exchanges, and their false alarms on clustered showers."""

import itertools

import numpy as np
import pytest

from caloforge.evaluate.gate.checks import (
    mean_difference,
    medians_within,
    permutation_result,
    permuted_labels,
    ranks_within,
)


def by_all_exchanges(values, is_generated, unit, share):
    """Weighted mean difference, and its deviation over all ways to label rows, by loops."""

    def difference(labels):
        total = 0.0
        for number, weight in enumerate(share):
            rows = [r for r in range(len(unit)) if unit[r] == number]
            ours = [values[r] for r in rows if labels[r]]
            theirs = [values[r] for r in rows if not labels[r]]
            total += weight * (sum(ours) / len(ours) - sum(theirs) / len(theirs))
        return total / sum(share)

    ways = []
    for number in range(len(share)):
        rows = [r for r in range(len(unit)) if unit[r] == number]
        n_generated = sum(is_generated[r] for r in rows)
        ways.append(list(itertools.combinations(rows, n_generated)))
    every = [
        difference([r in set(itertools.chain(*way)) for r in range(len(unit))])
        for way in itertools.product(*ways)
    ]
    return difference(is_generated), float(np.std(every)), float(np.mean(every))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_variance_is_that_of_all_exchanges(rng, weighted):
    unit = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    is_generated = np.array([1, 0, 1, 0, 0, 1, 0, 1, 0], dtype=bool)
    values = rng.exponential(5, 9)
    share = np.array([1.0, 5.0, 0.3]) if weighted else np.array([4 / 4, 2 / 3, 1 / 2])
    actual = mean_difference(values, is_generated, unit, share if weighted else None)
    value, deviation, mean = by_all_exchanges(values, is_generated, unit, share)
    assert mean == pytest.approx(0, abs=1e-12)
    assert actual.value == pytest.approx(value)
    assert actual.error == pytest.approx(deviation)
    assert actual.sigma == pytest.approx(value / deviation)


def test_rows_without_a_value_and_units_of_one_side_are_left_out():
    unit = np.array([0, 0, 0, 0, 1, 1])
    is_generated = np.array([1, 1, 0, 0, 1, 1], dtype=bool)
    actual = mean_difference(np.array([3.0, np.nan, 1.0, 2.0, 9.0, 9.0]), is_generated, unit)
    assert actual.value == pytest.approx(1.5)
    assert np.isnan(mean_difference(np.full(6, np.nan), is_generated, unit).sigma)
    assert np.isnan(mean_difference(np.ones(6), is_generated, unit).sigma)


def test_exchanges_keep_the_numbers_of_each_unit(rng):
    unit = rng.integers(0, 5, 40)
    is_generated = rng.random(40) < 0.4
    labels = permuted_labels(is_generated, unit, 50, rng)
    assert (labels[0] == is_generated).all()
    for row in labels:
        assert (
            np.bincount(unit[row], minlength=5).tolist()
            == np.bincount(unit[is_generated], minlength=5).tolist()
        )
    free = np.isin(unit, [u for u in range(5) if 0 < is_generated[unit == u].mean() < 1])
    assert labels[1:, free].mean() == pytest.approx(is_generated[free].mean(), abs=0.05)


def test_tails_beyond_the_exchanges_follow_a_gamma_law(rng):
    """Sums of squares are gamma distributed; 20 000 exchanges know the tail that 300 guess."""
    law = rng.chisquare(6, 20_000)
    at = np.quantile(law, 0.999)
    guesses = [
        permutation_result(np.append(at, rng.chisquare(6, 300)), one_sided=True).sigma
        for _ in range(30)
    ]
    assert np.median(guesses) == pytest.approx(3.09, abs=0.25)
    constant = permutation_result(np.ones(50), one_sided=True)
    assert np.isnan(constant.sigma)
    assert np.isnan(permutation_result(np.append(np.nan, np.ones(5)), one_sided=False).sigma)


def test_at_equality_false_alarms_are_uniform(rng):
    """Clustered rows: particles differ much more than the showers of one."""
    from scipy.special import ndtr
    from scipy.stats import kstest

    unit = np.repeat(np.arange(40), 8)
    probabilities = []
    for _ in range(300):
        values = rng.exponential(50, 40)[unit] * rng.gamma(4, 1 / 4, 320)
        is_generated = np.tile([True, False], 160)
        actual = mean_difference(ranks_within(values, unit), is_generated, unit)
        probabilities.append(ndtr(actual.sigma))
    assert kstest(probabilities, "uniform").pvalue > 0.01


def test_ranks_and_medians_are_those_of_loops(rng):
    stratum = rng.integers(0, 6, 60)
    values = rng.integers(0, 7, 60).astype(float)
    values[rng.random(60) < 0.1] = np.nan
    ranks, medians = ranks_within(values, stratum), medians_within(values, stratum)
    for row, value in enumerate(values):
        others = [v for v, s in zip(values, stratum, strict=True) if s == stratum[row] and v == v]
        assert medians[row] == pytest.approx(np.median(others))
        if np.isnan(value):
            assert np.isnan(ranks[row])
            continue
        below = sum(v < value for v in others)
        same = sum(v == value for v in others)
        assert ranks[row] == pytest.approx((below + (same + 1) / 2) / (len(others) + 1))
