"""Classifiers of generated against real showers, and of kinds of particles.

Shapes: N showers of both samples, K cells, n cells of a layer, d inputs.

AUC 0.5 and JSD 0: they are not separated; AUC 1 and JSD 1: they always are (arXiv:1610.06545,
arXiv:2106.05285). Particles are split, never their showers: a network that knows a particle by
heart learns nothing.

Kinds (Table 3 of arXiv:1712.10321): a classifier of kinds that is trained on generated showers and
tested on real ones shows whether kinds differ for the same reasons; generated showers whose kinds
are separated better than those of real ones have mode artefacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate.deprecated import renamed_arguments
from caloforge.evaluate.metrics.networks import (
    DEFAULT,
    ClassifierConfig,
    Loss,
    standardised,
    trained_answers,
)
from caloforge.evaluate.observables import LayerCells, layout_of
from caloforge.evaluate.resampling import Measured, measured, resamplings

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.detector import Detector

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]
PARTS = (0.6, 0.2, 0.2)
RESAMPLINGS = 200


@dataclass(frozen=True)
class ClassifierResult:
    """What the classifier reached on particles it never saw."""

    auc: Measured
    jsd: Measured


@renamed_arguments(schooling="config")
def classify(
    real: NDArray[Any],
    generated: NDArray[Any],
    particle_real: NDArray[np.int64],
    particle_generated: NDArray[np.int64],
    *,
    seed: int = 0,
    config: ClassifierConfig = DEFAULT,
) -> ClassifierResult:
    """AUC and Jensen-Shannon divergence of real against generated inputs.  (n, d), (m, d)

    Inputs are standardised by the training part; undefined ones become the mean. Errors: bootstrap
    over the test particles. Raises CaloforgeError where torch is not installed.
    """
    inputs = np.concatenate([real, generated]).astype(np.float32)
    label = np.arange(len(inputs)) >= len(real)
    particle = np.concatenate([particle_real, particle_generated])
    train, validation, test = _split(particle, seed)
    scores = train_and_score(
        standardised(inputs, train), label.astype(np.int64), train, validation, config, seed
    )
    odds = scores[:, 1] - scores[:, 0]
    chance = calibrated(odds[validation], label[validation], odds[test])
    names, particle_index = np.unique(particle[test], return_inverse=True)
    weights = resamplings(len(names), RESAMPLINGS, np.random.default_rng([seed, 0xC1A5]))
    weights = weights[:, particle_index.reshape(-1)]
    return ClassifierResult(
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
    config: ClassifierConfig,
    seed: int,
) -> Values:
    """Logits of all rows by the network with the best validation loss.  (N, d) -> (N, classes)"""
    number = int(classes.max()) + 1
    return trained_answers(inputs, classes, number, _cross_entropy, train, validation, config, seed)


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


LEAST_PARTICLES = 20
TEST_PART = 0.3
VALIDATION_PART = 0.2


@dataclass(frozen=True)
class Transfer:
    """Accuracy of a classifier of kinds, by what it was trained and tested on."""

    kinds: tuple[int, ...]
    accuracy: dict[tuple[str, str], Measured]
    """By (trained on, tested on), each ``real`` or ``generated``."""


@renamed_arguments(schooling="config")
def transfer(
    real: Showers, generated: Showers, *, seed: int = 0, config: ClassifierConfig = DEFAULT
) -> Transfer:
    """Accuracy between the two most frequent kinds of particles, for all four combinations.

    Balanced over kinds. Raises DataError unless both samples name two kinds with 20 particles each.
    """
    kinds = common_kinds(real, generated)
    samples = {"real": _of_kinds(real, kinds), "generated": _of_kinds(generated, kinds)}
    particles = np.unique(np.concatenate([s.particle for s in samples.values()]))
    shuffled = np.random.default_rng([seed, 0x72A]).permutation(particles)
    edges = (np.cumsum([TEST_PART, VALIDATION_PART]) * len(shuffled)).round().astype(int)
    test, validation, train = np.split(shuffled, edges)
    found = {}
    for trained in samples:
        for tested in samples:
            found[trained, tested] = _accuracy(
                samples[trained], samples[tested], (train, validation, test), kinds, config, seed
            )
    return Transfer(kinds, found)


def common_kinds(real: Showers, generated: Showers) -> tuple[int, int]:
    """The two kinds (pdg) with most particles; DataError where there are none."""
    if real.pdg is None or generated.pdg is None:
        raise DataError("the files do not tell the kinds of their particles (pdg)")
    numbers = {
        int(kind): len(np.unique(real.particle[real.pdg == kind]))
        for kind in np.intersect1d(real.pdg, generated.pdg)
    }
    known = sorted(
        (k for k, n in numbers.items() if n >= LEAST_PARTICLES), key=lambda k: -numbers[k]
    )
    if len(known) < 2:
        raise DataError(f"fewer than two kinds with {LEAST_PARTICLES} particles each")
    return known[0], known[1]


def _accuracy(
    trained: Showers,
    tested: Showers,
    parts: tuple[NDArray[np.int64], ...],
    kinds: tuple[int, ...],
    config: ClassifierConfig,
    seed: int,
) -> Measured:
    """Mean over kinds of the part that is recognised, errors by bootstrap over particles."""
    inputs = np.concatenate([_inputs(trained), _inputs(tested)])
    particle = np.concatenate([trained.particle, tested.particle])
    pdg = np.concatenate([_pdg(trained), _pdg(tested)])
    classes = (pdg == kinds[1]).astype(np.int64)
    own = np.arange(len(inputs)) < len(trained)
    train, validation = (np.flatnonzero(own & np.isin(particle, part)) for part in parts[:2])
    held = np.flatnonzero(~own & np.isin(particle, parts[2]))
    scores = train_and_score(standardised(inputs, train), classes, train, validation, config, seed)
    right = (scores.argmax(axis=1) == classes)[held]
    names, particle_index = np.unique(particle[held], return_inverse=True)
    weights = resamplings(len(names), RESAMPLINGS, np.random.default_rng([seed, 1]))
    weights = weights[:, particle_index.reshape(-1)]
    each = [
        (weights[:, chosen] @ right[chosen]) / np.maximum(weights[:, chosen].sum(axis=1), 1e-30)
        for chosen in (classes[held] == 0, classes[held] == 1)
    ]
    return measured(np.mean(each, axis=0))


def _inputs(showers: Showers) -> NDArray[np.float32]:
    """Square roots of the cells, which spreads faint ones.  (N, K)"""
    return np.asarray(np.sqrt(np.maximum(showers.cells, 0).astype(np.float32)))


def _pdg(showers: Showers) -> NDArray[np.int32]:
    assert showers.pdg is not None
    return showers.pdg


def _of_kinds(showers: Showers, kinds: tuple[int, ...]) -> Showers:
    return showers.rows(np.flatnonzero(np.isin(_pdg(showers), kinds)))


FACTOR = 1.1
BISECTIONS = 40
STEEPEST = 5.0


def widened(cells: NDArray[Any], detector: Detector, factor: float = FACTOR) -> NDArray[Any]:
    """The same showers, every layer wider about its own centre by a factor.  (N, K) -> (N, K)

    A cell at distance r from the centre of its layer is multiplied by exp(k r^2), with k such that
    the root mean square distance grows by the factor, and the layer keeps its energy: dark cells
    stay dark, sums stay, only the profile changes. A layer of one lit cell cannot be widened.
    """
    wide = cells.astype(np.float64)
    for layer in layout_of(detector).layers:
        wide[:, layer.cells] = _tilted(wide[:, layer.cells], layer, factor)
    return wide.astype(cells.dtype)


def _tilted(cells: Values, layer: LayerCells, factor: float) -> Values:
    total = np.maximum(cells.sum(axis=1), 1e-30)
    centre = (cells @ layer.x_mm / total)[:, None], (cells @ layer.y_mm / total)[:, None]
    square = (layer.x_mm - centre[0]) ** 2 + (layer.y_mm - centre[1]) ** 2
    width = np.maximum((cells * square).sum(axis=1) / total, 1e-9)
    scaled = square / width[:, None]
    low, high = np.zeros(len(cells)), np.full(len(cells), STEEPEST)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        narrow = _mean(cells, scaled, middle) < factor**2
        low, high = np.where(narrow, middle, low), np.where(narrow, high, middle)
    tilted = cells * _tilt(scaled, low)
    kept: Values = tilted * (cells.sum(axis=1) / np.maximum(tilted.sum(axis=1), 1e-30))[:, None]
    return kept


def _mean(cells: Values, scaled: Values, steepness: Values) -> Values:
    """Mean square distance over that of the shower as it is.  (N,)"""
    tilted = cells * _tilt(scaled, steepness)
    mean: Values = (tilted * scaled).sum(axis=1) / np.maximum(tilted.sum(axis=1), 1e-30)
    return mean


def _tilt(scaled: Values, steepness: Values) -> Values:
    tilt: Values = np.exp(np.minimum(steepness[:, None] * scaled, 50))
    return tilt
