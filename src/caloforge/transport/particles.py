"""The particles to transport: of a table or of a named spectrum, with their PDG numbers.

Shapes: P particles, C conditions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.kinematics import kinematic_flaw
from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError
from caloforge.particles import law_of_name, read_pieces


@dataclass(frozen=True)
class Particles:
    """What is shot, one row a particle."""

    pdg: NDArray[np.int32]
    conditions: NDArray[np.float64]
    number: NDArray[np.int64]
    """Names the particle in the output and in its seeds."""
    source: str

    def __len__(self) -> int:
        return len(self.pdg)

    def first(self, count: int | None) -> Particles:
        """The first particles; UsageError where there are fewer."""
        if count is None:
            return self
        if count > len(self):
            raise UsageError(f"{self.source} holds {len(self)} particles, not {count}")
        rows = slice(count)
        return replace(
            self, pdg=self.pdg[rows], conditions=self.conditions[rows], number=self.number[rows]
        )

    @property
    def fingerprint(self) -> str:
        """Hash of all numbers, so that a resumed run meets the same particles."""
        digest = hashlib.sha256()
        for array in (self.pdg, self.conditions, self.number):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def read_particles(path: str | Path, detector: Detector, *, pdg: Sequence[int] = ()) -> Particles:
    """Particles of a table (``caloforge.particles``), one row for each even where it holds repeats.

    Raises DataError when the file is missing, foreign, or lacks a column or a known type,
    or its rows can be no particles.
    """
    types, conditions, numbers = [], [], []
    for piece in read_pieces(path, detector, pdg=pdg):
        if piece.pdg is None:
            raise DataError(f"{path}: the particles' types are not known; give a column pdg")
        types.append(piece.pdg)
        conditions.append(piece.conditions)
        numbers.append(piece.particle)
    number = np.concatenate(numbers)
    _, rows = np.unique(number, return_index=True)
    rows = np.sort(rows)
    chosen = np.concatenate(conditions)[rows]
    if flaw := kinematic_flaw(detector, chosen):
        raise DataError(f"{path}: {flaw}")
    return Particles(np.concatenate(types)[rows], chosen, number[rows], str(path))


def draw(name: str, detector: Detector, count: int, seed: int) -> Particles:
    """Particles of a named spectrum; UsageError with the names that the detector has."""
    law = law_of_name(name, detector)
    rng = np.random.default_rng([seed, *name.encode()])
    pdg, conditions = law(rng, detector, count)
    return Particles(pdg, conditions, np.arange(count), f"spectrum {name}, seed {seed}")
