"""Real and generated rows in one pool, as tests of exchangeability need them.

Shapes: N pooled rows, the real ones first; K cells, c channels, P units, S strata.

If generated showers are as good as real ones, then inside a *unit* (all rows of one particle) it
does not matter which row is called generated. What is compared inside a *stratum* is the particle
itself where it has repeats, else a band of conditions that are nearly alike.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.evaluate import repeats
from caloforge.evaluate.bands import bands_of
from caloforge.evaluate.observables import Observed, observe
from caloforge.evaluate.repeats import Rows

if TYPE_CHECKING:
    from caloforge.data.showers import Showers
    from caloforge.detector import Detector

Values = NDArray[np.float64]
LEAST_IN_UNIT = 3
"""Rows of a particle, both sides together, from which it can be a stratum of its own."""


@dataclass(frozen=True)
class Pool:
    """Rows of both sides; labels may be exchanged inside a unit."""

    detector: Detector
    labels: tuple[str, ...]
    """Names of the channels, (c,)."""
    seen: Observed
    conditions: Values
    pdg: NDArray[np.int32] | None
    generated: NDArray[np.bool_]
    """Which rows are generated, (N,)."""
    unit: Rows
    """Slot of the unit of each row, (N,)."""
    stratum: Rows
    """Slot of the stratum of each row, (N,); a unit lies in one stratum."""
    repeated: bool
    """Whether a unit has rows enough to be a stratum of its own."""
    shared: bool
    """Whether both sides have the same particles; else units are bands of conditions."""

    @property
    def units(self) -> int:
        """Number of units P."""
        return int(self.unit.max(initial=-1)) + 1

    @property
    def strata(self) -> int:
        """Number of strata S."""
        return int(self.stratum.max(initial=-1)) + 1

    @property
    def cells(self) -> NDArray[Any]:
        """Cells of all rows.  (N, K)"""
        return self.seen.cells

    def value(self, name: str) -> Values:
        """A channel or an observable of all rows.  (N,)"""
        if name in self.labels:
            return self.seen.channels[:, self.labels.index(name)]
        return self.seen.values[name]


def pooled(real: Showers, generated: Showers, scheme: str | None = None) -> Pool:
    """Both samples in one pool; particles that only one side has are left out.

    Where the sides share no particle, units are bands of the conditions of both. Raises DataError
    for showers of different detectors or when no unit has rows of both sides.
    """
    if real.detector.fingerprint != generated.detector.fingerprint:
        raise DataError(f"{generated.detector.name} showers against {real.detector.name} showers")
    both = _joined(real, generated)
    label = np.arange(len(both)) >= len(real)
    shared = bool(np.isin(real.particle, generated.particle).any())
    unit = both.particle if shared else bands_of(both)
    kept = _on_both_sides(unit, label)
    if not kept.any():
        raise DataError("no particle and no band of conditions has real and generated showers")
    if not kept.all():
        both, label, unit = both.rows(np.flatnonzero(kept)), label[kept], unit[kept]
    _, unit = repeats.slots(unit)
    repeated = bool(np.median(np.bincount(unit)) >= LEAST_IN_UNIT)
    stratum = unit if repeated else repeats.slots(bands_of(both)[_first(unit)][unit])[1]
    return Pool(
        detector=real.detector,
        labels=real.detector.scheme(scheme).labels,
        seen=observe(both, scheme),
        conditions=both.conditions,
        pdg=both.pdg,
        generated=label,
        unit=unit,
        stratum=stratum,
        repeated=repeated,
        shared=shared,
    )


def _joined(real: Showers, generated: Showers) -> Showers:
    """The rows of both, kinds only where both tell them."""
    known = real.pdg is not None and generated.pdg is not None
    return dataclasses.replace(
        real,
        cells=np.concatenate([real.cells, generated.cells]),
        conditions=np.concatenate([real.conditions, generated.conditions]),
        particle=np.concatenate([real.particle, generated.particle]),
        pdg=np.concatenate([real.pdg, generated.pdg]) if known else None,
        cpu_seconds=None,
        overflow=None,
    )


def _on_both_sides(unit: Rows, generated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows whose unit has rows of both sides.  (N,)"""
    return np.isin(unit, np.intersect1d(unit[generated], unit[~generated]))


def _first(unit: Rows) -> Rows:
    """First row of each unit.  (P,)"""
    return np.unique(unit, return_index=True)[1]
