"""Rows that belong together: the repeats of one particle, always adjacent.

Shapes: N rows, P particles, C conditions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError


def particle_numbers(conditions: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers for rows without any: equal conditions are one particle.  (N, C) -> (N,)

    They rise in the order of first appearance.

    Example:
        >>> particle_numbers(np.array([[900.0], [30.0], [900.0]]))
        array([0, 1, 0])
    """
    _, first, sorted_number = np.unique(conditions, axis=0, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int64)[sorted_number.reshape(-1)]


@dataclass(frozen=True)
class Groups:
    """Where the rows of each particle stand, in the order of the file."""

    ids: NDArray[np.int64]
    """Particle numbers.  (P,)"""
    starts: NDArray[np.int64]
    """First row of each particle.  (P,)"""
    counts: NDArray[np.int64]
    """Rows of each particle, its repeats.  (P,)"""

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, ids: NDArray[np.int64]) -> "Groups":
        """The groups of the named particles, still in the order of the file.

        Raises DataError when a named particle does not exist.
        """
        if len(missing := np.setdiff1d(ids, self.ids)):
            raise DataError(f"there is no particle {missing[0]}")
        keep = np.isin(self.ids, ids)
        return Groups(self.ids[keep], self.starts[keep], self.counts[keep])

    def take(self, order: NDArray[np.int64]) -> "Groups":
        """The groups at these places, in this order."""
        return Groups(self.ids[order], self.starts[order], self.counts[order])

    def at_most(self, repeats: int | None) -> "Groups":
        """The first rows of each particle, at most so many; all for None."""
        if repeats is None:
            return self
        return Groups(self.ids, self.starts, np.minimum(self.counts, repeats))

    def row_index(self) -> NDArray[np.int64]:
        """Rows of all groups, group after group.  (rows,)"""
        offsets = np.cumsum(self.counts) - self.counts
        return np.repeat(self.starts - offsets, self.counts) + np.arange(self.counts.sum())


def groups_of(particle: NDArray[np.int64]) -> Groups:
    """Runs of equal particle numbers.  (N,) -> (P,) each

    Args:
        particle: Particle number of each row, (N,).

    Raises:
        DataError: A number comes back later.

    Example:
        >>> groups_of(np.array([7, 7, 3])).counts.tolist()
        [2, 1]
    """
    changes = np.flatnonzero(np.diff(particle)) + 1
    starts = np.concatenate([[0], changes]).astype(np.int64)[: len(particle)]
    ids = particle[starts].astype(np.int64)
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) != len(ids):
        again = unique[counts > 1][0]
        raise DataError(f"particle {again} appears again later: rows of one particle are adjacent")
    return Groups(ids, starts, np.diff(np.append(starts, len(particle))))


def check_same_conditions(particle: NDArray[np.int64], conditions: NDArray[np.float64]) -> None:
    """Raise DataError when two neighbouring rows of a particle have other conditions."""
    same = particle[1:] == particle[:-1]
    differ = (conditions[1:] != conditions[:-1]).any(axis=1)
    if len(bad := np.flatnonzero(same & differ)):
        row = int(bad[0]) + 1
        raise DataError(f"row {row}: particle {particle[row]} has other conditions than before")
