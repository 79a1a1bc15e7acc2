"""Two-sample metrics of channels and observables, each beside the same metric of real showers.

Shapes: n real and m generated showers, d features, P particles, b bins, B weightings of the
particles.

Both are taken at equal numbers: half of the real showers of each particle against as many generated
ones, and against the other half. Histogram distances of one observable: separation power,
Kolmogorov-Smirnov, Mann-Whitney. Distances of all features: Fréchet and kernel distance (FPD and
KPD of arXiv:2211.10295); both divide every feature by its largest absolute real value, as the
CaloChallenge does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caloforge.data.deviations import divisors
from caloforge.data.showers import Showers
from caloforge.errors import DataError
from caloforge.evaluate import resampling
from caloforge.evaluate.metrics.metric import Metric, MetricResult, Samples
from caloforge.evaluate.metrics.neighbours import fidelity
from caloforge.evaluate.observables import Observed, observe
from caloforge.evaluate.resampling import Indices, Measured, measured, resamplings

Values = NDArray[np.float64]
CHALLENGE_BINS = 100
CHALLENGE_ENERGY_BINS = 40
CALOGAN_BINS = 10


@dataclass(frozen=True)
class RankTest:
    """A statistic and its two-sided asymptotic p value for independent values."""

    statistic: float
    p: float


def separation_power(a: Values, b: Values, edges: Values) -> float:
    """S = 1/2 sum (h_a - h_b)^2 / (h_a + h_b) of normalised histograms: 0 equal, 1 disjoint.

    Args:
        a: Values of one sample, (n,).
        b: Values of the other, (m,).
        edges: Of the bins; the outermost ones hold what lies beyond, (b + 1,).

    Raises:
        DataError: a sample is empty.

    Example:
        >>> a, b = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])
        >>> round(separation_power(a, b, np.array([0.0, 0.5, 1.0])), 3)
        0.111
    """
    one = np.ones((1, 1))
    indices = np.zeros(len(a), dtype=np.int64), np.zeros(len(b), dtype=np.int64)
    counts = [counts_by_particle(v, s, 1, edges) for v, s in zip((a, b), indices, strict=True)]
    power = weighted_separation(counts[0], counts[1], one)
    if not np.isfinite(power[0]):
        raise DataError("separation power needs two samples with values")
    return float(power[0])


def weighted_separation(a: Values, b: Values, weights: Values) -> Values:
    """Separation power of counts (P, b) under weightings of the particles.  (B, P) -> (B,)

    NaN where a sample has no weight.
    """
    first, second = (_normalised(weights @ counts) for counts in (a, b))
    total = first + second
    terms = np.divide((first - second) ** 2, total, out=np.zeros_like(total), where=total > 0)
    power: Values = terms.sum(axis=1) / 2
    return np.asarray(np.where(np.isfinite(total).all(axis=1), power, np.nan))


def counts_by_particle(
    values: Values, particle_index: Indices, particles: int, edges: Values
) -> Values:
    """Values in each bin, particle by particle; undefined ones are left out.  (P, b)"""
    there = np.isfinite(values)
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values[there], side="right") - 1, 0, bins - 1)
    flat = np.bincount(particle_index[there] * bins + place, minlength=particles * bins)
    return flat.reshape(particles, bins).astype(np.float64)


def challenge_edges(reference: Values, *, energy: bool) -> Values:
    """Bins as the CaloChallenge takes them, over the range of the reference.  (b + 1,)

    40 logarithmic bins for an energy, 100 equal ones for all else (arXiv:2410.21611).

    Example:
        >>> edges = challenge_edges(np.array([1.0, 100.0]), energy=True)
        >>> len(edges), edges[[0, 20, 40]].round(6).tolist()
        (41, [1.0, 10.0, 100.0])
    """
    finite = reference[np.isfinite(reference)]
    positive = finite[finite > 0]
    if energy and len(positive) and positive.max() > positive.min():
        return np.asarray(np.geomspace(positive.min(), positive.max(), CHALLENGE_ENERGY_BINS + 1))
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return np.linspace(low, high if high > low else low + 1, CHALLENGE_BINS + 1)


def calogan_edges(a: Values, b: Values) -> Values:
    """Ten bins of equal population of both samples together, as the CaloGAN paper.  (b + 1,)

    Fewer where values repeat so often that edges would coincide; at most ten different values get
    a bin each.

    Example:
        >>> calogan_edges(np.arange(50.0), np.arange(50.0, 101.0)).round().tolist()
        [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
    """
    both = np.concatenate([a, b])
    finite = both[np.isfinite(both)]
    if not len(finite):
        return np.array([0.0, 1.0])
    if 1 < len(values := np.unique(finite)) <= CALOGAN_BINS:
        middles = (values[1:] + values[:-1]) / 2
        return np.concatenate([values[:1], middles, values[-1:]])
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, CALOGAN_BINS + 1)))
    return np.asarray(edges if len(edges) > 1 else [edges[0], edges[0] + 1])


def kolmogorov_smirnov(a: Values, b: Values) -> RankTest:
    """Largest distance of the cumulative distributions (Smirnov 1939).

    Args:
        a: Values of one sample; those that are not finite are left out, (n,).
        b: Values of the other, (m,).

    Raises:
        DataError: a sample holds no value.

    Example:
        >>> kolmogorov_smirnov(np.arange(4.0), np.arange(4.0) + 2).statistic
        0.5
    """
    from scipy.stats import ks_2samp

    with np.errstate(divide="ignore"):  # samples of one value
        test = ks_2samp(_defined(a), _defined(b), method="asymp")
    return RankTest(float(test.statistic), float(test.pvalue))


def mann_whitney(a: Values, b: Values) -> RankTest:
    """Part of the pairs with a < b, ties half; 0.5 where both are alike (Mann & Whitney 1947).

    Args:
        a: Values of one sample; those that are not finite are left out, (n,).
        b: Values of the other, (m,).

    Raises:
        DataError: a sample holds no value.

    Example:
        >>> mann_whitney(np.array([0.0, 1.0]), np.array([1.0, 2.0])).statistic
        0.875
    """
    from scipy.stats import mannwhitneyu

    a, b = _defined(a), _defined(b)
    test = mannwhitneyu(b, a, use_continuity=False, method="asymptotic")
    p = float(test.pvalue)
    return RankTest(float(test.statistic) / (len(a) * len(b)), p if np.isfinite(p) else 1.0)


def _defined(sample: Values) -> Values:
    finite = sample[np.isfinite(sample)]
    if not len(finite):
        raise DataError("a sample holds no value")
    return finite


def _normalised(counts: Values) -> Values:
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


SIZES = 10
DRAWS = 20
LEAST_ROWS, MOST_ROWS = 10_000, 50_000
KERNEL_ROWS = 5_000
KERNEL_DRAWS = 10
SIGMA_QUANTILES = (0.16275, 0.83725)


def fpd(real: Values, generated: Values, *, rng: np.random.Generator) -> Measured:
    """Fréchet distance, extrapolated to infinitely many showers.  (n, d), (m, d)

    The distance at ten sizes, regular in 1/N, each the mean of 20 draws with replacement; a line in
    1/N gives the value at 0 and its error. Sizes are 10 000 to 50 000 showers, or half of the
    smaller sample to all of it where there are fewer.

    Args:
        real: Features of real showers, (n, d).
        generated: The same of generated showers, (m, d).
        rng: Random numbers of the draws.

    Raises:
        DataError: a sample has fewer than two rows with all features defined.

    References:
        Kansal et al., arXiv:2211.10295.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> real, shifted = rng.normal(0.0, 1.0, (1000, 3)), rng.normal(0.5, 1.0, (1000, 3))
        >>> fpd(real, shifted, rng=rng).sigma > 5
        True
    """
    real, generated = _scaled(real, generated)
    most = min(MOST_ROWS, len(real), len(generated))
    least = LEAST_ROWS if most > LEAST_ROWS else max(2, most // 2)
    sizes = np.unique((1 / np.linspace(1 / least, 1 / most, SIZES)).astype(np.int64))
    means = [
        np.mean(
            [
                frechet(
                    real[rng.integers(0, len(real), n)],
                    generated[rng.integers(0, len(generated), n)],
                )
                for _ in range(DRAWS)
            ]
        )
        for n in sizes
    ]
    return _extrapolated(1 / sizes, np.array(means))


def frechet(a: Values, b: Values) -> float:
    """|mean_a - mean_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^1/2), Gaussians of both samples.  (n, d)"""
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    shift = a.mean(axis=0) - b.mean(axis=0)
    # The roots of the eigenvalues of C_a C_b, which are those of a symmetric matrix: not negative.
    roots = np.linalg.eigvals(first @ second).real
    return float(shift @ shift + np.trace(first + second) - 2 * np.sqrt(np.maximum(roots, 0)).sum())


def kpd(real: Values, generated: Values, *, rng: np.random.Generator) -> Measured:
    """Median over ten draws of the unbiased MMD with a quartic kernel.  (n, d), (m, d)

    Draws of 5 000 showers, or of half of the smaller sample; error: half the central 68 %.
    Arguments and errors are those of ``fpd``.

    References:
        Kansal et al., arXiv:2211.10295.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> real, shifted = rng.normal(0.0, 1.0, (1000, 3)), rng.normal(0.5, 1.0, (1000, 3))
        >>> kpd(real, shifted, rng=rng).sigma > 5
        True
    """
    real, generated = _scaled(real, generated)
    size = max(2, min(KERNEL_ROWS, len(real) // 2, len(generated) // 2))
    replicates = [
        mmd(
            real[rng.choice(len(real), size, replace=False)],
            generated[rng.choice(len(generated), size, replace=False)],
        )
        for _ in range(KERNEL_DRAWS)
    ]
    low, high = np.quantile(replicates, SIGMA_QUANTILES)
    return Measured(float(np.median(replicates)), float(high - low) / 2)


def mmd(a: Values, b: Values) -> float:
    """Unbiased squared maximum mean discrepancy, kernel (x.y / d + 1)^4.  (n, d), (m, d)"""
    within = sum(_off_diagonal(_kernel(s, s)) for s in (a, b))
    return within - 2 * float(_kernel(a, b).mean())


def _kernel(a: Values, b: Values) -> Values:
    kernel: Values = a @ b.T / a.shape[1] + 1
    # Twice squared is the fourth power, ten times sooner than by ``**``.
    np.square(kernel, out=kernel)
    return np.square(kernel, out=kernel)


def _off_diagonal(kernel: Values) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))


def _scaled(real: Values, generated: Values) -> tuple[Values, Values]:
    """Features over their largest real value; rows with an undefined one are left out."""
    samples = [sample[np.isfinite(sample).all(axis=1)] for sample in (real, generated)]
    if min(len(sample) for sample in samples) < 2:
        raise DataError("FPD and KPD need at least two showers a side with all features defined")
    largest = np.abs(samples[0]).max(axis=0)
    scale = np.where(largest > 0, largest, 1)
    return samples[0] / scale, samples[1] / scale


def _extrapolated(inverse: Values, values: Values) -> Measured:
    """Value at 0 of a line through points, both of its numbers not negative, and the error."""
    from scipy.optimize import nnls

    table = np.stack([np.ones_like(inverse), inverse], axis=1)
    if len(values) < 3:
        return Measured(float(values.mean()), None)
    fitted, residual = nnls(table, values)
    variance = residual**2 / (len(values) - 2) * np.linalg.inv(table.T @ table)[0, 0]
    return Measured(float(fitted[0]), float(np.sqrt(variance)))


@dataclass(frozen=True)
class Correlations:
    """Correlation matrices (d, d), NaN where a number does not vary, and their names."""

    names: tuple[str, ...]
    real: Values
    generated: Values

    @property
    def difference(self) -> Values:
        """Generated minus real.  (d, d)"""
        return self.generated - self.real

    @property
    def largest(self) -> tuple[str, str, float] | None:
        """The two names whose correlation is most wrong, and by how much."""
        away = np.abs(np.triu(self.difference, 1))
        if not np.isfinite(away).any() or not np.nanmax(away):
            return None
        row, column = np.unravel_index(np.nanargmax(away), away.shape)
        return self.names[row], self.names[column], float(self.difference[row, column])


def correlation(values: Values) -> Values:
    """Pearson correlation of the columns over rows where both are defined.  (N, d) -> (d, d)

    Example:
        >>> correlation(np.array([[0.0, 3.0], [1.0, 1.0], [2.0, -1.0], [9.0, np.nan]])).round(6)
        array([[ 1., -1.],
               [-1.,  1.]])
    """
    there = np.isfinite(values).astype(np.float64)
    # A unit scale makes the test for "does not vary" one of rounding, whatever the units.
    standard = (values - np.nanmean(_safe(values), axis=0)) / divisors(values)
    filled = np.where(there > 0, standard, 0.0)
    count = np.maximum(there.T @ there, 1)
    mean = filled.T @ there / count
    cross = filled.T @ filled / count - mean * mean.T
    square = (filled**2).T @ there / count - mean**2
    scale = np.sqrt(np.maximum(square * square.T, 0))
    matrix = np.full(cross.shape, np.nan)
    np.divide(cross, scale, out=matrix, where=scale > 1e-12)
    return np.clip(matrix, -1, 1)


def correlations(names: tuple[str, ...], real: Values, generated: Values) -> Correlations:
    """Matrices of both samples.  (N, d), (M, d)

    Example:
        >>> real = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
        >>> correlations(("energy", "width"), real, real * [1, -1]).largest
        ('energy', 'width', -2.0)
    """
    return Correlations(names, correlation(real), correlation(generated))


def _safe(values: Values) -> Values:
    """The values, with a zero where a whole column is undefined."""
    empty = ~np.isfinite(values).any(axis=0)
    return np.where(empty, 0.0, values)


RESAMPLINGS = 200
RANK_RESAMPLINGS = 10
"""A rank statistic sorts all rows for every resampling."""
Numbers = dict[str, Measured]


@dataclass(frozen=True)
class Sample:
    """Showers of one side, their observables and particles; features (n, d)."""

    observed: Observed
    showers: Showers
    features: Values
    labels: tuple[str, ...]
    """Names of the channels."""

    @classmethod
    def of(cls, showers: Showers, scheme: str | None) -> Sample:
        """Observe showers through a read-out scheme."""
        observed = observe(showers, scheme)
        columns = [values for name, values in observed.values.items() if name != "empty"]
        features = np.column_stack([observed.channels, *columns])
        return cls(observed, showers, features, showers.detector.scheme(scheme).labels)

    @property
    def columns(self) -> list[tuple[str, Values, bool]]:
        """Name and values of channels and observables, and whether they are energies."""
        observed = self.observed
        channels = [(label, observed.channels[:, n], True) for n, label in enumerate(self.labels)]
        shapes = [(n, v, n == "total") for n, v in observed.values.items() if n != "empty"]
        return [*channels, *shapes]


def results(samples: Samples) -> Iterator[MetricResult]:
    """All metrics of split halves with their floors."""
    real, other = samples.real, samples.generated
    names, real_index, other_index = resampling.index_shared_particles(
        real.particle, other.particle
    )
    rng = np.random.default_rng(samples.seed)
    n_showers = resampling.equal_n_showers(real_index, other_index, len(names))
    halves = resampling.halves(real_index, n_showers, rng)
    rows = resampling.draw(other_index, halves.n_showers, rng)
    first, second, generated = (
        Sample.of(showers, samples.scheme)
        for showers in (
            real.rows(halves.first),
            real.rows(halves.second),
            other.rows(rows),
        )
    )
    value = _numbers(first, generated, samples)
    floor = _floor(first, second, samples)
    undefined = Measured(None, None, "undefined")
    for metric in _metrics(first):
        if metric.name in value or metric.name in floor:
            pair = (numbers.get(metric.name, undefined) for numbers in (value, floor))
            yield MetricResult(metric, *pair)


def _metrics(sample: Sample) -> Iterator[Metric]:
    """All metrics of split halves, in their order."""
    row = partial(Metric, ideal="low", group="two_sample")
    yield row("fpd", "FPD (Fréchet distance of observables)")
    yield row("kpd", "KPD (kernel distance of observables)")
    for name in ("precision", "density", "recall", "coverage"):
        yield Metric(name, name, ideal="floor", group="two_sample")
    for name, _, _ in sample.columns:
        long = partial(row, long=True)
        yield long(f"separation_{name}", f"separation power of {name}")
        yield long(f"separation10_{name}", f"separation power of {name}, ten equal bins")
        yield long(f"ks_{name}", f"Kolmogorov-Smirnov of {name}")
        yield long(f"mann_whitney_{name}", f"Mann-Whitney of {name}", ideal="floor")


def _floor(a: Sample, b: Sample, samples: Samples) -> Numbers:
    """Real against real, kept where a folder is given."""
    detector = a.showers.detector.model_dump_json()
    document = samples.cache.cached(
        (a.showers.cells, b.showers.cells, a.showers.particle, b.showers.particle),
        ("two-sample", detector, samples.scheme, samples.seed),
        lambda: {name: number.record for name, number in _numbers(a, b, samples).items()},
    )
    return {name: Measured(**record) for name, record in document.items()}


def _numbers(a: Sample, b: Sample, samples: Samples) -> Numbers:
    """Every metric of two samples."""
    rng = np.random.default_rng([samples.seed, 2])
    numbers = dict(_separations(a, b, rng))
    numbers |= _gaussian(a, b, rng) | _neighbours(a, b, rng)
    return numbers


def _separations(a: Sample, b: Sample, rng: np.random.Generator) -> Iterator[tuple[str, Measured]]:
    """Histogram distances of every channel and observable."""
    indices = [resampling.index_particles(s.showers.particle)[1] for s in (a, b)]
    # Halves of the particles share none: both are resampled by the same places all the same.
    particles = max(int(s.max()) + 1 for s in indices)
    weights = resamplings(particles, RESAMPLINGS, rng)
    for (name, x, energy), (_, y, _) in zip(a.columns, b.columns, strict=True):
        if not np.isfinite(x).any() or not np.isfinite(y).any():
            continue
        for prefix, edges in (
            ("separation", challenge_edges(x, energy=energy)),
            ("separation10", calogan_edges(x, y)),
        ):
            counts = [
                counts_by_particle(v, s, particles, edges)
                for v, s in zip((x, y), indices, strict=True)
            ]
            power = weighted_separation(counts[0], counts[1], weights)
            yield f"{prefix}_{name}", measured(power)
        ranked = rank_statistics(x, y, indices, weights[: 1 + RANK_RESAMPLINGS])
        for prefix, statistic in zip(("ks", "mann_whitney"), ranked, strict=True):
            yield f"{prefix}_{name}", measured(statistic)


def rank_statistics(
    x: Values, y: Values, indices: list[Indices], weights: Values
) -> tuple[Values, Values]:
    """Both rank statistics, each value repeated as often as its particle weighs.  (B,), (B,)

    The same numbers as of ``kolmogorov_smirnov`` and ``mann_whitney``, by one sorting. NaN where
    none of the few showers that have a value is drawn: nearly all are empty.
    """
    values, index = np.concatenate([x, y]), np.concatenate(indices)
    order = np.argsort(values, kind="stable")
    order = order[np.isfinite(values[order])]
    last_of_equal = np.append(np.diff(values[order]) > 0, True)
    counts, second = weights[:, index[order]], order >= len(x)
    a, b = (
        np.cumsum(np.where(side, counts, 0), axis=1)[:, last_of_equal] for side in (~second, second)
    )
    n, m = a[:, -1:], b[:, -1:]
    lower_or_half = (a - np.diff(a, axis=1, prepend=0) / 2) * np.diff(b, axis=1, prepend=0)
    with np.errstate(invalid="ignore"):
        distance: Values = np.abs(a / n - b / m).max(axis=1)
        pairs: Values = lower_or_half.sum(axis=1) / (n * m)[:, 0]
    return distance, pairs


def _gaussian(a: Sample, b: Sample, rng: np.random.Generator) -> Numbers:
    try:
        return {
            "fpd": fpd(a.features, b.features, rng=rng),
            "kpd": kpd(a.features, b.features, rng=rng),
        }
    except DataError as error:
        return dict.fromkeys(("fpd", "kpd"), Measured(None, None, str(error)))


def _neighbours(a: Sample, b: Sample, rng: np.random.Generator) -> Numbers:
    try:
        numbers = fidelity(a.features, b.features, rng=rng)
    except DataError as error:
        names = ("precision", "density", "recall", "coverage")
        return dict.fromkeys(names, Measured(None, None, str(error)))
    return dict(vars(numbers))
