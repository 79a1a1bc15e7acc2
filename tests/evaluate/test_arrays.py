"""Judging anyone's showers: plain arrays, no file and no model of ours."""

import json
import re

import numpy as np
import pytest

from caloforge.errors import DataError
from caloforge.evaluate import (
    add_two_sample_metrics,
    apply_gate,
    evaluate,
    matched,
    plain_detector,
    showers_of,
)
from caloforge.report import pictures
from caloforge.report.pages import report
from caloforge.report.tables import table
from evaluate.stand_in import energies, showers

TWO = plain_detector(
    "two", {"front": (4, 6), "back": (3, 2)}, {"E": "GeV"}, unit="MeV", cell_mm=(5.0, 5.0)
)


def deposits(energy, seed, scale=1.0):
    """Energies of two layers, the front one holding four fifths; rows by layer."""
    rng = np.random.default_rng(seed)
    total = scale * 800 * energy * rng.gamma(60, 1 / 60, len(energy))
    share = rng.beta(40, 10, len(energy))
    front = rng.dirichlet(np.full(24, 2.0), len(energy)) * (total * share)[:, None]
    back = rng.dirichlet(np.full(6, 2.0), len(energy)) * (total * (1 - share))[:, None]
    return {"front": front.reshape(-1, 4, 6), "back": back.reshape(-1, 3, 2)}


def test_arrays_of_single_showers_with_other_conditions_are_judged_whole():
    energy, other = (np.random.default_rng(n).uniform(1, 100, 600) for n in (1, 2))
    real = showers_of(TWO, deposits(energy, 3), energy)
    assert real.cells.dtype == np.float32
    for scale, passes in ((1.0, True), (1.3, False)):
        generated = showers_of(TWO, deposits(other, 4, scale), other)
        first, second, warnings = matched(real, generated)
        assert "bands" in warnings[0]
        result = add_two_sample_metrics(
            evaluate(first, second, resamples=30), first, second, classifier="none"
        )
        assert result.gate.accepted == passes
        assert result.measured("mean_total").value == pytest.approx(scale, abs=0.06)
        assert result.measured("conditional_w1").value is not None
        json.dumps(result.record, allow_nan=False)
        assert "depth (mean layer)" in table(result)


def test_repeats_are_found_by_their_conditions():
    energy = np.repeat([5.0, 7.0, 5.0], [2, 3, 1])
    sample = showers_of(TWO, deposits(energy, 1), energy, pdg=np.full(6, 22))
    assert np.bincount(sample.particle).tolist() == [3, 3]
    assert (np.diff(sample.particle) >= 0).all()
    flat = np.concatenate([v.reshape(6, -1) for v in deposits(energy, 1).values()], axis=1)
    again = showers_of(TWO, flat, energy[:, None])
    np.testing.assert_array_equal(again.cells, sample.cells)


def test_library_use_writes_the_same_page(monkeypatch):
    monkeypatch.setattr(pictures, "data_uri", lambda figure: "data:image/png;base64,")
    energy = energies(20, 0)
    real, generated = showers(energy, 2, 1), showers(energy, 2, 2)
    assert apply_gate(real, generated).accepted
    page = report(evaluate(real, generated, resamples=20), real, generated)
    assert page.startswith("<!doctype html>")
    assert len(re.findall("<img", page)) > 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": np.ones((5, 29))}, r"expected \(5, 30\)"),
        ({"cells": np.full((5, 30), np.nan)}, "NaN"),
        ({"cells": -np.ones((5, 30))}, "negative"),
        ({"cells": np.full((5, 30), "a")}, "not numbers"),
        ({"conditions": np.full(5, np.inf)}, "condition E"),
        ({"conditions": np.ones(4)}, r"expected \(4, 30\)"),
    ],
)
def test_arrays_that_are_no_showers_are_told(changes, message):
    arguments = {"cells": np.ones((5, 30)), "conditions": np.ones(5)} | changes
    with pytest.raises(DataError, match=message):
        showers_of(TWO, arguments["cells"], arguments["conditions"])


def test_counts_must_be_whole():
    counting = plain_detector("count", {"a": (2, 2)}, {"E": "GeV"}, unit="counts", counts=True)
    assert showers_of(counting, np.ones((2, 4)), np.ones(2)).cells.dtype == np.uint16
    with pytest.raises(DataError, match="round the cells"):
        showers_of(counting, np.full((2, 4), 0.5), np.ones(2))
    with pytest.raises(DataError, match="65535"):
        showers_of(counting, np.full((2, 4), 70_000), np.ones(2))


def test_other_units_and_constant_observables_are_told():
    energy = energies(30, 0)
    real = showers(energy, 4, 1)
    cells = (showers(energy, 4, 2).cells * 100).astype(np.uint16)
    result = evaluate(real, showers_of(real.detector, cells, real.conditions, real.particle))
    assert any("another unit?" in warning for warning in result.warnings)
    same = showers_of(real.detector, np.ones_like(real.cells), real.conditions, real.particle)
    constant = evaluate(same, same, resamples=20)
    assert any("total is the same for all" in warning for warning in constant.warnings)
    json.dumps(constant.record, allow_nan=False)


BOX = plain_detector("box", {"front": (2, 2)}, {"E": "GeV", "x": "mm"}, unit="GeV")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"conditions": np.ones((2, 4))}, "conditions are (2, 4), expected (rows, 2): E, x"),
        ({"conditions": np.ones(4)}, "conditions are (4,), expected (rows, 2)"),
        ({"particle": [0]}, "particle is (1,), expected (2,), one a row"),
        ({"particle": [0, 1, 2]}, "particle is (3,), expected (2,), one a row"),
        ({"particle": [0.4, 0.9]}, "row 0: particle is 0.4, not a whole number"),
        ({"pdg": [22, 22, 22]}, "pdg is (3,), expected (2,), one a row"),
        ({"pdg": [22, 1e12]}, "pdg"),
        ({"particle": ["1", "2"]}, "particle is of type <U1, not numbers"),
        ({"particle": [None, None]}, "particle is of type object, not numbers"),
    ],
)
def test_columns_of_another_shape_are_refused(columns, message):
    good = {"conditions": np.ones((2, 2))}
    with pytest.raises(DataError, match=re.escape(message)):
        showers_of(BOX, np.ones((2, 4)), **{**good, **columns})


def test_particles_are_matched_by_conditions_before_numbers():
    """Numbers that both sides have by accident are no particles in common."""
    conditions = np.array([[3.0, 0.0], [1.0, 0.0], [2.0, 0.0], [9.0, 0.0]])
    cells = np.repeat(np.arange(4.0), 4).reshape(4, 4)
    real = showers_of(BOX, cells, conditions, particle=[0, 1, 2, 3])
    generated = showers_of(BOX, cells[::-1], conditions[::-1], particle=[2, 0, 3, 1])
    first, second, warnings = matched(real, generated)
    assert not warnings
    assert first is real
    assert second.particle.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(second.conditions, conditions)
    np.testing.assert_array_equal(second.cells[:, 0], np.arange(4))


def test_a_particle_without_a_partner_takes_no_number_of_another():
    real = showers_of(BOX, np.ones((2, 4)), [[1.0, 0.0], [2.0, 0.0]], particle=[0, 1])
    generated = showers_of(BOX, np.ones((2, 4)), [[2.0, 0.0], [7.0, 0.0]], particle=[0, 1])
    second = matched(real, generated)[1]
    assert second.particle.tolist() == [1, 2]
    assert second.conditions[:, 0].tolist() == [2.0, 7.0]
    foreign = showers_of(BOX, np.ones((2, 4)), [[1.0, 0.0], [7.0, 0.0]], particle=[0, 1])
    assert matched(real, foreign)[1].particle.tolist() == [0, 2]


def test_real_particles_of_equal_conditions_stay_apart():
    conditions = np.array([[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    real = showers_of(BOX, np.ones((3, 4)), conditions, particle=[0, 1, 2])
    generated = showers_of(BOX, np.ones((3, 4)), conditions[::-1], particle=[0, 1, 2])
    second = matched(real, generated)[1]
    assert second.particle.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(second.conditions, conditions)


def test_the_first_condition_is_the_energy_where_its_unit_is_that_of_the_cells():
    assert BOX.energy == "E"
    assert TWO.energy is None
