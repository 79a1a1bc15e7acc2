"""What is seen of a shower: channel sums and shower shapes, from the detector alone.

Shapes: N showers, K cells, c channels. A new observable is one function and one row of
a table in ``shapes`` or ``layered``; everything that judges, prints and draws takes it from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.evaluate.layered import layered
from caloforge.evaluate.layout import Layout, layout_of
from caloforge.evaluate.observable import Observable
from caloforge.evaluate.shapes import EMPTY, SHAPES, TOTAL, TOWERS

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Observed:
    """Observables of showers, next to the cells they come from."""

    cells: NDArray[Any]
    channels: Values
    """Channel sums by one scheme, (N, c)."""
    values: Mapping[str, Values]
    """By the name of the observable, (N,) each."""


def observables(detector: Detector) -> tuple[Observable, ...]:
    """What a detector lets one see, by its layers and towers; ``empty`` is the last one."""
    return tuple(_chosen(detector))


def _chosen(detector: Detector) -> Iterator[Observable]:
    yield TOTAL
    if not detector.signed:
        yield from SHAPES
        if layout_of(detector).common is not None:
            yield from TOWERS
        if len(detector.layers) > 1:
            yield from layered(detector)
    yield EMPTY


def observe(showers: Showers, scheme: str | None = None) -> Observed:
    """Channel sums and all observables of showers.  (N, K) -> (N, c) and (N,) each"""
    detector = showers.detector
    return Observed(
        cells=showers.cells,
        channels=detector.read_out(showers.cells, scheme),
        values=values_of(showers.cells, observables(detector), layout_of(detector)),
    )


def values_of(
    cells: NDArray[Any], wanted: tuple[Observable, ...], layout: Layout
) -> dict[str, Values]:
    """Observables of bare cells, block by block.  (N, K) -> (N,) each"""
    columns: dict[str, list[Values]] = {observable.name: [] for observable in wanted}
    for start in range(0, max(1, len(cells)), ROWS_AT_ONCE):
        block = np.asarray(cells[start : start + ROWS_AT_ONCE], dtype=np.float64)
        for observable in wanted:
            columns[observable.name].append(observable.of(block, layout))
    return {name: np.concatenate(parts) for name, parts in columns.items()}
