"""Conditional W1 against loops, and what it must see that the marginal one cannot."""

import dataclasses
import time

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.errors import DataError
from caloforge.evaluate import conditional_w1, fast_score, observables, observe, w1, w1_channels
from caloforge.evaluate.metrics.wasserstein import particle_w1
from caloforge.evaluate.resampling import (
    describe,
    draw,
    equal_n_showers,
    halve,
    index_particles,
    index_shared_particles,
    require_same_conditions,
)
from evaluate.stand_in import SMALL, energies, showers


def test_particle_w1_is_w1_of_each_particle_and_channel():
    rng = np.random.default_rng(0)
    particle_index = np.repeat([0, 1, 3], [4, 1, 3])
    first, second = rng.normal(size=(8, 2)), rng.normal(size=(8, 2))
    result = particle_w1(first, second, particle_index, 4)
    for particle in (0, 1, 3):
        rows = particle_index == particle
        for channel in range(2):
            assert result[particle, channel] == pytest.approx(
                w1(first[rows, channel], second[rows, channel])
            )
    assert (result[2] == 0).all()


def test_halves_are_disjoint_equal_and_of_the_same_particle():
    particle = np.array([5, 5, 5, 5, 5, 2, 2, 9, 7, 7, 7])
    names, particle_index = index_particles(particle)
    assert names.tolist() == [5, 2, 9, 7]
    numbers = equal_n_showers(particle_index, particle_index, 4)
    assert numbers.tolist() == [2, 1, 0, 1]
    pairs = set()
    for seed in range(60):
        halves = halve(particle_index, numbers, np.random.default_rng(seed))
        assert not set(halves.first) & set(halves.second)
        for rows in (halves.first, halves.second):
            assert (particle_index[rows] == halves.first_index).all()
        pairs.update(halves.first.tolist())
    assert pairs == set(range(11)) - {7}


def test_every_row_is_drawn_equally_often():
    particle_index = np.repeat([0, 1], [8, 5])
    rng = np.random.default_rng(1)
    times = np.zeros(13)
    for _ in range(2000):
        times[draw(particle_index, np.array([4, 2]), rng)] += 1
    assert times[:8] / 2000 == pytest.approx(np.full(8, 4 / 8), abs=0.05)
    assert times[8:] / 2000 == pytest.approx(np.full(5, 2 / 5), abs=0.05)


def test_numbers_follow_the_smaller_side_and_strangers_are_left_out():
    real = np.array([1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3])
    other = np.array([3, 1, 8, 3, 1, 1, 8])
    names, real_index, other_index = index_shared_particles(real, other)
    assert names.tolist() == [1, 3]
    assert real_index.tolist() == [0] * 4 + [-1] * 2 + [1] * 6
    assert other_index.tolist() == [1, 0, -1, 1, 0, 0, -1]
    assert equal_n_showers(real_index, other_index, 2).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([4, 4], "4 v 4"),
        ([0, 0], "no repeats, 3 v 3 particles"),
        ([], "no repeats, 3 v 3 particles"),
        ([1, 4, 4], "1-4 v as many (median 4)"),
    ],
)
def test_numbers_in_words(numbers, words):
    assert describe(np.array(numbers, dtype=int), 7) == words


def test_a_generator_that_ignores_its_conditions_is_seen_only_per_particle():
    energy = energies(60, 0)
    real, same = showers(energy, 8, 1), showers(energy, 8, 2)
    order = np.random.default_rng(3).permutation(len(real))
    ignoring = dataclasses.replace(same, cells=same.cells[order])
    sums, good, bad = (SMALL.read_out(s.cells) for s in (real, same, ignoring))
    rng = np.random.default_rng(4)
    result = conditional_w1(sums, good, real.particle, same.particle, rng=rng)
    assert result.n_showers.tolist() == [4] * 60
    assert result.mean == pytest.approx(result.floor_mean, rel=0.15)
    ignored = conditional_w1(sums, bad, real.particle, ignoring.particle, rng=rng)
    assert ignored.mean > 3 * ignored.floor_mean
    assert w1_channels(sums, bad).mean() == pytest.approx(w1_channels(sums, good).mean(), abs=1e-9)


def test_the_order_of_the_generated_rows_does_not_matter():
    energy = energies(20, 0)
    real, generated = showers(energy, 6, 1), showers(energy, 6, 2)
    order = np.random.default_rng(5).permutation(len(generated))
    moved = dataclasses.replace(
        generated,
        cells=generated.cells[order],
        conditions=generated.conditions[order],
        particle=generated.particle[order],
    )
    assert fast_score(real, generated) == pytest.approx(fast_score(real, moved), rel=0.15)
    assert fast_score(real, moved) < 0.5 * fast_score(
        real, dataclasses.replace(moved, particle=generated.particle)
    )


def test_without_repeats_the_score_is_the_marginal_distance():
    energy = energies(50, 0)
    real, generated = showers(energy, 1, 1), showers(energy, 1, 2)
    expected = w1_channels(SMALL.read_out(real.cells), SMALL.read_out(generated.cells)).mean()
    assert fast_score(real, generated) == pytest.approx(expected)
    result = conditional_w1(
        SMALL.read_out(real.cells),
        SMALL.read_out(generated.cells),
        real.particle,
        generated.particle,
        rng=np.random.default_rng(0),
    )
    assert result.mean is None
    assert result.floor_mean is None


def test_the_score_is_fast_reproducible_and_names_its_scheme():
    energy = energies(150, 0)
    real, generated = showers(energy, 8, 1), showers(energy, 8, 2)
    start = time.process_time()
    score = fast_score(real, generated, seed=3)
    assert time.process_time() - start < 1
    assert fast_score(real, generated, seed=3) == score != fast_score(real, generated, seed=4)
    assert fast_score(real, generated, "second", seed=3) != score


def test_another_detector_is_refused():
    real = showers(energies(4, 0), 2, 1)
    other = SMALL.model_copy(update={"name": "other"})
    other.__dict__.pop("fingerprint", None)
    with pytest.raises(DataError, match="other showers against small showers"):
        fast_score(real, dataclasses.replace(real, detector=other))


def test_equal_particle_numbers_with_other_conditions_are_refused():
    energy = energies(6, 0)
    real, generated = showers(energy, 3, 1), showers(energy[::-1], 3, 2)
    _, real_index, slot_made = index_shared_particles(real.particle, generated.particle)
    with pytest.raises(DataError, match=r"row 0 .* --like"):
        require_same_conditions(real.conditions, generated.conditions, real_index, slot_made)
    through_float32 = real.conditions.astype(np.float32).astype(np.float64)
    require_same_conditions(real.conditions, through_float32, real_index, real_index)


def test_deposits_without_repeats_are_scored_by_all_observables():
    """Another sample of real showers scores lower than one that is smeared along y."""
    showers = read(sample_path("atlas_em")).rows(slice(0, 400))
    real, other = showers.rows(slice(0, 200)), showers.rows(slice(200, 400))
    scores = []
    for observable in observables(real.detector):
        x, y = (observe(one).values[observable.name] for one in (real, other))
        x, y = x[np.isfinite(x)], y[np.isfinite(y)]
        if x.std() > 0:
            scores.append(wasserstein_distance(x, y) / x.std())
    score = fast_score(real, other)
    assert score == pytest.approx(np.mean(scores))
    blurred = other.cells.copy()
    blurred[:, 1:] += 0.2 * other.cells[:, :-1]
    assert fast_score(real, dataclasses.replace(other, cells=blurred)) > 1.5 * score
