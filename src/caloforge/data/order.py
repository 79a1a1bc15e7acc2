"""In which order particles are visited: shuffled blocks, shuffled again inside a buffer.

The order of an epoch is a pure function of seed and epoch, so that training resumes anywhere.
Shapes: P particles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.data.particles import Groups
from caloforge.errors import DataError

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
    wanted = max(-(-int(groups.counts.sum()) // block_rows), BLOCKS_AT_LEAST * world)
    blocks = np.array_split(np.arange(len(groups)), min(wanted, len(groups)))
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
        chosen = np.flatnonzero(segment_of_block == number)
        places = np.concatenate([shuffled[block] for block in chosen])
        order.append(rng.permutation(places))
        segment.append(np.full(len(places), number))
    return Epoch(np.concatenate(order), np.concatenate(segment))


def _fillings(rows: NDArray[np.int64], buffer_rows: int) -> NDArray[np.int64]:
    """Number of the buffer filling that each block goes into, first come first served."""
    fillings = np.zeros(len(rows), dtype=np.int64)
    number = held = 0
    for block, size in enumerate(rows.tolist()):
        if held and held + size > buffer_rows:
            number, held = number + 1, 0
        fillings[block] = number
        held += size
    return fillings
