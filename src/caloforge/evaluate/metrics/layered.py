"""Metrics of a layered detector: attributes, energy shares, regressors, sharper classifiers.

Shapes: N showers, C conditions, B resamplings, k regressors, d inputs, a attributes.

Slopes: least squares of the observable on all conditions at once, so that an attribute is not
credited with what another one does; the slope of the attribute is one coefficient of it.

Regressor: it learns on real training showers only and takes part in no training.
R2 = 1 - mean square residual / variance of the attribute, on real showers that it never saw (what
can be known at all) and on generated ones (what the generator put into them).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.deviations import deviations
from caloforge.data.showers import Showers
from caloforge.errors import DataError
from caloforge.evaluate import resampling
from caloforge.evaluate.attributes import Attribute, attributes
from caloforge.evaluate.deprecated import renamed_arguments
from caloforge.evaluate.metrics.classifier import FACTOR, FOLDS, classify, widened
from caloforge.evaluate.metrics.energy import Band, bands, shares, sums_of
from caloforge.evaluate.metrics.metric import Best, Metric, MetricResult, Samples
from caloforge.evaluate.metrics.networks import (
    NEEDS_TORCH,
    ClassifierConfig,
    Loss,
    cells_and_observables,
    conditions_of,
    standardised,
    trained_answers,
)
from caloforge.evaluate.observables import layout_of, values_of
from caloforge.evaluate.resampling import Measured, measured, resamplings
from caloforge.machine import require_seed

Values = NDArray[np.float64]
Indices = NDArray[np.int64]
RESAMPLINGS = 200
CONSTANT = "does not vary"
TRAINED_FOLDS = 5 * FOLDS
"""Of all classifiers of cells, observables and conditions."""


@dataclass(frozen=True)
class Slope:
    """Slope of an observable with an attribute, of both samples."""

    attribute: Attribute
    real: Measured
    generated: Measured
    difference: Measured
    """Generated minus real under the same resamplings of the particles."""


def slopes(real: Showers, generated: Showers, *, rng: np.random.Generator) -> tuple[Slope, ...]:
    """Slopes of all attributes, errors by bootstrap over the particles that both samples have.

    Args:
        real: Real showers of a detector with several layers.
        generated: Showers of the same particles.
        rng: Random numbers of the bootstrap.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("atlas_em")).rows(slice(200))
        >>> first = slopes(showers, showers, rng=np.random.default_rng(0))[0]
        >>> first.attribute.name, round(first.real.value, 2), first.difference.value
        ('E', 1.0, 0.0)
    """
    detector, layout = real.detector, layout_of(real.detector)
    names, *both = resampling.index_shared_particles(real.particle, generated.particle)
    weights = resamplings(len(names), RESAMPLINGS, rng)
    results = []
    for attribute in attributes(detector):
        sides = []
        for showers, particle_index in zip((real, generated), both, strict=True):
            rows = np.flatnonzero(particle_index >= 0)
            values_by_name = values_of(showers.cells[rows], (attribute.observable,), layout)
            regressors = regressors_of(attribute, showers.conditions[rows])
            sides.append(
                slope(
                    values_by_name[attribute.observable.name],
                    regressors,
                    weights[:, particle_index[rows]],
                )
            )
        numbers = [measured(side, CONSTANT) for side in (*sides, sides[1] - sides[0])]
        results.append(Slope(attribute, *numbers))
    return tuple(results)


def regressors_of(attribute: Attribute, conditions: Values) -> Values:
    """The attribute first, then all conditions that are another number.  (N, k)"""
    own = attribute.of(conditions)
    others = [c for c in conditions.T if not np.array_equal(c, own)]
    return np.column_stack([own, *others])


def slope(observed: Values, regressors: Values, weights: Values) -> Values:
    """Coefficient of the first regressor beside all others and a constant.  (N,), (N, k), (B, N)

    NaN where it does not vary. Showers without the observable do not count.  (B,)
    """
    finite = np.isfinite(observed)
    values, weights = observed[finite], weights[:, finite]
    defined = regressors[finite]
    spread = deviations(defined) if finite.any() else np.zeros(regressors.shape[1])
    if not spread[0] > 0 or finite.sum() <= regressors.shape[1]:
        return np.full(len(weights), np.nan)
    varying = defined[:, spread > 0]
    scaled = (varying - varying.mean(axis=0)) / spread[spread > 0]
    table = np.column_stack([scaled, np.ones(len(scaled))])
    size = table.shape[1]
    products = (table[:, :, None] * table[:, None, :]).reshape(len(table), -1)
    squares = (weights @ products).reshape(-1, size, size)
    right = weights @ (table * values[:, None])
    # A tiny ridge: a resampling of few particles may make two regressors one.
    squares = squares + 1e-9 * weights.sum(axis=1)[:, None, None] * np.eye(size)
    return np.linalg.solve(squares, right[:, :, None])[:, 0, 0] / spread[0]


READER = ClassifierConfig("reader", (256, 256), 1e-3, 256, 40, 6)
VALIDATION_PART = 0.1


@dataclass(frozen=True)
class Readable:
    """How well one condition can be read back."""

    name: str
    real: Measured
    generated: Measured
    ratio: Measured
    """Generated over real R2, under the same resamplings of the particles."""
    floor: Measured
    """R2 of one half of the real particles over that of the other half."""


@renamed_arguments(schooling="config")
def read_back(
    train: Showers,
    real: Showers,
    generated: Showers,
    *,
    seed: int = 0,
    config: ClassifierConfig = READER,
) -> tuple[Readable, ...]:
    """R2 of every condition that varies, by a network that reads it from the cells.

    Args:
        train: Real showers of other particles, which the network learns from.
        real: Real showers of the test.
        generated: Showers of the same particles.
        seed: Of the network, its training and the bootstrap.
        config: Size and training of the network.

    Returns:
        One for each condition that varies in ``train``; none for a fixed beam of one energy.

    Raises:
        CaloforgeError: torch is not installed.
        DataError: the network does not learn, for its loss is no number.
    """
    names = real.detector.columns
    scale = deviations(train.conditions)
    varying = np.flatnonzero(scale > 0)
    if not len(varying):
        return ()
    middle, scale = train.conditions[:, varying].mean(axis=0), scale[varying]
    samples = (train, real, generated)
    targets = [(s.conditions[:, varying] - middle) / scale for s in samples]
    misses = _misses(samples, targets, seed, config)
    _, *both = resampling.index_shared_particles(real.particle, generated.particle)
    particles = max(int(particle_index.max(initial=-1)) for particle_index in both) + 1
    rng = np.random.default_rng([seed, 0xA77])
    weights = resamplings(particles, RESAMPLINGS, rng)
    first_half = rng.permutation(particles) < particles // 2
    halves = [weights * half for half in (first_half, ~first_half)]
    readables = []
    for place, column in enumerate(varying):
        real_side, generated_side = [
            (miss[:, place], target[:, place], particle_index)
            for miss, target, particle_index in zip(misses, targets[1:], both, strict=True)
        ]
        sides = [_r_squared_of(*side, weights) for side in (real_side, generated_side)]
        real_halves = [_r_squared_of(*real_side, half) for half in halves]
        ratios = [over / np.where(under > 0, under, np.nan) for under, over in (sides, real_halves)]
        readables.append(Readable(names[column], *(measured(n) for n in (*sides, *ratios))))
    return tuple(readables)


def _r_squared_of(miss: Values, target: Values, particle_index: Indices, weights: Values) -> Values:
    """Of the showers whose particle both samples have.  (N,), (N,), (N,), (B, P) -> (B,)"""
    rows = particle_index >= 0
    return r_squared(miss[rows], target[rows], weights[:, particle_index[rows]])


def r_squared(miss: Values, target: Values, weights: Values) -> Values:
    """1 - mean square miss over variance, NaN where the target does not vary.  (N,), (B, N)"""
    mass = weights.sum(axis=1)
    mean = weights @ target / mass
    variance = weights @ target**2 / mass - mean**2
    square = weights @ miss**2 / mass
    return 1 - square / np.where(variance > 0, variance, np.nan)


def _misses(
    samples: tuple[Showers, ...], targets: list[Values], seed: int, config: ClassifierConfig
) -> list[Values]:
    """Answer minus truth for the real and the generated showers, in the units of the targets."""
    inputs = np.concatenate(cells_and_observables(*samples))
    truth = np.concatenate(targets).astype(np.float32)
    rng = np.random.default_rng([require_seed(seed), 0xF17])
    shuffled = rng.permutation(len(samples[0]))
    n_validation = max(1, round(VALIDATION_PART * len(shuffled)))
    validation, training = shuffled[:n_validation], shuffled[n_validation:]
    answers = trained_answers(
        standardised(inputs, training),
        truth,
        truth.shape[1],
        _mean_square,
        training,
        validation,
        config,
        seed,
    )
    ends = np.cumsum([len(s) for s in samples])
    return [(answers - truth)[start:stop] for start, stop in pairwise(ends)]


def _mean_square() -> Loss:
    from torch.nn.functional import mse_loss

    return mse_loss


@renamed_arguments(schooling="config")
def layered_checks(
    real: Showers,
    generated: Showers,
    train: Showers | None,
    *,
    config: ClassifierConfig | None,
    seed: int = 0,
    advance: Callable[[], None] | None = None,
) -> Iterator[MetricResult]:
    """All metrics of a detector with several layers, none for others.

    Args:
        real: Real showers.
        generated: Showers of the same particles.
        train: Real showers of other particles; without them no network is trained.
        config: Of the networks; default: none are trained.
        seed: Of the bootstrap and the networks.
        advance: Called after each training.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("atlas_em")).rows(slice(200))
        >>> next(layered_checks(showers, showers, None, config=None)).metric.name
        'slope_E'
    """
    if len(real.detector.layers) < 2 or real.detector.signed:
        return
    yield from _slopes(real, generated, np.random.default_rng([require_seed(seed), 0x510]))
    if real.detector.energy is not None:
        yield from _energy(real, generated, train, seed)
    if train is None or not len(train) or config is None:
        return
    if find_spec("torch") is None:
        missing = Measured(None, None, NEEDS_TORCH)
        yield _result("auc_both", TITLES["auc_both"], missing, missing, "low")
        return
    try:
        yield from _read_back(real, generated, train, seed)
        yield from _classified(real, generated, train, config, seed, advance)
    except DataError as error:
        missing = Measured(None, None, str(error))
        yield _result("auc_both", TITLES["auc_both"], missing, missing, "low")


def results(samples: Samples) -> Iterator[MetricResult]:
    """The same of the samples of an evaluation."""
    real, generated, train = samples.real, samples.generated, samples.train
    how: dict[str, Any] = {"config": samples.config, "seed": samples.seed}
    yield from layered_checks(real, generated, train, **how, advance=samples.advance)


def _result(
    name: str,
    title: str,
    value: Measured,
    floor: Measured,
    best: Best = "floor",
    long: bool = False,
) -> MetricResult:
    return MetricResult(Metric(name, title, ideal=best, group="layered", long=long), value, floor)


def _slopes(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[MetricResult]:
    for one in slopes(real, generated, rng=rng):
        observable = one.attribute.observable
        unit = f"{observable.unit or real.detector.unit}/{one.attribute.unit}"
        title = f"slope of {observable.title} with {one.attribute.name} [{unit}]"
        name = one.attribute.name.replace(" ", "_")
        yield _result(f"slope_{name}", title, one.generated, one.real)


def _energy(
    real: Showers, generated: Showers, train: Showers | None, seed: int
) -> Iterator[MetricResult]:
    """Shares and bands; the floor of a band has training showers in the place of generated ones."""
    sums = sums_of(real, generated, _energy_rng(seed))
    energy, unit = real.detector.energy, real.detector.unit
    names = tuple(layer.name for layer in real.detector.layers)
    for share in shares(sums, names):
        title = f"energy: {share.name} over {energy}"
        yield _result(f"share_{share.name}", title, share.generated, share.real)
    yield _overflow(real)
    below = [Measured(float((s.cells < 0).mean()), None) for s in (generated, real)]
    yield _result("negative", "energy: part of the cells below zero", below[0], below[1], "low")
    floors = chain(real_bands(real, train, seed), repeat(None))
    for number, (band, floor) in enumerate(zip(bands(sums), floors, strict=False)):
        where = f"{energy} {band.low:.3g} to {band.high:.3g} {unit}, generated over real"
        for name, title in (
            ("mean", "mean total"),
            ("relative_sigma", "sigma(total) / mean"),
            ("resolution", f"sigma(total / {energy})"),
        ):
            value, beside = getattr(band, name), getattr(floor, name, FEW_TRAINING_SHOWERS)
            key = f"band_{name.removeprefix('relative_')}_{number}"
            yield _result(key, f"{title}, {where}", value, beside, long=True)


FEW_TRAINING_SHOWERS = Measured(None, None, "too few training showers")


def real_bands(real: Showers, train: Showers | None, seed: int) -> tuple[Band, ...]:
    """Bands of as many training showers over real ones, which have other particles.

    None without enough of them.
    """
    if train is None or len(train) < len(real):
        return ()
    other = dataclasses.replace(as_many(train, len(real), seed), particle=real.particle)
    return bands(sums_of(real, other, _energy_rng(seed)))


def _energy_rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 0xE0])


def _overflow(real: Showers) -> MetricResult:
    """Part of the energy beside the cells: it is not generated."""
    overflow = Measured(None, None, "not given")
    if real.overflow is not None and real.detector.energy is not None:
        incident = real.conditions[:, real.detector.column(real.detector.energy)].sum()
        overflow = Measured(float(real.overflow.sum(dtype=np.float64) / incident), None)
    title = f"energy: beside the cells (overflow) over {real.detector.energy}"
    return _result("overflow", title, Measured(None, None, "not generated"), overflow)


def _read_back(
    real: Showers, generated: Showers, train: Showers, seed: int
) -> Iterator[MetricResult]:
    for one in read_back(train, real, generated, seed=seed):
        title = f"R² of {one.name}, read back by a regressor of real showers"
        yield _result(f"r2_{one.name}", title, one.generated, one.real)
        title = f"R² of {one.name}, generated over real"
        yield _result(f"r2_ratio_{one.name}", title, one.ratio, one.floor)


TITLES = {
    "auc_both": "classifier AUC, cells and observables",
    "auc_conditions": "classifier AUC, cells, observables and conditions",
    "auc_widened": f"the same classifier on real showers widened by {FACTOR - 1:.0%}",
}


def _classified(
    real: Showers,
    generated: Showers,
    train: Showers,
    config: ClassifierConfig,
    seed: int,
    advance: Callable[[], None] | None,
) -> Iterator[MetricResult]:
    """Two classifiers with their floor, and what they make of a copy that is a little too wide.

    The floor is real against real training showers, as many as the evaluated ones.
    """
    other = as_many(train, len(real), seed)
    copy = dataclasses.replace(other, cells=widened(other.cells, real.detector), overflow=None)
    aucs = {
        name: auc_of(real, sample, config, seed, with_conditions=with_conditions, advance=advance)
        for name, sample, with_conditions in (
            ("auc_both", generated, False),
            ("auc_conditions", generated, True),
            ("auc_widened", copy, False),
            ("floor", other, False),
            ("floor_conditions", other, True),
        )
    }
    for name, floor in (
        ("auc_both", "floor"),
        ("auc_conditions", "floor_conditions"),
        ("auc_widened", "floor"),
    ):
        best: Best = "high" if name == "auc_widened" else "low"
        yield _result(name, TITLES[name], aucs[name], aucs[floor], best)


def auc_of(
    real: Showers,
    generated: Showers,
    config: ClassifierConfig,
    seed: int,
    *,
    with_conditions: bool = False,
    advance: Callable[[], None] | None = None,
) -> Measured:
    """AUC of real against other showers by cells, observables and, if asked, conditions."""
    first, second = cells_and_observables(real, generated)
    if with_conditions:
        both = zip((first, second), conditions_of(real, generated), strict=True)
        first, second = (np.hstack(pair) for pair in both)
    particles = (real.particle, generated.particle)
    return classify(first, second, *particles, seed=seed, config=config, advance=advance).auc


def as_many(train: Showers, rows: int, seed: int) -> Showers:
    """Training showers drawn at random, as many as evaluated rows."""
    rows_of_train = np.random.default_rng([seed, 0xF1]).permutation(len(train))[:rows]
    return train.rows(np.sort(rows_of_train))
