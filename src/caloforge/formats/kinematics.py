"""Whether nine numbers without names can be particles: what physics says of a table's columns.

A table without names that is reversed, scaled or shifted by a column is full of finite numbers all
the same. Particles are on their mass shell, none is lighter than a muon but electrons and what has
no mass, and charges are whole. Authors may have rounded; a few odd rows are let pass.
Shapes: N rows, C conditions.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector

MOST_ODD = 0.01
"""Part of the rows that may contradict."""
ROUNDING = 0.01
"""How far a charge may be from a whole number, and an energy from its shell (relative or GeV)."""
ELECTRON_MEV, MUON_MEV, LEAST_MEV = 0.511, 105.6, 0.1
"""Masses below the least are those of photons, rounded."""
MOST_CHARGE = 120
MEV_PER_GEV = 1000.0

Columns = dict[str, NDArray[np.float64]]


def oddity(detector: Detector, conditions: NDArray[np.float64]) -> str:
    """Why rows can be no particles, naming the first; nothing where at most a few cannot.  (N, C)

    Looks at the columns that the detector has: masses, charges, and energy with momentum and mass.
    """
    known = dict(zip(detector.columns, conditions.T, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        for what, wrong in _contradictions(known):
            rows = np.flatnonzero(wrong)
            if len(rows) > MOST_ODD * len(wrong):
                columns = ", ".join(f"{each.name} ({each.unit})" for each in detector.conditions)
                return (
                    f"row {rows[0]}: {what(rows[0])}, and so in {len(rows)} of {len(wrong)} rows; "
                    f"are columns reversed, shifted or scaled? They should be {columns}"
                )
    return ""


def _contradictions(
    known: Columns,
) -> Iterator[tuple[Callable[[int], str], NDArray[np.bool_]]]:
    """What would be wrong with a row, in words, and with which rows it is."""
    if (mass := known.get("mass")) is not None:
        light = (mass > LEAST_MEV) & (mass < MUON_MEV * (1 - ROUNDING))
        wrong = (mass < 0) | (light & (np.abs(mass - ELECTRON_MEV) > ROUNDING))
        yield lambda row: f"no particle has a mass of {mass[row]:g} MeV", wrong
    if (charge := known.get("charge")) is not None:
        odd = (np.abs(charge - np.rint(charge)) > ROUNDING) | (np.abs(charge) > MOST_CHARGE)
        yield lambda row: f"no particle has a charge of {charge[row]:g} e", odd
    if {"Energy", "Px", "Py", "Pz", "mass"} <= known.keys():
        energy, shell = known["Energy"], _energies(known)
        near = np.abs(energy - shell) <= ROUNDING * (1 + shell)
        yield (
            lambda row: f"Energy is {energy[row]:g} GeV, mass and momentum make {shell[row]:g}",
            ~(near & (energy > 0) & np.isfinite(shell)),
        )


def _energies(known: Columns) -> NDArray[np.float64]:
    """sqrt(momentum² + mass²) in GeV.  (N,)"""
    momentum = np.hypot(np.hypot(known["Px"], known["Py"]), known["Pz"])
    return np.hypot(momentum, known["mass"] / MEV_PER_GEV)
