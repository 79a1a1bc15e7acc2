"""Showers of anyone: plain arrays, and a detector that is nothing but shapes.

Shapes: N showers, K cells, C conditions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from caloforge.data.record import Showers, cell_type, check_cells, check_conditions
from caloforge.detector import Condition, Detector, Layer
from caloforge.errors import DataError
from caloforge.features import Feature
from caloforge.readout import by_layer


def plain_detector(
    name: str,
    layers: Mapping[str, tuple[int, int]],
    conditions: Mapping[str, str],
    *,
    unit: str,
    counts: bool = False,
    cell_mm: tuple[float, float] = (1.0, 1.0),
) -> Detector:
    """A detector from the shapes of its layers and the units of its conditions.

    Channels are the layers; the first condition should be the energy.
    """
    planes = tuple(Layer(name=key, shape=shape, cell_mm=cell_mm) for key, shape in layers.items())
    return Detector(
        name=name,
        title=name,
        quantity="counts" if counts else "energy",
        unit=unit,
        counts=counts,
        layers=planes,
        conditions=tuple(Condition(name=key, unit=value) for key, value in conditions.items()),
        features=tuple(Feature(name=key, kind="value", of=(key,)) for key in conditions),
        channels=(by_layer({p.name: p.cells for p in planes}, "sum of each layer"),),
    )


def showers_of(
    detector: Detector,
    cells: ArrayLike | Mapping[str, NDArray[Any]],
    conditions: ArrayLike,
    particle: Sequence[int] | NDArray[Any] | None = None,
    pdg: Sequence[int] | NDArray[Any] | None = None,
) -> Showers:
    """Showers from plain arrays: cells (N, K), (N, nx, ny) or by layer; conditions (N, C).

    Without ``particle``, rows with equal conditions are repeats of one particle. Raises DataError
    for other shapes, values that are not finite, negative cells, or counts that are not whole.
    """
    table = np.asarray(conditions, dtype=np.float64).reshape(-1, len(detector.columns))
    flat = detector.join(cells) if isinstance(cells, Mapping) else np.asarray(cells)
    flat = flat.reshape(len(flat), -1)
    if flat.shape != (len(table), detector.cells):
        raise DataError(
            f"cells are {flat.shape}, expected ({len(table)}, {detector.cells}) for {detector.name}"
        )
    check_conditions(detector, table)
    if flat.dtype.kind not in "fiu":
        raise DataError(f"cells are of type {flat.dtype}, not numbers")
    check_cells(detector, flat)
    if detector.counts and flat.dtype.kind == "f" and (flat != np.round(flat)).any():
        raise DataError(f"{detector.name} counts whole {detector.quantity}: round the cells first")
    if particle is None:
        particle = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1)
    numbers = np.asarray(particle, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    return Showers(
        detector,
        flat.astype(cell_type(detector))[order],
        table[order],
        numbers[order],
        None if pdg is None else np.asarray(pdg, dtype=np.int32)[order],
    )
