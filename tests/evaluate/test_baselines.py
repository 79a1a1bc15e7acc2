"""What the baselines draw, and from whom."""

import dataclasses

import numpy as np
import pytest

from caloforge.data.showers import Showers
from caloforge.evaluate.baselines import (
    BASELINES,
    as_showers,
    mean_image,
    nearest,
    nearest_particle,
    replayed,
    shuffled,
)
from caloforge.evaluate.inputs import plain_detector, showers_of
from caloforge.evaluate.metrics.wasserstein import fast_score
from evaluate.stand_in import NEUTRON, PROTON, energies, particles_of, showers


def marked(energy, repeats, first, kind=NEUTRON, pdg=None):
    """Showers whose first cell names the particle and whose second cell names the repeat."""
    conditions, rows = particles_of(energy, repeats, kind)
    cells = np.zeros((len(rows), 36), dtype=np.uint16)
    cells[:, 0], cells[:, 1] = rows + first, np.arange(len(rows)) % repeats
    kinds = None if pdg is None else np.full(len(rows), pdg, dtype=np.int32)
    return dataclasses.replace(
        showers(energy, repeats, 0),
        cells=cells,
        conditions=conditions,
        particle=rows + first,
        pdg=kinds,
    )


def both(*samples):
    """Samples one after the other."""

    def joined(name):
        parts = [getattr(s, name) for s in samples]
        return None if parts[0] is None else np.concatenate(parts)

    return Showers(
        samples[0].detector, *(joined(n) for n in ("cells", "conditions", "particle", "pdg"))
    )


def test_the_nearest_particle_is_of_the_same_kind():
    real = both(marked(np.array([100.0]), 2, 0), marked(np.array([100.0]), 2, 1, PROTON))
    train = both(
        marked(np.array([300.0, 90.0]), 2, 10),
        marked(np.array([101.0, 20.0, 70.0]), 2, 20, PROTON),
    )
    assert nearest_particle(real, train).tolist() == [1, 2]


def test_pdg_decides_where_both_files_have_it():
    real = marked(np.array([100.0]), 2, 0, pdg=2112)
    train = both(marked(np.array([99.0]), 2, 5, pdg=22), marked(np.array([60.0]), 2, 6, pdg=2112))
    assert nearest_particle(real, train).tolist() == [1]
    assert nearest_particle(dataclasses.replace(real, pdg=None), train).tolist() == [0]
    stranger = marked(np.array([100.0]), 2, 0, pdg=-211)
    assert nearest_particle(stranger, train).tolist() == [0]


def test_nearest_is_measured_in_the_logarithm_of_the_energy():
    """By loops over standardised features: the distance is Euclidean in them."""
    energy, conditions = energies(15, 0), energies(40, 1)
    actual = nearest_particle(marked(energy, 1, 0), marked(conditions, 1, 100))
    for particle, value in enumerate(energy):
        distances = [abs(np.log(value) - np.log(other)) for other in conditions]
        assert actual[particle] == int(np.argmin(distances))


def test_a_shower_of_the_nearest_particle_is_taken_once_until_all_are_used():
    real, train = marked(np.array([50.0]), 7, 0), marked(np.array([49.0, 300.0]), 3, 10)
    cells = nearest(real, train, np.random.default_rng(0))
    assert (cells[:, 0] == 10).all()
    assert np.bincount(cells[:, 1]).tolist() in ([3, 2, 2], [2, 3, 2], [2, 2, 3])


def test_the_mean_image_is_rounded_without_bias():
    real = marked(np.array([50.0]), 4000, 0)
    train = showers(np.array([49.0]), 8, 3, first_particle=7)
    cells = mean_image(real, train, np.random.default_rng(0))
    expected = train.cells.mean(axis=0)
    assert cells.dtype == np.uint16
    assert (np.abs(cells - expected) < 1).all()
    np.testing.assert_allclose(cells.mean(axis=0), expected, atol=0.04)


def test_shuffled_showers_stay_together_and_never_stay_in_place():
    real = marked(energies(30, 0), 4, 0)
    cells = shuffled(real, real, np.random.default_rng(0)).reshape(30, 4, 36)
    assert (cells[:, :, 0] == cells[:, :1, 0]).all()
    assert (cells[:, 0, 0] != np.arange(30)).all()
    assert sorted(cells[:, 0, 0]) == list(range(30))
    assert (np.sort(cells[:, :, 1], axis=1) == np.arange(4)).all()


def test_replayed_showers_come_from_anywhere_in_training():
    real, train = marked(energies(50, 0), 8, 0), marked(energies(5, 1), 2, 20)
    cells = replayed(real, train, np.random.default_rng(0))
    assert set(cells[:, 0]) == set(range(20, 25))


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_every_baseline_gives_a_shower_a_row_and_follows_its_seed(baseline):
    real, train = showers(energies(9, 0), 3, 1), showers(energies(20, 2), 5, 3, first_particle=50)
    cells = [baseline.of(real, train, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    generated = as_showers(real, cells[0])
    assert generated.cells.shape == real.cells.shape
    assert generated.cells.dtype == real.cells.dtype
    assert (cells[0] == cells[1]).all()
    assert (cells[0] != cells[2]).any()


def test_a_condition_that_does_not_vary_in_training_tells_nothing_of_who_is_near():
    box = plain_detector("box", {"front": (2, 2)}, {"E": "GeV", "mass": "GeV"}, unit="GeV")

    def at(energy, mass):
        conditions = np.column_stack([energy, np.full(len(energy), mass)])
        return showers_of(box, np.ones((len(energy), 4)), conditions)

    train, real = at(np.arange(1.0, 301.0), 0.1), at(np.array([5.0, 100.0, 250.0]), 0.2)
    assert nearest_particle(real, train).tolist() == [4, 99, 249]


def test_an_observable_that_does_not_vary_counts_nothing():
    """One lit cell of ten in every real shower: the occupancy is 0.1, and its mean is rounded."""
    box = plain_detector("box", {"front": (10, 1)}, {"E": "GeV"}, unit="GeV")
    energy, random = np.arange(1.0, 42.0), np.random.default_rng(0)
    assert np.full(41, 0.1).std() > 0

    def lit(number):
        cells = np.zeros((41, 10))
        for row in cells:
            row[random.permutation(10)[:number]] = 1.0
        return showers_of(box, cells, energy)

    assert fast_score(lit(1), lit(2)) < 10
