"""Classifier two-sample test: how well a trained network tells generated from real showers.

Shapes: N showers of both samples, d inputs.

AUC 0.5 and JSD 0: it cannot; AUC 1 and JSD 1: it always can (arXiv:1610.06545, arXiv:2106.05285).
Particles are split, never their showers: a network that knows a particle by heart learns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate.measured import Measured, measured, resamplings
from caloforge.evaluate.schooling import (
    DEFAULT,
    Loss,
    Schooling,
    standardised,
    trained_answers,
)

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]
PARTS = (0.6, 0.2, 0.2)
RESAMPLINGS = 200


@dataclass(frozen=True)
class Told:
    """What the classifier reached on particles it never saw."""

    auc: Measured
    jsd: Measured


def classify(
    real: NDArray[Any],
    generated: NDArray[Any],
    particle_real: NDArray[np.int64],
    particle_generated: NDArray[np.int64],
    *,
    seed: int = 0,
    schooling: Schooling = DEFAULT,
) -> Told:
    """AUC and Jensen-Shannon divergence of real against generated inputs.  (n, d), (m, d)

    Inputs are standardised by the training part; undefined ones become the mean. Errors: bootstrap
    over the test particles. Raises CaloforgeError where torch is not installed.
    """
    inputs = np.concatenate([real, generated]).astype(np.float32)
    label = np.arange(len(inputs)) >= len(real)
    particle = np.concatenate([particle_real, particle_generated])
    train, validation, test = _split(particle, seed)
    scores = train_and_score(
        standardised(inputs, train), label.astype(np.int64), train, validation, schooling, seed
    )
    odds = scores[:, 1] - scores[:, 0]
    chance = calibrated(odds[validation], label[validation], odds[test])
    names, slot = np.unique(particle[test], return_inverse=True)
    weights = resamplings(len(names), RESAMPLINGS, np.random.default_rng([seed, 0xC1A5]))
    weights = weights[:, slot.reshape(-1)]
    return Told(
        measured(np.array([auc(odds[test], label[test], w) for w in weights])),
        measured(np.array([divergence(chance, label[test], w) for w in weights])),
    )


def auc(scores: Values, label: Labels, weight: Values | None = None) -> float:
    """Probability that a labelled row scores higher than another one, ties half.  (N,)"""
    weight = np.ones(len(scores)) if weight is None else weight
    _, place = np.unique(scores, return_inverse=True)
    place = place.reshape(-1)
    size = int(place.max()) + 1
    positive = np.bincount(place[label], weight[label], size)
    negative = np.bincount(place[~label], weight[~label], size)
    below = np.cumsum(negative) - negative / 2
    total = positive.sum() * negative.sum()
    return float(positive @ below / total) if total > 0 else float("nan")


def divergence(probability: Values, label: Labels, weight: Values | None = None) -> float:
    """Jensen-Shannon divergence in bits: 1 - cross entropy / ln 2, equal classes.  (N,)"""
    weight = np.ones(len(label)) if weight is None else weight
    safe = np.clip(probability, 1e-7, 1 - 1e-7)
    entropy = 0.0
    for chosen, values in ((label, -np.log(safe)), (~label, -np.log(1 - safe))):
        mass = weight[chosen].sum()
        if mass <= 0:
            return float("nan")
        entropy += 0.5 * float(weight[chosen] @ values[chosen] / mass)
    return max(0.0, 1 - entropy / float(np.log(2)))


def calibrated(known: Values, label: Labels, odds: Values) -> Values:
    """Probabilities by an isotonic fit to validation rows, as in the CaloChallenge.  (n,)"""
    from scipy.optimize import isotonic_regression

    if label.all() or not label.any():
        return np.full(len(odds), 0.5)
    # Classes of unequal size would shift the probabilities away from the divergence's 0.5.
    share = np.where(label, 0.5 / label.mean(), 0.5 / (1 - label.mean()))
    # Rows of equal odds (all empty showers) get one probability: their order means nothing.
    values, place = np.unique(known, return_inverse=True)
    weight = np.bincount(place, weights=share)
    mean = np.bincount(place, weights=share * label) / weight
    chance: Values = np.interp(odds, values, isotonic_regression(mean, weights=weight).x)
    return chance


def train_and_score(
    inputs: NDArray[np.float32],
    classes: NDArray[np.int64],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    schooling: Schooling,
    seed: int,
) -> Values:
    """Logits of all rows by the network with the best validation loss.  (N, d) -> (N, classes)"""
    number = int(classes.max()) + 1
    return trained_answers(
        inputs, classes, number, _cross_entropy, train, validation, schooling, seed
    )


def _cross_entropy() -> Loss:
    from torch.nn.functional import cross_entropy

    return cross_entropy


def _split(particle: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Rows of training, validation and test particles."""
    names = np.unique(particle)
    if len(names) < 10:
        raise DataError("a classifier needs at least ten particles")
    names = np.random.default_rng([seed, 0x59117]).permutation(names)
    edges = (np.cumsum(PARTS[:2]) * len(names)).round().astype(int)
    return [np.flatnonzero(np.isin(particle, part)) for part in np.split(names, edges)]
