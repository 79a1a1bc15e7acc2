"""Gates: their files, their limits, and the exit code of the command line."""

import dataclasses
import json
import math

import numpy as np
import pytest

from caloforge.cli import main
from caloforge.data.showers import Showers
from caloforge.errors import DataError, UsageError
from caloforge.evaluate import evaluate
from caloforge.evaluate.baselines import bands_of
from caloforge.evaluate.gate.checks import LARGEST_SIGMA, _equivalent, pool_samples
from caloforge.evaluate.gate.limits import read_gate
from caloforge.evaluate.gate.negative_controls import apply_gate
from evaluate.stand_in import SMALL, energies, showers, write_raw

ENERGY = energies(40, 0)
REAL, GOOD = showers(ENERGY, 6, 1), showers(ENERGY, 6, 2)
BRIGHT = showers(ENERGY, 6, 3, brightness=1.3)


def gate_file(path, **changes):
    record = {
        "format": "caloforge-gate",
        "version": 1,
        "limits": [{"check": "energy_scale", "sigma": 3}, {"check": "*", "sigma": 4.5}],
    }
    path.write_text(json.dumps(record | changes))
    return str(path)


def test_good_showers_pass_and_bright_ones_fail_by_their_scale():
    assert apply_gate(REAL, GOOD).accepted
    verdict = apply_gate(REAL, BRIGHT)
    assert not verdict.accepted
    scale = next(answer for answer in verdict.check_results if answer.name == "energy_scale")
    assert scale.failed
    # Relative to the mean of both sides: (1.3 - 1) / 1.15.
    assert scale.value == pytest.approx(0.3 / 1.15, abs=0.05)
    assert verdict.failures[0].distance / verdict.failures[0].limit >= scale.distance / scale.limit
    assert "REJECTED" in str(verdict)


@pytest.mark.parametrize("kind", ["paired", "unpaired"])
def test_showers_without_repeats_are_compared_in_bands(kind):
    first = 0 if kind == "paired" else 10_000
    energy, other = energies(400, 0), energies(400, 0 if kind == "paired" else 9)
    real = showers(energy, 1, 1)
    good = showers(other, 1, 2, first_particle=first)
    verdict = apply_gate(real, good)
    assert verdict.accepted
    assert "bands of conditions" in verdict.strata
    shuffled = dataclasses.replace(good, cells=good.cells[::-1].copy())
    assert not apply_gate(real, shuffled).accepted


def test_bands_hold_alike_conditions_and_kinds():
    sample = showers(energies(300, 0), 1, 1)
    kinds = (np.arange(300) % 2 + 21).astype(np.int32)
    sample = dataclasses.replace(sample, pdg=kinds)
    band = bands_of(sample, 20)
    numbers = np.bincount(band)
    assert numbers.min() >= 5
    assert numbers.max() <= 20
    energy = np.log(sample.conditions[:, 0])
    for number in range(band.max() + 1):
        assert len(np.unique(kinds[band == number])) == 1
    inside = np.mean([np.std(energy[band == number]) for number in range(band.max() + 1)])
    assert inside < 0.15 * energy.std()
    alike = dataclasses.replace(sample, conditions=np.tile(sample.conditions[:1], (300, 1)))
    assert bands_of(alike, 20).max() == 1


def test_copies_of_training_showers_are_found():
    train = showers(ENERGY, 6, 9, first_particle=0)
    verdict = apply_gate(REAL, dataclasses.replace(REAL, cells=train.cells), train)
    copies = next(answer for answer in verdict.check_results if answer.name == "copies")
    assert copies.value == pytest.approx(1, abs=0.05)
    assert copies.failed
    unknown = next(a for a in apply_gate(REAL, GOOD).check_results if a.name == "copies")
    assert unknown.outcome == "undefined"


def test_measures_are_limited_in_floors(tmp_path):
    limits = [{"measure": "conditional_w1", "floors": 1.5}]
    gate = gate_file(tmp_path / "gate.json", limits=limits)
    for generated, passed in ((GOOD, True), (BRIGHT, False)):
        result = evaluate(REAL, generated, resamples=50)
        verdict = apply_gate(REAL, generated, gate=gate, result=result)
        assert verdict.accepted == passed
        ratio = result.measured("conditional_w1").value
        ratio /= result.measured("conditional_w1", "real").value
        assert verdict.check_results[0].distance == pytest.approx(ratio)
        assert verdict.check_results[0].unit == "floors"


def test_default_gates_ship_for_every_detector():
    from caloforge.detectors import DETECTORS

    for detector in (*DETECTORS.values(), SMALL):
        name, gate = read_gate("default", detector)
        assert name == f"default of {detector.name}"
        assert gate.limits[-1].check == "*"
        assert gate.detector in (None, detector.name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "no caloforge-gate document"),
        ({"version": 2}, "version 2 is newer than 1"),
        ({"version": "1"}, "version '1' does not exist"),
        ({"limits": []}, "limits"),
        ({"limits": [{"check": "copies"}]}, "limits.0"),
        ({"limits": [{"check": "copies", "sigma": -1}]}, "sigma"),
        ({"limits": [{"check": "copies", "sigma": 1e300}]}, "less than or equal to 1000"),
        ({"limits": [{"check": "*", "sigma": 3}, {"check": "*", "sigma": 9}]}, "limited twice"),
        ({"limits": [{"check": "*", "sigma": math.inf}]}, "Infinity is no number"),
        ({"limits": [{"check": "*", "sigma": math.nan}]}, "NaN is no number"),
        ({"limits": [{"measure": "w1", "floors": math.inf}]}, "Infinity is no number"),
        ({"limits": [{"check": "copies", "floors": 2}]}, "limited in sigma"),
        ({"limits": [{"sigma": 2}]}, "one check or one measure"),
        ({"extra": 1}, "extra"),
        ({"detector": "alice_zp"}, "is for alice_zp, not for small"),
        ({"limits": [{"check": "nothing", "sigma": 3}]}, "there are showers, diversity"),
        ({"limits": [{"measure": "nothing", "floors": 3}]}, "the table has"),
    ],
)
def test_bad_gates_are_told_in_one_line(tmp_path, changes, message):
    gate = gate_file(tmp_path / "gate.json", **changes)
    with pytest.raises(UsageError, match=message) as caught:
        apply_gate(REAL, GOOD, gate=gate)
    assert "\n" not in str(caught.value)


def test_gates_of_earlier_versions_find_the_check_of_channel_sums(tmp_path):
    gate = gate_file(tmp_path / "gate.json", limits=[{"check": "conditional_w1", "sigma": 3}])
    assert [c.name for c in apply_gate(REAL, GOOD, gate=gate).check_results] == ["channel_sums"]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="against small"):
        other = SMALL.model_copy(update={"name": "other", "fingerprint": "x"})
        pool_samples(REAL, dataclasses.replace(GOOD, detector=other))


def test_empty_showers_fail_and_undefined_checks_do_not():
    dark = dataclasses.replace(GOOD, cells=np.zeros_like(GOOD.cells))
    verdict = apply_gate(REAL, dark)
    assert "location_empty" in {answer.name for answer in verdict.failures}
    assert {a.name for a in verdict.check_results if not a.defined} >= {"location_width", "copies"}
    json.dumps(verdict.record, allow_nan=False)
    both = apply_gate(dark, dark)
    assert both.outcome == "too few"
    assert "no check is defined" in str(both)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_gate_that_cannot_fail_does_not_accept(rows):
    """One or two showers against eight of one particle: 9 or 45 arrangements of the labels."""
    real = showers(np.array([100.0]), 8, 1)
    for brightness in (1.0, 300.0):
        few = showers(np.array([100.0]), rows, 2, brightness=brightness)
        answer = apply_gate(real, few)
        assert answer.outcome == "too few"
        assert not answer.accepted
        assert "TOO FEW TO SAY" in str(answer)
    enough = apply_gate(REAL, GOOD)
    assert enough.outcome == "accepted"
    assert enough.log_arrangements > 10


def test_the_words_of_a_rejection_say_what_is_off_and_whether_channel_sums_are():
    result = evaluate(REAL, BRIGHT, resamples=30)
    answer = apply_gate(REAL, BRIGHT, result=result)
    text = " ".join(answer.explanation)
    assert "Channel sums are off, too: conditional W1 is" in text
    assert "floors)" in text
    json.dumps(answer.record, allow_nan=False)


def test_the_command_line_leaves_with_4_and_the_list(tmp_path, capsys):
    real, good, bright = (
        str(write_raw(tmp_path / f"{n}.h5", s)) for n, s in enumerate((REAL, GOOD, BRIGHT))
    )
    gate = gate_file(tmp_path / "gate.json")
    how = ["--against", real, "-q", "--classifier", "none", "--gate"]
    assert main(["evaluate", good, *how, gate]) == 0
    assert "ACCEPTED" in capsys.readouterr().out
    assert main(["evaluate", bright, *how, gate]) == 4
    captured = capsys.readouterr()
    assert len(captured.err.strip().splitlines()) == 1
    assert "energy_scale" in captured.err
    assert "REJECTED" in captured.out
    assert main(["evaluate", bright, *how, str(tmp_path / "missing.json")]) == 2
    assert "missing.json" in capsys.readouterr().err


def test_one_particle_or_one_row_is_judged_without_a_crash():
    single = showers(energies(1, 0), 1, 1)
    verdict = apply_gate(single, showers(energies(1, 0), 1, 2))
    json.dumps(verdict.record, allow_nan=False)
    assert isinstance(single, Showers)


@pytest.mark.parametrize("skew", [-0.5, -0.05, -0.01, 0.05])
def test_the_sigma_of_a_skew_tail_rises_without_a_jump(skew):
    away = np.arange(0, 20, 0.1)
    sigma = np.array([_equivalent(one, skew) for one in away])
    assert (np.diff(sigma[sigma < LARGEST_SIGMA]) > 0).all()
    assert (np.diff(sigma) <= 1).all() or skew < -0.1  # a law that ends there
