"""The stack is exact, and detectors agree with the matter behind them."""

from contextlib import nullcontext
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caloforge.detectors import ALICE_ZN, ALICE_ZP, ATLAS_EM, DETECTORS, FACTS
from caloforge.errors import DataError, UsageError
from caloforge.transport.geometry import (
    GEOMETRY,
    FibreStack,
    PlateStack,
    geometry_of,
    require_depth,
    sections,
)

GEOMETRIES = [facts.matter for facts in FACTS.values() if facts.matter is not None]
EM = geometry_of(ATLAS_EM)


def test_the_em_stack_is_cut_at_the_layer_borders() -> None:
    assert isinstance(EM, PlateStack)
    actual = sections(EM, (90.0, 347.0, 43.0))
    shape = [(s.layer, s.first_unit, s.units, s.absorber_mm, s.active_mm) for s in actual]
    assert shape == [
        (0, 0, 15, 2.0, 4.0),
        (1, 15, 57, 2.0, 4.0),
        (1, 72, 1, 2.0, 3.0),
        (2, 72, 1, 0.0, 1.0),
        (2, 73, 7, 2.0, 4.0),
    ]


@given(st.lists(st.integers(1, 479), max_size=4, unique=True))
def test_any_borders_keep_all_lead_and_argon(cuts: list[int]) -> None:
    assert isinstance(EM, PlateStack)
    borders = [0, *sorted(cuts), 480]
    depths = tuple(float(b - a) for a, b in pairwise(borders))
    actual = sections(EM, depths)
    assert sum(s.units * s.absorber_mm for s in actual) == pytest.approx(160)
    assert sum(s.units * s.active_mm for s in actual) == pytest.approx(320)
    for layer, depth in enumerate(depths):
        assert sum(s.depth_mm for s in actual if s.layer == layer) == pytest.approx(depth)


@pytest.mark.parametrize(("units", "deep_enough"), [(40, False), (79, False), (80, True)])
def test_plates_that_end_before_the_layers_are_refused(units: int, deep_enough: bool) -> None:
    geometry = EM.model_copy(update={"units": units})
    with nullcontext() if deep_enough else pytest.raises(DataError, match="480 mm; give more"):
        require_depth(geometry, ATLAS_EM)


def test_fibres_fit_their_grooves_and_grooves_their_cells() -> None:
    for detector in (ALICE_ZN, ALICE_ZP):
        geometry = geometry_of(detector)
        assert isinstance(geometry, FibreStack)
        assert geometry.fibre_diameter_mm < geometry.groove_mm < min(detector.layers[0].cell_mm)


def test_sizes_are_those_of_the_card() -> None:
    sizes = {
        name: [n * mm for n, mm in zip(layer.shape, layer.cell_mm, strict=True)]
        for name in ("alice_zn", "alice_zp")
        for layer in DETECTORS[name].layers
    }
    assert sizes["alice_zn"] == pytest.approx([70.4, 70.4])
    assert sizes["alice_zp"] == pytest.approx([224, 120])
    assert [n * mm for n, mm in zip(ATLAS_EM.layers[0].shape, (160, 5), strict=True)] == [480, 480]


def test_fractions_add_up_and_geometries_survive_json() -> None:
    for geometry in GEOMETRIES:
        for material in geometry.materials:
            assert sum(f for _, f in material.fractions) in (0, pytest.approx(1))
        assert GEOMETRY.validate_json(geometry.model_dump_json()) == geometry


def test_unknown_geometry_is_named() -> None:
    with pytest.raises(UsageError, match="no geometry for moon"):
        geometry_of(ALICE_ZN.model_copy(update={"name": "moon"}))
