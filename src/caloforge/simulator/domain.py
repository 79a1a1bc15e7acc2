"""Which particles a simulator can be asked for: conditions are checked as physics, not one by one.

Shapes: N particles, C conditions. A particle with momentum, mass and charge has to be on its mass
shell, of a species that was trained on, of an energy in the range, and to fly to a point of the
face that was trained on: its vertex and the components of its momentum by themselves do not matter.
Conditions of other detectors have to lie in their ranges.

Limits of memory and time for the first run of a graph that may come from anywhere.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from caloforge.detector.features import Feature
from caloforge.errors import DataError
from caloforge.machine import SPECIES

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

    def inside(self, conditions: NDArray[Any]) -> NDArray[np.bool_]:
        """Which particles break none.  (N, C) -> (N,)"""
        is_outside = np.zeros(len(conditions), dtype=bool)
        outside: NDArray[np.bool_] = np.logical_or.reduce(
            [is_outside, *self.violations(conditions).values()]
        )
        return ~outside

    def text(self, counts: dict[str, int], rows: int) -> str:
        """Broken rules with numbers of particles, in one line."""
        texts = {rule.name: rule.text for rule in self.rules}
        parts = [f"{name} in {count} ({texts[name]})" for name, count in counts.items()]
        return f"outside the domain of the simulator, of {rows} rows: {', '.join(parts)}"

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
        if violations := self.violations(clamped):
            name = next(iter(violations))
            raise DataError(f"{int(violations[name].sum())} particles cannot be clamped: {name}")
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

    def _range(self, name: str) -> tuple[float, float]:
        low, high = self.card.training_ranges[name]
        unit = next(c.unit for c in self.detector.conditions if c.name == name)
        if unit in ("GeV", "MeV") and low > 0:
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
        limits = self.card.training_ranges[name]
        text = f"trained on {limits[0]:g} to {limits[1]:g}"
        return Rule(name, text, lambda c: (c[:, column] < low) | (c[:, column] > high))

    def _impact(self, feature: Feature) -> Rule:
        low, high = self.card.impact_ranges_cm[feature.name]
        width = MARGIN * (high - low)
        columns = [self.detector.column(name) for name in feature.of]

        def violates(conditions: Array) -> NDArray[np.bool_]:
            with np.errstate(all="ignore"):
                place = feature.value(np, *(conditions[:, column] for column in columns))
            return np.asarray(~((place >= low - width) & (place <= high + width)))

        return Rule(feature.name, f"trained on {low:.3g} to {high:.3g} cm at the face", violates)

    def _off_shell(self, conditions: Array) -> NDArray[np.bool_]:
        energy, mass = (conditions[:, self.detector.column(name)] for name in (ENERGY, MASS))
        momentum = conditions[:, [self.detector.column(name) for name in MOMENTUM]]
        expected = (momentum**2).sum(axis=1) + (mass / 1000) ** 2
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
        return f"{'trained on' if self.card.species else 'in the range of'} pdg {names}"

    def _scale_momentum(self, before: Array, after: Array) -> None:
        """Momenta of the new energies, along the old directions; in place."""
        energy, mass = (self.detector.column(name) for name in (ENERGY, MASS))
        columns = [self.detector.column(name) for name in MOMENTUM]
        rows = before[:, energy] != after[:, energy]
        size = np.sqrt(np.maximum(after[:, energy] ** 2 - (after[:, mass] / 1000) ** 2, 0))
        old = np.linalg.norm(before[:, columns], axis=1)
        factor = np.where(rows, size / np.maximum(old, 1e-30), 1.0)
        after[:, columns] = before[:, columns] * factor[:, None]


FIRST_RUN_BYTES = 2**29
"""What loading a graph and its first run, of a few showers, may take beside the file itself."""
BYTES_OF_A_THREAD = 80 * 2**20
"""Address space that the C library reserves for the stack and the heap of a thread."""
COPIES_OF_THE_FILE = 6
FIRST_RUN_SECONDS = 20.0
BYTES_IN_A_SECOND = 2**25
"""Of a graph that is loaded: a large one may take longer."""
STATUS = Path("/proc/self/statm")
ONE_LIMIT = RLock()
"""Of threads that load at once, the last would else put back the limit of the first."""


@contextmanager
def memory_limit(file_bytes: int, threads: int = 1) -> Iterator[None]:
    """Let no more memory be taken inside than a graph of that size needs; on Linux alone.

    Allocations beyond it fail, which a runtime reports as any other error. The limit is that of the
    process, and what it was before afterwards.
    """
    if sys.platform != "linux" or not STATUS.is_file():
        yield
        return
    import resource

    with ONE_LIMIT:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(STATUS.read_text(encoding="ascii").split()[0])
        n_bytes = pages * resource.getpagesize() + FIRST_RUN_BYTES
        n_bytes += BYTES_OF_A_THREAD * threads + COPIES_OF_THE_FILE * file_bytes
        bounds = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([n_bytes, *bounds]), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


Answer = TypeVar("Answer")


def within_time(
    file_bytes: int, work: Callable[[], Answer], stop: Callable[[], object] = lambda: None
) -> Answer:
    """What ``work`` returns; TimeoutError when it takes longer than a graph of that size needs.

    A runtime looks at ``stop`` between operators only, and a single one can take years. So the work
    runs in a thread, which is left to itself when its time is over.
    """
    seconds = FIRST_RUN_SECONDS + file_bytes / BYTES_IN_A_SECOND
    outcome: Future[Answer] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        stop()
        atexit.register(_leave_behind, thread)
        raise TimeoutError(f"it takes longer than {seconds:.0f} seconds") from None


def _leave_behind(thread: Thread) -> None:
    """End the process while a runtime computes: what Python and C++ tidy up would abort it."""
    if thread.is_alive():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(DataError.exit_code)
