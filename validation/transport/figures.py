"""Numbers of a validation from its measured showers, each with its standard error.

Shapes: N showers, U units of the plate stack, bins along the depth of a fibre stack.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.transport.geometry import PlateStack
from validation.transport.measuring import Measured

Array = NDArray[np.float64]

RADIATION_LENGTH_MM = {"G4_Pb": 5.612, "G4_lAr": 139.7}
"""PDG 2024, atomic and nuclear properties."""
CRITICAL_MEV = {"G4_Pb": 7.43, "G4_lAr": 32.84}
"""Critical energy of electrons (PDG), solid lead and liquid argon."""
MINIMUM_MEV_MM = {"G4_Pb": 1.122 * 11.35 / 10, "G4_lAr": 1.508 * 1.396 / 10}
"""Minimum ionisation (PDG)."""


class Value(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        digits = max(0, 1 - math.floor(math.log10(self.error))) if self.error > 0 else 3
        return f"{self.value:.{digits}f} +- {self.error:.{digits}f}"


def mean(values: Array) -> Value:
    """Mean of independent values."""
    return Value(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def resolution(values: Array) -> Value:
    """Standard deviation over mean, in per cent; error for a normal law."""
    ratio = 100 * float(values.std(ddof=1) / values.mean())
    return Value(ratio, ratio / math.sqrt(2 * (len(values) - 1)))


class Stack(NamedTuple):
    """Effective constants of a plate stack (Rossi averages over its plates)."""

    radiation_length_mm: float
    critical_mev: float
    minimum_share: float
    """Share of a minimum-ionising particle's deposit in the active plates."""


def stack_constants(geometry: PlateStack) -> Stack:
    """Rossi averages of PDG constants."""
    plates = (
        (geometry.absorber.name, geometry.absorber_mm),
        (geometry.active.name, geometry.active_mm),
    )
    lengths = [mm / RADIATION_LENGTH_MM[name] for name, mm in plates]
    length = geometry.unit_mm / sum(lengths)
    loss = sum(n * CRITICAL_MEV[name] for (name, _), n in zip(plates, lengths, strict=True))
    minimum = [MINIMUM_MEV_MM[name] * mm for name, mm in plates]
    return Stack(length, loss / sum(lengths), minimum[1] / sum(minimum))


def depths(geometry: PlateStack) -> Array:
    """Middle of each unit in radiation lengths.  (U,)"""
    middle = (np.arange(geometry.units) + 0.5) * geometry.unit_mm
    lengths = middle / stack_constants(geometry).radiation_length_mm
    return np.asarray(lengths, dtype=np.float64)


def em_point(measured: Measured, kinetic_gev: float, geometry: PlateStack) -> dict[str, Any]:
    """Figures of electrons or photons in the plate stack."""
    units = measured.profile.reshape(len(measured), 2, geometry.units).astype(np.float64)
    absorber, active = units[:, 0].sum(axis=1), units[:, 1].sum(axis=1)
    along, depth = units.sum(axis=1), depths(geometry)
    centre = (along * depth).sum(axis=1) / along.sum(axis=1)
    share = active / (active + absorber)
    return {
        "n": len(measured),
        "deposit_over_energy": mean(measured.total / kinetic_gev),
        "argon_over_energy": mean(active / kinetic_gev),
        "sampling_fraction": mean(share),
        "e_over_mip": Value(*(v / stack_constants(geometry).minimum_share for v in mean(share))),
        "resolution_percent": resolution(active),
        "peak_x0": peak(along, depth),
        "mean_depth_x0": mean(centre),
        "cpu_seconds": mean(measured.cpu_seconds),
    }


def peak(along: Array, depth: Array, rounds: int = 50) -> Value:
    """Depth of the maximum of the mean profile, by a gamma law around it; error by bootstrap."""
    rng = np.random.default_rng(0)
    draws = [along[rng.integers(0, len(along), len(along))].mean(axis=0) for _ in range(rounds)]
    peaks = [_peak(profile, depth) for profile in draws]
    return Value(_peak(along.mean(axis=0), depth), float(np.std(peaks, ddof=1)))


def _peak(profile: Array, depth: Array) -> float:
    """Maximum of t^(a-1) exp(-b t) fitted to the profile where it is above a third of its top."""
    top = profile > profile.max() / 3
    design = np.column_stack([np.ones(top.sum()), np.log(depth[top]), -depth[top]])
    weights = np.sqrt(profile[top])
    coefficients, *_ = np.linalg.lstsq(
        design * weights[:, None], np.log(profile[top]) * weights, rcond=None
    )
    return float(coefficients[1] / coefficients[2])


def expected_peak(kinetic_gev: float, geometry: PlateStack, *, photon: bool) -> float:
    """PDG: ln(E / Ec) - 0.5 for electrons, + 0.5 for photons, in radiation lengths."""
    ratio = 1000 * kinetic_gev / stack_constants(geometry).critical_mev
    return math.log(ratio) + (0.5 if photon else -0.5)


def fibre_point(measured: Measured, kinetic_gev: float, metal: NDArray[np.bool_]) -> dict[str, Any]:
    """Figures of particles in a fibre stack; the grooves let some pass, so both are given."""
    total = measured.total
    figures = {
        "n": len(total),
        "n_metal": int(metal.sum()),
        "counts_per_gev": mean(total / kinetic_gev),
        "counts_per_gev_metal": mean(total[metal] / kinetic_gev),
        "resolution_percent": resolution(total),
        "resolution_percent_metal": resolution(total[metal]),
        "empty_percent": 100 * float((total == 0).mean()),
        "cpu_seconds": mean(measured.cpu_seconds),
    }
    if measured.profile.shape[1]:
        light = measured.profile[metal].sum(axis=0)
        middle = np.arange(len(light)) + 0.5
        figures["mean_depth_percent"] = float((light * middle).sum() / light.sum())
        figures["depth_of_95_percent"] = int(np.searchsorted(light.cumsum(), 0.95 * light.sum()))
    return figures


def interaction_length(measured: Measured, depth_mm: float, cosine: float) -> Value:
    """Mean free path in mm from the depths of first interactions inside a block.

    Maximum likelihood with leavers censored: total path over number of interactions.
    """
    ends = measured.profile[:, 0].astype(np.float64)
    interacted = int(((ends > 0) & (ends < depth_mm)).sum())
    path = np.clip(ends, 0, depth_mm).sum() / cosine
    return Value(float(path / interacted), float(path / interacted / math.sqrt(interacted)))


def fit_resolution(energies: Array, percents: list[Value]) -> dict[str, Value]:
    """Least squares of sigma / E = a / sqrt(E) + b, in per cent."""
    errors = np.array([value.error for value in percents])
    design = np.column_stack([1 / np.sqrt(energies), np.ones(len(energies))]) / errors[:, None]
    target = np.array([value.value for value in percents]) / errors
    covariance = np.linalg.inv(design.T @ design)
    a, b = covariance @ design.T @ target
    return {
        "a": Value(float(a), float(np.sqrt(covariance[0, 0]))),
        "b": Value(float(b), float(np.sqrt(covariance[1, 1]))),
    }


def slope_per_decade(energies: Array, values: list[Value]) -> Value:
    """Slope of a value against log10 of the energy, by weighted least squares."""
    errors = np.array([value.error for value in values])
    design = np.column_stack([np.log10(energies), np.ones(len(energies))]) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    slope = covariance @ design.T @ (np.array([value.value for value in values]) / errors)
    return Value(float(slope[0]), float(np.sqrt(covariance[0, 0])))
