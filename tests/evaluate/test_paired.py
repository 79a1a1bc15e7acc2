"""Every measure: weights act like drawing particles again; known answers; what is undefined."""

import dataclasses
from itertools import groupby

import numpy as np
import pytest

from caloforge.evaluate import resampling, w1
from caloforge.evaluate.metrics.shapes import centre_error
from caloforge.evaluate.metrics.wasserstein import conditional_channel_w1
from caloforge.evaluate.observables import observe
from caloforge.evaluate.paired import paired_metrics
from caloforge.evaluate.resampling import Pair, Side, resamplings
from evaluate.stand_in import SMALL, energies, showers

METRICS = paired_metrics(SMALL)
FUNCTIONS = [tuple(group) for _, group in groupby(METRICS, key=lambda metric: metric.key)]
"""Metrics that are computed together."""


def pair_of(real, other):
    particles, particle_index = resampling.index_particles(real.particle)
    sides = (Side(observe(s), np.arange(len(s)), particle_index) for s in (real, other))
    return Pair(*sides, len(particles))


def values_of(pair, particles):
    """Every metric of a pair, without resampling."""
    actual = {}
    for metrics in FUNCTIONS:
        values = metrics[0].function(pair, np.ones((1, particles)))[0]
        actual |= dict(zip((metric.name for metric in metrics), values, strict=True))
    return actual


def drawn_again(sample, weights, repeats_each):
    """The sample with each particle as often as its weight says, under new numbers."""
    places = np.repeat(np.arange(len(weights)), weights.astype(int))
    rows = (places[:, None] * repeats_each + np.arange(repeats_each)).ravel()
    numbers = np.repeat(np.arange(len(places)), repeats_each)
    return dataclasses.replace(sample.rows(rows), particle=numbers)


def test_weights_act_like_particles_drawn_again():
    energy = energies(10, 0)
    real, other = showers(energy, 4, 1), showers(energy, 4, 2, brightness=1.2)
    real.cells[8:12] = 0
    other.cells[10] = 0
    pair = pair_of(real, other)
    weights = resamplings(10, 3, np.random.default_rng(0))
    for metrics in FUNCTIONS:
        together = metrics[0].function(pair, weights)
        assert together.shape == (4, len(metrics))
        for number, weight in enumerate(weights):
            again = pair_of(drawn_again(real, weight, 4), drawn_again(other, weight, 4))
            expected = metrics[0].function(again, np.ones((1, again.particles)))[0]
            names = [metric.name for metric in metrics]
            if "spread_correlation" in names:
                # Ten particles are too few for bands; test_diversity has its twin.
                expected, together = expected[:1], together[:, :1]
            np.testing.assert_allclose(together[number], expected, rtol=1e-6, err_msg=names[0])


def test_equal_samples_get_what_is_ideal():
    real = showers(energies(40, 0), 4, 1)
    pair = pair_of(real, real)
    for metrics in FUNCTIONS:
        for row, value in zip(metrics, metrics[0].function(pair, np.ones((1, 40)))[0], strict=True):
            assert value == pytest.approx(row.ideal, abs=1e-6), row.name


def test_conditional_w1_is_the_mean_over_particles_of_w1():
    energy = energies(8, 0)
    real, other = showers(energy, 5, 1), showers(energy, 5, 2, brightness=1.5)
    pair = pair_of(real, other)
    result = conditional_channel_w1(pair, np.ones((1, 8)))[0]
    a, b = SMALL.read_out(real.cells), SMALL.read_out(other.cells)
    for channel in range(5):
        each = [w1(a[5 * p : 5 * p + 5, channel], b[5 * p : 5 * p + 5, channel]) for p in range(8)]
        assert result[1 + channel] == pytest.approx(sum(each) / 8)
    assert result[0] == pytest.approx(result[1:].mean())


def looped_centre_error(real, other, repeats_each):
    """Mean over particles of the distance in mm of the mean centres; cells of 2 mm x 3 mm."""

    def mean_centre(sample, particle):
        centres = []
        for row in range(particle * repeats_each, (particle + 1) * repeats_each):
            image, total, x, y = sample.cells[row].reshape(6, 6), 0.0, 0.0, 0.0
            for i in range(6):
                for j in range(6):
                    total += float(image[i, j])
                    x += float(image[i, j]) * 2.0 * (i - 2.5)
                    y += float(image[i, j]) * 3.0 * (j - 2.5)
            if total:
                centres.append((x / total, y / total))
        return [sum(axis) / len(centres) for axis in zip(*centres, strict=True)]

    distances = []
    for particle in range(len(real) // repeats_each):
        a, b = mean_centre(real, particle), mean_centre(other, particle)
        if a and b:
            distances.append(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)
    return sum(distances) / len(distances)


def test_centre_error_is_that_of_loops_and_leaves_empty_showers_out():
    energy = energies(9, 0)
    real, other = showers(energy, 4, 1), showers(energy, 4, 2)
    real.cells[0] = 0
    other.cells[4:8] = 0
    expected = looped_centre_error(real, other, 4)
    assert centre_error(pair_of(real, other), np.ones((1, 9)))[0, 0] == pytest.approx(expected)


def test_centre_error_of_shifted_showers_is_the_shift():
    real = showers(energies(12, 0), 4, 1)
    images = real.cells.reshape(-1, 6, 6).copy()
    images[:, -1] = 0
    real = dataclasses.replace(real, cells=images.reshape(-1, 36))
    moved = dataclasses.replace(real, cells=np.roll(images, 1, axis=1).reshape(-1, 36))
    error = centre_error(pair_of(real, moved), np.ones((1, 12)))
    assert error[0, 0] == pytest.approx(2.0)  # cells are 2 mm wide along x


def test_brighter_showers_are_brighter_by_the_known_factor():
    energy = energies(200, 0)
    real, other = showers(energy, 4, 1), showers(energy, 4, 2, brightness=1.25)
    actual = values_of(pair_of(real, other), 200)
    assert actual["mean_total"] == pytest.approx(1.25, rel=0.02)
    assert actual["w1_total"] == pytest.approx(0.25 * energy.mean(), rel=0.05)
    assert actual["mean_width"] == pytest.approx(1, rel=0.01)
    assert actual["empty"] == 0


def test_empty_showers_leave_shapes_undefined_and_the_rest_defined():
    dark = showers(energies(20, 0), 4, 1)
    dark.cells[:] = 0
    actual = values_of(pair_of(dark, dark), 20)
    assert actual["w1"] == actual["conditional_w1"] == actual["w1_total"] == actual["empty"] == 0
    for name in (
        "w1_width",
        "w1_centre_x",
        "mean_total",
        "mean_width",
        "sigma_total",
        "sigma_centre",
        "centre_error",
    ):
        assert np.isnan(actual[name]), name


def test_names_are_unique_and_distances_are_ideal_at_zero():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert all(metric.ideal == 0 for metric in METRICS if metric.distance)
