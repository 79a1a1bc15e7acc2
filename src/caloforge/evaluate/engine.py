"""Evaluate generated showers against real ones, beside a noise floor and baselines.

Shapes: N real rows, M generated rows, P particles on both sides, B resamplings, b bins.

All samples meet the same random halves of the real showers and the same resamplings of the
particles, hence differences between samples have paired errors. A comparison of several runs is the
same evaluation with several samples (``comparison``).

Files larger than memory are evaluated by histograms of their observables (separation power, mean,
W1 to within a bin), a block of showers at a time: one pass for the bins, one to fill them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile, Showers
from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError
from caloforge.evaluate import resampling
from caloforge.evaluate.baselines import BASELINES, MODEL, REAL, as_showers, require_same_detector
from caloforge.evaluate.deprecated import renamed_arguments
from caloforge.evaluate.gate.limits import DEFAULT, read_gate
from caloforge.evaluate.gate.negative_controls import apply_gate
from caloforge.evaluate.metrics import classifier as classifiers
from caloforge.evaluate.metrics import energy, layered, neighbours, two_sample
from caloforge.evaluate.metrics.metric import Metric, MetricResult, Samples, own_results, version_of
from caloforge.evaluate.metrics.networks import CLASSIFIER_CONFIGS, ClassifierConfig
from caloforge.evaluate.metrics.two_sample import weighted_separation
from caloforge.evaluate.noise_floor import NO_CACHE, FloorCache
from caloforge.evaluate.observables import observables, observe
from caloforge.evaluate.paired import PairedBootstrap, Replicates, paired_metrics, regions
from caloforge.evaluate.resampling import Indices, Measured, measured
from caloforge.evaluate.result import TITLES, Difference, EvaluationResult, ResultRow
from caloforge.io.productions import open_showers
from caloforge.machine import require_seed
from caloforge.reporter import SILENT, Reporter

RESAMPLINGS = 300
FEW_PARTICLES = 20
SUSPICIOUS_SIGMA = 3.0
OTHER_UNIT = 50.0
FEWEST_PARTICLES = 2
"""Of a baseline, and of an evaluation without repeats."""
FAMILIES = (
    two_sample.results,
    classifiers.results,
    layered.results,
    neighbours.results,
    energy.event_results,
    own_results,
)
"""Families of two-sample metrics, in the order of the report."""
NO_CLASSIFIER = "none"
CLASSIFIERS = (*CLASSIFIER_CONFIGS, NO_CLASSIFIER)


def _no_step() -> None:
    """Nobody is told of progress."""


def steps_of(detector: Detector, train: Showers | None, classifier: str) -> int:
    """How often an evaluation advances: samples of the table, families, folds, gate, regions."""
    samples = len(BASELINES) if train is not None else sum(not b.needs_training for b in BASELINES)
    steps = 2 + samples + len(FAMILIES) + 2
    if classifier != NO_CLASSIFIER:
        steps += classifiers.TRAINED_FOLDS
        if len(detector.layers) > 1 and not detector.signed and train is not None:
            steps += layered.TRAINED_FOLDS
    return steps


@dataclass(frozen=True)
class PairedEvaluation:
    """Real showers and a paired bootstrap of them, for one sample of generated showers or many."""

    real: Showers
    train: Showers | None
    bootstrap: PairedBootstrap
    scheme: str | None
    seed: int
    cache: FloorCache = NO_CACHE

    @classmethod
    def of(
        cls,
        real: Showers,
        n_showers: Indices,
        train: Showers | None = None,
        *,
        scheme: str | None = None,
        seed: int = 0,
        resamples: int = RESAMPLINGS,
        cache: FloorCache = NO_CACHE,
    ) -> PairedEvaluation:
        """Draw what all samples share; ``n_showers`` (P,) a side at equal numbers."""
        _, index = resampling.index_particles(real.particle)
        metrics = paired_metrics(real.detector, scheme)
        observed, rng = observe(real, scheme), _streams(seed)[0]
        bootstrap = PairedBootstrap.of(observed, index, n_showers, metrics, resamples, rng)
        return cls(real, train, bootstrap, scheme, seed, cache)

    def generated(self, showers: Showers) -> Replicates:
        """All metrics of showers of the same particles under all resamplings.  (1 + B,) each"""
        index = resampling.index_shared_particles(self.real.particle, showers.particle)[2]
        return self.bootstrap.evaluate(observe(showers, self.scheme), index, _streams(self.seed)[1])

    def references(self) -> Iterator[tuple[str, Replicates]]:
        """The noise floor and the baselines, one after the other: only one is in memory."""
        yield REAL, self._floor()
        enough = self.bootstrap.particles >= FEWEST_PARTICLES
        for number, baseline in enumerate(BASELINES):
            if not enough or (baseline.needs_training and self.train is None):
                continue
            rng = np.random.default_rng([self.seed, number])
            train = self.real if self.train is None else self.train
            showers = as_showers(self.real, baseline.of(self.real, train, rng))
            observed, index = observe(showers, self.scheme), self.bootstrap.particle_index
            yield baseline.name, self.bootstrap.evaluate(observed, index, rng)

    def _floor(self) -> Replicates:
        """Real against real, kept where a folder is given."""
        real, bootstrap = self.real, self.bootstrap

        def make() -> dict[str, list[float | None]]:
            return {
                name: [float(x) if np.isfinite(x) else None for x in values]
                for name, values in bootstrap.evaluate_real().items()
            }

        arrays = (real.cells, real.conditions, real.particle, bootstrap.n_showers)
        settings = (real.detector.scheme(self.scheme).scheme, self.seed, len(bootstrap.weights) - 1)
        names = (part for m in bootstrap.metrics for part in (m.name, *version_of(m)))
        document = self.cache.cached(
            arrays, ("table", real.detector.model_dump_json(), *settings, *names), make
        )
        return {name: np.array(values, dtype=np.float64) for name, values in document.items()}

    def row(self, name: str, replicates: Replicates) -> ResultRow:
        """The numbers of one sample with their errors."""
        numbers: dict[str, Measured] = {}
        for metric in self.bootstrap.metrics:
            note = "undefined"
            if metric.per_particle and not self.bootstrap.repeated:
                note = "no repeats"
            if name == REAL and metric.all_rows:
                # There is no second set of real showers as large as the first.
                note = "-"
            numbers[metric.name] = measured(replicates[metric.name], note)
        return ResultRow(name, TITLES[name], numbers)


@renamed_arguments(floors="cache")
def evaluate(
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    *,
    scheme: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLINGS,
    cache: FloorCache = NO_CACHE,
    advance: Callable[[], None] = _no_step,
) -> EvaluationResult:
    """The table: all paired metrics of generated showers, noise floors, baselines, differences.

    Args:
        real: Real showers.
        generated: Showers of the particles of ``real``, by number and conditions.
        train: Showers that baselines draw from.
        scheme: Read-out scheme of the channel sums; default: that of the detector.
        seed: Of split halves and resamplings; equal inputs and seed give the same result.
        resamples: Bootstrap resamplings of the particles, B.
        cache: Where noise floors are kept.
        advance: Called after each sample.

    Returns:
        Numbers with errors; ``result.summary`` says them in a sentence.

    Raises:
        DataError: showers of other detectors, or without common particles.

    References:
        Conditional W1: ``metrics.wasserstein``; bootstrap: Efron & Tibshirani (1993), chapter 8.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("alice_zp"))
        >>> real, other = (showers.rows(slice(start, 400, 2)) for start in (0, 1))
        >>> result = evaluate(real, other, resamples=20)
        >>> result.particles, result.n_showers
        (50, '2 v 2')
        >>> abs(result.measured("w1").value - result.measured("w1", "real").value) < 5
        True
    """
    real, generated, n_showers, warnings = _comparable(real, generated, train)
    evaluation = PairedEvaluation.of(
        real, n_showers, train, scheme=scheme, seed=seed, resamples=resamples, cache=cache
    )
    replicates = {MODEL: evaluation.generated(generated)}
    advance()
    for name, values in evaluation.references():
        advance()
        replicates[name] = values
    metrics = evaluation.bootstrap.metrics
    return EvaluationResult(
        detector=real.detector.name,
        unit=real.detector.unit,
        scheme=real.detector.scheme(scheme).scheme,
        particles=len(n_showers),
        rows=len(real.cells),
        generated_rows=len(generated.cells),
        n_showers=resampling.describe(n_showers, len(n_showers)),
        seed=seed,
        resamplings=resamples,
        metrics=metrics,
        candidates=tuple(evaluation.row(name, values) for name, values in replicates.items()),
        differences=tuple(_differences(replicates, metrics)),
        warnings=(*warnings, *_remarks(evaluation.bootstrap, replicates)),
        provenance=dict(real.provenance),
    )


@renamed_arguments(floors="cache")
def add_two_sample_metrics(
    result: EvaluationResult,
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    *,
    gate: str = DEFAULT,
    classifier: str = "default",
    cache: FloorCache = NO_CACHE,
    advance: Callable[[], None] = _no_step,
) -> EvaluationResult:
    """The result with the answer of a gate, two-sample metrics and regions.

    Args:
        result: What ``evaluate`` made of the same showers.
        real: Real showers.
        generated: Showers of the same particles.
        train: Training showers, for the memory and the gate.
        gate: A file, or ``default``, the gate of the detector.
        classifier: Size of the classifiers; ``none`` trains none.
        cache: Where noise floors are kept.
        advance: Called after each part.

    Raises:
        UsageError: an unknown gate or classifier.
        DataError: showers of one particle without repeats.
    """
    if classifier not in CLASSIFIERS:
        raise UsageError(f"no classifier {classifier}; there are {', '.join(CLASSIFIERS)}")
    read_gate(gate, real.detector)
    if result.particles < FEWEST_PARTICLES and not result.repeated:
        raise DataError(
            f"{len(real)} real and {len(generated)} generated showers of one particle are too few: "
            "two particles are needed, or two real showers of a particle"
        )
    scheme, seed = result.scheme, result.seed
    samples = Samples(
        real=real,
        generated=generated,
        train=train,
        scheme=scheme,
        seed=seed,
        config=CLASSIFIER_CONFIGS.get(classifier),
        cache=cache,
        rng=np.random.default_rng([seed, 0xE7]),
        advance=advance,
    )
    rows: list[MetricResult] = []
    for results in FAMILIES:
        rows += results(samples)
        advance()
    answer = apply_gate(real, generated, train, gate=gate, scheme=scheme, seed=seed, result=result)
    advance()
    parts = regions(real, generated, scheme=scheme, seed=seed)
    advance()
    return dataclasses.replace(result, two_sample=tuple(rows), gate=answer, regions=parts)


@renamed_arguments(schooling="config", floors="cache")
def two_sample_metrics(
    real: Showers,
    generated: Showers,
    *,
    scheme: str | None = None,
    config: ClassifierConfig | None = None,
    seed: int = 0,
    cache: FloorCache = NO_CACHE,
) -> tuple[MetricResult, ...]:
    """Two-sample metrics of split halves with their floors.

    Args:
        real: Real showers.
        generated: Showers of the same particles.
        scheme: Read-out scheme of the channel sums; default: that of the detector.
        config: Of the classifiers; default: none are trained.
        seed: Of split halves, draws and networks.
        cache: Where noise floors are kept.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("alice_zp"))
        >>> real, other = (showers.rows(slice(start, 160, 2)) for start in (0, 1))
        >>> two_sample_metrics(real, other)[0].metric.name
        'fpd'
    """
    rng = np.random.default_rng([require_seed(seed), 0xE7])
    samples = Samples(real, generated, None, scheme, seed, config, cache, rng)
    return (*two_sample.results(samples), *classifiers.results(samples))


def _streams(seed: int) -> list[np.random.Generator]:
    """Random numbers of split halves and of the draws of a sample, fresh for each sample."""
    sequence = np.random.SeedSequence(require_seed(seed))
    return [np.random.default_rng(part) for part in sequence.spawn(2)]


def _comparable(
    real: Showers, generated: Showers, train: Showers | None
) -> tuple[Showers, Showers, Indices, list[str]]:
    """Both samples cut to the particles that they share, showers a side, what was left out."""
    require_same_detector(real, generated, *([train] if train is not None else []))
    names, index, other_index = resampling.index_shared_particles(real.particle, generated.particle)
    if not len(names):
        raise DataError("real and generated showers share no particle; generate with --like")
    resampling.require_same_conditions(real.conditions, generated.conditions, index, other_index)
    warnings = [
        f"{(part < 0).sum()} {word} rows are left out: their particles are not on the other side"
        for part, word in ((index, "real"), (other_index, "generated"))
        if (part < 0).any()
    ]
    if train is not None and _overlap(real, train):
        warnings.append("training showers include evaluated particles: the baselines see the test")
    real, generated = _kept_rows(real, index >= 0), _kept_rows(generated, other_index >= 0)
    _, index, other_index = resampling.index_shared_particles(real.particle, generated.particle)
    n_showers = resampling.equal_n_showers(index, other_index, len(names))
    return real, generated, n_showers, warnings


def _kept_rows(showers: Showers, mask: NDArray[np.bool_]) -> Showers:
    return showers if mask.all() else showers.rows(np.flatnonzero(mask))


def _overlap(real: Showers, train: Showers) -> bool:
    """Whether a particle of the evaluation was trained on, by its conditions."""
    train_conditions = {row.tobytes() for row in np.unique(train.conditions, axis=0)}
    return any(row.tobytes() in train_conditions for row in np.unique(real.conditions, axis=0))


def _differences(
    replicates: dict[str, Replicates], metrics: tuple[Metric, ...]
) -> Iterator[Difference]:
    """Baselines minus the model, and the model minus the floor (its excess), of all distances."""
    model = replicates[MODEL]
    for metric in metrics:
        if not metric.distance:
            continue
        for name, other in replicates.items():
            pair = (MODEL, name) if name == REAL else (name, MODEL)
            away = other[metric.name] - model[metric.name]
            if name != MODEL and np.isfinite(away[0]):
                yield Difference(metric.name, *pair, measured(-away if name == REAL else away))


def _remarks(bootstrap: PairedBootstrap, replicates: dict[str, Replicates]) -> Iterator[str]:
    """What a reader should know before trusting the numbers."""
    n_showers = bootstrap.n_showers
    if not bootstrap.repeated:
        yield "no particle has repeats: conditional figures, floors and diversity are undefined"
    if len(n_showers) < FEW_PARTICLES:
        yield f"only {len(n_showers)} particles: the errors themselves are rough"
    if bootstrap.repeated and not n_showers.all():
        without = (n_showers == 0).sum()
        yield f"{without} of {len(n_showers)} particles have no repeats: left out there"
    model, real = replicates[MODEL], replicates[REAL]
    excess = measured(model["conditional_w1"] - real["conditional_w1"]).sigma
    if excess is not None and excess < -SUSPICIOUS_SIGMA:
        yield "closer to the real showers than other real ones are: are these copies of them?"
    ratio = model["mean_total"][0]
    if np.isfinite(ratio) and not 1 / OTHER_UNIT < ratio < OTHER_UNIT:
        yield f"generated totals are {ratio:.3g} times the real ones: another unit?"
    for name, values in bootstrap.real.values.items():
        defined = values[np.isfinite(values)]
        if name != "empty" and len(defined) > 1 and np.ptp(defined) == 0:
            yield f"{name} is the same for all real showers: its distances say little"
    if bootstrap.real.values["empty"].all():
        yield "all real showers are empty: shapes and ratios are undefined"


Values = NDArray[np.float64]
BINS = 400
ROWS = 4096


@dataclass(frozen=True)
class HistogramPair:
    """One observable of two files."""

    name: str
    unit: str
    edges: Values
    real: Values
    """Showers in each bin, (b,)."""
    generated: Values

    @property
    def separation(self) -> float:
        """Separation power of both histograms; NaN where one is empty."""
        pair = self.real[None, :], self.generated[None, :]
        return float(weighted_separation(*pair, np.ones((1, 1)))[0])

    @property
    def w1(self) -> float:
        """W1 of both histograms, right to within the width of a bin; NaN where one is empty."""
        total = self.real.sum(), self.generated.sum()
        if min(total) == 0:
            return float("nan")
        gap = np.cumsum(self.real / total[0] - self.generated / total[1])
        return float(np.abs(gap) @ np.diff(self.edges))


def stream(
    real: str | Path,
    generated: str | Path,
    *,
    scheme: str | None = None,
    reporter: Reporter = SILENT,
) -> tuple[HistogramPair, ...]:
    """Histograms of every channel and observable of two files, in little memory.

    Bins span what both files hold. Raises DataError for files of different detectors.
    """
    with open_showers(real) as first, open_showers(generated) as second:
        detector = first.detector
        if detector.fingerprint != second.detector.fingerprint:
            raise DataError(f"{generated} holds {second.detector.name}, {real} {detector.name}")
        ranges = _ranges((first, second), scheme, reporter)
        edges = {name: np.linspace(low, high, BINS + 1) for name, (low, high) in ranges.items()}
        counts = [_filled(file, edges, scheme, reporter) for file in (first, second)]
        units = {o.name: o.unit or detector.unit for o in observables(detector)}
        return tuple(
            HistogramPair(
                name, units.get(name, detector.unit), bins, counts[0][name], counts[1][name]
            )
            for name, bins in edges.items()
        )


def _ranges(
    files: tuple[ShowerFile, ...], scheme: str | None, reporter: Reporter
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of everything, over all files."""
    ranges: dict[str, tuple[float, float]] = {}
    for file in files:
        for name, values in _blocks(file, scheme, reporter, "ranges"):
            finite = values[np.isfinite(values)]
            if not len(finite):
                continue
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(finite.min())), max(high, float(finite.max()))
    return {name: (low, high if high > low else low + 1) for name, (low, high) in ranges.items()}


def _filled(
    file: ShowerFile, edges: Mapping[str, Values], scheme: str | None, reporter: Reporter
) -> dict[str, Values]:
    """Showers in each bin."""
    counts = {name: np.zeros(BINS) for name in edges}
    for name, values in _blocks(file, scheme, reporter, "histograms"):
        if name in counts:
            counts[name] += np.histogram(values[np.isfinite(values)], edges[name])[0]
    return counts


def _blocks(
    file: ShowerFile, scheme: str | None, reporter: Reporter, what: str
) -> Iterator[tuple[str, Values]]:
    """Name and values of every channel and observable, block by block."""
    labels = file.detector.scheme(scheme).labels
    with reporter.progress(f"{what} of {file.path.name}", len(file)) as advance:
        for block in file.chunks(ROWS):
            yield from _columns(block, labels, scheme)
            advance(len(block))


def _columns(
    block: Showers, labels: tuple[str, ...], scheme: str | None
) -> Iterator[tuple[str, Values]]:
    observed = observe(block, scheme)
    yield from zip(labels, observed.channels.T, strict=True)
    yield from observed.values.items()
