"""Classifier two-sample test: equal samples, known shift, known mixture."""

import dataclasses

import numpy as np
import pytest
import scipy.stats  # noqa: F401 - its import fails where torch is None, as a test sets it

from caloforge.errors import CaloforgeError, DataError
from caloforge.evaluate import two_sample_metrics
from caloforge.evaluate.metrics.classifier import (
    BOOSTING,
    Folds,
    auc,
    boosted_inputs,
    calibrated,
    classify,
    classify_boosted,
    divergence,
    transfer,
    with_power,
)
from caloforge.evaluate.metrics.networks import (
    CLASSIFIER_CONFIGS,
    ClassifierConfig,
    standardised,
    trained_answers,
)
from evaluate.stand_in import PROTON, energies, showers

SHORT = ClassifierConfig("short", (32,), 5e-3, 256, 12, 4)


def test_auc_is_the_part_of_pairs_in_order(rng):
    scores, label = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    weight = rng.integers(0, 3, 60).astype(float)
    above = total = 0.0
    for i in np.flatnonzero(label):
        for j in np.flatnonzero(~label):
            pair = weight[i] * weight[j]
            total += pair
            above += pair * ((scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]))
    assert auc(scores, label, weight) == pytest.approx(above / total)
    assert auc(label.astype(float), label) == 1
    assert np.isnan(auc(scores, np.ones(60, dtype=bool)))


def test_the_divergence_of_known_probabilities_is_known():
    label = np.array([True, False])
    assert divergence(np.array([0.5, 0.5]), label) == pytest.approx(0)
    assert divergence(np.array([1.0, 0.0]), label) == pytest.approx(1, abs=1e-5)
    entropy = -np.log2(0.8)
    assert divergence(np.array([0.8, 0.2]), label) == pytest.approx(1 - entropy)


def test_calibration_gives_frequencies():
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 20_000)
    label = rng.random(20_000) < 1 / (1 + np.exp(-3 * odds))
    actual = calibrated(odds, label, np.array([-0.5, 0.0, 0.5]))
    np.testing.assert_allclose(actual, 1 / (1 + np.exp([1.5, 0, -1.5])), atol=0.05)
    assert (calibrated(odds, np.ones(20_000, dtype=bool), odds[:3]) == 0.5).all()


def test_equal_laws_a_shift_and_a_mixture(rng):
    pytest.importorskip("torch")
    particle = np.repeat(np.arange(400), 3)
    real, same = rng.normal(0, 1, (1200, 3)), rng.normal(0, 1, (1200, 3))
    equal = classify(real, same, particle, particle, config=SHORT)
    assert equal.auc.value == pytest.approx(0.5, abs=max(0.06, 3 * equal.auc.error))
    assert equal.jsd.value < 0.02
    # Normal laws two deviations apart: AUC = Phi(2 / sqrt 2) = 0.921.
    shifted = classify(real, same + np.array([2.0, 0, 0]), particle, particle, config=SHORT)
    assert shifted.auc.value == pytest.approx(0.921, abs=0.035)
    # Half of the rows far away: AUC = 1/2 + 1/2 * 1/2.
    far = same + 50 * (np.arange(1200) % 2)[:, None]
    mixed = classify(real, far, particle, particle, config=SHORT)
    assert mixed.auc.value == pytest.approx(0.75, abs=0.05)
    few = dataclasses.replace(SHORT, epochs=2)
    once, again = (classify(real, far, particle, particle, config=few) for _ in range(2))
    assert once == again


def test_every_row_is_tested_and_no_particle_is_on_two_sides(rng):
    particle = rng.permutation(np.repeat(np.arange(53), 4))
    folds = Folds.of(particle, particle[:40], 3)
    tested = []
    for number in range(folds.tested):
        train, validation, test = (set(rows.tolist()) for rows in folds.rows(number))
        assert not train & test
        assert not validation & (train | test)
        names = [{int(folds.particle[row]) for row in rows} for rows in (train, validation, test)]
        assert not names[0] & names[2]
        assert not names[1] & names[2]
        tested += sorted(test)
    assert sorted(tested) == list(range(len(folds.label)))


def test_an_auc_below_a_half_by_more_than_its_error_is_no_power(rng):
    particle = np.arange(400)
    folds = Folds.of(particle, particle, 0)
    wrong = np.where(folds.label, -1.0, 1.0) + rng.normal(0, 3, 800)
    actual = with_power(folds.measured(wrong, auc, 0))
    assert actual.note == "no power"
    assert "(no power)" in str(actual)
    fair = with_power(folds.measured(rng.normal(size=800), auc, 0))
    assert fair.note == ""


def test_boosted_trees_see_clumps_that_a_poisson_law_lacks(monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setitem(BOOSTING, "max_iter", 50)
    rng = np.random.default_rng(0)
    energy = energies(80, 0)
    real, other = showers(energy, 6, 1), showers(energy, 6, 2)
    mean = real.cells.reshape(80, 6, -1).mean(axis=1).repeat(6, axis=0)
    generated = dataclasses.replace(
        real, cells=rng.negative_binomial(2, 2 / (2 + mean)).astype("u2")
    )
    particle = (real.particle, real.particle)
    separated = classify_boosted(boosted_inputs(real), boosted_inputs(generated), *particle)
    alike = classify_boosted(boosted_inputs(real), boosted_inputs(other), *particle)
    assert separated.value > 0.8
    assert abs(alike.value - 0.5) < 4 * alike.error


def test_few_particles_and_a_missing_torch_are_told(rng, monkeypatch):
    few = np.arange(5)
    with pytest.raises(DataError, match="ten particles"):
        classify(np.ones((5, 2)), np.ones((5, 2)), few, few)
    assert Folds.of(np.arange(10), np.arange(10), 0).tested == 5
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    many = np.arange(50)
    with pytest.raises(CaloforgeError, match=r"needs the extra train"):
        classify(rng.normal(size=(50, 2)), rng.normal(size=(50, 2)), many, many)


def test_a_loss_that_is_no_number_is_told(rng):
    pytest.importorskip("torch")
    inputs, target = rng.normal(size=(40, 2)).astype("f4"), np.zeros((40, 1), "f4")
    rows = np.arange(30), np.arange(30, 40)
    with pytest.raises(DataError, match="no validation loss is a finite number"):
        trained_answers(inputs, target, 1, lambda: lambda a, b: a.sum() * np.nan, *rows, SHORT, 0)


def test_without_torch_every_other_metric_is_there(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    real, generated = showers(energies(30, 0), 4, 1), showers(energies(30, 0), 4, 2)
    actual = {
        row.name: row
        for row in two_sample_metrics(real, generated, config=CLASSIFIER_CONFIGS["default"])
    }
    assert actual["auc_low"].value.note == "needs the extra train"
    assert actual["auc_low"].floor.note == "needs the extra train"
    for name in ("fpd", "kpd", "precision", "coverage", "separation_total", "ks_a"):
        assert actual[name].value.value is not None, name
        assert actual[name].floor.value is not None, name


def kinds(brightness_of_protons, seed):
    """Neutrons and protons of the same energies, protons of another brightness."""
    energy = energies(60, 0)
    neutrons = showers(energy, 4, seed)
    protons = showers(
        energy, 4, seed + 1, first_particle=60, brightness=brightness_of_protons, kind=PROTON
    )
    return dataclasses.replace(
        neutrons,
        **{
            name: np.concatenate([getattr(neutrons, name), getattr(protons, name)])
            for name in ("cells", "conditions", "particle")
        },
        pdg=np.repeat([2112, 2212], 240).astype(np.int32),
    )


def test_kinds_that_differ_for_the_wrong_reason_do_not_transfer():
    pytest.importorskip("torch")
    short = ClassifierConfig("short", (32,), 5e-3, 64, 15, 5)
    # Real protons are much brighter; generated ones much fainter: what is learnt misleads.
    actual = transfer(kinds(20, 1), kinds(0.05, 5), config=short).accuracy
    assert actual["real", "real"].value > 0.8
    assert actual["generated", "generated"].value > 0.8
    assert actual["generated", "real"].value < 0.6
    with pytest.raises(DataError, match="kinds"):
        transfer(showers(energies(30, 0), 2, 1), kinds(1, 5), config=short)


def test_rows_of_equal_odds_get_one_probability():
    label = np.array([False, False, True, True, True, False])
    odds = np.array([0.0, 0.0, 0.0, 0.0, 1.0, -1.0])
    # Sorted by the label, the ties would be told apart: 0, 0, 1, 1.
    np.testing.assert_allclose(calibrated(odds, label, np.array([-1.0, 0.0, 1.0])), [0, 0.5, 1])


def test_a_column_that_no_row_has_leaves_the_others_as_they_are():
    inputs = np.array([[1.0, np.nan], [2.0, np.nan], [6.0, np.nan]], dtype=np.float32)
    alone = standardised(inputs[:, :1], np.arange(3))
    both = standardised(inputs, np.arange(3))
    np.testing.assert_array_equal(both[:, :1], alone)
    assert alone.std() == pytest.approx(1)
    assert (both[:, 1] == 0).all()
