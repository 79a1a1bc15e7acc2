"""Batches of K particles with R rows of each, so that a spread, a twin and an average exist.

A batch is a pure function of (seed, rank, step): training resumes bit for bit at any step.
Shapes: K particles, R repeats, N = K R rows, C conditions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.data.derive import SpreadBounds, SpreadScale, peak_of_cells, spread
from caloforge.data.deviations import divisors
from caloforge.data.particles import Groups
from caloforge.data.record import Showers, cell_type
from caloforge.detector import Symmetry
from caloforge.errors import DataError, UsageError
from caloforge.io.showers import ShowerFile

BLOCK_ROWS = 512
"""Rows that are read together from a large file."""
BLOCKS_AT_LEAST = 16
"""For each process, so that their shares differ little, and in each filling of the buffer."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the particles of a rank."""

    order: NDArray[np.int64]
    """Places in the groups, in the order of visit.  (P,)"""
    segment: NDArray[np.int64]
    """Which filling of the buffer holds each of them, never decreasing.  (P,)"""

    def places(self, segment: int) -> NDArray[np.int64]:
        """What one filling of the buffer holds, in the order of the file."""
        return np.sort(self.order[self.segment == segment])


def blocks_of_rank(
    groups: Groups, buffer_rows: int, rank: int, world: int
) -> list[NDArray[np.int64]]:
    """Neighbouring particles of at most about BLOCK_ROWS rows, dealt to ranks in turn.

    Raises DataError when there are fewer particles than ranks.
    """
    if len(groups) < world:
        raise DataError(f"{len(groups)} particles cannot be shared by {world} processes")
    block_rows = max(1, min(BLOCK_ROWS, buffer_rows // BLOCKS_AT_LEAST))
    n_blocks = max(-(-int(groups.counts.sum()) // block_rows), BLOCKS_AT_LEAST * world)
    blocks = np.array_split(np.arange(len(groups)), min(n_blocks, len(groups)))
    return blocks[rank::world]


def epoch_order(
    groups: Groups, blocks: list[NDArray[np.int64]], *, buffer_rows: int, seed: int, epoch: int
) -> Epoch:
    """Blocks in random order, gathered into buffers, particles of a buffer in random order."""
    rng = np.random.default_rng([seed, epoch, 0x0DE4])
    shuffled = [blocks[number] for number in rng.permutation(len(blocks))]
    rows = np.array([int(groups.counts[block].sum()) for block in shuffled])
    segment_of_block = _fillings(rows, buffer_rows)
    order, segment = [], []
    for number in range(int(segment_of_block[-1]) + 1):
        own = np.flatnonzero(segment_of_block == number)
        places = np.concatenate([shuffled[block] for block in own])
        order.append(rng.permutation(places))
        segment.append(np.full(len(places), number))
    return Epoch(np.concatenate(order), np.concatenate(segment))


def _fillings(rows: NDArray[np.int64], buffer_rows: int) -> NDArray[np.int64]:
    """Number of the buffer filling that each block goes into, first come first served."""
    fillings = np.zeros(len(rows), dtype=np.int64)
    number = rows_held = 0
    for block, size in enumerate(rows.tolist()):
        if rows_held and rows_held + size > buffer_rows:
            number, rows_held = number + 1, 0
        fillings[block] = number
        rows_held += size
    return fillings


READ_ROWS = 2048


class Rows(Protocol):
    """Gives the cells of whole particles."""

    def fill(self, places: NDArray[np.int64]) -> None:
        """Have the particles at these places of the groups at hand, forget others."""

    def of(self, place: int) -> NDArray[Any]:
        """Cells of a particle that is at hand.  (repeats, K)"""


class MemoryRows:
    """Showers that are in memory anyway."""

    def __init__(self, showers: Showers, groups: Groups) -> None:
        self._cells, self._groups = showers.cells, groups

    def fill(self, places: NDArray[np.int64]) -> None:
        """Nothing to do."""

    def of(self, place: int) -> NDArray[Any]:
        """Cells of a particle.  (repeats, K)"""
        start = int(self._groups.starts[place])
        return self._cells[start : start + int(self._groups.counts[place])]


class FileRows:
    """A buffer filled from a file; only what it holds is in memory."""

    def __init__(self, file: ShowerFile, groups: Groups) -> None:
        self._file, self._groups = file, groups
        self._offset: dict[int, int] = {}
        self._cells = np.empty((0, file.detector.cells), cell_type(file.detector))

    def fill(self, places: NDArray[np.int64]) -> None:
        """Read the particles at these places, which are in the order of the file."""
        taken_groups = self._groups.take(places)
        row_numbers = taken_groups.row_index()
        if len(row_numbers) > len(self._cells):
            # The old buffer goes first: two of them would double the memory.
            self._cells = self._cells[:0].copy()
            self._cells = np.empty((len(row_numbers), self._file.detector.cells), self._cells.dtype)
        self._offset = dict(
            zip(
                places.tolist(),
                (np.cumsum(taken_groups.counts) - taken_groups.counts).tolist(),
                strict=True,
            )
        )
        position = 0
        while position < len(row_numbers):
            start = int(row_numbers[position])
            end = int(np.searchsorted(row_numbers, start + READ_ROWS))
            rows = row_numbers[position:end]
            self._cells[position:end] = self._file.cells(start, int(rows[-1]) + 1)[rows - start]
            position = end

    def of(self, place: int) -> NDArray[Any]:
        """Cells of a particle in the buffer.  (repeats, K)"""
        start = self._offset[place]
        return self._cells[start : start + int(self._groups.counts[place])]


def rows_of(source: Showers | ShowerFile, groups: Groups, buffer_rows: int) -> tuple[Rows, int]:
    """Access to the rows of these particles, and how many may be at hand at once."""
    if isinstance(source, Showers):
        return MemoryRows(source, groups), max(buffer_rows, int(groups.counts.sum()))
    return FileRows(source, groups), buffer_rows


NEEDS = ("spread", "twin", "peak", "intensity", "attributes")
"""Derived columns that a term may declare; intensity and centre of mass are in ``real`` itself."""


@dataclass(frozen=True)
class Batch:
    """K particles, R rows of each, adjacent; all fields speak of the same rows."""

    conditions: NDArray[np.float32]
    """Physical units.  (N, C)"""
    real: NDArray[np.float32]
    """Cells in the detector's unit.  (N, cells)"""
    particle: NDArray[np.int64]
    """Particle numbers.  (N,)"""
    twin: NDArray[np.float32] | None
    """Another real shower of the same particle.  (N, cells)"""
    spread: NDArray[np.float32] | None
    """Spread of the particle, 0 to 1 by the bounds of training.  (N,)"""
    peak: NDArray[np.float32] | None
    """Cell numbers [x, y] of the largest cell; the middle for an empty shower.  (N, 2)"""
    attributes: NDArray[np.float32] | None
    """Conditions with mean 0 and deviation 1 over the particles of training.  (N, C)"""
    distinct: NDArray[np.float32]
    """Different real showers among the rows of the particle; fewer than R are repeated.  (N,)"""
    particles: int
    repeats: int


@dataclass(frozen=True)
class _ParticleRows:
    """What one particle gives to a batch."""

    real: NDArray[Any]
    twin: NDArray[Any] | None
    conditions: NDArray[np.float64]
    """One row.  (1, C)"""


class Batches:
    """An endless stream of batches of some particles.

    Raises DataError when no particle has what is needed, UsageError for an unknown need. A
    particle with fewer rows than ``repeats`` is cycled; one with more gives a random choice.
    ``left_out`` counts the particles without what is needed, which are never served.
    """

    def __init__(
        self,
        source: Showers | ShowerFile,
        particle_ids: NDArray[np.int64],
        *,
        seed: int,
        particles: int = 16,
        repeats: int = 8,
        needs: frozenset[str] = frozenset(),
        symmetries: bool = True,
        spread_scale: SpreadScale = "log1p",
        spread_relative: bool = False,
        spread_bounds: SpreadBounds | None = None,
        showers_per_particle: int | None = None,
        buffer_rows: int = 65536,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        _check_known(needs)
        self.detector = source.detector
        self.particles, self.repeats, self.needs = particles, repeats, needs
        self._seed, self._rank = seed, rank
        self._conditions = source.conditions
        groups = source.groups().select(particle_ids).at_most(showers_per_particle)
        spreads = np.full(len(groups), np.nan)
        if "spread" in needs:
            spreads = spread(source, scale=spread_scale, relative=spread_relative, groups=groups)
        usable = _usable(groups, spreads, needs)
        self.left_out = len(groups) - len(usable)
        self._groups = groups.take(usable)
        self.spread_bounds = spread_bounds
        if "spread" in needs:
            self.spread_bounds = spread_bounds or SpreadBounds.fit(spreads)
            self._spreads = self.spread_bounds.normalise(spreads[usable])
        self._rows, self._buffer_rows = rows_of(source, self._groups, buffer_rows)
        self._blocks = blocks_of_rank(self._groups, self._buffer_rows, rank, world)
        allowed_symmetries = self.detector.symmetries if symmetries else (Symmetry(),)
        self._symmetries = [
            (symmetry, self.detector.cell_order(symmetry)) for symmetry in allowed_symmetries
        ]
        self._epoch: tuple[int, Epoch] | None = None
        self._filled: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Batches of one pass over the particles of this rank."""
        return max(1, sum(map(len, self._blocks)) // self.particles)

    @property
    def particle_ids(self) -> NDArray[np.int64]:
        """Particles that this rank serves."""
        return self._groups.ids[np.concatenate(self._blocks)]

    @property
    def generated_pairs_per_particle(self) -> int:
        """Pairs of generated showers of a particle in a batch: R (R - 1) / 2."""
        return self.repeats * (self.repeats - 1) // 2

    @property
    def real_pairs_per_particle(self) -> float:
        """Mean number of pairs of different real showers of a particle in a batch."""
        different = np.minimum(self._groups.counts, self.repeats)
        return float((different * (different - 1) / 2).mean())

    def iterate(self, start_step: int = 0) -> Iterator[Batch]:
        """Batches of the steps from ``start_step`` on, whatever was iterated before."""
        step = start_step
        while True:
            yield self.at(step)
            step += 1

    def at(self, step: int) -> Batch:
        """The batch of a step; going forward is cheap, jumping may read a buffer anew."""
        rng = np.random.default_rng([self._seed, self._rank, step, 0xBA7C4])
        number, first = divmod(step, len(self))
        epoch = self._epoch_of(number)
        visits = (first * self.particles + np.arange(self.particles)) % len(epoch.order)
        draws = []
        for visit in visits.tolist():
            self._have(number, epoch, int(epoch.segment[visit]))
            draws.append(self._draw(int(epoch.order[visit]), rng))
        return self._batch(epoch.order[visits], draws)

    def _epoch_of(self, number: int) -> Epoch:
        if self._epoch is None or self._epoch[0] != number:
            epoch = epoch_order(
                self._groups,
                self._blocks,
                buffer_rows=self._buffer_rows,
                seed=self._seed,
                epoch=number,
            )
            self._epoch = (number, epoch)
        return self._epoch[1]

    def _have(self, number: int, epoch: Epoch, segment: int) -> None:
        """Fill the buffer unless it holds this segment of this epoch."""
        if self._filled != (number, segment):
            self._rows.fill(epoch.places(segment))
            self._filled = (number, segment)

    def _draw(self, place: int, rng: np.random.Generator) -> _ParticleRows:
        """R rows of a particle, turned by one of the detector's symmetries."""
        cells = self._rows.of(place)
        count = len(cells)
        own = np.resize(rng.permutation(count), self.repeats)
        other = (own + 1 + rng.integers(0, max(count - 1, 1), self.repeats)) % count
        symmetry, order = self._symmetries[int(rng.integers(len(self._symmetries)))]
        start = int(self._groups.starts[place])
        conditions = self._conditions[start : start + 1]
        return _ParticleRows(
            cells[own][:, order],
            cells[other][:, order] if "twin" in self.needs else None,
            self.detector.transform_conditions(conditions, symmetry),
        )

    def _batch(self, places: NDArray[np.int64], draws: list[_ParticleRows]) -> Batch:
        real = np.concatenate([one.real for one in draws])
        twins = [one.twin for one in draws if one.twin is not None]
        spreads = self._spreads[places] if "spread" in self.needs else None
        conditions = np.concatenate([one.conditions for one in draws])
        return Batch(
            conditions=self._per_row(conditions),
            real=real.astype(np.float32),
            particle=self._groups.ids[places].repeat(self.repeats),
            twin=np.concatenate(twins).astype(np.float32) if twins else None,
            spread=None if spreads is None else self._per_row(spreads),
            peak=self._peaks(real) if "peak" in self.needs else None,
            attributes=self._per_row(self._standardised(conditions))
            if "attributes" in self.needs
            else None,
            distinct=self._per_row(np.minimum(self._groups.counts[places], self.repeats)),
            particles=self.particles,
            repeats=self.repeats,
        )

    @cached_property
    def _usual(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation of the conditions over particles; 1 for one that does not vary."""
        conditions = self._conditions[self._groups.starts]
        return conditions.mean(axis=0), divisors(conditions)

    def _standardised(self, conditions: NDArray[np.float64]) -> NDArray[np.float64]:
        mean, deviation = self._usual
        return (conditions - mean) / deviation

    def _per_row(self, values: NDArray[Any]) -> NDArray[np.float32]:
        return values.repeat(self.repeats, axis=0).astype(np.float32)

    def _peaks(self, real: NDArray[Any]) -> NDArray[np.float32]:
        peaks = peak_of_cells(self.detector, real)
        middle = (np.array(self.detector.layers[0].shape) - 1) / 2
        return np.where(np.isnan(peaks), middle, peaks).astype(np.float32)


def _check_known(needs: frozenset[str]) -> None:
    if unknown := needs - set(NEEDS):
        raise UsageError(f"no derived column {sorted(unknown)[0]}; there are {list(NEEDS)}")


def _usable(
    groups: Groups, spreads: NDArray[np.float64], needs: frozenset[str]
) -> NDArray[np.int64]:
    """Places of particles that have all that is needed; DataError naming what none has."""
    usable = np.ones(len(groups), dtype=bool)
    defined = {"spread": np.isfinite(spreads), "twin": groups.counts > 1}
    for need in sorted(needs & set(defined)):
        usable &= defined[need]
        if not usable.any():
            raise DataError(
                f"no particle has a {need}: that takes two or more showers of one particle"
            )
    if not usable.any():
        raise DataError("there are no particles to serve")
    return np.flatnonzero(usable)
