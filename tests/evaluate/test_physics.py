"""Response, resolution, correlations, events and regions: loops and known answers."""

import dataclasses

import numpy as np
import pytest

from caloforge.data.showers import Showers
from caloforge.detectors import ALICE_ZN
from caloforge.evaluate.metrics.energy import energy_bands, event_sums, events, response
from caloforge.evaluate.metrics.two_sample import correlation, correlations
from caloforge.evaluate.paired import impact_mm, kind_name, regions
from evaluate.stand_in import PROTON, energies, showers


def test_response_and_resolution_of_a_known_calorimeter(rng):
    """Total = 0.4 E with a relative deviation of 10 %, particles with 6 showers."""
    energy = np.sort(rng.uniform(10, 1000, 400))
    particle_index = np.repeat(np.arange(400), 6)
    total = 0.4 * energy[particle_index] * rng.normal(1, 0.1, 2400)
    edges = energy_bands(energy)
    actual = response(total, energy[particle_index], particle_index, edges, rng)
    assert len(actual.response) == len(actual.energy) == len(edges) - 1 == 8
    for ratio, width in zip(actual.response, actual.resolution, strict=True):
        assert ratio.value == pytest.approx(0.4, abs=4 * ratio.error)
        assert width.value == pytest.approx(0.1, abs=4 * width.error)
        assert 0.001 < ratio.error / ratio.value < 0.02


def test_without_repeats_the_resolution_is_that_of_the_band(rng):
    energy = rng.uniform(90, 110, 800)
    total = 0.4 * energy * rng.normal(1, 0.1, 800)
    actual = response(total, energy, np.arange(800), energy_bands(energy, 2), rng)
    for width in actual.resolution:
        assert width.value == pytest.approx(0.1, abs=4 * width.error)


def test_correlations_are_those_of_numpy_where_all_is_defined(rng):
    values = rng.normal(0, 1, (200, 4)) @ rng.normal(0, 1, (4, 4))
    np.testing.assert_allclose(correlation(values), np.corrcoef(values.T), atol=1e-12)
    values[::3, 1] = np.nan
    there = np.isfinite(values[:, 1])
    expected = np.corrcoef(values[there][:, [0, 1]].T)[0, 1]
    assert correlation(values)[0, 1] == pytest.approx(expected)
    values[:, 2] = 7.0
    assert np.isnan(correlation(values)[2]).all()


def test_the_largest_wrong_correlation_is_named(rng):
    a = rng.normal(0, 1, (5000, 3))
    b = a.copy()
    b[:, 2] = rng.normal(0, 1, 5000) + b[:, 0]
    actual = correlations(("x", "y", "z"), a, b)
    first, second, size = actual.largest
    assert (first, second) == ("x", "z")
    assert size == pytest.approx(1 / np.sqrt(2), abs=0.05)
    assert correlations(("x", "y", "z"), a, a).largest is None


def spectators(particles, repeats, scale, seed):
    """Neutrons of beam energy on side A, 500 photons each, and as many half as bright on C."""
    rng = np.random.default_rng(seed)
    conditions = np.zeros((2 * particles * repeats, 9))
    conditions[:, 0], conditions[:, 7] = 1380.0, 939.565
    side = np.repeat([1, -1], particles * repeats)
    conditions[:, 6] = 1380.0 * side
    cells = np.zeros((len(conditions), ALICE_ZN.cells), dtype=np.uint16)
    cells[:, 990] = rng.poisson(np.where(side > 0, 500, 250) * scale)
    number = np.repeat(np.arange(2 * particles), repeats)
    return Showers(
        ALICE_ZN, cells, conditions, number, pdg=np.full(len(cells), 2112, dtype=np.int32)
    )


def test_sums_over_spectators_have_peaks_where_they_should_be(rng):
    real, generated = spectators(12, 4, 1.0, 1), spectators(12, 4, 1.1, 2)
    actual = {(event.side, event.number): event for event in events(real, generated, rng=rng)}
    assert {number for _, number in actual} == {1, 2, 3, 5}
    assert actual["A", 3].real.mean() == pytest.approx(1500, rel=0.02)
    assert actual["C", 3].real.mean() == pytest.approx(750, rel=0.02)
    assert actual["A", 3].generated.mean() == pytest.approx(1650, rel=0.02)
    assert actual["A", 3].w1.value == pytest.approx(50, rel=0.15)
    assert actual["A", 3].floor.value < 10
    assert not list(events(showers(energies(30, 0), 2, 1), showers(energies(30, 0), 2, 2), rng=rng))


def test_an_event_takes_a_particle_once(rng):
    totals = [np.array([10.0**n]) for n in range(6)]
    sums = event_sums(totals, 4, 200, rng)
    for value in sums.astype(int):
        assert set(str(value)) <= {"0", "1"}
        assert str(value).count("1") == 4


def test_a_broken_corner_shows_in_its_own_region():
    energy = np.linspace(20, 400, 40)
    real, generated = showers(energy, 6, 1), showers(energy, 6, 2)
    high = generated.conditions[:, 0] > np.quantile(energy, 0.75)
    cells = generated.cells.copy()
    cells[high] *= 2
    actual = regions(real, dataclasses.replace(generated, cells=cells))
    energy_rows = [region for region in actual if region.grouping == "energy"]
    assert [region.particles for region in energy_rows] == [10] * 4
    ratios = [region.value["mean_total"].value for region in energy_rows]
    assert ratios[:3] == pytest.approx([1, 1, 1], abs=0.06)
    assert ratios[3] == pytest.approx(2, abs=0.1)
    worst = energy_rows[3]
    assert worst.value["conditional_w1"].value > 5 * worst.floor["conditional_w1"].value
    for region in energy_rows[:3]:
        ratio = region.value["conditional_w1"].value / region.floor["conditional_w1"].value
        assert ratio == pytest.approx(1, abs=0.25)


def test_kinds_have_their_own_rows_and_names():
    energy = energies(20, 0)
    neutrons, protons = showers(energy, 4, 1), showers(energy, 4, 2, kind=PROTON)
    both = dataclasses.replace(
        neutrons,
        **{
            name: np.concatenate([getattr(neutrons, name), getattr(protons, name)])
            for name in ("cells", "conditions")
        },
        particle=np.concatenate([neutrons.particle, protons.particle + 20]),
        pdg=np.repeat([2112, 2212], 80).astype(np.int32),
    )
    actual = {r.title: r.particles for r in regions(both, both) if r.grouping == "kind"}
    assert actual == {"n": 20, "p": 20}
    assert kind_name(999_999_999) == "pdg 999999999"


def test_the_impact_point_of_a_straight_flight():
    conditions = np.zeros((1, 9))
    conditions[0, 4:7] = [0.5, -0.25, 1000.0]
    point = impact_mm(ALICE_ZN, conditions)
    assert point[0] == pytest.approx([56.3, -28.15])
