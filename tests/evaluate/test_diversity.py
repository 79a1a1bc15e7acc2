"""Spreads, slopes and correlations against loops."""

import math
import statistics

import numpy as np
import pytest

from caloforge.evaluate.metrics import diversity

ONE = np.ones((1, 1))


def ones(particles):
    return np.ones((1, particles))


def test_pixel_spread_sums_the_standard_deviation_of_each_cell():
    rng = np.random.default_rng(0)
    particle_index = np.repeat([0, 1, 2, 4], [3, 1, 5, 3])
    cells = rng.poisson(5, (12, 7)).astype(np.uint16)
    result = diversity.pixel_spread(cells, particle_index, 5)
    for particle in range(5):
        rows = [cells[r] for r in range(12) if particle_index[r] == particle]
        if len(rows) < 2:
            assert math.isnan(result[particle])
            continue
        columns = [[float(row[k]) for row in rows] for k in range(7)]
        expected = sum(statistics.pstdev(column) for column in columns)
        assert result[particle] == pytest.approx(expected, rel=1e-5)


def test_pixel_spread_does_not_depend_on_its_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    cells, particle_index = rng.poisson(5, (40, 7)).astype(np.uint16), np.repeat(np.arange(10), 4)
    whole = diversity.pixel_spread(cells, particle_index, 10)
    monkeypatch.setattr(diversity, "ELEMENTS_AT_ONCE", 60)
    np.testing.assert_array_equal(diversity.pixel_spread(cells, particle_index, 10), whole)


def test_particle_sigma_leaves_out_what_is_not_defined():
    values = np.array([1.0, 2.0, 4.0, np.nan, 5.0, np.nan, 7.0, 7.0])
    particle_index = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    result = diversity.particle_sigma(values, particle_index, 4)
    assert result[0] == pytest.approx(statistics.stdev([1, 2, 4]))
    assert np.isnan(result[[1, 3]]).all()
    assert result[2] == 0


def test_slope_and_ratio_under_weights():
    rng = np.random.default_rng(1)
    real, other = rng.uniform(1, 5, 9), rng.uniform(1, 5, 9)
    real[3] = np.nan
    weights = rng.integers(0, 3, (4, 9)).astype(float)
    slope = diversity.slope_through_origin(real, other, weights)
    ratio = diversity.ratio_of_means(real, other, weights)
    for row in range(4):
        above = below = first = second = 0.0
        for p in range(9):
            if not math.isnan(real[p]):
                above += weights[row, p] * real[p] * other[p]
                below += weights[row, p] * real[p] ** 2
                first += weights[row, p] * other[p]
                second += weights[row, p] * real[p]
        assert slope[row] == pytest.approx(above / below)
        assert ratio[row] == pytest.approx(first / second)


def test_known_slopes():
    real = np.array([1.0, 2.0, 5.0])
    assert diversity.slope_through_origin(real, 0.4 * real, ones(3))[0] == pytest.approx(0.4)
    assert diversity.ratio_of_means(real, 3 * real, ones(3))[0] == pytest.approx(3)
    assert np.isnan(diversity.slope_through_origin(0 * real, real, ones(3))[0])
    assert np.isnan(diversity.ratio_of_means(0 * real, real, ones(3))[0])


def partial_correlation(g, a, b):
    """(r_ab - r_ag r_bg) / sqrt((1 - r_ag^2)(1 - r_bg^2))"""
    ab, ag, bg = (statistics.correlation(x, y) for x, y in ((a, b), (a, g), (b, g)))
    return (ab - ag * bg) / math.sqrt((1 - ag**2) * (1 - bg**2))


def test_correlation_at_fixed_total_is_the_partial_one_averaged_over_bands():
    rng = np.random.default_rng(2)
    total = rng.uniform(1, 100, 40)
    real = total + rng.normal(0, 5, 40)
    other = 2 * total + rng.normal(0, 5, 40) + real
    result = diversity.correlation_at_fixed_total(total, real, other, ones(40))[0]
    order = np.argsort(total)
    bands = [[p for rank, p in enumerate(order) if rank * 3 // 40 == band] for band in range(3)]
    each = [
        partial_correlation(*(c[band].tolist() for c in (total, real, other))) for band in bands
    ]
    sizes = [len(band) for band in bands]
    expected = sum(r * n for r, n in zip(each, sizes, strict=True)) / 40
    assert result == pytest.approx(expected, rel=1e-9)


def test_weights_of_the_correlation_act_like_repeated_particles():
    rng = np.random.default_rng(3)
    total, real, other = rng.uniform(1, 9, (3, 20))
    weights = rng.integers(0, 3, (1, 20)).astype(float)
    again = np.repeat(np.arange(20), weights[0].astype(int))
    expected = partial_correlation(total[again], real[again], other[again])
    result = diversity.correlation_at_fixed_total(total, real, other, weights)
    assert result[0] == pytest.approx(expected, rel=1e-9)


def test_a_spread_that_only_labels_the_energy_has_no_correlation_at_fixed_total():
    rng = np.random.default_rng(4)
    total = rng.uniform(1, 100, 400)
    real, other = (total + rng.normal(0, 1, 400) for _ in range(2))
    assert np.corrcoef(real, other)[0, 1] > 0.99
    assert abs(diversity.correlation_at_fixed_total(total, real, other, ones(400))[0]) < 0.15


@pytest.mark.parametrize("particles", [0, 5, 30])
def test_too_few_or_constant_spreads_are_undefined(particles):
    constant = np.full(particles, 2.0)
    result = diversity.correlation_at_fixed_total(
        np.arange(particles, dtype=float), constant, constant, ones(particles)
    )
    assert np.isnan(result[0])
