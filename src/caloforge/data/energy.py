"""Where the energy of showers goes: layers, what lies beside their cells, and the particle's own.

Shapes: N rows, L layers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.detector import Detector
from caloforge.errors import DataError

SAMPLING_FRACTION = "sampling_fraction"
"""Text in the provenance of a file whose cells hold another part than the detector says."""
CREDIBLE = (0.01, 2.0)
"""Deposit over incident energy: a mistaken MeV or GeV is off by 1000, hadrons by less than 10."""


@dataclass(frozen=True)
class Energies:
    """Energy of each shower, in the detector's unit."""

    incident: NDArray[np.float64]
    """Of the particle.  (N,)"""
    layers: NDArray[np.float64]
    """In the cells of each layer.  (N, L)"""
    overflow: NDArray[np.float64] | None
    """Beside the cells of each layer, None where nobody counted it.  (N, L)"""
    sampling_fraction: float = 1.0

    @property
    def total(self) -> NDArray[np.float64]:
        """In all cells.  (N,)"""
        return np.asarray(self.layers.sum(axis=1))

    @property
    def balance(self) -> NDArray[np.float64]:
        """(cells + overflow) / (sampling fraction x incident energy): 1 if nothing leaks.  (N,)"""
        beside = 0.0 if self.overflow is None else self.overflow.sum(axis=1)
        return np.asarray((self.total + beside) / (self.sampling_fraction * self.incident))


def energies(showers: Showers) -> Energies:
    """Energy of each shower by layer, beside cells, and of its particle.

    Raises DataError for a detector whose cells hold no energy, and for a particle without any.
    """
    detector = showers.detector
    if detector.energy is None:
        raise DataError(f"cells of {detector.name} hold {detector.quantity}, not its energy")
    incident = showers.conditions[:, detector.column(detector.energy)]
    if len(bad := np.flatnonzero(~(incident > 0))):
        raise DataError(f"row {bad[0]}: {detector.energy} is {incident[bad[0]]:g}")
    images = detector.split(showers.cells).values()
    layers = [image.sum(axis=(1, 2), dtype=np.float64) for image in images]
    overflow = None if showers.overflow is None else showers.overflow.astype(np.float64)
    fraction = sampling_fraction(detector, showers.provenance)
    return Energies(incident, np.stack(layers, axis=1), overflow, fraction)


def sampling_fraction(detector: Detector, provenance: Mapping[str, str]) -> float:
    """What a file says of itself, else what the detector says; DataError for what is none."""
    text = provenance.get(SAMPLING_FRACTION)
    try:
        fraction = detector.sampling_fraction if text is None else float(text)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction < np.inf:
        raise DataError(f"{SAMPLING_FRACTION} is {text}, not a positive number")
    return fraction


@dataclass(frozen=True)
class EnergyBalance:
    """Mean energies of many showers, in the detector's unit."""

    unit: str
    incident: float
    layers: dict[str, float]
    overflow: dict[str, float] | None
    total: float
    deposit_over_incident: float
    """Mean total over mean incident energy."""
    balance: float
    """The same with overflow, by the sampling fraction: 1 if nothing leaks."""
    sampling_fraction: float

    def record(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return asdict(self)

    def warnings(self) -> list[str]:
        """A deposit that cannot belong to the incident energy, with both figures."""
        low, high = CREDIBLE
        if low <= self.deposit_over_incident / self.sampling_fraction <= high:
            return []
        return [
            f"cells sum to {self.total:.4g} {self.unit} on average, particles have "
            f"{self.incident:.4g} {self.unit} ({self.deposit_over_incident:.3g} of it): "
            "is MeV taken for GeV (--energy-unit), or a sampling fraction not told "
            "(--sampling-fraction)?"
        ]

    def lines(self) -> list[str]:
        """The balance for people."""
        rows = [f"{'energy':16s} {self.unit + ' a shower':>14s} {'beside cells':>14s}"]
        for name, mean in self.layers.items():
            beside = "unknown" if self.overflow is None else f"{self.overflow[name]:.4g}"
            rows.append(f"{name:16s} {mean:14.4g} {beside:>14s}")
        return [
            *rows,
            f"{'all layers':16s} {self.total:14.4g} of {self.incident:.4g} {self.unit} incident: "
            f"{self.deposit_over_incident:.4f}",
            f"{'with overflow':16s} {self.balance:14.4f} of incident energy x sampling fraction "
            f"({self.sampling_fraction:g})",
        ]


class EnergySums:
    """Sums of energies over chunks of showers."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._rows = 0
        self._incident = 0.0
        self._layers = np.zeros(len(detector.layers))
        self._overflow: NDArray[np.float64] | None = np.zeros(len(detector.layers))
        self._fraction = detector.sampling_fraction

    def add(self, showers: Showers) -> None:
        """Count showers in."""
        totals = energies(showers)
        self._rows += len(showers)
        self._incident += float(totals.incident.sum())
        self._layers += totals.layers.sum(axis=0)
        self._fraction = totals.sampling_fraction
        if self._overflow is not None and totals.overflow is not None:
            self._overflow += totals.overflow.sum(axis=0)
        else:
            self._overflow = None

    def balance(self) -> EnergyBalance:
        """Means of what was counted; DataError when nothing was."""
        if not self._rows:
            raise DataError("there are no showers, hence no balance of energy")
        incident, layers = self._incident / self._rows, self._layers / self._rows
        beside = None if self._overflow is None else self._overflow / self._rows
        names = [layer.name for layer in self.detector.layers]
        total = float(layers.sum())
        everything = total + (0.0 if beside is None else float(beside.sum()))
        return EnergyBalance(
            unit=self.detector.unit,
            incident=incident,
            layers=dict(zip(names, layers.tolist(), strict=True)),
            overflow=None if beside is None else dict(zip(names, beside.tolist(), strict=True)),
            total=total,
            deposit_over_incident=total / incident,
            balance=everything / (self._fraction * incident),
            sampling_fraction=self._fraction,
        )
