"""Showers of any whole blocks of a production, as batches of a fixed size.

Shapes: N showers, K cells, C conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.production.particles import Source
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import BLOCK


class Drawn(NamedTuple):
    """A batch: cells (N, K) and what is known of the particles (conditions, particle, pdg)."""

    cells: NDArray[Any]
    columns: dict[str, NDArray[Any]]


def draw_showers(
    simulator: Simulator, source: Source, showers: range, *, seed: int, batch: int
) -> Iterator[Drawn]:
    """Showers of these numbers, which start at a multiple of BLOCK, batch by batch.

    The last batch is padded to its full size, so that a shower never depends, not even in its last
    bit, on how many follow it.
    """
    for first in range(showers.start, showers.stop, BLOCK):
        block = range(first, min(first + BLOCK, showers.stop))
        known = source.of(block)
        conditions = simulator.require_conditions(known["conditions"])
        padded = np.pad(conditions, ((0, BLOCK - len(block)), (0, 0)), mode="edge")
        whole = range(first, min(first + -(-len(block) // batch) * batch, first + BLOCK))
        for rows, cells in simulator.batches(padded, whole, seed=seed, batch=batch):
            here = slice(rows.start - first, min(rows.stop, block.stop) - first)
            kept = here.stop - here.start
            yield Drawn(cells[:kept], {name: column[here] for name, column in known.items()})


def outside_text(simulator: Simulator, counts: dict[str, int], rows: int, source: str) -> str:
    """What is outside the training range, in one line."""
    ranges = simulator.card.training_ranges
    parts = [
        f"{name} in {count} (trained on {ranges[name][0]:g} to {ranges[name][1]:g})"
        for name, count in counts.items()
    ]
    named = ", ".join(parts)
    return f"{source}: conditions outside the training range, of {rows} rows: {named}"


def outside(simulator: Simulator, source: Source, rows: range, *, strict: bool) -> dict[str, int]:
    """Rows outside the training range, by condition; DataError if ``strict`` and there are some."""
    conditions = simulator.require_conditions(source.of(rows)["conditions"])
    counts = simulator.outside(conditions)
    if counts and strict:
        raise DataError(outside_text(simulator, counts, len(rows), source.source))
    return counts


__all__ = ["Drawn", "draw_showers", "outside", "outside_text"]
