"""Which generated showers belong to which real ones: by number, by conditions, or by bands.

Shapes: N rows, C conditions.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate.bands import bands_of

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

IN_BANDS = (
    "both sides have no particle in common: bands of nearly equal conditions take their place"
)


def matched(real: Showers, generated: Showers) -> tuple[Showers, Showers, tuple[str, ...]]:
    """Both samples with particle numbers that mean the same, and what the reader should know.

    Generated showers with the conditions of a real particle get its number (``caloforge generate``
    numbers every cycle anew). Where no conditions agree, bands of the conditions of both become the
    particles. Raises DataError for showers of different detectors.
    """
    if generated.detector.fingerprint != real.detector.fingerprint:
        raise DataError(f"{generated.detector.name} showers against {real.detector.name} showers")
    generated = _renamed(real, generated)
    known = np.isin(generated.particle, real.particle)
    if known.any() and _agree(real, generated.rows(np.flatnonzero(known))):
        return real, generated, ()
    return (*_banded(real, generated), (IN_BANDS,))


def _renamed(real: Showers, generated: Showers) -> Showers:
    """Generated showers under the numbers of the real particles with equal conditions."""
    strange = ~np.isin(generated.particle, real.particle)
    if not strange.any():
        return generated
    known = {row.tobytes(): number for row, number in _first_rows(real)}
    renamed = {
        number: known.get(row.tobytes(), number)
        for row, number in _first_rows(generated.rows(strange))
    }
    names = np.array([renamed.get(int(number), number) for number in generated.particle])
    return _ordered(generated, names.astype(np.int64))


def _agree(real: Showers, generated: Showers) -> bool:
    """Whether any particle of one number has the same conditions on both sides."""
    first = {number: row for row, number in _first_rows(real)}
    return any(
        np.allclose(row, first[number], rtol=1e-5, atol=0) for row, number in _first_rows(generated)
    )


def _banded(real: Showers, generated: Showers) -> tuple[Showers, Showers]:
    """Both samples with bands for particles, and the mean conditions of each band."""
    conditions = np.concatenate([real.conditions, generated.conditions])
    kinds = None
    if real.pdg is not None and generated.pdg is not None:
        kinds = np.concatenate([real.pdg, generated.pdg])
    both = dataclasses.replace(
        real,
        cells=np.concatenate([real.cells, generated.cells]),
        conditions=conditions,
        particle=np.arange(len(conditions)),
        pdg=kinds,
        cpu_seconds=None,
        overflow=None,
    )
    band = bands_of(both)
    numbers = np.bincount(band)
    means = np.stack([np.bincount(band, column) / numbers for column in conditions.T], axis=1)
    parts = []
    for showers, own in ((real, band[: len(real)]), (generated, band[len(real) :])):
        parts.append(_ordered(dataclasses.replace(showers, conditions=means[own]), own))
    return parts[0], parts[1]


def _ordered(showers: Showers, particle: NDArray[np.int64]) -> Showers:
    """The showers under other numbers, rows of one particle adjacent."""
    order = np.argsort(particle, kind="stable")
    return dataclasses.replace(showers.rows(order), particle=particle[order])


def _first_rows(showers: Showers) -> list[tuple[NDArray[Any], int]]:
    """Conditions and number of each particle."""
    numbers, first = np.unique(showers.particle, return_index=True)
    return [(showers.conditions[row], int(n)) for n, row in zip(numbers, first, strict=True)]
