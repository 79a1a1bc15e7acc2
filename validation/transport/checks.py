"""The statements that the transport is held to, and whether the measured showers meet them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from caloforge.detectors import ATLAS_EM
from caloforge.transport.geometry import PlateStack, geometry_of
from validation.transport.figures import (
    Value,
    em_point,
    expected_peak,
    fibre_point,
    fit_resolution,
    interaction_length,
    slope_per_decade,
)
from validation.transport.measuring import Measured
from validation.transport.points import TILT, Point, all_points, meets_metal

ZN_DEPTH_MM = 1000.0
PARTICLES = {-11: "e+", 22: "gamma", 2112: "n"}


@dataclass(frozen=True)
class Check:
    """A statement, what was found, and the range that it may lie in."""

    statement: str
    found: Value
    low: float
    high: float
    showers: int

    @property
    def met(self) -> bool:
        """Whether the measured value lies in the range."""
        return self.low <= self.found.value <= self.high


def figures_of_point(name: str, measured: Measured, seed: int) -> dict[str, Any]:
    """Figures of a measured point."""
    point = next(point for point in all_points() if point.name == name)
    energy = {"particle": PARTICLES[point.pdg], "kinetic_gev": point.kinetic_gev}
    return energy | _figures(point, measured, seed)


def _figures(point: Point, measured: Measured, seed: int) -> dict[str, Any]:
    if point.scoring == "interaction":
        length = interaction_length(measured, ZN_DEPTH_MM, TILT[2])
        return {"n": len(measured), "interaction_length_mm": length}
    if point.detector == ATLAS_EM.name:
        return em_point(measured, point.kinetic_gev, em_geometry())
    metal = meets_metal(point, seed)[: len(measured)]
    return fibre_point(measured, point.kinetic_gev, metal)


def em_geometry() -> PlateStack:
    """The plate stack of the EM calorimeter."""
    geometry = geometry_of(ATLAS_EM)
    assert isinstance(geometry, PlateStack)
    return geometry


def em_series(figures: Mapping[str, dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Figures of one particle in the EM calorimeter, by rising energy."""
    entries = [figures[key] for key in figures if key.startswith(f"em-{name}-")]
    return sorted(entries, key=lambda entry: float(entry["kinetic_gev"]))


def checks_of(figures: Mapping[str, dict[str, Any]]) -> list[Check]:
    """All statements of the validation for which there are showers."""
    em_checks = [check for name in ("eplus", "gamma") for check in _em_checks(figures, name)]
    return [*em_checks, *_hadron_checks(figures)]


def _em_checks(figures: Mapping[str, dict[str, Any]], name: str) -> Iterator[Check]:
    series = em_series(figures, name)
    if len(series) < 2:
        return
    label, showers = {"eplus": "e+", "gamma": "gamma"}[name], min(entry["n"] for entry in series)
    energies = np.array([entry["kinetic_gev"] for entry in series])
    response = [entry["argon_over_energy"] for entry in series]
    yield Check(
        f"EM, {label}: largest deviation from linear in %", linearity(response), 0, 1.0, showers
    )
    for entry in series:
        energy, peak = entry["kinetic_gev"], entry["peak_x0"]
        expected = expected_peak(energy, em_geometry(), photon=name == "gamma")
        off = Value(peak.value - expected, peak.error)
        yield Check(
            f"EM, {label} {energy:g} GeV: peak depth minus PDG's in X0", off, -0.7, 0.7, entry["n"]
        )
    slope = slope_per_decade(energies, [entry["mean_depth_x0"] for entry in series])
    yield Check(f"EM, {label}: mean depth in X0 a decade", slope, 2.05, 2.55, showers)
    middle = series[len(series) // 2]
    yield Check(f"EM, {label}: e/mip", middle["e_over_mip"], 0.60, 0.70, middle["n"])


def linearity(response: list[Value]) -> Value:
    """Largest deviation of the response from its weighted mean, in per cent."""
    values = np.array([entry.value for entry in response])
    errors = np.array([entry.error for entry in response])
    middle = float((values / errors**2).sum() / (1 / errors**2).sum())
    off = np.abs(values / middle - 1)
    worst = int(off.argmax())
    return Value(100 * float(off[worst]), 100 * float(errors[worst]) / middle)


def em_resolution(figures: Mapping[str, dict[str, Any]], name: str) -> dict[str, Value]:
    """A / sqrt(E) + b of the argon signal, in per cent."""
    series = em_series(figures, name)
    energies = np.array([entry["kinetic_gev"] for entry in series])
    return fit_resolution(energies, [entry["resolution_percent"] for entry in series])


def _hadron_checks(figures: Mapping[str, dict[str, Any]]) -> Iterator[Check]:
    for name, label, low, high in (
        ("block-interaction", "pure tungsten: interaction length in mm (PDG 99.4)", 89.5, 109.3),
        ("zn-interaction", "grooved ZN: interaction length in mm (118-122)", 106.2, 134.2),
    ):
        if name in figures:
            entry = figures[name]
            yield Check(
                f"{label}, 100 GeV neutrons", entry["interaction_length_mm"], low, high, entry["n"]
            )
    if "zn-neutron-100" in figures:
        entry = figures["zn-neutron-100"]
        resolution = entry["resolution_percent_metal"]
        statement = "ZN, 100 GeV neutrons that meet metal: resolution in %"
        yield Check(statement, resolution, 20, 30, entry["n_metal"])
