"""Histogram and rank distances: known answers, loops, scipy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from caloforge.errors import DataError
from caloforge.evaluate.metrics.two_sample import (
    calogan_edges,
    challenge_edges,
    counts_by_particle,
    kolmogorov_smirnov,
    mann_whitney,
    rank_statistics,
    separation_power,
    weighted_separation,
)
from caloforge.evaluate.resampling import measured, resamplings


def by_loops(a, b, edges):
    power = 0.0
    for low, high in itertools.pairwise(edges):
        x = sum(low <= value < high for value in a) / len(a)
        y = sum(low <= value < high for value in b) / len(b)
        power += 0.5 * (x - y) ** 2 / (x + y) if x + y else 0.0
    return power


def test_separation_power_is_that_of_loops(rng):
    a, b = rng.normal(0, 1, 200), rng.normal(0.5, 1, 300)
    edges = np.linspace(-6, 6, 21)
    assert separation_power(a, b, edges) == pytest.approx(by_loops(a, b, edges))


def test_equal_samples_separate_by_nothing_and_disjoint_ones_by_one(rng):
    a = rng.normal(0, 1, 500)
    edges = np.linspace(-5, 105, 100)
    assert separation_power(a, a, edges) == 0
    assert separation_power(a, a + 100, edges) == pytest.approx(1)


def test_a_known_mixture_has_a_known_separation():
    """Histograms (1, 0) and (1 - p, p): S = 1/2 (p^2 / (2 - p) + p)."""
    a, b = np.zeros(1000), np.repeat([0.0, 1.0], [700, 300])
    expected = 0.5 * (0.3**2 / 1.7 + 0.3)
    assert separation_power(a, b, np.array([-0.5, 0.5, 1.5])) == pytest.approx(expected)


def test_weights_of_particles_repeat_their_rows(rng):
    particle_index = np.repeat(np.arange(10), 4)
    a, b = rng.normal(0, 1, 40), rng.normal(1, 1, 40)
    edges = np.linspace(-4, 5, 9)
    weights = resamplings(10, 5, rng)
    counts = [counts_by_particle(v, particle_index, 10, edges) for v in (a, b)]
    actual = weighted_separation(*counts, weights)
    for value, weight in zip(actual, weights.astype(int), strict=True):
        repeated = [np.repeat(v, weight[particle_index]) for v in (a, b)]
        assert value == pytest.approx(separation_power(*repeated, edges))


def test_bins_are_those_of_the_challenge_and_of_the_paper(rng):
    values = rng.exponential(3, 1000)
    energy = challenge_edges(values, energy=True)
    assert len(energy) == 41
    np.testing.assert_allclose(np.diff(np.log(energy)), np.diff(np.log(energy))[0])
    assert len(challenge_edges(values, energy=False)) == 101
    edges = calogan_edges(values, values + 1)
    counts = np.histogram(np.concatenate([values, values + 1]), edges)[0]
    assert counts.tolist() == [200] * 10
    assert (np.diff(calogan_edges(np.zeros(9), np.zeros(9))) > 0).all()
    # Whole numbers, such as the last layer that is lit: a bin each, so that 1 is not 2.
    edges = calogan_edges(np.full(9, 1.0), np.full(9, 2.0))
    assert separation_power(np.full(9, 1.0), np.full(9, 2.0), edges) == 1
    assert (np.diff(challenge_edges(np.zeros(9), energy=True)) > 0).all()


def test_rank_tests_are_those_of_scipy(rng):
    a, b = rng.poisson(5, 300).astype(float), rng.poisson(6, 250).astype(float)
    ks = kolmogorov_smirnov(a, b)
    assert ks.statistic == pytest.approx(stats.ks_2samp(a, b).statistic)
    # Ours takes no small-sample term: scipy's asymptotic p is the same law, slightly shifted.
    assert ks.p == pytest.approx(stats.ks_2samp(a, b, method="asymp").pvalue, rel=0.25)
    expected = stats.mannwhitneyu(b, a, use_continuity=False, method="asymptotic")
    actual = mann_whitney(a, b)
    assert actual.statistic == pytest.approx(expected.statistic / (300 * 250))
    assert actual.p == pytest.approx(expected.pvalue)
    assert mann_whitney(np.ones(5), np.ones(6)).p == 1


@pytest.mark.parametrize("ties", [True, False])
def test_rank_statistics_under_weights_are_those_of_repeated_values(ties, rng):
    """Bit for bit; the particles of the defined values may all have no weight."""
    particles, sizes = 5, (13, 9)
    indices = [rng.integers(0, particles, n) for n in sizes]
    x, y = (rng.poisson(3, n) * 1.0 if ties else rng.normal(size=n) for n in sizes)
    x[indices[0] > 0] = math.nan
    x[:2], indices[0][:2] = 1.0, 0
    weights = resamplings(particles, 30, rng)
    actual = rank_statistics(x, y, indices, weights)
    for number, weight in enumerate(weights.astype(int)):
        a, b = (np.repeat(v, weight[i]) for v, i in zip((x, y), indices, strict=True))
        for test, values in zip((kolmogorov_smirnov, mann_whitney), actual, strict=True):
            if np.isfinite(a).any() and np.isfinite(b).any():
                assert values[number] == test(a, b).statistic
            else:
                assert math.isnan(values[number])
    assert np.isnan(actual[0]).any()


def test_nothing_to_compare_is_an_error():
    for test in (kolmogorov_smirnov, mann_whitney):
        with pytest.raises(DataError, match="no value"):
            test(np.full(3, math.nan), np.ones(3))
    with pytest.raises(DataError, match="two samples"):
        separation_power(np.full(3, math.nan), np.ones(3), np.array([0.0, 1.0]))


def test_intervals_cover_what_they_say_for_large_shifts_of_clustered_showers(rng):
    """W1 of a shift is the shift: 68 % intervals must hold it in 60 to 76 % of experiments."""
    from caloforge.evaluate.metrics.wasserstein import weighted_w1

    particle_index, shift, n_covered = np.repeat(np.arange(30), 6), 8.0, 0
    for _ in range(250):
        middle = rng.normal(0, 3, 30)[particle_index]
        a, b = (
            middle + rng.normal(0, 1, 180),
            middle + shift + 2 * rng.normal(0, 1, 30)[particle_index],
        )
        weights = resamplings(30, 80, rng)[:, particle_index]
        actual = measured(weighted_w1(a, b, weights, weights))
        n_covered += abs(actual.value - shift) < actual.error
    assert 0.60 <= n_covered / 250 <= 0.76
