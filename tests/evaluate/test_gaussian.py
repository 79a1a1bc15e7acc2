"""Fréchet and kernel distances: known answers, loops, and JetNet where it is installed."""

import numpy as np
import pytest

from caloforge.errors import DataError
from caloforge.evaluate.metrics.two_sample import fpd, frechet, kpd, mmd


def mmd_by_loops(a, b):
    def kernel(x, y):
        return (sum(i * j for i, j in zip(x, y, strict=True)) / len(x) + 1) ** 4

    n, m = len(a), len(b)
    first = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    second = sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return first + second - 2 * sum(kernel(x, y) for x in a for y in b) / (n * m)


def test_the_kernel_distance_is_that_of_loops(rng):
    a, b = rng.normal(0, 1, (9, 3)), rng.normal(0.5, 1, (11, 3))
    assert mmd(a, b) == pytest.approx(mmd_by_loops(a.tolist(), b.tolist()))


def test_the_frechet_distance_of_gaussians_is_known(rng):
    a = rng.normal(0, 1, (200_000, 2))
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, a + np.array([3.0, 4.0])) == pytest.approx(25, rel=1e-6)
    assert frechet(a, a * [2.0, 1.0]) == pytest.approx(1.0, rel=0.02)


def test_the_frechet_distance_takes_any_covariances(rng):
    """Against the matrix root of scipy, for samples that are correlated differently."""
    from scipy.linalg import sqrtm

    a = rng.normal(0, 1, (300, 4)) @ rng.normal(0, 1, (4, 4))
    b = rng.normal(0, 1, (250, 4)) @ rng.normal(0, 1, (4, 4)) + 1
    first, second = np.cov(a.T), np.cov(b.T)
    shift = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    expected = shift + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet(a, b) == pytest.approx(expected)


def test_equal_laws_are_at_zero_and_shifts_are_found(rng):
    real, same = rng.normal(5, 1, (1500, 3)), rng.normal(5, 1, (1500, 3))
    largest = np.abs(real).max(axis=0)
    near = fpd(real, same, rng=rng)
    assert near.value < 1e-3
    shifted = fpd(real, same + np.array([1.0, 0, 0]), rng=rng)
    assert shifted.value == pytest.approx(1 / largest[0] ** 2, rel=0.15)
    assert abs(kpd(real, same, rng=rng).value) < 0.05
    wrong = kpd(real, same + np.array([1.0, 0, 0]), rng=rng)
    assert wrong.value > 5 * wrong.error


def test_showers_without_all_features_are_left_out_and_none_is_an_error(rng):
    real = rng.normal(0, 1, (100, 2))
    holes = real.copy()
    holes[::2, 0] = np.nan
    assert np.isfinite(fpd(real, holes, rng=rng).value)
    constant = np.ones((50, 2))
    assert fpd(constant, constant, rng=rng).value == pytest.approx(0, abs=1e-9)
    for metric in (fpd, kpd):
        with pytest.raises(DataError, match="at least two"):
            metric(real, np.full((10, 2), np.nan), rng=rng)


def test_jetnet_agrees_where_it_is_installed(rng):
    jetnet = pytest.importorskip("jetnet.evaluation")
    real, generated = rng.normal(0, 1, (20_000, 5)), rng.normal(0.1, 1, (20_000, 5))
    theirs, error = jetnet.fpd(real, generated, min_samples=10_000, max_samples=20_000)
    ours = fpd(real, generated, rng=rng)
    assert ours.value == pytest.approx(theirs, abs=4 * (error + ours.error))
