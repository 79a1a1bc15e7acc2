"""What adapters for calorimeter readers share: conditions of a particle that comes straight in.

Shapes: N showers, C conditions, K cells. These readers tell the energy, Par04 also a polar angle;
none tells the impact point. What is not told is that of perpendicular incidence at the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import UsageError
from caloforge.export.tape import Value
from caloforge.simulator import Simulator
from caloforge.simulator.reference import Reference

MEV_PER_GEV = 1000.0
STRAIGHT = {"theta": pi / 2, "phi": 0.0, "polar": 0.0, "azimuth": 0.0, "x0": 0.0, "y0": 0.0}
"""Perpendicular incidence at the middle, by whichever angles."""


def require_energies(simulator: Simulator, reader: str) -> None:
    """Raise UsageError for a simulator that a reader of calorimeter energies cannot hold."""
    detector = simulator.detector
    unknown = set(detector.columns) - {"E", *STRAIGHT}
    if detector.unit != "GeV" or "E" not in detector.columns or unknown:
        raise UsageError(
            f"{reader} holds energies of a segmented calorimeter, not the {detector.quantity} of "
            f"{detector.name}: export it for o2 or triton"
        )
    if any(layer.ring_edges_mm for layer in detector.layers):
        raise UsageError(
            f"{reader} takes cells in x and y, {detector.name} has rings: export it for triton"
        )


def conditions(simulator: Simulator, told: Mapping[str, Value]) -> Value:
    """Physical conditions, each kept in its training range.  (N, 1) each -> (N, C)

    Readers call at any energy; a generator must not be asked for what it has never seen.
    """
    (energy, *_) = told.values()
    columns = [
        kept(simulator, name, told.get(name, energy * 0.0 + STRAIGHT.get(name, 0.0)))
        for name in simulator.detector.columns
    ]
    return energy.tape.apply("Concat", *columns, axis=1)


def kept(simulator: Simulator, name: str, value: Value) -> Value:
    """A condition inside its training range."""
    low, high = simulator.card.training_ranges[name]
    return value.at_least(low).at_most(high)


def numbers(cells: Value, largest: float) -> Value:
    """Cells without negative, absurd or undefined values.  (N, K) -> (N, K)"""
    return cells.where(cells < largest, 0.0).at_least(0.0)


def layers(simulator: Simulator, cells: Value) -> dict[str, Value]:
    """Images of the layers, flat.  (N, K) -> {layer: (N, cells)}"""
    detector = simulator.detector
    starts = detector.offsets()
    return {
        layer.name: cells.columns(start, start + layer.cells)
        for layer, start in zip(detector.layers, starts, strict=False)
    }


def straight_reference(simulator: Simulator) -> Reference:
    """The native model's answers for the stored latents and energies, coming straight in."""
    stored, columns = simulator.reference, simulator.detector.columns
    asked: NDArray[Any] = stored.conditions.copy()
    for number, name in enumerate(columns):
        low, high = simulator.card.training_ranges[name]
        asked[:, number] = np.clip(STRAIGHT.get(name, asked[:, number]), low, high)
    return Reference(stored.latent, asked, simulator.expected(stored.latent, asked))


__all__ = [
    "MEV_PER_GEV",
    "conditions",
    "kept",
    "layers",
    "numbers",
    "require_energies",
    "straight_reference",
]
