"""Which particles a simulator can be asked for: conditions are checked as physics, not one by one.

Shapes: N particles, C conditions. A particle with momentum, mass and charge has to be on its mass
shell, of a species that was trained on, of an energy in the range, and to fly to a point of the
face that was trained on: its vertex and the components of its momentum by themselves do not matter.
Conditions of other detectors have to lie in their ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.detector.features import Feature
from caloforge.detectors.species import MEV_PER_GEV, SPECIES
from caloforge.errors import DataError

if TYPE_CHECKING:
    from caloforge.detector import Detector
    from caloforge.simulator.card import SimulatorCard

Array = NDArray[np.float64]

MOMENTUM, MASS, CHARGE, ENERGY = ("Px", "Py", "Pz"), "mass", "charge", "Energy"
FLIGHT = frozenset({"Vx", "Vy", "Vz", *MOMENTUM, MASS, CHARGE})
"""Conditions that the checks of a particle stand for, beside its energy."""
MARGIN = 0.05
"""Of the width of a range, or as a ratio for an energy: a network bridges that, and the largest
particle of a spectrum is not in every sample of it."""
SHELL = 1e-4
"""By how much E^2 may differ from p^2 + m^2, as a share of E^2: conditions are kept in float32."""
SAME_MASS = 0.005
ROUNDING = 1e-9


class Rule(NamedTuple):
    """One thing that is asked of every particle."""

    name: str
    text: str
    """What is asked, in words and numbers."""
    violates: Callable[[Array], NDArray[np.bool_]]
    """Which particles do not fulfil it.  (N, C) -> (N,)"""


@dataclass(frozen=True)
class Domain:
    """The rules of one simulator."""

    card: SimulatorCard

    @property
    def detector(self) -> Detector:
        """The detector whose conditions they are."""
        return self.card.detector

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, from the card."""
        return tuple(self._rules())

    def violations(self, conditions: NDArray[Any]) -> dict[str, NDArray[np.bool_]]:
        """Which particles break which rule; rules that none breaks are left out.  {rule: (N,)}"""
        values = np.asarray(conditions, dtype=np.float64)
        violations = {rule.name: rule.violates(values) for rule in self.rules}
        return {name: rows for name, rows in violations.items() if rows.any()}

    def counts(self, conditions: NDArray[Any]) -> dict[str, int]:
        """Number of particles that break each rule, if any does."""
        return {name: int(rows.sum()) for name, rows in self.violations(conditions).items()}

    def inside(self, conditions: NDArray[Any]) -> NDArray[np.bool_]:
        """Which particles break none.  (N, C) -> (N,)"""
        is_outside = np.zeros(len(conditions), dtype=bool)
        outside: NDArray[np.bool_] = np.logical_or.reduce(
            [is_outside, *self.violations(conditions).values()]
        )
        return ~outside

    def text(self, counts: dict[str, int], rows: int) -> str:
        """That particles are outside, in one line: broken rules with numbers of particles."""
        broken = self._broken(counts, rows)
        return f"conditions outside the domain of the simulator, {broken}"

    def _broken(self, counts: dict[str, int], rows: int) -> str:
        texts = {rule.name: rule.text for rule in self.rules}
        parts = [f"{name} in {count} ({texts[name]})" for name, count in counts.items()]
        return f"of {rows} particles: {', '.join(parts)}"

    def clamped(self, conditions: NDArray[Any]) -> Array:
        """Conditions with energies and ranges moved to their nearest edge.  (N, C) -> (N, C)

        A particle keeps its mass and direction. Raises DataError for what has no nearest value: a
        species, a mass shell, a point of impact.
        """
        clamped = np.array(conditions, dtype=np.float64)
        for name in self._boxed():
            column = self.detector.column(name)
            clamped[:, column] = np.clip(clamped[:, column], *self._range(name))
        if self._flies and ENERGY in self._boxed():
            self._scale_momentum(np.asarray(conditions, dtype=np.float64), clamped)
        if counts := self.counts(clamped):
            raise DataError(f"cannot be clamped, {self._broken(counts, len(clamped))}")
        return clamped

    @property
    def _flies(self) -> bool:
        return {ENERGY, *FLIGHT} <= set(self.detector.columns)

    def _boxed(self) -> list[str]:
        """Conditions that have to lie in their range by themselves.

        Cards of version 1 tell no range of impact points: there vertex and momentum stand for them.
        """
        checked = FLIGHT if self.card.impact_ranges_cm else frozenset({MASS, CHARGE})
        skipped = checked if self._flies else frozenset()
        return [name for name in self.detector.columns if name not in skipped]

    def _unit(self, name: str) -> str:
        return self.detector.conditions[self.detector.column(name)].unit

    def _range(self, name: str) -> tuple[float, float]:
        low, high = self.card.training_ranges[name]
        if self._unit(name) in ("GeV", "MeV") and low > 0:
            return low / (1 + MARGIN), high * (1 + MARGIN)
        width = MARGIN * (high - low) + 1e-6 * max(abs(low), abs(high))
        return low - width, high + width

    def _rules(self) -> Iterator[Rule]:
        for name in self._boxed():
            yield self._box(name)
        if self._flies:
            yield Rule("mass shell", "E^2 = p^2 + m^2, mass in MeV", self._off_shell)
            yield Rule("species", self._species_text(), self._strange)
        for feature in self.detector.features:
            if feature.kind == "impact" and feature.name in self.card.impact_ranges_cm:
                yield self._impact(feature)

    def _box(self, name: str) -> Rule:
        column, (low, high) = self.detector.column(name), self._range(name)
        text = range_text(*self.card.training_ranges[name], self._unit(name))
        return Rule(name, text, lambda c: (c[:, column] < low) | (c[:, column] > high))

    def _impact(self, feature: Feature) -> Rule:
        low, high = self.card.impact_ranges_cm[feature.name]
        width = MARGIN * (high - low)
        columns = [self.detector.column(name) for name in feature.of]

        def violates(conditions: Array) -> NDArray[np.bool_]:
            with np.errstate(all="ignore"):
                place = feature.value(np, *(conditions[:, column] for column in columns))
            return np.asarray(~((place >= low - width) & (place <= high + width)))

        return Rule(feature.name, range_text(low, high, "cm"), violates)

    def _off_shell(self, conditions: Array) -> NDArray[np.bool_]:
        energy, mass = (conditions[:, self.detector.column(name)] for name in (ENERGY, MASS))
        momentum = conditions[:, [self.detector.column(name) for name in MOMENTUM]]
        expected = (momentum**2).sum(axis=1) + (mass / MEV_PER_GEV) ** 2
        return np.asarray(np.abs(energy**2 - expected) > SHELL * np.maximum(energy**2, expected))

    def _strange(self, conditions: Array) -> NDArray[np.bool_]:
        mass, charge = (conditions[:, self.detector.column(name)] for name in (MASS, CHARGE))
        admissible = np.zeros(len(conditions), dtype=bool)
        for pdg in self._species():
            species = SPECIES[pdg]
            near = np.abs(mass - species.mass_mev) <= max(SAME_MASS * species.mass_mev, 1e-3)
            admissible |= near & (charge == species.charge)
        return ~admissible

    def _species(self) -> list[int]:
        """Species that were trained on; where the card does not tell, those in its ranges."""
        if pdg_numbers := [pdg for pdg in self.card.species if pdg in SPECIES]:
            return pdg_numbers
        (light, heavy), (least, most) = (self.card.training_ranges[name] for name in (MASS, CHARGE))
        return [
            pdg
            for pdg, species in SPECIES.items()
            if light * 0.995 <= species.mass_mev <= heavy * 1.005
            and least <= species.charge <= most
        ]

    def _species_text(self) -> str:
        names = ", ".join(map(str, self._species())) or "no known one"
        return f"pdg {names}"

    def _scale_momentum(self, before: Array, after: Array) -> None:
        """Momenta of the new energies, along the old directions; in place."""
        energy, mass = (self.detector.column(name) for name in (ENERGY, MASS))
        columns = [self.detector.column(name) for name in MOMENTUM]
        rows = before[:, energy] != after[:, energy]
        size = np.sqrt(np.maximum(after[:, energy] ** 2 - (after[:, mass] / MEV_PER_GEV) ** 2, 0))
        old = np.linalg.norm(before[:, columns], axis=1)
        factor = np.where(rows, size / np.maximum(old, 1e-30), 1.0)
        after[:, columns] = before[:, columns] * factor[:, None]


def range_text(low: float, high: float, unit: str) -> str:
    """Such as ``10 to 1766 GeV``; an edge that is 0 but for rounding is 0."""
    edges = (0.0 if abs(edge) < ROUNDING * max(1.0, high - low) else edge for edge in (low, high))
    return " to ".join(f"{edge:.4g}" for edge in edges) + (f" {unit}" if unit else "")
