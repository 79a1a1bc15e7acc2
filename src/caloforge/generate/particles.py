"""Where the conditions of a production come from: rows of a file again and again, or a spectrum.

Shapes: N showers, C conditions, M known rows. Shower number i has the same conditions whatever part
of a production is made, and however often.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from caloforge.data.showers import ShowerFile
from caloforge.detector import Detector
from caloforge.errors import DataError
from caloforge.io.files import folder_aside
from caloforge.particles import law_of_name, read_pieces
from caloforge.particles.tables import PIECE_ROWS
from caloforge.simulator.domain import Domain
from caloforge.simulator.sampling import BLOCK, stream

SPECTRUM_USE = 2
"""Streams 0 and 1 of a block are its latents and counts."""
SPECTRUM_ROWS_CHECKED = 2**16
STORED = ("conditions", "particle", "pdg")


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
    def from_folder(cls, folder: Path, source: str) -> Particles:
        """The particles that ``stored_particles`` keeps in a folder, left there until needed."""
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in STORED
            if (folder / f"{name}.npy").is_file()
        }
        return cls(**arrays, source=source)

    @classmethod
    def like(cls, path: str | Path, detector: Detector) -> Particles:
        """The rows of a showers file; DataError when it is none of this detector."""
        with ShowerFile(path, detector) as file:
            return cls(file.conditions, file.particle, file.pdg, source=str(path))

    def within(self, domain: Domain, outside: Literal["keep", "skip", "clamp"]) -> Particles:
        """The particles without those outside a domain, or with those moved to its edge.

        Raises DataError where none is left, or one has no place at the edge.
        """
        if outside == "keep":
            return self
        inside = domain.inside(self.conditions)
        if inside.all():
            return self
        text = f"{self.source}, {int((~inside).sum())} particles outside the domain: {outside}"
        if outside == "clamp":
            try:
                return replace(self, conditions=domain.clamped(self.conditions), source=text)
            except DataError as error:
                raise DataError(
                    f"{self.source}: {error}; --outside skip leaves them out"
                ) from error
        if not inside.any():
            raise DataError(f"{self.source}: no particle is inside the domain of the simulator")
        pdg = None if self.pdg is None else self.pdg[inside]
        return Particles(self.conditions[inside], self.particle[inside], pdg, text)

    def __len__(self) -> int:
        return len(self.particle)

    @property
    def fingerprint(self) -> str:
        """Hash of all rows."""
        digest = hashlib.sha256()
        for array in (self.conditions, self.particle, self.pdg):
            for start in range(0, 0 if array is None else len(array), PIECE_ROWS):
                assert array is not None
                digest.update(array[start : start + PIECE_ROWS].tobytes())
                _leave_in_file(array)
        return digest.hexdigest()

    @cached_property
    def _numbers(self) -> tuple[int, int]:
        """Smallest and largest number of a particle."""
        return int(self.particle.min()), int(self.particle.max())

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
        smallest, largest = self._numbers
        stride = largest - smallest + 1
        if largest + stride * int(cycle[-1]) > np.iinfo(np.int64).max:
            raise DataError(f"{self.source}: particle numbers up to {largest} cannot be continued")
        numbers = self.particle[row] + cycle * (stride if cycle[-1] else 0)
        columns = {"conditions": self.conditions[row], "particle": numbers}
        if self.pdg is not None:
            columns["pdg"] = self.pdg[row]
        for array in (self.conditions, self.particle, self.pdg):
            _leave_in_file(array)
        return columns


def _leave_in_file(array: NDArray[Any] | None) -> None:
    """Let go of what was read of a mapped file: it counts as memory of this process otherwise."""
    mapped: Any = None if array is None else array.base
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class Spectrum:
    """Particles of a named spectrum, each showered once; a stream of its own for each block."""

    name: str
    detector: Detector
    seed: int

    def __post_init__(self) -> None:
        self._law()

    def _law(self) -> Any:
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
        pairs = [self._block(block) for block in blocks]
        skip = blocks.start * BLOCK
        rows = slice(showers.start - skip, showers.stop - skip)
        return {
            "conditions": np.concatenate([conditions for _, conditions in pairs])[rows],
            "particle": np.arange(showers.start, showers.stop, dtype=np.int64),
            "pdg": np.concatenate([pdg for pdg, _ in pairs])[rows],
        }

    def _block(self, block: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        rng = stream(self.seed, block, SPECTRUM_USE, *self.name.encode())
        pdg, conditions = self._law()(rng, self.detector, BLOCK)
        return pdg, conditions


@contextmanager
def stored_particles(
    table: Path, detector: Detector, near: Path, *, pdg: Sequence[int] = ()
) -> Iterator[Path]:
    """A folder beside ``near`` with the particles of a table, for all workers; removed in the end.

    The table is read once, piece by piece, and needs no memory for more than a piece.
    """
    with folder_aside(near) as folder:
        columns: dict[str, NpyColumn] = {}
        for piece in read_pieces(table, detector, pdg=pdg):
            for field, values in piece._asdict().items():
                if values is not None:
                    if field not in columns:
                        columns[field] = NpyColumn(folder / f"{field}.npy")
                    columns[field].append(values)
        for column in columns.values():
            column.close()
        yield folder


class NpyColumn:
    """An npy file that grows by rows: numpy leaves room in the header for their number."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b")
        self.rows = 0
        self.header: dict[str, Any] = {}

    def append(self, values: NDArray[Any]) -> None:
        """Add rows."""
        if not self.header:
            self.header = {
                "descr": npy.dtype_to_descr(values.dtype),
                "fortran_order": False,
                "shape": (0, *values.shape[1:]),
            }
            npy.write_array_header_1_0(self.file, self.header)
        self.file.write(np.ascontiguousarray(values).tobytes())
        self.rows += len(values)

    def close(self) -> None:
        """Write how many rows there are."""
        self.file.seek(0)
        shape = (self.rows, *self.header["shape"][1:])
        npy.write_array_header_1_0(self.file, self.header | {"shape": shape})
        self.file.close()
