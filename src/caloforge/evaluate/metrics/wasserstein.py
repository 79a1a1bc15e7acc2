"""Wasserstein-1 distances: marginal, per particle (conditional), of channel sums and observables.

Shapes: n and m values of two samples, B weightings of the particles, c channels, P particles,
L rows drawn of them.

W1 is the area between the two cumulative distributions: ``integral |F_a(t) - F_b(t)| dt``
(Vallender 1974); for equal numbers it is the mean difference of the sorted values. Unit: that of
the values. The papers on the ALICE ZDC average it over five channel sums.

Conditional W1 is W1 of the channel sums of each particle, averaged over particles and channels: the
marginal W1 cannot see a generator that ignores its conditions. Half of the real showers of a
particle stand against as many generated ones, averaged over random split halves; the noise floor is
that half against the other half, so that both have the same numbers. ``particle_w1`` is its only
definition: the training score, tables, pages and comparisons all call it. (The gate asks another
question of the same sums by a permutation test: ``channel_sums`` in ``gate.checks``.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caloforge.data.deviations import deviations
from caloforge.data.showers import Showers
from caloforge.detector import Detector
from caloforge.detector.readout import Channels
from caloforge.errors import DataError
from caloforge.evaluate import resampling
from caloforge.evaluate.baselines import require_same_detector
from caloforge.evaluate.deprecated import renamed_arguments
from caloforge.evaluate.metrics.metric import Metric
from caloforge.evaluate.observables import observe, quotient
from caloforge.evaluate.resampling import Indices, Pair
from caloforge.machine import require_seed

Values = NDArray[np.float64]
CELLS_AT_ONCE = 2_000_000
"""Elements of one block of resamplings: 16 MB of float64 stay near the cache."""
MARGINAL_SPLIT_HALVES = 8
"""A marginal distance sorts all rows for every resampling; more split halves change it little."""
SCORE_SPLIT_HALVES = 8


def metrics(detector: Detector, channels: Channels) -> Iterator[Metric]:
    """Distances of the channel sums: as papers print them, at equal numbers, per particle."""
    row = partial(Metric, unit=detector.unit, distance=True)
    marginal = partial(row, function=channel_w1)
    for name, title, column, family, by_region in (
        ("w1_all", "W1, all rows", "W1", partial(marginal, all_rows=True), False),
        ("w1", "W1", "W1", partial(marginal, split_halves=MARGINAL_SPLIT_HALVES), True),
        (
            "conditional_w1",
            "conditional W1",
            "cond. W1",
            partial(row, function=conditional_channel_w1, per_particle=True),
            True,
        ),
    ):
        yield family(name, title, column=column, by_region=by_region)
        for label in channels.labels:
            yield family(f"{name}_{label}", f"{title}: {label}", long=True)


def w1(a: Values, b: Values) -> float:
    """Wasserstein-1 distance of two samples of any sizes, in the unit of the values.

    Args:
        a: Values of one sample, (n,).
        b: Values of the other, (m,).

    Returns:
        The area between the cumulative distributions.

    Raises:
        DataError: a sample is empty or not finite.

    References:
        S. S. Vallender, Theory Probab. Appl. 18 (1974) 784.

    Example:
        >>> w1(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0]))
        5.0
    """
    return float(w1_channels(_column(a), _column(b))[0])


def w1_channels(a: Values, b: Values) -> Values:
    """Wasserstein-1 distance of each column.  (n, c), (m, c) -> (c,)

    Args:
        a: Values of one sample, a column a quantity, (n, c).
        b: Values of the other, (m, c).

    Returns:
        ``w1`` of each column, in its unit.

    Raises:
        DataError: a sample is empty or not finite.

    Example:
        >>> w1_channels(np.zeros((2, 2)), np.array([[1.0, 0.0], [3.0, 0.0]]))
        array([2., 0.])
    """
    for sample in (a, b):
        if len(sample) == 0 or not np.isfinite(sample).all():
            raise DataError("W1 needs samples that are finite and not empty")
    if len(a) == len(b):
        return np.abs(np.sort(a, axis=0) - np.sort(b, axis=0)).mean(axis=0)
    ones = np.ones((1, len(a))), np.ones((1, len(b)))
    return np.array([weighted_w1(x, y, *ones)[0] for x, y in zip(a.T, b.T, strict=True)])


def weighted_w1(a: Values, b: Values, weights_a: Values, weights_b: Values) -> Values:
    """W1 of two samples under each of B weightings of their rows.  (n,), (m,) -> (B,)

    NaN where one sample has no weight at all.
    """
    values = np.concatenate([a, b])
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    result = np.full(len(weights_a), np.nan)
    block = max(1, CELLS_AT_ONCE // max(1, len(values)))
    for start in range(0, len(result), block):
        rows = slice(start, start + block)
        result[rows] = _areas(weights_a[rows], weights_b[rows], order, gaps)
    return result


def _areas(weights_a: Values, weights_b: Values, order: NDArray[np.int64], gaps: Values) -> Values:
    """Areas between the cumulative distributions.  (B,)"""
    total_a = weights_a.sum(axis=1, keepdims=True)
    total_b = weights_b.sum(axis=1, keepdims=True)
    defined = ((total_a > 0) & (total_b > 0))[:, 0]
    steps = np.concatenate(
        [
            weights_a / np.where(total_a > 0, total_a, 1),
            -weights_b / np.where(total_b > 0, total_b, 1),
        ],
        axis=1,
    )[:, order]
    heights = np.abs(np.cumsum(steps, axis=1))[:, :-1]
    return np.where(defined, heights @ gaps, np.nan)


def _column(sample: Values) -> Values:
    """A sample as a table of one column.  (n,) -> (n, 1)"""
    return np.asarray(sample, dtype=np.float64).reshape(-1, 1)


@dataclass(frozen=True)
class ConditionalW1:
    """Distances of each particle and channel, in the unit of the channel sums."""

    particle: Indices
    """Particle numbers, (P,)."""
    values: Values
    """Real half against generated, (P, c)."""
    floor: Values
    """Real half against the other real half, (P, c)."""
    n_showers: Indices
    """Showers a side, (P,)."""

    @property
    def mean(self) -> float | None:
        """Mean over particles and channels; None where no particle has repeats."""
        return float(self.values.mean()) if self.values.size else None

    @property
    def floor_mean(self) -> float | None:
        """Mean floor over particles and channels; None where no particle has repeats."""
        return float(self.floor.mean()) if self.floor.size else None


@renamed_arguments(halvings="split_halves")
def conditional_w1(
    real_channels: Values,
    generated_channels: Values,
    particle_real: Indices,
    particle_generated: Indices,
    *,
    split_halves: int = 20,
    rng: np.random.Generator,
) -> ConditionalW1:
    """Conditional W1 and its floor for every particle with repeats.  (N, c), (M, c) -> (P, c)

    n(p) = min(half of the real showers, the generated ones); particles with n = 0 are left out.

    Args:
        real_channels: Channel sums of real showers, (N, c).
        generated_channels: The same of generated showers, (M, c).
        particle_real: Particle number of each real row, (N,).
        particle_generated: The same of the generated rows, (M,).
        split_halves: How many random halves of the real showers are averaged.
        rng: Random numbers of halves and draws.

    Returns:
        Distances of each particle and channel, in the unit of the sums.

    Example:
        Showers that go to the wrong particle have the right marginal distribution:

        >>> rng = np.random.default_rng(0)
        >>> particle = np.repeat(np.arange(50), 10)
        >>> sums = rng.normal(particle, 1.0)[:, None]
        >>> right = conditional_w1(sums, sums, particle, particle, rng=rng)
        >>> wrong = conditional_w1(sums, rng.permutation(sums), particle, particle, rng=rng)
        >>> right.mean < 1.1 * right.floor_mean, wrong.mean > 10 * wrong.floor_mean
        (True, True)
    """
    names, real_index, other_index = resampling.index_shared_particles(
        particle_real, particle_generated
    )
    n_showers = resampling.equal_n_showers(real_index, other_index, len(names))
    values = np.zeros((len(names), real_channels.shape[1]))
    floor = np.zeros_like(values)
    for _ in range(split_halves):
        halves = resampling.halve(real_index, n_showers, rng)
        rows = resampling.draw(other_index, n_showers, rng)
        half = real_channels[halves.first]
        values += particle_w1(half, generated_channels[rows], halves.first_index, len(names))
        floor += particle_w1(half, real_channels[halves.second], halves.first_index, len(names))
    defined = n_showers > 0
    return ConditionalW1(
        names[defined],
        values[defined] / split_halves,
        floor[defined] / split_halves,
        n_showers[defined],
    )


def particle_w1(first: Values, second: Values, particle_index: Indices, particles: int) -> Values:
    """W1 of each particle and channel; row i of both samples is of one particle.  (L, c) -> (P, c)

    Zero for particles without rows.
    """
    gaps = np.abs(_sorted_within(first, particle_index) - _sorted_within(second, particle_index))
    sums = [np.bincount(particle_index, weights=gap, minlength=particles) for gap in gaps]
    n_showers = np.bincount(particle_index, minlength=particles)
    return np.stack(sums, axis=1) / np.maximum(n_showers, 1)[:, None]


def _sorted_within(values: Values, particle_index: Indices) -> Values:
    """Values of each column, sorted inside each particle (rows are grouped by it).  (c, L)"""
    columns = values.T
    order = np.lexsort((columns, np.broadcast_to(particle_index, columns.shape)))
    return np.take_along_axis(columns, order, axis=1)


def channel_w1(pair: Pair, weights: Values) -> Values:
    """W1 of the channel sums, mean and each channel.  (B, 1 + c)"""
    ours = weights[:, pair.real.particle_index]
    theirs = weights[:, pair.other.particle_index]
    channels = zip(pair.real.channels.T, pair.other.channels.T, strict=True)
    each = np.stack([weighted_w1(a, b, ours, theirs) for a, b in channels], axis=1)
    return _with_mean(each)


def conditional_channel_w1(pair: Pair, weights: Values) -> Values:
    """W1 of the channel sums per particle, mean over particles.  (B, 1 + c)"""
    index = pair.real.particle_index
    each = particle_w1(pair.real.channels, pair.other.channels, index, pair.particles)
    present = np.bincount(index, minlength=pair.particles) > 0
    mass = weights @ present.astype(np.float64)
    return _with_mean(quotient(weights @ each, np.repeat(mass[:, None], each.shape[1], axis=1)))


def observable_w1(pair: Pair, weights: Values, *, observable: str) -> Values:
    """W1 of an observable over the showers that have it.  (B, 1)"""
    a, ours = pair.real.defined(observable, weights)
    b, theirs = pair.other.defined(observable, weights)
    return weighted_w1(a, b, ours, theirs)[:, None]


def _with_mean(each: Values) -> Values:
    return np.concatenate([each.mean(axis=1, keepdims=True), each], axis=1)


def fast_score(
    real: Showers, generated: Showers, scheme: str | None = None, seed: int = 0
) -> float:
    """Mean conditional W1 of the channel sums; the marginal W1 where no particle has repeats.

    Both in the detector's unit, without errors; ``evaluate`` gives those. Deposits without repeats:
    the mean W1 of all observables, each in units of its real spread, for a marginal W1 of sums
    hardly sees a conditional error.

    Args:
        real: Real showers.
        generated: Showers of the same particles.
        scheme: Read-out scheme of the channel sums; default: that of the detector.
        seed: Of split halves and draws.

    Raises:
        DataError: showers of another detector, or not finite.

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("alice_zp"))
        >>> real, other = (showers.rows(slice(start, 400, 2)) for start in (0, 1))
        >>> 10 < fast_score(real, other) < 20
        True
    """
    require_same_detector(real, generated)
    rng = np.random.default_rng(require_seed(seed))
    sums = real.detector.read_out(real.cells, scheme)
    others = real.detector.read_out(generated.cells, scheme)
    marginal = float(w1_channels(sums, others).mean())
    conditional = conditional_w1(
        sums, others, real.particle, generated.particle, split_halves=SCORE_SPLIT_HALVES, rng=rng
    ).mean
    if conditional is not None:
        return conditional
    detector = real.detector
    return marginal if detector.counts or detector.signed else of_observables(real, generated)


def of_observables(real: Showers, generated: Showers) -> float:
    """Mean W1 of all observables over their real spread; one that is never defined counts 1."""
    expected, others = observe(real).values, observe(generated).values
    distances = []
    for name, values in expected.items():
        pair = [column[np.isfinite(column)] for column in (values, others[name])]
        spread = float(deviations(pair[0][:, None])[0]) if len(pair[0]) else 0.0
        if spread > 0:
            distances.append(w1(*pair) / spread if len(pair[1]) else 1.0)
    return float(np.mean(distances)) if distances else 0.0
