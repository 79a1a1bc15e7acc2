"""Classifiers of generated against real showers, and of kinds of particles.

Shapes: N showers of both samples, K cells, n cells of a layer, d inputs.

AUC 0.5 and JSD 0: they are not separated; AUC 1 and JSD 1: they always are (arXiv:1610.06545,
arXiv:2106.05285). Folds are made of particles, never of their showers: a network that knows a
particle by heart learns nothing. Boosted trees on observables and conditions see in a few thousand
showers what a network on a thousand cells does not.

Kinds (Table 3 of arXiv:1712.10321): a classifier of kinds that is trained on generated showers and
tested on real ones shows whether kinds differ for the same reasons; generated showers whose kinds
are separated better than those of real ones have mode artefacts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.detector import Detector
from caloforge.errors import CaloforgeError, DataError
from caloforge.evaluate import resampling
from caloforge.evaluate.deprecated import renamed_arguments
from caloforge.evaluate.metrics.metric import Metric, MetricResult, Samples
from caloforge.evaluate.metrics.networks import (
    DEFAULT,
    ClassifierConfig,
    Loss,
    standardised,
    trained_answers,
)
from caloforge.evaluate.observables import LayerCells, layout_of, observe
from caloforge.evaluate.resampling import NO_POWER, Measured, measured, resamplings
from caloforge.machine import require_seed

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]
RESAMPLINGS = 200


FOLDS = 5
TRAINED_FOLDS = 6 * FOLDS
"""Of three classifiers, each with its floor."""
FOLDED_ROWS = 20_000
"""From so many rows on, the fifth of one fold is enough to test on."""
LEAST_PARTICLES = 10
BOOSTING: dict[str, Any] = {
    "max_iter": 150,
    "learning_rate": 0.06,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": False,
}
"""Of the boosted trees; no validation rows, since those would share particles with training."""
NEEDS_SKLEARN = "needs the extra metrics"


@dataclass(frozen=True)
class ClassifierResult:
    """What the classifier reached on particles it never saw."""

    auc: Measured
    jsd: Measured


@dataclass(frozen=True)
class Folds:
    """Rows of both samples, in folds of whole particles."""

    label: Labels
    """Which rows are generated, (N,)."""
    particle: NDArray[np.int64]
    fold: NDArray[np.int64]
    """Number of the fold of each row, (N,)."""
    tested: int
    """How many of the folds are tested on."""

    @classmethod
    def of(
        cls, particle_real: NDArray[np.int64], particle_generated: NDArray[np.int64], seed: int
    ) -> Folds:
        """Particles in random folds of equal size. Raises DataError for fewer than ten."""
        particle = np.concatenate([particle_real, particle_generated])
        names = np.unique(particle)
        if len(names) < LEAST_PARTICLES:
            raise DataError("a classifier needs at least ten particles")
        order = np.random.default_rng([require_seed(seed), 0x59117]).permutation(len(names))
        fold = np.empty(len(names), dtype=np.int64)
        for number, part in enumerate(np.array_split(order, FOLDS)):
            fold[part] = number
        label = np.arange(len(particle)) >= len(particle_real)
        tested = FOLDS if len(particle) < FOLDED_ROWS else 1
        return cls(label, particle, fold[np.searchsorted(names, particle)], tested)

    def rows(self, number: int) -> tuple[NDArray[np.int64], ...]:
        """Rows of training, validation (the next fold) and test."""
        test, validation = self.fold == number, self.fold == (number + 1) % FOLDS
        return tuple(np.flatnonzero(part) for part in (~test & ~validation, validation, test))

    def measured(self, values: Values, statistic: Callable[..., float], seed: int) -> Measured:
        """Mean of a statistic over the folds; errors: bootstrap over the particles.  (N,)"""
        tests = [self.rows(number)[2] for number in range(self.tested)]
        names, index = np.unique(self.particle, return_inverse=True)
        rng = np.random.default_rng([seed, 0xC1A5])
        weights = resamplings(len(names), RESAMPLINGS, rng)[:, index.reshape(-1)]
        return measured(
            np.array(
                [
                    np.mean([statistic(values[t], self.label[t], w[t]) for t in tests])
                    for w in weights
                ]
            )
        )


@renamed_arguments(schooling="config")
def classify(
    real: NDArray[Any],
    generated: NDArray[Any],
    particle_real: NDArray[np.int64],
    particle_generated: NDArray[np.int64],
    *,
    seed: int = 0,
    config: ClassifierConfig = DEFAULT,
    advance: Callable[[], None] | None = None,
) -> ClassifierResult:
    """AUC and Jensen-Shannon divergence of real against generated inputs, by networks.

    Particles are in five folds: a network is tested on each of them, trained on three and stopped
    by the loss on one, so that every row is tested. Inputs are standardised by the training part;
    undefined ones become the mean.

    Args:
        real: Inputs of real showers, (n, d).
        generated: Inputs of generated showers, (m, d).
        particle_real: Particle number of each row, (n,).
        particle_generated: The same, (m,).
        seed: Of folds, networks and bootstrap.
        config: Size and training of the networks.
        advance: Called after each fold.

    Returns:
        Means over folds, errors by bootstrap over the particles.

    Raises:
        CaloforgeError: torch is not installed.
        DataError: fewer than ten particles.
    """
    inputs = np.concatenate([real, generated]).astype(np.float32)
    folds = Folds.of(particle_real, particle_generated, seed)
    odds, chance = np.zeros(len(inputs)), np.full(len(inputs), 0.5)
    for number in range(folds.tested):
        train, validation, test = folds.rows(number)
        scores = train_and_score(
            standardised(inputs, train), folds.label.astype(int), train, validation, config, seed
        )
        each = scores[:, 1] - scores[:, 0]
        odds[test] = each[test]
        chance[test] = calibrated(each[validation], folds.label[validation], each[test])
        if advance is not None:
            advance()
    return ClassifierResult(
        with_power(folds.measured(odds, auc, seed)), folds.measured(chance, divergence, seed)
    )


def classify_boosted(
    real: NDArray[Any],
    generated: NDArray[Any],
    particle_real: NDArray[np.int64],
    particle_generated: NDArray[np.int64],
    *,
    seed: int = 0,
    advance: Callable[[], None] | None = None,
) -> Measured:
    """AUC of real against generated inputs by boosted trees, tested on each of five folds.

    Raises CaloforgeError where scikit-learn is not installed, DataError for few particles.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ModuleNotFoundError as error:
        raise CaloforgeError(f"the classifier {NEEDS_SKLEARN}") from error
    inputs = np.concatenate([real, generated])
    folds = Folds.of(particle_real, particle_generated, seed)
    odds = np.zeros(len(inputs))
    for number in range(folds.tested):
        test = folds.rows(number)[2]
        train = np.setdiff1d(np.arange(len(inputs)), test)
        trees = HistGradientBoostingClassifier(random_state=seed % 2**32, **BOOSTING)
        odds[test] = trees.fit(inputs[train], folds.label[train]).decision_function(inputs[test])
        if advance is not None:
            advance()
    return with_power(folds.measured(odds, auc, seed))


def with_power(result: Measured) -> Measured:
    """The AUC; below 0.5 by more than its error it says that the classifier has no power."""
    if result.value is not None and result.error is not None and result.value + result.error < 0.5:
        return Measured(result.value, result.error, NO_POWER)
    return result


def results(samples: Samples) -> Iterator[MetricResult]:
    """Classifiers of all rows, beside the same of two halves of the real rows."""
    if samples.config is None:
        return
    real, generated, halves = _sides(samples)
    value = _numbers(real, generated, samples)
    floor = _floor(*halves, samples)
    for name, title in TITLES.items():
        metric = Metric(name, title, ideal="low", group="classifier")
        yield MetricResult(metric, value[name], floor[name])
    kinds, kinds_floor = _kinds(real, generated, samples), _kinds(*halves, samples)
    for name, (trained, tested) in KINDS.items():
        if name in kinds or name in kinds_floor:
            title = f"kinds separated: trained on {trained}, tested on {tested}"
            metric = Metric(name, title, ideal="floor", group="classifier")
            undefined = Measured(None, None, "undefined")
            pair = (numbers.get(name, undefined) for numbers in (kinds, kinds_floor))
            yield MetricResult(metric, *pair)


TITLES = {
    "auc_boosted": "classifier AUC, boosted trees on observables and conditions",
    "auc_low": "classifier AUC, low-level",
    "jsd_low": "classifier JSD, low-level",
    "auc_high": "classifier AUC, high-level",
    "jsd_high": "classifier JSD, high-level",
}
KINDS = {
    f"transfer_{trained}_{tested}": (trained, tested)
    for trained in ("real", "generated")
    for tested in ("real", "generated")
}


def _sides(samples: Samples) -> tuple[Showers, Showers, tuple[Showers, Showers]]:
    """Rows of the particles that both samples have, and two halves of the real ones."""
    real, other = samples.real, samples.generated
    names, index, other_index = resampling.index_shared_particles(real.particle, other.particle)
    n_showers = resampling.equal_n_showers(index, index, len(names))
    halves = resampling.halves(index, n_showers, np.random.default_rng([samples.seed, 0xF01D]))
    return (
        real.rows(np.flatnonzero(index >= 0)),
        other.rows(np.flatnonzero(other_index >= 0)),
        (real.rows(halves.first), real.rows(halves.second)),
    )


def _floor(a: Showers, b: Showers, samples: Samples) -> dict[str, Measured]:
    """Real against real, kept where a folder is given."""
    assert samples.config is not None
    installed = [find_spec(name) is not None for name in ("torch", "sklearn")]
    settings = (samples.config.name, installed, samples.scheme, samples.seed)
    document = samples.cache.cached(
        (a.cells, b.cells, a.conditions, a.particle, b.particle),
        ("classifier", a.detector.model_dump_json(), *settings),
        lambda: {name: number.record for name, number in _numbers(a, b, samples).items()},
    )
    return {name: Measured(**record) for name, record in document.items()}


def _numbers(a: Showers, b: Showers, samples: Samples) -> dict[str, Measured]:
    """AUC and JSD of two samples; where one cannot be had, why."""
    assert samples.config is not None
    particles, scheme = (a.particle, b.particle), samples.scheme
    seed, advance = samples.seed, samples.advance
    numbers: dict[str, Measured] = {}
    try:
        first, second = (boosted_inputs(one, scheme) for one in (a, b))
        numbers["auc_boosted"] = classify_boosted(
            first, second, *particles, seed=seed, advance=advance
        )
    except CaloforgeError as error:
        numbers["auc_boosted"] = _missing(error)
    for level, inputs_of in (("low", _cells), ("high", _features)):
        names = (f"auc_{level}", f"jsd_{level}")
        try:
            first, second = (inputs_of(one, scheme) for one in (a, b))
            result = classify(
                first, second, *particles, seed=seed, config=samples.config, advance=advance
            )
            numbers |= dict(zip(names, (result.auc, result.jsd), strict=True))
        except CaloforgeError as error:
            numbers |= dict.fromkeys(names, _missing(error))
    return numbers


def _missing(error: CaloforgeError) -> Measured:
    return Measured(None, None, str(error).removeprefix("the classifier "))


def boosted_inputs(showers: Showers, scheme: str | None = None) -> Values:
    """Channel sums, observables, texture and conditions: any scale, undefined ones NaN.  (N, d)"""
    observed = observe(showers, scheme)
    columns = [*observed.values.values(), *observed.texture.values()]
    return np.column_stack([observed.channels, *columns, showers.conditions])


def _features(showers: Showers, scheme: str | None) -> Values:
    observed = observe(showers, scheme)
    columns = [values for name, values in observed.values.items() if name != "empty"]
    return np.column_stack([observed.channels, *columns])


def _cells(showers: Showers, scheme: str | None) -> Values:
    cells = showers.cells.astype(np.float64)
    return cells if showers.detector.signed else np.sqrt(cells)


def _kinds(a: Showers, b: Showers, samples: Samples) -> dict[str, Measured]:
    """Accuracy between two kinds of particles by what was trained and tested on."""
    assert samples.config is not None
    try:
        accuracy = transfer(a, b, seed=samples.seed, config=samples.config).accuracy
    except CaloforgeError as error:
        return {"transfer_generated_real": _missing(error)}
    return {f"transfer_{trained}_{tested}": m for (trained, tested), m in accuracy.items()}


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
    for rows, values in ((label, -np.log(safe)), (~label, -np.log(1 - safe))):
        mass = weight[rows].sum()
        if mass <= 0:
            return float("nan")
        entropy += 0.5 * float(weight[rows] @ values[rows] / mass)
    return max(0.0, 1 - entropy / float(np.log(2)))


def calibrated(scores: Values, label: Labels, odds: Values) -> Values:
    """Probabilities by an isotonic fit to validation rows, as in the CaloChallenge.  (n,)"""
    from scipy.optimize import isotonic_regression

    if label.all() or not label.any():
        return np.full(len(odds), 0.5)
    # Classes of unequal size would shift the probabilities away from the divergence's 0.5.
    share = np.where(label, 0.5 / label.mean(), 0.5 / (1 - label.mean()))
    # Rows of equal odds (all empty showers) get one probability: their order means nothing.
    values, place = np.unique(scores, return_inverse=True)
    weight = np.bincount(place, weights=share)
    mean = np.bincount(place, weights=share * label) / weight
    return np.interp(odds, values, isotonic_regression(mean, weights=weight).x)


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


LEAST_PARTICLES_OF_KIND = 20
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

    Balanced over kinds.

    Args:
        real: Real showers with the PDG numbers of their particles.
        generated: Generated showers with the same.
        seed: Of the division of the particles and of the networks.
        config: Size and training of the networks.

    Returns:
        Accuracies by (trained on, tested on), each ``real`` or ``generated``.

    Raises:
        CaloforgeError: torch is not installed.
        DataError: a sample does not name two kinds with 20 particles each.

    References:
        Paganini, de Oliveira & Nachman, arXiv:1712.10321, Table 3.
    """
    kinds = common_kinds(real, generated)
    samples = {"real": _of_kinds(real, kinds), "generated": _of_kinds(generated, kinds)}
    particles = np.unique(np.concatenate([s.particle for s in samples.values()]))
    shuffled = np.random.default_rng([require_seed(seed), 0x72A]).permutation(particles)
    edges = (np.cumsum([TEST_PART, VALIDATION_PART]) * len(shuffled)).round().astype(int)
    test, validation, train = np.split(shuffled, edges)
    accuracies = {}
    for trained in samples:
        for tested in samples:
            accuracies[trained, tested] = _accuracy(
                samples[trained], samples[tested], (train, validation, test), kinds, config, seed
            )
    return Transfer(kinds, accuracies)


def common_kinds(real: Showers, generated: Showers) -> tuple[int, int]:
    """The two kinds (pdg) with most particles; DataError where there are none."""
    if real.pdg is None or generated.pdg is None:
        raise DataError("the files do not tell the kinds of their particles (pdg)")
    numbers = {
        int(kind): len(np.unique(real.particle[real.pdg == kind]))
        for kind in np.intersect1d(real.pdg, generated.pdg)
    }
    kinds = sorted(
        (k for k, n in numbers.items() if n >= LEAST_PARTICLES_OF_KIND), key=lambda k: -numbers[k]
    )
    if len(kinds) < 2:
        raise DataError(f"fewer than two kinds with {LEAST_PARTICLES_OF_KIND} particles each")
    return kinds[0], kinds[1]


def _accuracy(
    train_showers: Showers,
    test_showers: Showers,
    parts: tuple[NDArray[np.int64], ...],
    kinds: tuple[int, ...],
    config: ClassifierConfig,
    seed: int,
) -> Measured:
    """Mean over kinds of the part that is recognised, errors by bootstrap over particles."""
    inputs = np.concatenate([_inputs(train_showers), _inputs(test_showers)])
    particle = np.concatenate([train_showers.particle, test_showers.particle])
    pdg = np.concatenate([_pdg(train_showers), _pdg(test_showers)])
    classes = (pdg == kinds[1]).astype(np.int64)
    own = np.arange(len(inputs)) < len(train_showers)
    train, validation = (np.flatnonzero(own & np.isin(particle, part)) for part in parts[:2])
    test_rows = np.flatnonzero(~own & np.isin(particle, parts[2]))
    scores = train_and_score(standardised(inputs, train), classes, train, validation, config, seed)
    right = (scores.argmax(axis=1) == classes)[test_rows]
    names, particle_index = np.unique(particle[test_rows], return_inverse=True)
    weights = resamplings(len(names), RESAMPLINGS, np.random.default_rng([seed, 1]))
    weights = weights[:, particle_index.reshape(-1)]
    each = [
        (weights[:, kind_rows] @ right[kind_rows])
        / np.maximum(weights[:, kind_rows].sum(axis=1), 1e-30)
        for kind_rows in (classes[test_rows] == 0, classes[test_rows] == 1)
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

    Example:
        >>> from caloforge.detectors import ATLAS_EM
        >>> cells = np.random.default_rng(0).exponential(1.0, (2, ATLAS_EM.cells))
        >>> wide = widened(cells, ATLAS_EM)
        >>> bool(np.allclose(wide.sum(axis=1), cells.sum(axis=1)))
        True
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
    weighted = cells * _tilt(scaled, low)
    return weighted * (cells.sum(axis=1) / np.maximum(weighted.sum(axis=1), 1e-30))[:, None]


def _mean(cells: Values, scaled: Values, steepness: Values) -> Values:
    """Mean square distance over that of the shower as it is.  (N,)"""
    weighted = cells * _tilt(scaled, steepness)
    return (weighted * scaled).sum(axis=1) / np.maximum(weighted.sum(axis=1), 1e-30)


def _tilt(scaled: Values, steepness: Values) -> Values:
    return np.exp(np.minimum(steepness[:, None] * scaled, 50))
