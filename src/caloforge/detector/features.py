"""Inputs of the networks, computed from physical conditions; one formula serves numpy and torch.

Shapes: N rows, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import pi
from typing import Any, Literal

from pydantic import ConfigDict, model_validator

from caloforge.documents import Record


class Description(Record):
    """A frozen, validated record; equal records have equal JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))


class Dispersion(Description):
    """Shift in x at the face that magnets give: ``shift_cm * (reference_gev q / p - 1)``.

    It is 0 at the reference momentum; a neutral particle (q = 0) is not bent and passes
    ``shift_cm`` beside the middle.
    """

    shift_cm: float
    reference_gev: float

    def at(self, charge: Any, momentum_gev: Any) -> Any:
        """The shift of particles, in cm.  (N,)"""
        return (charge * self.reference_gev / momentum_gev - 1.0) * self.shift_cm


class Grooves(Description):
    """Square grooves of air along the depth, one in the middle of each cell, a fibre in each."""

    width_cm: float
    pitch_cm: float
    depth_cm: float

    def flight(self, library: Any, point_cm: Any, slope: Any) -> Any:
        """How deep a straight line stays in a groove along each axis, in cm.  (N, axes)

        The middle of the face is an edge of cells.
        """
        cells = point_cm / self.pitch_cm
        offset = cells - library.floor(cells) - 0.5
        half = self.width_cm / self.pitch_cm / 2
        left_cm = (half - offset * library.sign(slope)) * self.pitch_cm
        depth_cm = left_cm / (abs(slope) + LEAST_SLOPE)
        return library.clip(library.where(abs(offset) < half, depth_cm, 0.0), 0.0, self.depth_cm)


LEAST_SLOPE = 1e-9
"""Added to slopes, so that a flight along the axis has a depth."""


class Feature(Description):
    """One input of the networks: its kind, and the conditions that it is computed of."""

    name: str
    kind: Literal["value", "log", "slope", "impact", "sine", "cosine", "groove", "through"]
    of: tuple[str, ...]
    distance_cm: float = 0.0
    """How far particles fly to the plane (impact, sine, cosine)."""
    direction: Literal["momentum", "phi", "theta", "polar_x", "polar_y"] = "momentum"
    """What tells the slope: a component and pz, the CaloGAN authors' angles, or plain ones."""
    vertex_cm: float = 1.0
    """Unit of the vertex, in cm."""
    wavelength_cm: float = 1.0
    """Period of sine and cosine along the front face."""
    dispersion: Dispersion | None = None
    """What magnets add to the impact point; the charge is then one argument more."""
    grooves: Grooves | None = None
    """What ``groove`` and ``through`` are about."""
    within_cm: float | None = None
    """An impact point further from the middle counts as this far: metres away it has no meaning,
    but many wavelengths, of which single precision does not see the last."""

    @model_validator(mode="after")
    def _takes_its_arguments(self) -> Feature:
        flies = self.kind in FLIGHTS
        expected = flies * SLOPES[self.direction][0] + ARGUMENTS[self.kind]
        expected += self.dispersion is not None
        if len(self.of) != expected:
            raise ValueError(f"feature {self.name}: {self.kind} takes {expected} condition(s)")
        if (self.kind in AIR) != (self.grooves is not None):
            raise ValueError(f"feature {self.name}: grooves go with {' and '.join(AIR)}")
        return self

    def value(self, library: Any, *conditions: Any) -> Any:
        """The feature by numpy or torch, whichever ``library`` is.  (N,)"""
        return FORMULAS[self.kind](library, self, *conditions)


SLOPES: dict[str, tuple[int, Callable[..., Any]]] = {
    "momentum": (2, lambda _, momentum, momentum_z: momentum / abs(momentum_z)),
    "phi": (1, lambda library, phi: -library.tan(phi)),
    "theta": (2, lambda library, theta, phi: 1 / (library.tan(theta) * library.cos(phi))),
    "polar_x": (2, lambda library, polar, azimuth: library.tan(polar) * library.cos(azimuth)),
    "polar_y": (2, lambda library, polar, azimuth: library.tan(polar) * library.sin(azimuth)),
}
"""Number of conditions, and the slope to z of them: px / pz = -tan(phi), py / pz = cot(theta) /
cos(phi) for theta = arccos(py / p), phi = arctan(-px / pz)."""


def slope(library: Any, feature: Feature, *conditions: Any) -> Any:
    """Way along the plane over way along z.  (N,)"""
    number, formula = SLOPES[feature.direction]
    return formula(library, *conditions[:number])


def impact(library: Any, feature: Feature, vertex: Any, *conditions: Any) -> Any:
    """Where a flight meets the plane, straight but for the dispersion, in cm.  (N,)

    With a dispersion the momentum is taken as |pz|: what flies 112 m into a hand's breadth flies
    along z.
    """
    way = feature.distance_cm * slope(library, feature, *conditions)
    point = feature.vertex_cm * vertex + way
    if feature.dispersion is not None:
        _, momentum_z, charge = conditions
        point = point + feature.dispersion.at(charge, abs(momentum_z))
    if feature.within_cm is None:
        return point
    return library.clip(point, -feature.within_cm, feature.within_cm)


def phase(library: Any, feature: Feature, *conditions: Any) -> Any:
    """Impact point in radians of the feature's wavelength.  (N,)"""
    return impact(library, feature, *conditions) * (2 * pi / feature.wavelength_cm)


def groove(library: Any, feature: Feature, *conditions: Any) -> Any:
    """Part of the depth that a particle flies in the air of a groove, before matter.  (N,)

    Of vertex and momentum in x, in y, the momentum in z and, with a dispersion, the charge.
    """
    vertex_x, momentum_x, vertex_y, momentum_y, momentum_z, *charge = conditions
    straight = feature.model_copy(update={"dispersion": None})
    x = impact(library, feature, vertex_x, momentum_x, momentum_z, *charge)
    y = impact(library, straight, vertex_y, momentum_y, momentum_z)
    assert feature.grooves is not None
    points = library.stack([x, y], 1)
    slopes = library.stack([momentum_x, momentum_y], 1) / abs(momentum_z)[:, None]
    depths = feature.grooves.flight(library, points, slopes)
    return library.amin(depths, 1) / feature.grooves.depth_cm


def through(library: Any, feature: Feature, *conditions: Any) -> Any:
    """1 for a particle that flies through a groove from end to end, else 0.  (N,)"""
    return 1.0 * (groove(library, feature, *conditions) >= 1)


AIR: tuple[Literal["groove", "through"], ...] = ("groove", "through")

FORMULAS: dict[str, Callable[..., Any]] = {
    "value": lambda _, feature, condition: condition,
    "log": lambda library, feature, condition: library.log(condition),
    "slope": slope,
    "impact": impact,
    "sine": lambda library, feature, *c: library.sin(phase(library, feature, *c)),
    "cosine": lambda library, feature, *c: library.cos(phase(library, feature, *c)),
    "groove": groove,
    "through": through,
}
ARGUMENTS = {"value": 1, "log": 1, "slope": 0, "impact": 1, "sine": 1, "cosine": 1}
ARGUMENTS |= dict.fromkeys(AIR, 5)
"""Beside those of the slope."""
FLIGHTS = frozenset({"slope", "impact", "sine", "cosine"})


def impact_features(
    of: tuple[str, ...],
    distance_cm: float,
    wavelengths_cm: tuple[float, ...],
    *,
    name: str | None = None,
    **flight: Any,
) -> tuple[Feature, ...]:
    """Impact point along one axis, and its waves from coarse to fine; ``flight``: other fields.

    A network resolves a position to a cell sooner from waves than from one number.
    """
    name = name or (f"dispersed_{of[0][-1]}" if flight.get("dispersion") else of[0][-1])
    alike: dict[str, Any] = {"of": of, "distance_cm": distance_cm, **flight}
    point = Feature(name=f"impact_{name}", kind="impact", **alike)
    waves = tuple(
        Feature(
            name=f"{kind}_{name}_{wavelength:g}cm", kind=kind, wavelength_cm=wavelength, **alike
        )
        for wavelength in wavelengths_cm
        for kind in WAVES
    )
    return (point, *waves)


def groove_features(
    grooves: Grooves, distance_cm: float, dispersion: Dispersion | None, within_cm: float | None
) -> tuple[Feature, ...]:
    """How far a particle flies in the air of a groove, and whether through all of it."""
    of = ("Vx", "Px", "Vy", "Py", "Pz") + (() if dispersion is None else ("charge",))
    return tuple(
        Feature(
            name=f"{kind}_groove" if kind == "through" else kind,
            kind=kind,
            of=of,
            distance_cm=distance_cm,
            dispersion=dispersion,
            within_cm=within_cm,
            grooves=grooves,
        )
        for kind in AIR
    )


WAVES: tuple[Literal["sine", "cosine"], ...] = ("sine", "cosine")
