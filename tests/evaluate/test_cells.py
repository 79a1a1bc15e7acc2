"""Single cells: naive looped twins, known answers, what is left out."""

import dataclasses

import numpy as np
import pytest

from caloforge.detectors import ALICE_ZN, POINTS
from caloforge.evaluate import resampling
from caloforge.evaluate.metrics import shapes
from caloforge.evaluate.observables import observe
from caloforge.evaluate.resampling import Pair, Side
from evaluate.stand_in import energies, showers


def pair_of(real, other):
    _, index = resampling.index_particles(real.particle)
    sides = (Side(observe(s), np.arange(len(s)), index) for s in (real, other))
    return Pair(*sides, int(index.max()) + 1)


@pytest.fixture
def pair():
    energy = energies(7, 3)
    real, other = showers(energy, 4, 1), showers(energy, 4, 2, brightness=1.3)
    real.cells[4:8] = 0
    return pair_of(real, other)


def moments_of(side, particles):
    """Mean and variance of every cell of every particle, in loops."""
    number = side.cells.shape[1]
    mean, variance = np.zeros((particles, number)), np.zeros((particles, number))
    for p in range(particles):
        rows = [list(map(float, side.cells[i])) for i in np.flatnonzero(side.particle_index == p)]
        for k in range(number):
            column = [row[k] for row in rows]
            mean[p, k] = sum(column) / len(column)
            variance[p, k] = sum((c - mean[p, k]) ** 2 for c in column) / (len(column) - 1)
    return mean, variance


@pytest.mark.parametrize("block", [1, 10**7])
def test_moments_are_those_of_loops(pair, monkeypatch, block):
    monkeypatch.setattr(shapes, "ELEMENTS_AT_ONCE", block)
    weights = np.random.default_rng(0).integers(0, 3, (2, 7)).astype(float)
    actual = shapes.cell_moments(pair, weights)
    real, other = moments_of(pair.real, 7), moments_of(pair.other, 7)
    for weight, (mae, dispersion) in zip(weights, actual, strict=True):
        away, light = 0.0, 0.0
        index = {"real": [0.0, 0.0], "other": [0.0, 0.0]}
        for p in range(7):
            for k in range(36):
                away += weight[p] * abs(other[0][p, k] - real[0][p, k])
                light += weight[p] * real[0][p, k]
                for name, (mean, variance) in (("real", real), ("other", other)):
                    index[name][0] += weight[p] * variance[p, k]
                    index[name][1] += weight[p] * mean[p, k]
        assert mae == pytest.approx(away / light)
        ratios = {name: above / below for name, (above, below) in index.items()}
        assert dispersion == pytest.approx(ratios["other"] / ratios["real"])


def jaccard(lit, rows, k, other):
    both = sum(bool(lit[i][k]) and bool(lit[i][other]) for i in rows)
    either = sum(bool(lit[i][k]) or bool(lit[i][other]) for i in rows)
    return both / either if either else 0.0


def test_coactivation_is_that_of_loops(pair, monkeypatch):
    monkeypatch.setattr(shapes, "MOST_CELLS", 5)
    weights = np.random.default_rng(1).integers(0, 3, (2, 7)).astype(float)
    actual = shapes.coactivation_error(pair, weights)[:, 0]
    lit = [side.cells > 0 for side in (pair.real, pair.other)]
    often = sorted(range(36), key=lambda k: (-sum(lit[0][:, k]), k))
    often = [k for k in often if sum(lit[0][:, k]) >= 0.05 * len(lit[0])]
    cells = [often[round(n * (len(often) - 1) / 4)] for n in range(5)]
    for weight, error in zip(weights, actual, strict=True):
        rows = [i for i in range(28) for _ in range(int(weight[pair.real.particle_index[i]]))]
        differences = [
            abs(jaccard(lit[1], rows, k, other) - jaccard(lit[0], rows, k, other))
            for place, k in enumerate(cells)
            for other in cells[place + 1 :]
        ]
        assert error == pytest.approx(sum(differences) / len(differences))


def test_poisson_counts_have_the_dispersion_of_poisson_counts():
    """A simulator that draws independent photons around the true means lacks dispersion."""
    rng = np.random.default_rng(5)
    clumped = showers(energies(30, 0), 16, 1)
    means = np.repeat(clumped.cells.reshape(30, 16, -1).mean(axis=1), 16, axis=0)
    poisson = dataclasses.replace(clumped, cells=rng.poisson(means).astype(np.uint16))
    moments = np.nansum(shapes.particle_moments(pair_of(clumped, poisson)), axis=0)
    assert moments[4] / moments[2] == pytest.approx(1, abs=0.05)
    ratio = shapes.cell_moments(pair_of(clumped, poisson), np.ones((1, 30)))[0, 1]
    assert ratio == pytest.approx(moments[1] / moments[3], rel=0.1)


def test_cells_that_are_lit_independently_raise_the_error_above_the_floor():
    """Each cell keeps how often it is lit; which cells are lit together is lost."""
    rng = np.random.default_rng(6)
    energy = energies(60, 0)
    real = showers(energy, 4, 1)
    real.cells[rng.random(len(real)) < 0.4] = 0
    alike = showers(energy, 4, 2)
    alike.cells[rng.random(len(real)) < 0.4] = 0
    apart = dataclasses.replace(
        real, cells=np.stack([rng.permutation(column) for column in real.cells.T], axis=1)
    )
    floor, error = (
        shapes.coactivation_error(pair_of(real, other), np.ones((1, 60)))[0, 0]
        for other in (alike, apart)
    )
    assert error > 3 * floor > 0


def test_what_has_no_such_cells_is_left_out(pair):
    assert not list(shapes.cell_metrics(POINTS, POINTS.scheme()))
    names = [metric.name for metric in shapes.cell_metrics(ALICE_ZN, ALICE_ZN.scheme())]
    assert names == ["conditional_mae", "dispersion_ratio", "coactivation_error"]
    dark = dataclasses.replace(pair.real.observed, cells=np.zeros_like(pair.real.observed.cells))
    real = dataclasses.replace(pair.real, observed=dark)
    empty_pair = dataclasses.replace(pair, real=real, other=real)
    assert np.isnan(shapes.coactivation_error(empty_pair, np.ones((1, 7)))).all()
    assert np.isnan(shapes.cell_moments(empty_pair, np.ones((1, 7)))).all()
