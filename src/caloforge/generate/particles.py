"""Where the conditions of a production come from: rows of a file again and again, or a spectrum.

Shapes: N showers, C conditions, M known rows. Shower number i has the same conditions whatever part
of a production is made, and however often.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.simulator.sampling import BLOCK, stream

SPECTRUM_USE = 2
"""Streams 0 and 1 of a block are its latents and counts."""
SPECTRUM_ROWS_CHECKED = 2**16


class Source(Protocol):
    """Particles to shower, by the number of the shower."""

    @property
    def source(self) -> str:
        """Its name, for people and for files."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of what it will ever give."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Optional columns that it knows."""
        ...

    def different_rows(self, showers: int) -> int:
        """How many of the first rows show what the conditions of so many showers look like."""
        ...

    def of(self, showers: range) -> dict[str, NDArray[Any]]:
        """Conditions (N, C), particle (N,) and perhaps pdg (N,) of these showers."""
        ...


@dataclass(frozen=True)
class Particles:
    """Known particles, to be showered again and again in the order of their rows."""

    conditions: NDArray[np.float64]
    """Physical conditions.  (M, C)"""
    particle: NDArray[np.int64]
    """Equal numbers are repeats of one particle, adjacent.  (M,)"""
    pdg: NDArray[np.int32] | None = None
    source: str = ""

    @classmethod
    def like(cls, path: Path, detector: Detector) -> Particles:
        """The rows of a showers file; DataError when it is none of this detector."""
        with ShowerFile(path, detector) as file:
            return cls(file.conditions, file.particle, file.pdg, source=str(path))

    def __len__(self) -> int:
        return len(self.particle)

    @property
    def fingerprint(self) -> str:
        """Hash of all rows."""
        arrays = (self.conditions, self.particle, *(() if self.pdg is None else (self.pdg,)))
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

    @property
    def columns(self) -> tuple[str, ...]:
        """Optional columns that the file has."""
        return () if self.pdg is None else ("pdg",)

    def different_rows(self, showers: int) -> int:
        """The rows that are used."""
        return min(showers, len(self))

    def of(self, showers: range) -> dict[str, NDArray[Any]]:
        """Columns of these showers: the rows again and again, each cycle with its own numbers.

        The first cycle keeps the numbers of the file, so that evaluation can pair particles.
        """
        cycle, row = np.divmod(np.arange(showers.start, showers.stop), len(self))
        largest, smallest = int(self.particle.max()), int(self.particle.min())
        stride = largest - smallest + 1
        if largest + stride * int(cycle[-1]) > np.iinfo(np.int64).max:
            raise DataError(f"{self.source}: particle numbers up to {largest} cannot be continued")
        numbers = self.particle[row] + cycle * (stride if cycle[-1] else 0)
        known = {"conditions": self.conditions[row], "particle": numbers}
        return known if self.pdg is None else known | {"pdg": self.pdg[row]}


@dataclass(frozen=True)
class Spectrum:
    """Particles of a named spectrum, each showered once; a stream of its own for each block."""

    name: str
    detector: Detector
    seed: int

    def __post_init__(self) -> None:
        self._law()

    def _law(self) -> Any:
        from caloforge.transport.spectra import law_of_name

        return law_of_name(self.name, self.detector)

    @property
    def source(self) -> str:
        """Name and seed."""
        return f"spectrum {self.name}, seed {self.seed}"

    @property
    def fingerprint(self) -> str:
        """Hash of its first block, which a change of the spectrum's law would change, too."""
        first = self.of(range(BLOCK))
        return hashlib.sha256(b"".join(column.tobytes() for column in first.values())).hexdigest()

    @property
    def columns(self) -> tuple[str, ...]:
        """A spectrum knows its particles' types."""
        return ("pdg",)

    def different_rows(self, showers: int) -> int:
        """Enough to see the law; every row is another one."""
        return min(showers, SPECTRUM_ROWS_CHECKED)

    def of(self, showers: range) -> dict[str, NDArray[Any]]:
        """Columns of these showers, drawn block by block."""
        blocks = range(showers.start // BLOCK, -(-showers.stop // BLOCK))
        drawn = [self._block(block) for block in blocks]
        skip = blocks.start * BLOCK
        rows = slice(showers.start - skip, showers.stop - skip)
        return {
            "conditions": np.concatenate([conditions for _, conditions in drawn])[rows],
            "particle": np.arange(showers.start, showers.stop, dtype=np.int64),
            "pdg": np.concatenate([pdg for pdg, _ in drawn])[rows],
        }

    def _block(self, block: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        rng = stream(self.seed, block, SPECTRUM_USE, *self.name.encode())
        pdg, conditions = self._law()(rng, self.detector, BLOCK)
        return pdg, conditions


__all__ = ["Particles", "Source", "Spectrum"]
