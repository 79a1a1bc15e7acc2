"""Negative controls: generators with a known failure, made of real showers, and the applied gate.

Shapes: N rows, M training rows, K cells, k checks.

A negative control gives one shower for each row of ``real``, drawn from other real showers of the
same particles; a new one is one function and one row of ``NEGATIVE_CONTROLS``. For rejected showers
the gate names the nearest known failure: every control is made of one half of the real showers and
meets the same checks against the other half; its results are compared with those of the generated
showers by the cosine of both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.detector import Detector
from caloforge.evaluate import baselines, resampling
from caloforge.evaluate.deprecated import renamed_arguments
from caloforge.evaluate.gate.checks import (
    PooledSample,
    check_all,
    gate_inputs,
    log_arrangements,
    pool_samples,
    shower_bytes,
)
from caloforge.evaluate.gate.limits import (
    DEFAULT,
    CheckResult,
    GateResult,
    NearestFailure,
    check_limits,
    explain,
    read_gate,
)
from caloforge.evaluate.result import EvaluationResult
from caloforge.machine import require_seed
from caloforge.simulator.sampling import Sampling, draw_counts

SCALE = 1.02
Cells = NDArray[Any]


@dataclass(frozen=True)
class NegativeControl:
    """A way to look like a simulator."""

    name: str
    title: str
    of: Callable[[Showers, Showers | None, np.random.Generator], Cells]
    """(real, train, rng) -> cells (N, K), one shower for each row of ``real``."""
    applies: Callable[[Detector, Showers | None], bool] = lambda detector, train: True


def ignores_conditions(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Real showers of other particles.  (N, K)"""
    return baselines.shuffled(real, real if train is None else train, rng)


def mean_image(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """The mean image of each particle, again and again.  (N, K)"""
    return draw_counts(_means(real), _sampling(real.detector, "rounding"), rng)


def independent_poisson(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Every cell by itself, a Poisson count around the mean image.  (N, K)"""
    return draw_counts(_means(real), "poisson", rng)


def replays_training(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Showers of the nearest training particle.  (N, K)"""
    assert train is not None
    return baselines.nearest(real, train, rng)


def dead_channel(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """The first channel of the default scheme stays dark.  (N, K)"""
    cells = real.cells.copy()
    cells[:, np.asarray(real.detector.scheme().of_cell) == 0] = 0
    return cells


def energy_up(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """All cells 2 % brighter.  (N, K)"""
    scaled = real.cells.astype(np.float32) * np.float32(SCALE)
    return draw_counts(scaled, _sampling(real.detector, "rounding"), rng)


def towers_permuted(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Quarters of the face in a circle; for several layers, each layer's.  (N, K)"""
    images = {}
    for name, image in real.detector.split(real.cells).items():
        x, y = (n // 2 for n in image.shape[1:])
        permuted = image.copy()
        corners = [(slice(0, x), slice(0, y)), (slice(0, x), slice(-y, None))]
        corners += [(slice(-x, None), slice(-y, None)), (slice(-x, None), slice(0, y))]
        for source, target in zip(corners, [*corners[1:], corners[0]], strict=True):
            if x and y:
                permuted[:, target[0], target[1]] = image[:, source[0], source[1]]
        images[name] = permuted
    return real.detector.join(images)


def transposed(real: Showers, train: Showers | None, rng: np.random.Generator) -> Cells:
    """Cells written column by column and read row by row.  (N, K)"""
    images = {
        name: np.ascontiguousarray(image.transpose(0, 2, 1)).reshape(image.shape)
        for name, image in real.detector.split(real.cells).items()
    }
    return real.detector.join(images)


NEGATIVE_CONTROLS: tuple[NegativeControl, ...] = (
    NegativeControl("ignores_conditions", "it ignores its conditions", ignores_conditions),
    NegativeControl("mean_image", "one mean image per particle", mean_image),
    NegativeControl(
        "independent_poisson",
        "independent Poisson cells around the mean image",
        independent_poisson,
        lambda detector, _: detector.counts,
    ),
    NegativeControl(
        "replays_training",
        "replayed training showers",
        replays_training,
        lambda _, train: train is not None,
    ),
    NegativeControl("dead_channel", "a dead channel", dead_channel),
    NegativeControl("energy_up", "an energy scale that is off", energy_up),
    NegativeControl("towers_permuted", "towers permuted", towers_permuted),
    NegativeControl("transposed", "cells transposed", transposed),
)


def _means(real: Showers) -> NDArray[np.float32]:
    """Mean image of the particle of each row.  (N, K)"""
    particles, particle_index = resampling.index_particles(real.particle)
    return baselines.mean_images(real.cells, particle_index, len(particles))[particle_index]


def _sampling(detector: Detector, counts: Sampling) -> Sampling:
    return counts if detector.counts else "continuous"


Values = NDArray[np.float64]
CHANCE_SIGMA = 1.5
"""So much of the sigma of every check may be chance."""
PARTICLES_FOR_CONTROLS = 500
"""Particles that negative controls are made of, at most."""
LEAST_SIMILARITY = 0.5


@renamed_arguments(judgement="result")
def apply_gate(
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    *,
    gate: str = DEFAULT,
    scheme: str | None = None,
    seed: int = 0,
    result: EvaluationResult | None = None,
) -> GateResult:
    """The answer of a gate: permutation tests of generated against real showers.

    Args:
        real: Real showers.
        generated: Generated showers.
        train: Training showers, to find copies of them.
        gate: A file, or ``default``, the gate of the detector.
        scheme: Read-out scheme of the channel sums; default: that of the detector.
        seed: Of the permutations; equal inputs and seed give the same answer.
        result: The evaluation, for gates that limit metrics of the table.

    Raises:
        DataError: showers that cannot be compared.
        UsageError: a gate that does not fit the detector.

    References:
        Permutation tests: Good (2005); energy distance: Székely & Rizzo (2013).

    Example:
        >>> from caloforge.data.samples import sample_path
        >>> from caloforge.data.showers import read
        >>> showers = read(sample_path("alice_zp"))
        >>> real, other = (showers.rows(slice(start, 400, 2)) for start in (0, 1))
        >>> apply_gate(real, other).outcome
        'accepted'
    """
    name, limits = read_gate(gate, real.detector)
    pooled = pool_samples(real, generated, scheme)
    rng = np.random.default_rng([require_seed(seed), 0x6A7E])
    train_bytes = None if train is None else shower_bytes(train.cells)
    check_results = check_all(gate_inputs(pooled, train_bytes, rng))
    arrangements = log_arrangements(pooled.generated, pooled.unit)
    answer = check_limits(limits, check_results, result)
    answer = dataclasses.replace(answer, log_arrangements=arrangements)
    nearest = None
    if answer.outcome == "rejected":
        halves = _halves(real, pooled, rng)
        nearest = _nearest_failure(check_results, halves, train, train_bytes, scheme, rng)
    answer = dataclasses.replace(
        answer, gate=name, strata=_described(pooled), nearest_failure=nearest
    )
    return answer if result is None else explain(answer, result)


def _described(pooled: PooledSample) -> str:
    what = "particles" if pooled.repeated and pooled.shared else "bands of conditions"
    generated, rows = int(pooled.generated.sum()), len(pooled.generated)
    return f"{generated} generated and {rows - generated} real in {pooled.strata} {what}"


def _nearest_failure(
    check_results: tuple[CheckResult, ...],
    halves: tuple[Showers, Showers],
    train: Showers | None,
    train_bytes: frozenset[bytes] | None,
    scheme: str | None,
    rng: np.random.Generator,
) -> NearestFailure | None:
    """The negative control with the most similar check results, None where none is similar."""
    signature, (first, second) = _signature(check_results), halves
    failures = []
    for control in NEGATIVE_CONTROLS:
        if not control.applies(first.detector, train):
            continue
        cells = control.of(second, train, rng)
        altered = dataclasses.replace(second, cells=cells, cpu_seconds=None, overflow=None)
        pooled = pool_samples(first, altered, scheme)
        other = _signature(check_all(gate_inputs(pooled, train_bytes, rng)))
        size = math.sqrt((signature @ signature) * (other @ other))
        similarity = float(signature @ other) / size if size > 0 else 0.0
        failures.append(NearestFailure(control.name, control.title, similarity))
    best = max(failures, key=lambda failure: failure.similarity, default=None)
    return best if best is not None and best.similarity >= LEAST_SIMILARITY else None


def _halves(
    real: Showers, pooled: PooledSample, rng: np.random.Generator
) -> tuple[Showers, Showers]:
    """Two halves of the showers of some particles; all on both sides where none has two."""
    names = np.unique(real.particle)
    if len(names) > PARTICLES_FOR_CONTROLS:
        real = real.of_particles(rng.permutation(names)[:PARTICLES_FOR_CONTROLS])
    _, particle_index = resampling.index_particles(real.particle)
    n_showers = np.bincount(particle_index) // 2
    if not (pooled.repeated and pooled.shared and n_showers.any()):
        return real, real
    halves = resampling.halve(particle_index, n_showers, rng)
    return real.rows(halves.first), real.rows(halves.second)


def _signature(check_results: tuple[CheckResult, ...]) -> Values:
    """Sigma beyond chance, large ones compressed.  (k,)"""
    sigma = np.array([c.sigma if math.isfinite(c.sigma) else 0.0 for c in check_results])
    beyond = np.sign(sigma) * np.maximum(np.abs(sigma) - CHANCE_SIGMA, 0)
    return np.arcsinh(beyond)
