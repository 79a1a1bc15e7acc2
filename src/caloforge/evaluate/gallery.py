"""Which particles the report shows: some whose showers agree, some whose showers differ.

Shapes: P particles with their real and generated rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import diversity, repeats
from caloforge.evaluate.repeats import Rows

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
SHOWN_ROWS = 3
"""Showers of a particle in a picture."""
CONSISTENT = (0.05, 0.2, 0.35)
DIVERSE = (0.95, 0.85, 0.75)
"""Quantiles of the relative spread at which particles are taken."""


@dataclass(frozen=True)
class Spreads:
    """Spread of each particle at equal numbers of showers, NaN without repeats; each (P,)."""

    particle: Rows
    real: Values
    generated: Values
    total: Values
    """Mean total of the real showers."""
    numbers: Rows


@dataclass(frozen=True)
class Picked:
    """A particle, and the rows of its showers that are shown."""

    particle: int
    real: Rows
    generated: Rows
    kind: str


def spreads_of(real: Showers, generated: Showers) -> Spreads:
    """Spreads over as many showers on both sides.  (P,)"""
    names, slot, other = repeats.shared_slots(real.particle, generated.particle)
    count = len(names)
    numbers = np.minimum(
        *(np.bincount(s[s >= 0], minlength=count) for s in (slot, other)),
    )
    grouped = np.repeat(np.arange(count), numbers)
    rng = np.random.default_rng(0)
    chosen = [repeats.draw(s, numbers, rng) for s in (slot, other)]
    cells = real.cells[chosen[0]], generated.cells[chosen[1]]
    light = np.bincount(grouped, cells[0].sum(axis=1, dtype=np.float64), minlength=count)
    return Spreads(
        particle=names,
        real=diversity.pixel_spread(cells[0], grouped, count),
        generated=diversity.pixel_spread(cells[1], grouped, count),
        total=light / np.maximum(numbers, 1),
        numbers=numbers,
    )


def pick(real: Showers, generated: Showers, spreads: Spreads) -> list[Picked]:
    """Consistent and diverse particles, judged by the spread over the square root of the total.

    Only bright particles (above the median) can be told apart; without repeats, bright ones.
    """
    relative = spreads.real / np.sqrt(np.maximum(spreads.total, 1e-30))
    bright = (spreads.total > 0) & (spreads.total >= np.median(spreads.total))
    known = np.flatnonzero(bright & np.isfinite(relative))
    if len(known):
        order = known[np.argsort(relative[known], kind="stable")]
        wanted = [(q, "consistent") for q in CONSISTENT] + [(q, "diverse") for q in DIVERSE]
    else:
        order = np.argsort(spreads.total, kind="stable")
        wanted = [(q, "single showers") for q in DIVERSE]
    places = [(order[round(q * (len(order) - 1))], kind) for q, kind in wanted]
    unique = dict(reversed([(int(place), kind) for place, kind in places]))
    return [
        Picked(
            int(spreads.particle[place]),
            np.flatnonzero(real.particle == spreads.particle[place])[:SHOWN_ROWS],
            np.flatnonzero(generated.particle == spreads.particle[place])[:SHOWN_ROWS],
            kind,
        )
        for place, kind in reversed(unique.items())
    ]
