"""Conditional W1: the distance of channel sums particle by particle.

Shapes: N real and M generated rows, c channels, P particles with repeats, L rows drawn of them.

The marginal W1 cannot see a generator that ignores its conditions; this one can. Half of the real
showers of a particle stand against as many generated ones, averaged over random halvings; the
floor is that half against the other half, so that both have the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import repeats
from caloforge.evaluate.repeats import Rows

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ConditionalW1:
    """Distances of each particle and channel, in the unit of the channel sums."""

    particle: Rows
    """Particle numbers, (P,)."""
    values: Values
    """Real half against generated, (P, c)."""
    floor: Values
    """Real half against the other real half, (P, c)."""
    numbers: Rows
    """Showers a side, (P,)."""

    @property
    def mean(self) -> float | None:
        """Mean over particles and channels; None where no particle has repeats."""
        return float(self.values.mean()) if self.values.size else None

    @property
    def floor_mean(self) -> float | None:
        """Mean floor over particles and channels; None where no particle has repeats."""
        return float(self.floor.mean()) if self.floor.size else None


def conditional_w1(
    real_channels: Values,
    generated_channels: Values,
    particle_real: Rows,
    particle_generated: Rows,
    *,
    halvings: int = 20,
    rng: np.random.Generator,
) -> ConditionalW1:
    """Conditional W1 and its floor for every particle with repeats.  (N, c), (M, c) -> (P, c)

    n(p) = min(half of the real showers, the generated ones); particles with n = 0 are left out.
    """
    names, slot_real, slot_other = repeats.shared_slots(particle_real, particle_generated)
    numbers = repeats.equal_numbers(slot_real, slot_other, len(names))
    values = np.zeros((len(names), real_channels.shape[1]))
    floor = np.zeros_like(values)
    for _ in range(halvings):
        halves = repeats.halve(slot_real, numbers, rng)
        chosen = repeats.draw(slot_other, numbers, rng)
        half = real_channels[halves.first]
        values += particle_w1(half, generated_channels[chosen], halves.first_slot, len(names))
        floor += particle_w1(half, real_channels[halves.second], halves.first_slot, len(names))
    used = numbers > 0
    return ConditionalW1(
        names[used], values[used] / halvings, floor[used] / halvings, numbers[used]
    )


def particle_w1(first: Values, second: Values, slot: Rows, particles: int) -> Values:
    """W1 of each particle and channel; row i of both samples has the slot i.  (L, c) -> (P, c)

    Zero for particles without rows.
    """
    gaps = np.abs(_sorted_within(first, slot) - _sorted_within(second, slot))
    sums = [np.bincount(slot, weights=gap, minlength=particles) for gap in gaps]
    numbers = np.bincount(slot, minlength=particles)
    return np.stack(sums, axis=1) / np.maximum(numbers, 1)[:, None]


def _sorted_within(values: Values, slot: Rows) -> Values:
    """Values of each column, sorted inside each particle (rows are grouped by it).  (c, L)"""
    columns = values.T
    order = np.lexsort((columns, np.broadcast_to(slot, columns.shape)))
    return np.take_along_axis(columns, order, axis=1)
