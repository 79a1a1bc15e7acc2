"""Particles meet the face where a ruler says, and are lost as exponentials say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caloforge.detectors import ALICE_ZN, ALICE_ZP, ATLAS_EM, DETECTORS
from caloforge.errors import DataError
from caloforge.transport.arrival import Arrivals, Upstream, arrivals, survival
from caloforge.transport.geometry import geometry_of


def meet(name: str, *rows: list[float]) -> Arrivals:
    detector = DETECTORS[name]
    return arrivals(detector, geometry_of(detector), np.array(rows, dtype=np.float64))


def test_the_public_photon_lands_where_its_slope_points() -> None:
    row = [513.318, 1.4543e-8, 3.65051e-8, -0.00273101, 0.035456, -0.051821, -513.318, 0, 0]
    actual = meet("alice_zn", row)
    assert actual.x_mm[0] == pytest.approx(112_600 * 0.035456 / 513.318, rel=1e-5)
    assert actual.y_mm[0] == pytest.approx(-112_600 * 0.051821 / 513.318, rel=1e-5)
    assert actual.direction[0, 2] > 0
    assert actual.kinetic_gev[0] == 513.318
    assert actual.hits[0]


def test_the_vertex_shifts_the_impact_and_shortens_the_flight() -> None:
    row = [1000.0, 0.1, -0.2, 60.0, 0.1, 0.0, 1000.0, 939.565, 0]
    actual = meet("alice_zn", row)
    assert actual.x_mm[0] == pytest.approx(10 * (0.1 + (11260 - 60) * 1e-4))
    assert actual.y_mm[0] == pytest.approx(-2.0)
    assert actual.kinetic_gev[0] == pytest.approx(1000 - 0.939565)


@pytest.mark.parametrize(("momentum", "x_mm"), [(1380.0, 0.0), (690.0, 120.0), (2760.0, -60.0)])
def test_protons_are_dispersed_by_momentum(momentum: float, x_mm: float) -> None:
    energy = math.hypot(momentum, 0.938272)
    actual = meet("alice_zp", [energy, 0, 0, 0, 0, 0, momentum, 938.272, 1])
    assert actual.x_mm[0] == pytest.approx(x_mm, abs=1e-6)
    assert actual.hits[0] == (abs(x_mm) < 112)


def test_neutrals_pass_the_proton_calorimeter() -> None:
    assert not meet("alice_zp", [1380.0, 0, 0, 0, 0, 0, 1380.0, 0.0, 0]).hits[0]


@given(st.floats(-0.08, 0.08), st.floats(-0.08, 0.08))
def test_em_angles_are_those_of_the_authors(ux: float, uy: float) -> None:
    uz = math.sqrt(1 - ux**2 - uy**2)
    row = [10.0, math.acos(uy), math.atan(-ux / uz), 12.0, -3.0]
    actual = meet("atlas_em", row)
    assert actual.direction[0].tolist() == pytest.approx([ux, uy, uz], abs=1e-12)
    assert (actual.x_mm[0], actual.y_mm[0], actual.kinetic_gev[0]) == (12.0, -3.0, 10.0)


def test_flips_of_a_detector_flip_the_arrival() -> None:
    row = np.array([[10.0, 1.6, 0.05, 12.0, -3.0]])
    for symmetry in ATLAS_EM.symmetries:
        actual = meet("atlas_em", ATLAS_EM.transform_conditions(row, symmetry)[0].tolist())
        plain = meet("atlas_em", row[0].tolist())
        signs = np.array([-1 if symmetry.flip_x else 1, -1 if symmetry.flip_y else 1, 1])
        assert actual.direction[0] == pytest.approx(plain.direction[0] * signs)
        assert actual.x_mm[0] == plain.x_mm[0] * signs[0]
        assert actual.y_mm[0] == plain.y_mm[0] * signs[1]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ([0.5, 0, 0, 0, 0, 0, 0.4, 938.272, 1], "not above its mass"),
        ([1.0, 0, 0, 0, 1.0, 0, 0, 0, 0], "towards the calorimeter"),
        ([1.0, 0, 0, 0, 0, 0, 0, 0, 0], "no momentum"),
    ],
)
def test_impossible_particles_are_refused(row: list[float], complaint: str) -> None:
    with pytest.raises(DataError, match=f"row 1.*{complaint}"):
        meet("alice_zn", [100.0, 0, 0, 0, 0, 0, 100.0, 0, 0], row)


def test_material_upstream_stops_by_type() -> None:
    actual = meet("alice_zn", *[[100.0, 0, 0, 0, 0, 0, 100.0, 0, 0]] * 3)
    pdg = np.array([22, -11, 2112], np.int32)
    through = survival(Upstream(radiation_lengths=0.9, interaction_lengths=0.2), pdg, actual)
    assert through.tolist() == pytest.approx([math.exp(-0.7), math.exp(-0.9), math.exp(-0.2)])


def test_an_aperture_stops_what_is_outside() -> None:
    rows = [[100.0, 0, 0, 0, 0, slope * 100, 100.0, 0, 0] for slope in (0.0, 1e-4, 2e-4)]
    actual = meet("alice_zn", *rows)
    through = survival(Upstream(aperture_mm=15.0), np.full(3, 22, np.int32), actual)
    assert through.tolist() == [1.0, 1.0, 0.0]


def test_every_zdc_shares_the_nine_columns() -> None:
    assert ALICE_ZN.columns == ALICE_ZP.columns
