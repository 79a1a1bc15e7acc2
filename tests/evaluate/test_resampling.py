"""Errors by bootstrap over particles: what they cover, how they are written."""

import numpy as np
import pytest

from caloforge.evaluate.resampling import Measured, measured, resamplings


def test_the_sample_itself_comes_first_and_every_resampling_has_all_particles():
    weights = resamplings(7, 30, np.random.default_rng(0))
    assert weights.shape == (31, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()
    assert resamplings(0, 5, np.random.default_rng(0)).shape == (6, 0)


def test_the_error_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(1).normal(3, 2, 200)
    weights = resamplings(200, 2000, np.random.default_rng(2))
    result = measured(weights @ values / weights.sum(axis=1))
    assert result.value == pytest.approx(values.mean())
    assert result.error == pytest.approx(values.std() / np.sqrt(200), rel=0.06)


def test_intervals_of_clustered_showers_cover_the_truth():
    """Whole particles are drawn: eight rows of one particle count as one, not as eight."""
    rng = np.random.default_rng(3)
    trials, n_covered = 300, 0
    for _ in range(trials):
        values = np.repeat(rng.normal(5, 1, 40), 8) + rng.normal(0, 0.2, 320)
        per_particle = values.reshape(40, 8).mean(axis=1)
        weights = resamplings(40, 200, rng)
        result = measured(weights @ per_particle / 40)
        n_covered += abs(result.value - 5) < result.error
    assert 0.58 < n_covered / trials < 0.77


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Measured(12.5432, 0.6321), "12.54 ± 0.63"),
        (Measured(34.1, 12.3), "34 ± 12"),
        (Measured(-0.0001, 0.037), "0.000 ± 0.037"),
        (Measured(4321.0, 230.0), "4321 ± 230"),
        (Measured(0.0, 0.0), "0"),
        (Measured(1.0, 0.0), "1"),
        (Measured(2.5, None), "2.5"),
        (Measured(None, None, "no repeats"), "no repeats"),
    ],
)
def test_a_number_is_written_with_two_digits_of_its_error(number, text):
    assert str(number) == text


def test_the_undefined_stays_undefined():
    assert measured(np.full(10, np.nan), "no repeats") == Measured(None, None, "no repeats")
    half = np.array([1.0, *[np.nan] * 6, 1.1, 0.9])
    assert measured(half).value == 1.0
    assert measured(half).error is None
    assert Measured(3.0, 0.5).sigma == 6
    assert Measured(3.0, 0.0).sigma is None
    assert Measured(None, None, "why").record == {"value": None, "error": None, "note": "why"}
