"""Nearest neighbours: loops, known answers, copies."""

import dataclasses
import math

import numpy as np
import pytest

from caloforge.data.showers import Showers
from caloforge.detectors import ATLAS_EM
from caloforge.errors import DataError
from caloforge.evaluate.metrics.neighbours import (
    fidelity,
    four_numbers,
    memorisation,
    nearest_distances,
)
from caloforge.report.layered_sections import NEIGHBOURS, nearest_pictures, some_lit
from evaluate.stand_in import energies, showers

LAST = slice(432, 504)
"""Cells of the last layer of ``ATLAS_EM``."""


def by_loops(real, generated, k):
    def reach(sample, place):
        return sorted(math.dist(sample[place], x) for x in sample)[k]

    radii = [reach(real, n) for n in range(len(real))]
    radii_made = [reach(generated, n) for n in range(len(generated))]
    pairs = [[math.dist(r, g) for g in generated] for r in real]
    rows, columns = range(len(real)), range(len(generated))
    inside = [sum(pairs[r][g] <= radii[r] for r in rows) for g in columns]
    precision = sum(n > 0 for n in inside) / len(generated)
    density = sum(inside) / (k * len(generated))
    recall = sum(any(pairs[r][g] <= radii_made[g] for g in columns) for r in rows) / len(real)
    coverage = sum(any(pairs[r][g] <= radii[r] for g in columns) for r in rows) / len(real)
    return precision, density, recall, coverage


def tables(a, b):
    def squares(x, y):
        return ((x[:, None] - y[None]) ** 2).sum(axis=2)

    return squares(a, a), squares(b, b), squares(a, b)


def test_the_four_numbers_are_those_of_loops(rng):
    real, generated = rng.normal(0, 1, (25, 3)), rng.normal(0.7, 0.6, (30, 3))
    actual = four_numbers(*tables(real, generated), 5)
    assert actual == pytest.approx(by_loops(real.tolist(), generated.tolist(), 5))


def test_equal_laws_disjoint_laws_and_a_dropped_mode(rng):
    modes = rng.integers(0, 2, 1200)
    real = rng.normal(0, 1, (1200, 2)) + 40 * modes[:, None]
    same = rng.normal(0, 1, (1200, 2)) + 40 * rng.integers(0, 2, 1200)[:, None]
    good = fidelity(real, same, rng=rng)
    for name in ("precision", "recall", "coverage"):
        assert getattr(good, name).value > 0.9
    assert good.density.value == pytest.approx(1, abs=0.1)
    assert 0 < good.density.error < 0.1
    far = fidelity(real, same + 1000, rng=rng)
    assert far.precision.value == far.recall.value == far.coverage.value == 0
    half = fidelity(real, rng.normal(0, 1, (1200, 2)), rng=rng)
    assert half.precision.value > 0.9
    assert half.coverage.value == pytest.approx((modes == 0).mean(), abs=0.08)
    with pytest.raises(DataError, match="at least 12"):
        fidelity(real[:5], same, rng=rng)


def test_nearest_distances_are_those_of_loops(rng):
    sample, others = rng.poisson(2, (40, 6)).astype(np.uint16), rng.poisson(2, (30, 6))
    distance, place = nearest_distances(sample, others.astype(np.uint16), rows=7)
    for row, image in enumerate(sample.astype(float)):
        every = [math.dist(image, other) for other in others.astype(float)]
        assert distance[row] == pytest.approx(min(every))
        assert every[place[row]] == pytest.approx(min(every))


def layered(rows, rng):
    """Showers of three layers; the last one is lit in every fifth only."""
    energy = rng.uniform(1, 90, rows)
    cells = rng.exponential(1, (rows, ATLAS_EM.cells)).astype(np.float32)
    cells *= (energy / cells.sum(axis=1)).astype(np.float32)[:, None]
    cells[np.arange(rows) % 5 > 0, LAST] = 0
    conditions = np.column_stack([energy, np.tile([1.57, 0, 0, 0], (rows, 1))])
    return Showers(ATLAS_EM, cells, conditions, np.arange(rows))


def test_showers_that_are_shown_are_lit_in_the_layer_and_rise(rng):
    cells = layered(100, rng).cells
    rows = some_lit(cells, LAST)
    assert len(rows) == NEIGHBOURS
    assert (rows % 5 == 0).all()
    totals = cells[rows].sum(axis=1)
    assert (np.diff(totals) > 0).all()
    lit = cells[::5].sum(axis=1)
    assert (totals[0], totals[-1]) == (lit.min(), lit.max())
    assert len(some_lit(cells[:11], LAST)) == 3
    assert len(some_lit(cells[1:5], LAST)) == 0


def test_real_showers_stand_over_the_nearest_of_each_sample(rng):
    real, generated, train = (layered(40, rng) for _ in range(3))
    cells = generated.cells.copy()
    cells[7] = real.cells[some_lit(real.cells, LAST)[0]]
    generated = dataclasses.replace(generated, cells=cells)
    panels = nearest_pictures(real, generated, train)
    assert list(panels) == ["layer_0", "layer_1", "layer_2"]
    axes = panels["layer_2"].axes
    names = [one.get_ylabel().removesuffix("\ny [mm]") for one in axes[: 3 * NEIGHBOURS]]
    assert names[::NEIGHBOURS] == ["real", "nearest\ngenerated", "nearest\ntraining"]
    first = some_lit(real.cells, LAST)[0]
    energy_gev = real.cells[first, LAST].sum()
    title = f"E {real.conditions[first, 0]:.3g} GeV\nlayer {energy_gev:.3g} GeV"
    assert axes[0].get_xlabel() == title
    np.testing.assert_allclose(axes[0].images[0].get_array().sum(), 1, rtol=1e-5)
    assert axes[NEIGHBOURS].get_xlabel() == "0 GeV away"
    expected = real.cells[first, LAST].astype(float)
    away = min(math.dist(expected, other) for other in train.cells[:, LAST].astype(float))
    assert axes[2 * NEIGHBOURS].get_xlabel() == f"{away:.2g} GeV away"
    dark = dataclasses.replace(real, cells=real.cells * (np.arange(ATLAS_EM.cells) < LAST.start))
    assert list(nearest_pictures(dark, generated)) == ["layer_0", "layer_1"]


def test_a_generator_that_repeats_training_showers_is_seen(rng):
    train, real = showers(energies(30, 0), 4, 1), showers(energies(30, 0), 4, 2)
    fresh = memorisation(real, showers(energies(30, 0), 4, 3), train, rng=rng)
    assert fresh.ratio.value == pytest.approx(1, abs=0.05)
    assert fresh.copies.value == fresh.natural.value == 0
    cells = memorisation(real, dataclasses.replace(real, cells=train.cells), train, rng=rng)
    assert cells.ratio.value == 0
    assert cells.copies.value == 1
    assert (cells.distance == 0).all()
    half = real.cells.copy()
    half[::2] = train.cells[::2]
    mixed = memorisation(real, dataclasses.replace(real, cells=half), train, rng=rng)
    assert mixed.copies.value == pytest.approx(0.5)
    assert mixed.ratio.value == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("shift", [1e3, 1e6])
def test_a_shift_of_both_samples_changes_nothing(rng, shift):
    real, generated = rng.normal(size=(2, 200, 3))
    at_zero = fidelity(real, generated, rng=np.random.default_rng(1))
    away = fidelity(real + shift, generated + shift, rng=np.random.default_rng(1))
    for name in ("precision", "density", "recall", "coverage"):
        assert getattr(away, name).value == pytest.approx(getattr(at_zero, name).value, abs=0.01)
