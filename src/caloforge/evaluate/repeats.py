"""Which rows belong to the same particle, and equal numbers of them drawn at random.

Shapes: N rows, P particles, n(p) showers drawn of particle p, L = sum of n.

A *slot* is the number 0..P-1 of a row's particle. Comparisons at equal numbers draw n(p) showers
of each particle on both sides; the floor draws n(p) others from the real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

Rows = NDArray[np.int64]
FLOAT32_TOLERANCE = 1e-6
"""Conditions that went through float32 on their way still name the same particle."""


@dataclass(frozen=True)
class Halves:
    """Two disjoint sets of real rows, equally many; rows and slots (L,), grouped by particle."""

    first: Rows
    first_slot: Rows
    second: Rows
    second_slot: Rows
    numbers: Rows
    """Rows of each particle in the first half, and so in a candidate that meets it.  (P,)"""


def slots(particle: Rows) -> tuple[Rows, Rows]:
    """Particle numbers in order of first appearance, and the slot of each row.  (P,), (N,)"""
    names, first, inverse = np.unique(particle, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return names[order], place[inverse.reshape(-1)]


def shared_slots(real: Rows, other: Rows) -> tuple[Rows, Rows, Rows]:
    """Slots of two samples by common particle numbers, -1 for particles of one side only.

    Returns the shared particle numbers (P,), the slots of ``real`` (N,) and of ``other`` (M,).
    """
    names, _ = slots(real)
    names = names[np.isin(names, other)]
    return names, _slot_of(real, names), _slot_of(other, names)


def equal_numbers(real: Rows, other: Rows, particles: int) -> Rows:
    """Showers a side that a particle can give: half of its real ones, at most the others.  (P,)"""
    return np.minimum(_counts(real, particles) // 2, _counts(other, particles))


def halve(slot: Rows, numbers: Rows, rng: np.random.Generator) -> Halves:
    """Two disjoint random draws of n(p) rows of each particle."""
    order, rank, rank_limit = _shuffled(slot, numbers, rng)
    first = order[rank < rank_limit]
    second = order[(rank >= rank_limit) & (rank < 2 * rank_limit)]
    grouped = np.repeat(np.arange(len(numbers)), numbers)
    return Halves(first, grouped, second, grouped, numbers)


def halve_particles(slot: Rows, particles: int, rng: np.random.Generator) -> Halves:
    """One row each of two random halves of the particles, for showers without repeats."""
    half = particles // 2
    order = rng.permutation(particles)
    rows = draw(slot, np.ones(particles, dtype=np.int64), rng)
    first, second = np.sort(order[:half]), np.sort(order[half : 2 * half])
    numbers = np.bincount(first, minlength=particles)
    return Halves(rows[first], first, rows[second], second, numbers)


def draw(slot: Rows, numbers: Rows, rng: np.random.Generator) -> Rows:
    """A random draw of n(p) rows of each particle, grouped by particle.  (L,)"""
    order, rank, rank_limit = _shuffled(slot, numbers, rng)
    return order[rank < rank_limit]


def describe(numbers: Rows, particles: int = 0) -> str:
    """Numbers a side in words, such as ``4 v 4``; without repeats, halves of the particles."""
    used: Sequence[int] = np.unique(numbers[numbers > 0]).tolist()
    if not used:
        return f"no repeats, {particles // 2} v {particles // 2} particles"
    if len(used) == 1:
        return f"{used[0]} v {used[0]}"
    return f"{used[0]}-{used[-1]} v as many (median {int(np.median(numbers[numbers > 0]))})"


def require_same_conditions(
    real: NDArray[np.float64], other: NDArray[np.float64], slot_real: Rows, slot_other: Rows
) -> None:
    """Raises DataError when rows of one particle number have different conditions."""
    scale = np.abs(real).max(axis=0, initial=1e-30)
    first = np.full((slot_real.max(initial=-1) + 1, real.shape[1]), np.nan)
    kept = slot_real >= 0
    first[slot_real[kept][::-1]] = real[kept][::-1]
    matched = slot_other >= 0
    wrong = np.abs(other[matched] - first[slot_other[matched]]) > FLOAT32_TOLERANCE * scale
    if wrong.any():
        row = int(np.flatnonzero(matched)[np.flatnonzero(wrong.any(axis=1))[0]])
        raise DataError(
            f"row {row} of the generated showers has other conditions than the real particle of "
            "the same number; generate them with --like the real file"
        )


def _slot_of(particle: Rows, names: Rows) -> Rows:
    """Place of each particle number among ``names``, -1 where it is not there.  (N,)"""
    if len(names) == 0:
        return np.full(len(particle), -1)
    order = np.argsort(names)
    found = order[np.searchsorted(names, particle, sorter=order).clip(max=len(names) - 1)]
    return np.where(names[found] == particle, found, -1)


def _counts(slot: Rows, particles: int) -> Rows:
    return np.bincount(slot[slot >= 0], minlength=particles)


def _shuffled(slot: Rows, numbers: Rows, rng: np.random.Generator) -> tuple[Rows, Rows, Rows]:
    """Rows grouped by particle in random order, their rank in it, and n of their particle."""
    order = np.lexsort((rng.random(len(slot)), slot))
    order = order[slot[order] >= 0]
    grouped = slot[order]
    starts = np.concatenate([[0], np.cumsum(_counts(slot, len(numbers)))[:-1]]).astype(np.int64)
    return order, np.arange(len(order)) - starts[grouped], numbers[grouped]
