"""Several seeds of one method become one number with the error of both particles and seeds.

Shapes: B resamplings of the particles and the sample itself before them, S seeds.

The resamplings are the same for all methods, so a difference of two methods has a paired error:
particles that are hard for both cancel. Seeds are not paired; their errors add in quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.measured import Measured, measured

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """A number of a method: the mean over its seeds under every resampling."""

    replicates: Values
    """Of each seed, (S, 1 + B)."""

    @property
    def particles(self) -> Measured:
        """Mean over seeds; the error is that of the particles alone."""
        return measured(self.replicates.mean(axis=0))

    @property
    def seeds(self) -> float | None:
        """Standard error of the mean over seeds; None for a single one."""
        values = self.replicates[:, 0]
        if len(values) < 2 or not np.isfinite(values).all():
            return None
        return float(values.std(ddof=1) / math.sqrt(len(values)))

    @property
    def measured(self) -> Measured:
        """Mean over seeds with the error of particles and seeds."""
        return _with(self.particles, self.seeds)

    @property
    def record(self) -> dict[str, Any]:
        """For JSON: both parts of the error, and the value of each seed."""
        parts = {"error_particles": self.particles.error, "error_seeds": self.seeds}
        return self.measured.record | parts | {"by_seed": self.replicates[:, 0].tolist()}


@dataclass(frozen=True)
class Contrast:
    """How much larger a number of the second is than that of the first; positive: first wins."""

    first: str
    second: str
    particles: Measured
    """With the paired error of the particles, seeds pooled."""
    measured: Measured
    """With the errors of the seeds, too."""

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        both = {"sigma": self.measured.sigma, "sigma_particles": self.particles.sigma}
        parts = {"error_particles": self.particles.error}
        return {"first": self.first, "second": self.second} | self.measured.record | parts | both


def pool(replicates: Sequence[Values]) -> Pooled:
    """One number of all seeds.  S of (1 + B,)"""
    return Pooled(np.stack(replicates))


def contrast(first: str, second: str, of: Mapping[str, Pooled]) -> Contrast:
    """The second minus the first, by the same resamplings of the particles."""
    a, b = of[first], of[second]
    paired = measured(b.replicates.mean(axis=0) - a.replicates.mean(axis=0))
    both = [error for error in (a.seeds, b.seeds) if error is not None]
    return Contrast(first, second, paired, _with(paired, math.hypot(*both) if both else None))


def _with(particles: Measured, seeds: float | None) -> Measured:
    """The errors of particles and seeds in quadrature."""
    if particles.error is None or seeds is None:
        return particles
    return Measured(particles.value, math.hypot(particles.error, seeds), particles.note)
