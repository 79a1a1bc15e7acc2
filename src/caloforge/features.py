"""Inputs of the networks, computed from physical conditions; one formula serves numpy and torch.

Shapes: N rows, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import pi
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator


class Description(BaseModel):
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


class Feature(Description):
    """One input of the networks: its kind, and the conditions that it is computed of."""

    name: str
    kind: Literal["value", "log", "slope", "impact", "sine", "cosine"]
    of: tuple[str, ...]
    distance_cm: float = 0.0
    """How far particles fly to the front face (impact, sine, cosine)."""
    wavelength_cm: float = 1.0
    """Period of sine and cosine along the front face."""
    dispersion: Dispersion | None = None
    """What magnets add to the impact point; the charge is then one argument more."""

    @model_validator(mode="after")
    def _takes_its_arguments(self) -> Feature:
        expected = ARGUMENTS[self.kind] + (self.dispersion is not None)
        if len(self.of) != expected:
            raise ValueError(f"feature {self.name}: {self.kind} takes {expected} condition(s)")
        return self

    def value(self, library: Any, *conditions: Any) -> Any:
        """The feature by numpy or torch, whichever ``library`` is.  (N,)"""
        return FORMULAS[self.kind](library, self, *conditions)


def impact(
    _: Any, feature: Feature, vertex: Any, momentum: Any, momentum_z: Any, charge: Any = None
) -> Any:
    """Where a flight meets the front face, straight but for the dispersion, in cm.  (N,)

    The momentum is taken as |pz|: what flies 112 m into a hand's breadth flies along z.
    """
    straight = vertex + feature.distance_cm * momentum / abs(momentum_z)
    if feature.dispersion is None:
        return straight
    return straight + feature.dispersion.at(charge, abs(momentum_z))


def phase(feature: Feature, *conditions: Any) -> Any:
    """Impact point in radians of the feature's wavelength.  (N,)"""
    return impact(None, feature, *conditions) * (2 * pi / feature.wavelength_cm)


FORMULAS: dict[str, Callable[..., Any]] = {
    "value": lambda _, feature, condition: condition,
    "log": lambda library, feature, condition: library.log(condition),
    "slope": lambda _, feature, numerator, denominator: numerator / abs(denominator),
    "impact": impact,
    "sine": lambda library, feature, *c: library.sin(phase(feature, *c)),
    "cosine": lambda library, feature, *c: library.cos(phase(feature, *c)),
}
ARGUMENTS = {"value": 1, "log": 1, "slope": 2, "impact": 3, "sine": 3, "cosine": 3}


def impact_features(
    of: tuple[str, ...],
    distance_cm: float,
    wavelengths_cm: tuple[float, ...],
    dispersion: Dispersion | None = None,
) -> tuple[Feature, ...]:
    """Impact point along one axis, and its waves from coarse to fine.

    A network resolves a position to a cell sooner from waves than from one number.
    """
    axis = of[0][-1] if dispersion is None else f"dispersed_{of[0][-1]}"
    alike: dict[str, Any] = {"of": of, "distance_cm": distance_cm, "dispersion": dispersion}
    point = Feature(name=f"impact_{axis}", kind="impact", **alike)
    waves = tuple(
        Feature(
            name=f"{kind}_{axis}_{wavelength:g}cm", kind=kind, wavelength_cm=wavelength, **alike
        )
        for wavelength in wavelengths_cm
        for kind in WAVES
    )
    return (point, *waves)


WAVES: tuple[Literal["sine", "cosine"], ...] = ("sine", "cosine")
