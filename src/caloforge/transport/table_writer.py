"""Writes the formula tables in the layouts that Geant4's readers expect (layouts, not numbers).

Photoelectric cross sections come from the Sandia table that is compiled into Geant4, one shell and
no fluorescence; there are no nuclear levels, so nuclei de-excite by the continuum only.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.transport import formulas
from caloforge.transport.tables import LAST_NEUTRON_ELEMENT, Tables, missing_files

Array = NDArray[np.float64]

BARN_MM2 = 1e-22
ELECTRON_LOG_MEV = np.linspace(np.log(1e-3), np.log(1e4), 60)
PHOTON_SHARES = np.unique(
    np.r_[
        1e-12, np.logspace(-6, -2, 9), np.linspace(0.025, 0.9, 22),
        0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0,
    ]
)  # fmt: skip
PHOTON_MEV = np.logspace(-5, 2, 1200)
NEUTRON_MEV = np.logspace(-13, np.log10(2e4), 300)
CAPTURE_MEV = 20.0
ION_MEV = np.logspace(-11, np.log10(2e4), 260)
DIPOLE_MEV = np.linspace(1.0, 150.0, 300)
IONS = {"proton": (1, 1), "deuteron": (2, 1), "triton": (3, 1), "He3": (3, 2), "alpha": (4, 2)}
"""Mass number and charge of the charged projectiles."""
NEVER_MEV = 1e9
"""Where the photoelectric fits would start: above all energies, so they are not used."""


def write_tables(tables: Tables, elements: Sequence[int], *, hadronic: bool) -> None:
    """Write what the cache lacks. Geant4's variables must be set before, it is imported here."""
    for folder in tables.variables.values():
        Path(folder).mkdir(parents=True, exist_ok=True)
    missing = missing_files(tables, elements, hadronic=hadronic)
    levels = Path(tables.variables["G4ENSDFSTATEDATA"]) / "ENSDFSTATE.dat"
    if levels in missing:
        _put(levels, "")
    low_energy = Path(tables.variables["G4LEDATA"])
    for z in sorted({1, *elements}):
        if any(low_energy in path.parents and _is_of(path, z) for path in missing):
            _write_element(low_energy, z)
    if hadronic and any("neutron" in path.parts for path in missing):
        for z in range(1, LAST_NEUTRON_ELEMENT + 1):
            _write_nucleus(Path(tables.variables["G4PARTICLEXSDATA"]), z)


def _is_of(path: Path, z: int) -> bool:
    return path.name == f"br{z}" or path.name.endswith(f"-{z}.dat")


def _put(path: Path, text: str) -> None:
    """Write aside and rename, so that another process never reads half a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(aside).replace(path)


def _vector(energy: Array, value: Array) -> str:
    """Text of a G4PhysicsVector."""
    head = f"{energy[0]:.9g} {energy[-1]:.9g} {len(energy)}\n{len(energy)}\n"
    return head + "".join(f"{a:.9g} {b:.9g}\n" for a, b in zip(energy, value, strict=True))


def _row(values: Array, digits: int) -> str:
    return " ".join(f"{value:.{digits}g}" for value in values) + "\n"


def _write_element(folder: Path, z: int) -> None:
    """Photoelectric effect and, last because it marks the element as done, bremsstrahlung."""
    sigma = photoelectric_barn(z)
    photo = folder / "epics2017" / "phot"
    _put(photo / f"pe-cs-{z}.dat", _vector(PHOTON_MEV, sigma * PHOTON_MEV**3))
    for part in ("high", "low"):
        _put(
            photo / f"pe-{part}-{z}.dat", f"1 1 {NEVER_MEV:.6g}\n{PHOTON_MEV[0]:.6g} 0 0 0 0 0 0\n"
        )
    values = formulas.bremsstrahlung(ELECTRON_LOG_MEV, PHOTON_SHARES, z)
    text = f"5 {len(PHOTON_SHARES)} {len(ELECTRON_LOG_MEV)}\n"
    text += _row(PHOTON_SHARES, 8) + _row(ELECTRON_LOG_MEV, 8)
    _put(folder / "brem_SB" / f"br{z}", text + "".join(_row(row, 6) for row in values))


def photoelectric_barn(z: int) -> Array:
    """Photoelectric cross section from Geant4's built-in Sandia table.  (PHOTON_MEV,)"""
    import geant4_pybind as g4

    table = g4.G4NistManager.Instance().FindOrBuildMaterial("G4_Pb").GetSandiaTable()
    powers: Any = g4.G4doubleVector([0.0] * 4)
    sigma = np.empty(len(PHOTON_MEV))
    for row, energy in enumerate(PHOTON_MEV):
        table.GetSandiaCofPerAtom(z, float(max(energy, 1.2e-5)), powers)
        sigma[row] = sum(powers[n] / energy ** (n + 1) for n in range(4))
    return np.maximum(sigma / BARN_MM2, 1e-12)


def _write_nucleus(folder: Path, z: int) -> None:
    """Neutron, light ion and photon cross sections of one element."""
    mass, slow = formulas.MASS_NUMBERS[z], NEUTRON_MEV[NEUTRON_MEV <= CAPTURE_MEV]
    for name, energy, barn in (
        ("neutron/el", NEUTRON_MEV, formulas.elastic_barn(NEUTRON_MEV, mass)),
        ("neutron/cap", slow, formulas.capture_barn(slow, mass)),
        ("gamma/inel", DIPOLE_MEV, formulas.photonuclear_barn(DIPOLE_MEV, mass, z)),
    ):
        _put(folder / f"{name}{z}", _vector(energy, barn * BARN_MM2))
    for ion, (number, charge) in IONS.items():
        nucleon = formulas.inelastic_barn(ION_MEV / number, mass, z * charge, charged=True)
        size = 1.0 if number == 1 else (1 + number ** (1 / 3) / mass ** (1 / 3)) ** 2 * 0.9
        _put(folder / f"{ion}/inel{z}", _vector(ION_MEV, size * nucleon * BARN_MM2))
    inelastic = formulas.inelastic_barn(NEUTRON_MEV, mass, z)
    _put(folder / f"neutron/inel{z}", _vector(NEUTRON_MEV, inelastic * BARN_MM2))
