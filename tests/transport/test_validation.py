"""Figures of the validation on showers whose answer is known."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge.detectors import ATLAS_EM
from caloforge.transport.geometry import PlateStack, geometry_of
from caloforge.transport.request import Shot
from validation.runner import RUNS, write_record
from validation.transport.checks import Check, checks_of, linearity
from validation.transport.figures import (
    Value,
    depths,
    em_point,
    fit_resolution,
    interaction_length,
    peak,
    resolution,
    slope_per_decade,
    stack_constants,
)
from validation.transport.measuring import Measured, of_this_plan
from validation.transport.page import check_table, of_kind, unmet
from validation.transport.points import all_points, meets_metal
from validation.transport.samples import verdict

STACK = geometry_of(ATLAS_EM)
assert isinstance(STACK, PlateStack)


def gamma_showers(rng: np.random.Generator, top_x0: float, energy: float, count: int) -> Measured:
    """Showers of a gamma law with its maximum at ``top_x0``, a sixth of it in argon."""
    assert isinstance(STACK, PlateStack)
    depth, slope = depths(STACK), 0.5
    law = depth ** (slope * top_x0) * np.exp(-slope * depth)
    along = rng.normal(1, 0.02, (count, 80)) * law / law.sum() * energy
    profile = np.concatenate([along * 5 / 6, along / 6], axis=1).astype(np.float32)
    cells = np.zeros((count, ATLAS_EM.cells), np.float32)
    cells[:, 0] = along.sum(axis=1)
    overflow = np.zeros((count, 3), np.float32)
    return Measured(cells, overflow, profile, np.ones(count), np.arange(count))


def test_rossi_constants_are_those_of_lead_and_argon() -> None:
    assert isinstance(STACK, PlateStack)
    actual = stack_constants(STACK)
    assert actual.radiation_length_mm == pytest.approx(15.58, abs=0.01)
    assert actual.critical_mev == pytest.approx(9.3, abs=0.1)
    assert actual.minimum_share == pytest.approx(0.2485, abs=0.001)


@pytest.mark.parametrize("top", [3.5, 6.5, 9.0])
def test_the_peak_of_a_gamma_law_is_found(rng: np.random.Generator, top: float) -> None:
    assert isinstance(STACK, PlateStack)
    actual = em_point(gamma_showers(rng, top, 10.0, 50), 10.0, STACK)
    assert actual["peak_x0"].value == pytest.approx(top, abs=0.05)
    assert actual["sampling_fraction"].value == pytest.approx(1 / 6)
    assert actual["deposit_over_energy"].value == pytest.approx(1, abs=0.01)
    assert actual["e_over_mip"].value == pytest.approx(1 / 6 / 0.2485, rel=0.01)


def test_peaks_have_bootstrap_errors(rng: np.random.Generator) -> None:
    assert isinstance(STACK, PlateStack)
    tops = rng.normal(6.0, 1.0, 200)
    depth = depths(STACK)
    along = np.stack([depth ** (0.5 * t) * np.exp(-0.5 * depth) for t in tops])
    along /= along.sum(axis=1, keepdims=True)
    assert peak(along, depth).error == pytest.approx(1 / math.sqrt(200), rel=0.5)


def test_an_interaction_length_is_found_in_a_finite_block(rng: np.random.Generator) -> None:
    ends = np.minimum(rng.exponential(120.0, 20_000) * 0.9, 1001.0)
    empty = np.zeros((20_000, 0), np.float32)
    profile = ends[:, None].astype(np.float32)
    measured = Measured(empty, empty, profile, np.ones(20_000), np.arange(20_000))
    actual = interaction_length(measured, 1000.0, 0.9)
    assert actual.value == pytest.approx(120, abs=3 * actual.error)
    assert actual.error == pytest.approx(120 / math.sqrt(20_000), rel=0.02)


def test_fits_return_what_was_put_in() -> None:
    energies = np.array([1.0, 10.0, 100.0])
    fit = fit_resolution(energies, [Value(8 / math.sqrt(e) + 0.3, 0.01) for e in energies])
    assert (fit["a"].value, fit["b"].value) == pytest.approx((8.0, 0.3))
    slope = slope_per_decade(energies, [Value(5 + 2.3 * math.log10(e), 0.1) for e in energies])
    assert slope.value == pytest.approx(2.3)
    assert linearity([Value(1.0, 0.001), Value(1.03, 1.0)]).value == pytest.approx(3.0, abs=1e-3)


def test_resolution_has_the_error_of_a_normal_law(rng: np.random.Generator) -> None:
    actual = resolution(rng.normal(100, 5, 4000))
    assert actual.value == pytest.approx(5, abs=4 * actual.error)
    assert actual.error == pytest.approx(5 / math.sqrt(8000), rel=0.05)


def test_a_seventh_of_the_neutrons_starts_in_a_groove() -> None:
    point = next(point for point in all_points() if point.name == "zn-neutron-100")
    assert 1 - meets_metal(point, seed=1).mean() == pytest.approx((0.6 / 1.6) ** 2, abs=0.05)


def test_statements_are_compared_and_shown() -> None:
    entry = {"interaction_length_mm": Value(99.0, 2.0), "n": 1000, "kinetic_gev": 100.0}
    checks = checks_of({"block-interaction": entry})
    assert [(check.met, check.showers) for check in checks] == [(True, 1000)]
    failed = Check("e/mip", Value(0.8, 0.01), 0.6, 0.7, 300)
    beside = [Check("e/mip", Value(0.65, 0.01), 0.6, 0.7, 100)]
    page = check_table([*checks, failed], beside, {"x": {"tables": "official"}})
    assert "| beside: official |" in page
    assert "| e/mip | 0.800 +- 0.010 | 0.6 to 0.7 | 300 | **no** | 0.650 +- 0.010 |" in page


def record(series: str, kind: str, length: float) -> dict[str, Any]:
    figures = {"interaction_length_mm": [length, 2.0], "n": 10, "kinetic_gev": 100.0}
    return {"series": series, "tables_kind": kind, "figures": figures}


def test_official_tables_are_shown_and_the_others_stand_beside(tmp_path: Path) -> None:
    records = {
        f"{kind}-{series}": record(series, kind, length)
        for kind, length in (("formula", 99.0), ("official", 120.0))
        for series in ("zn-interaction", "block-interaction")
    }
    assert [*of_kind(records)] == ["block-interaction", "zn-interaction"]
    (tmp_path / RUNS).mkdir()
    for name, one in records.items():
        write_record(tmp_path / RUNS / f"{name}.json", one)
    assert unmet(tmp_path) == [
        "pure tungsten: interaction length in mm (PDG 99.4), 100 GeV neutrons: 120.0 +- 2.0"
    ]


def test_verdicts_need_particles_and_three_sigma() -> None:
    assert verdict(Value(0.85, 0.03), 40) == "**differ: -15.0 % (5.0 sigma)**"
    assert verdict(Value(1.02, 0.03), 40) == "agree: +2.0 % (0.7 sigma)"
    assert verdict(Value(0.4, 0.01), 3) == "too few"


def test_showers_of_another_plan_are_measured_again(tmp_path: Path) -> None:
    shots = [Shot(row, 22, 1.0, (0.0, 0.0), (0.0, 0.0, 1.0), seed=row + 5) for row in range(4)]
    empty = np.zeros((3, 0), np.float32)
    conditions = Measured(empty, empty, empty, np.ones(3), np.array([5, 6, 7]))
    assert of_this_plan(conditions, shots) is conditions
    assert of_this_plan(conditions, shots[1:]) is None
    assert of_this_plan(None, shots) is None
