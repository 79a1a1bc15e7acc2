"""Particles of rows, split halves at equal numbers of showers, bootstrap over particles.

Shapes: N rows, P particles, n(p) showers drawn of particle p, L = sum of n, c channels, K cells,
B resamplings and the sample itself before them: 1 + B.

The *particle index* of a row is the number 0..P-1 of its particle. Comparisons at equal numbers
draw n(p) showers of each particle on both sides; the noise floor draws n(p) others from the real
ones. Showers of one particle are not independent, hence whole particles are drawn again, with all
their showers on both sides; a resampling is a weight per particle, how often it was drawn (Efron &
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate.observables import Observed, quotient

Indices = NDArray[np.int64]
FLOAT32_TOLERANCE = 1e-6
"""Conditions that went through float32 on their way still name the same particle."""


@dataclass(frozen=True)
class Halves:
    """Two disjoint sets of real rows, equally many, grouped by particle; rows and indices (L,)."""

    first: Indices
    first_index: Indices
    second: Indices
    second_index: Indices
    n_showers: Indices
    """Rows of each particle in the first half, and so in a candidate that meets it.  (P,)"""


def index_particles(particle: Indices) -> tuple[Indices, Indices]:
    """Particle numbers in order of first appearance, and the index of each row.  (P,), (N,)"""
    names, first, inverse = np.unique(particle, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return names[order], place[inverse.reshape(-1)]


def index_shared_particles(real: Indices, other: Indices) -> tuple[Indices, Indices, Indices]:
    """Shared particle numbers and the index of each row, -1 where not shared.  (P,), (N,), (M,)

    The order is that of the first appearance in ``real``.
    """
    names, _ = index_particles(real)
    names = names[np.isin(names, other)]
    return names, _place_of(real, names), _place_of(other, names)


def equal_n_showers(real: Indices, other: Indices, particles: int) -> Indices:
    """Showers a side that a particle can give: half of its real ones, at most the others.  (P,)"""
    return np.minimum(_counts(real, particles) // 2, _counts(other, particles))


def halve(particle_index: Indices, n_showers: Indices, rng: np.random.Generator) -> Halves:
    """Two disjoint random draws of n(p) rows of each particle."""
    order, rank, rank_limit = _shuffled(particle_index, n_showers, rng)
    first = order[rank < rank_limit]
    second = order[(rank >= rank_limit) & (rank < 2 * rank_limit)]
    grouped = np.repeat(np.arange(len(n_showers)), n_showers)
    return Halves(first, grouped, second, grouped, n_showers)


def halve_particles(particle_index: Indices, particles: int, rng: np.random.Generator) -> Halves:
    """One row each of two random halves of the particles, for showers without repeats."""
    half = particles // 2
    order = rng.permutation(particles)
    rows = draw(particle_index, np.ones(particles, dtype=np.int64), rng)
    first, second = np.sort(order[:half]), np.sort(order[half : 2 * half])
    n_showers = np.bincount(first, minlength=particles)
    return Halves(rows[first], first, rows[second], second, n_showers)


def halves(particle_index: Indices, n_showers: Indices, rng: np.random.Generator) -> Halves:
    """Random halves of the showers of each particle, or of the particles without repeats."""
    if n_showers.any():
        return halve(particle_index, n_showers, rng)
    return halve_particles(particle_index, len(n_showers), rng)


def draw(particle_index: Indices, n_showers: Indices, rng: np.random.Generator) -> Indices:
    """A random draw of n(p) rows of each particle, grouped by particle.  (L,)"""
    order, rank, rank_limit = _shuffled(particle_index, n_showers, rng)
    return order[rank < rank_limit]


def describe(n_showers: Indices, particles: int = 0) -> str:
    """Numbers a side in words, such as ``4 v 4``; without repeats, halves of the particles."""
    counts: Sequence[int] = np.unique(n_showers[n_showers > 0]).tolist()
    if not counts:
        return f"no repeats, {particles // 2} v {particles // 2} particles"
    if len(counts) == 1:
        return f"{counts[0]} v {counts[0]}"
    return f"{counts[0]}-{counts[-1]} v as many (median {int(np.median(n_showers[n_showers > 0]))})"


def require_same_conditions(
    real: NDArray[np.float64], other: NDArray[np.float64], real_index: Indices, other_index: Indices
) -> None:
    """Raises DataError when rows of one particle number have different conditions."""
    scale = np.abs(real).max(axis=0, initial=1e-30)
    first = np.full((real_index.max(initial=-1) + 1, real.shape[1]), np.nan)
    on_both_sides = real_index >= 0
    first[real_index[on_both_sides][::-1]] = real[on_both_sides][::-1]
    matched = other_index >= 0
    wrong = np.abs(other[matched] - first[other_index[matched]]) > FLOAT32_TOLERANCE * scale
    if wrong.any():
        row = int(np.flatnonzero(matched)[np.flatnonzero(wrong.any(axis=1))[0]])
        raise DataError(
            f"row {row} of the generated showers has other conditions than the real particle of "
            "the same number; generate them with --like the real file"
        )


def _place_of(particle: Indices, names: Indices) -> Indices:
    """Place of each particle number among ``names``, -1 where it is not there.  (N,)"""
    if len(names) == 0:
        return np.full(len(particle), -1)
    order = np.argsort(names)
    position = order[np.searchsorted(names, particle, sorter=order).clip(max=len(names) - 1)]
    return np.where(names[position] == particle, position, -1)


def _counts(particle_index: Indices, particles: int) -> Indices:
    return np.bincount(particle_index[particle_index >= 0], minlength=particles)


def _shuffled(
    particle_index: Indices, n_showers: Indices, rng: np.random.Generator
) -> tuple[Indices, Indices, Indices]:
    """Rows grouped by particle in random order, their rank in it, and n of their particle."""
    order = np.lexsort((rng.random(len(particle_index)), particle_index))
    order = order[particle_index[order] >= 0]
    grouped = particle_index[order]
    starts = np.concatenate([[0], np.cumsum(_counts(particle_index, len(n_showers)))[:-1]]).astype(
        np.int64
    )
    return order, np.arange(len(order)) - starts[grouped], n_showers[grouped]


Values = NDArray[np.float64]
ROUNDING = 1e-12
NO_POWER = "no power"
"""Note on the AUC of a classifier that is below 0.5 by more than its error."""
LEAST_DEFINED = 0.5
"""Part of the resamplings that must give a number before their spread is called an error."""


@dataclass(frozen=True)
class Measured:
    """A value and its standard error; None where it is undefined, and then why.

    Example:
        >>> print(Measured(12.46, 0.57), Measured(None, None, "no repeats"), sep=", ")
        12.46 ± 0.57, no repeats
    """

    value: float | None
    error: float | None = None
    note: str = ""

    @property
    def sigma(self) -> float | None:
        """The value in units of its error."""
        if self.value is None or not self.error:
            return None
        return self.value / self.error

    @property
    def record(self) -> dict[str, float | str | None]:
        """For JSON: value, error, and the note where there is one."""
        numbers: dict[str, float | str | None] = {"value": self.value, "error": self.error}
        return numbers | ({"note": self.note} if self.note else {})

    def __str__(self) -> str:
        """The value with two digits of its error, such as ``12.5 ± 0.6``."""
        if self.value is None:
            return self.note or "undefined"
        if not self.error:
            return f"{self.value:.4g}"
        digits = _decimals(self.error, self.value)
        note = f" ({NO_POWER})" if self.note == NO_POWER else ""
        return f"{self.value:z.{digits}f} ± {self.error:.{digits}f}{note}"


def resamplings(particles: int, count: int, rng: np.random.Generator) -> Values:
    """Weights of the particles: first the sample itself, then the resamplings.  (1 + B, P)"""
    if particles == 0:
        return np.ones((1 + count, 0))
    counts = rng.multinomial(particles, np.full(particles, 1 / particles), size=count)
    return np.concatenate([np.ones((1, particles)), counts])


def measured(replicates: Values, note: str = "undefined") -> Measured:
    """Value and error of a number under all resamplings, the sample's own first.  (1 + B,)

    ``note`` says why, should the value be undefined (NaN).
    """
    value, resampled = float(replicates[0]), replicates[1:]
    if not math.isfinite(value):
        return Measured(None, None, note)
    defined = resampled[np.isfinite(resampled)]
    if len(defined) < max(2, LEAST_DEFINED * len(resampled)):
        return Measured(value, None, "too few particles for an error")
    error = float(defined.std(ddof=1))
    if error <= ROUNDING * max(1.0, abs(value)):
        return Measured(value, None, "resamplings do not differ")
    return Measured(value, error)


def _decimals(error: float, value: float) -> int:
    """Decimals that show two digits of the error, or four digits of an exact value."""
    scale = error if error > 0 else abs(value) * 1e-3
    if scale < ROUNDING:
        return 0
    return min(6, max(0, 1 - math.floor(math.log10(scale))))


@dataclass(frozen=True)
class Side:
    """Rows of observed showers and the particle index of each; both (L,)."""

    observed: Observed
    rows: Indices
    particle_index: Indices

    @property
    def channels(self) -> Values:
        """Channel sums.  (L, c)"""
        return self.observed.channels[self.rows]

    @property
    def cells(self) -> NDArray[Any]:
        """Cells.  (L, K)"""
        return self.observed.cells[self.rows]

    def value(self, observable: str) -> Values:
        """An observable, NaN where a shower does not have it.  (L,)"""
        observed = self.observed
        values = observed.values if observable in observed.values else observed.texture
        return values[observable][self.rows]

    def defined(self, observable: str, weights: Values) -> tuple[Values, Values]:
        """Values of the showers that have the observable, and their weights.  (l,), (B, l)"""
        values = self.value(observable)
        defined = np.isfinite(values)
        return values[defined], weights[:, self.particle_index[defined]]

    def particle_mean(self, observable: str, particles: int) -> Values:
        """Mean over the rows of each particle that have the observable, NaN without any.  (P,)"""
        values = self.value(observable)
        defined = np.isfinite(values)
        index = self.particle_index[defined]
        sums = np.zeros(particles)
        np.add.at(sums, index, values[defined])
        return quotient(sums, np.bincount(index, minlength=particles).astype(np.float64))


@dataclass(frozen=True)
class Pair:
    """Two samples of showers of the same P particles, the real one first."""

    real: Side
    other: Side
    particles: int
