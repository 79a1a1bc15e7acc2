"""Naive looped twins of event sums, of transfer between kinds, and of the classifier's numbers."""

import dataclasses
from importlib import import_module
from math import log2

import numpy as np
import pytest

from caloforge.evaluate.metrics import energy as sums
from caloforge.evaluate.metrics.classifier import auc, divergence
from evaluate.stand_in import PROTON, energies, showers

kinds = import_module(
    "caloforge.evaluate.metrics.classifier"
)  # the package names its function alike


def looped_sums(totals, number, count, rng):
    """One shower each of the particles with the smallest random numbers, event by event."""
    lots = rng.random((count, len(totals)))
    rows = rng.integers(0, max(map(len, totals)), (count, number))
    actual = []
    for lot, row in zip(lots, rows, strict=True):
        names = sorted(range(len(totals)), key=lambda name: lot[name])[:number]
        total = 0.0
        for name, place in zip(names, row, strict=True):
            total += totals[name][place % len(totals[name])]
        actual.append(total)
    return actual


def test_event_sums_are_those_of_loops():
    rng = np.random.default_rng(3)
    totals = [rng.normal(500, 50, size) for size in (3, 5, 2, 4, 5, 1, 4)]
    for number in (1, 3, 7):
        actual = sums.event_sums(totals, number, 40, np.random.default_rng(number))
        expected = looped_sums(totals, number, 40, np.random.default_rng(number))
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_the_distance_of_event_sums_is_that_of_loops(monkeypatch):
    monkeypatch.setattr(sums, "EVENTS", 25)
    monkeypatch.setattr(sums, "DRAWS", 4)
    rng = np.random.default_rng(4)
    real = [rng.normal(500, 50, 4) for _ in range(9)]
    generated = [values * 1.1 for values in real]
    actual = sums._events("A", 3, real, generated, np.random.default_rng(5))
    rng, distances = np.random.default_rng(5), []
    for _ in range(4):
        cut = [rng.permutation(values) for values in real]
        other = [rng.permutation(values)[:2] for values in generated]
        parts = [values[:2] for values in cut], [values[2:] for values in cut], other
        first, _, third = (sorted(looped_sums(part, 3, 25, rng)) for part in parts)
        gaps = [abs(a - b) for a, b in zip(first, third, strict=True)]
        distances.append(sum(gaps) / 25 / 3)
    mean = sum(distances) / 4
    assert actual.w1.value == pytest.approx(mean)
    variance = sum((distance - mean) ** 2 for distance in distances) / 3
    assert actual.w1.error == pytest.approx(variance**0.5)


def two_kinds(seed):
    """Neutrons and protons, 20 particles of 3 showers each."""
    neutrons, protons = showers(energies(20, 0), 3, seed), showers(energies(20, 0), 3, seed + 1)
    conditions = np.concatenate([neutrons.conditions, protons.conditions])
    conditions[60:, 1:] = PROTON
    return dataclasses.replace(
        neutrons,
        cells=np.concatenate([neutrons.cells, protons.cells]),
        conditions=conditions,
        particle=np.concatenate([neutrons.particle, protons.particle + 20]),
        pdg=np.repeat([2112, 2212], 60).astype(np.int32),
    )


def test_transfer_is_the_mean_recognition_of_each_kind_on_unseen_particles(monkeypatch):
    """A made-up classifier: a row whose root sum is above a bound of its training rows."""

    def bound(inputs, classes, train, validation, config, seed):
        above = inputs.sum(axis=1) > np.median(inputs[train].sum(axis=1))
        return np.column_stack([~above, above]).astype(float)

    monkeypatch.setattr(kinds, "train_and_score", bound)
    monkeypatch.setattr(kinds, "standardised", lambda inputs, train: inputs)
    samples = {"real": two_kinds(1), "generated": two_kinds(7)}
    actual = kinds.transfer(samples["real"], samples["generated"], seed=2)
    order = np.random.default_rng([2, 0x72A]).permutation(np.arange(40)).tolist()
    test, train = order[:12], order[20:]
    for (trained, tested), accuracy in actual.accuracy.items():
        training_sample = samples[trained]
        training_rows = [row for row in range(120) if training_sample.particle[row] in train]
        limit = np.median(
            [np.sqrt(training_sample.cells[row].astype(np.float32)).sum() for row in training_rows]
        )
        right = {kind: [] for kind in actual.kinds}
        targets = samples[tested]
        for row in range(120):
            if targets.particle[row] in test:
                above = np.sqrt(targets.cells[row].astype(np.float32)).sum() > limit
                right[targets.pdg[row]].append(actual.kinds[int(above)] == targets.pdg[row])
        expected = (
            sum(sum(check_results) / len(check_results) for check_results in right.values()) / 2
        )
        assert accuracy.value == pytest.approx(expected)


def test_the_divergence_is_that_of_loops():
    rng = np.random.default_rng(6)
    chance, label = rng.uniform(0.01, 0.99, 50), rng.random(50) < 0.7
    weight = rng.integers(1, 4, 50).astype(float)
    loss, mass = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    for p, generated, w in zip(chance, label.tolist(), weight, strict=True):
        loss[generated] -= w * log2(p if generated else 1 - p)
        mass[generated] += w
    expected = 1 - (loss[True] / mass[True] + loss[False] / mass[False]) / 2
    assert divergence(chance, label, weight) == pytest.approx(max(0.0, expected))


def test_a_tiny_mixture_has_the_numbers_of_paper_and_pencil():
    """Bright showers: one in four real ones, three in four generated ones."""
    bright = np.array([0, 0, 0, 1, 0, 1, 1, 1], dtype=float)
    label = np.arange(8) >= 4
    assert auc(bright, label) == pytest.approx(9 / 16 + 6 / 16 / 2)
    expected = 1 + 0.75 * log2(0.75) + 0.25 * log2(0.25)
    assert divergence(0.25 + bright / 2, label) == pytest.approx(expected)
