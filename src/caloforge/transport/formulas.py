"""Formulas that stand in for Geant4's tabulated cross sections, and the tables written of them.

Nothing is copied from a data set. T and k are the kinetic energy of an electron and the energy of
its photon in MeV, Z and A charge and mass number, E a hadron's kinetic energy in MeV.

- Bremsstrahlung below 1 GeV: Koch and Motz 3BN (Rev. Mod. Phys. 31, 920) times Elwert's factor
  below 2 MeV, Tsai (Rev. Mod. Phys. 46, 815) with Thomas-Fermi screening and Coulomb correction
  above 50 MeV, a blend in log T between; above 1 GeV Geant4's own model needs no table.
- Hadrons: geometric cross sections at the size of PDG's interaction lengths, Letaw's energy factor
  (Astrophys. J. Suppl. 51, 271); above 20 GeV Geant4's own Glauber-Gribov model takes over.
- Photoelectric effect: the Sandia table that is compiled into Geant4, one shell, no fluorescence.
  There are no nuclear levels, so nuclei de-excite by the continuum only.

Tables have the layouts that Geant4's readers expect (layouts, not numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detectors.species import SPECIES
from caloforge.io.files import write_aside
from caloforge.transport.data_tables import LAST_NEUTRON_ELEMENT, Tables, missing_files

Array = NDArray[np.float64]

ELECTRON_MEV = SPECIES[11].mass_mev
ALPHA = 1 / 137.035999
RADIUS_CM = 2.8179403262e-13
MILLIBARN_CM2 = 1e-27

# fmt: off
MASS_NUMBERS = (
    0, 1.008, 4.0026, 6.94, 9.012, 10.81, 12.011, 14.007, 15.999, 18.998, 20.18, 22.99, 24.305,
    26.98, 28.085, 30.97, 32.06, 35.45, 39.95, 39.1, 40.08, 44.96, 47.87, 50.94, 52, 54.94, 55.85,
    58.93, 58.69, 63.55, 65.38, 69.72, 72.63, 74.92, 78.97, 79.9, 83.8, 85.47, 87.62, 88.9, 91.2,
    92.9, 95.95, 98, 101.1, 102.9, 106.4, 107.9, 112.4, 114.8, 118.7, 121.8, 127.6, 126.9, 131.3,
    132.9, 137.3, 138.9, 140.1, 140.9, 144.2, 145, 150.4, 152, 157.3, 158.9, 162.5, 164.9, 167.3,
    168.9, 173, 175, 178.5, 180.9, 183.84, 186.2, 190.2, 192.2, 195.1, 197, 200.6, 204.4, 207.2,
    209, 209, 210, 222, 223, 226, 227, 232, 231, 238, 237, 244,
)
# fmt: on
"""Mean atomic mass of the elements by Z (IUPAC, rounded); entry 0 is unused."""


def coulomb_correction(charge: float) -> float:
    """Davies, Bethe and Maximon's f(Z)."""
    a2 = (ALPHA * charge) ** 2
    return a2 * (1 / (1 + a2) + 0.20206 - 0.0369 * a2 + 0.0083 * a2**2 - 0.002 * a2**3)


def tsai(kinetic: float, photon: Array, charge: float) -> Array:
    """Screened bremsstrahlung, k dsigma/dk in cm2 an atom.  (photons,)"""
    energy = kinetic + ELECTRON_MEV
    share = photon / energy
    minimal = 100 * ELECTRON_MEV * photon / (energy * np.maximum(energy - photon, ELECTRON_MEV))
    g, e = minimal * charge ** (-1 / 3), minimal * charge ** (-2 / 3)
    phi = (
        16.863 - 2 * np.log(1 + 0.311877 * g * g) + 2.4 * np.exp(-0.9 * g) + 1.6 * np.exp(-1.5 * g)
    )
    psi = 24.34 - 2 * np.log(1 + 13.111641 * e * e) + 2.8 * np.exp(-8 * e) + 1.2 * np.exp(-29.2 * e)
    difference = 2 / (3 + 19.5 * g + 18 * g * g) + 2 / (3 + 120 * e + 1200 * e * e) / charge
    log_z = np.log(charge)
    elastic = np.maximum(0.25 * phi - log_z / 3 - coulomb_correction(charge), 0)
    inelastic = np.maximum(0.25 * psi - 2 * log_z / 3, 0) / charge
    bracket = (1 - share + 0.75 * share**2) * (elastic + inelastic)
    bracket = np.maximum(bracket + 0.125 * (1 - share) * difference, 0)
    return 16 * ALPHA * RADIUS_CM**2 / 3 * charge**2 * bracket


def koch_motz(kinetic: float, photon: Array, charge: float) -> Array:
    """Formula 3BN times Elwert's factor, k dsigma/dk in cm2 an atom with electrons.  (photons,)"""
    start, k = (kinetic + ELECTRON_MEV) / ELECTRON_MEV, photon / ELECTRON_MEV
    end = start - k
    p0, p = np.sqrt(start**2 - 1), np.sqrt(np.maximum(end**2 - 1, 1e-12))
    l0, l1 = np.log((start + p0) / (start - p0)), np.log((end + p) / (end - p))
    screened = k * k + (2 * start * end * charge ** (1 / 3) / 111) ** 2
    log_l = np.maximum(np.log((start * end + p0 * p - 1) ** 2 / screened), 0)
    first = 4 / 3 - 2 * start * end * (p * p + p0 * p0) / (p * p * p0 * p0)
    first = first + l0 * end / p0**3 + l1 * start / p**3 - l0 * l1 / (p * p0)
    inner = (start * end + p0 * p0) / p0**3 * l0 - (start * end + p * p) / p**3 * l1
    inner = k / (2 * p0 * p) * (inner + 2 * k * start * end / (p * p * p0 * p0))
    second = 8 * start * end / (3 * p0 * p)
    second = second + k * k * (start**2 * end**2 + p0 * p0 * p * p) / (p0**3 * p**3) + inner
    bracket = np.maximum(first + log_l * second, 0)
    scale = ALPHA * RADIUS_CM**2 * charge * (charge + 1) * p / p0
    return scale * bracket * elwert(p0 / start, p / end, charge)


def elwert(beta_start: Array | float, beta_end: Array, charge: float) -> Array:
    """Elwert's Coulomb factor of the slow electron after emission.  (photons,)"""
    exponent = 2 * np.pi * charge * ALPHA
    ends = (1 - np.exp(-exponent / beta_start)) / (1 - np.exp(-exponent / beta_end))
    return np.asarray(beta_start / beta_end * ends, dtype=np.float64)


def bremsstrahlung(log_kinetic: Array, shares: Array, charge: int) -> Array:
    """Scaled cross section beta^2 k dsigma/dk / Z^2 in millibarn.  (energies, shares)

    ``shares`` is k / T. The factor 1 + 0.28 Z / 82 mends Born's known shortfall near 1 MeV in lead.
    """
    table = np.empty((len(log_kinetic), len(shares)))
    for row, log_t in enumerate(log_kinetic):
        kinetic = float(np.exp(log_t))
        photon = np.clip(shares, 1e-6, 0.9999) * kinetic
        high = np.clip((log_t - np.log(2)) / (np.log(50) - np.log(2)), 0, 1)
        sigma = (1 - high) * (1 + 0.28 * charge / 82) * koch_motz(kinetic, photon, charge)
        sigma = sigma + high * tsai(kinetic, photon, charge)
        beta2 = kinetic * (kinetic + 2 * ELECTRON_MEV) / (kinetic + ELECTRON_MEV) ** 2
        table[row] = sigma * beta2 / charge**2 / MILLIBARN_CM2
    return table


def letaw(energy: Array) -> Array:
    """Letaw's factor on the high-energy cross section, its value at 10 MeV below that.  (E,)"""
    capped = np.maximum(energy, 10.0)
    return 1 - 0.62 * np.exp(-capped / 200) * np.sin(10.9 * capped**-0.28)


def inelastic_barn(energy: Array, mass: float, charge: int, *, charged: bool = False) -> Array:
    """Inelastic cross section of a nucleon on a nucleus.  (E,) in barn"""
    if mass < 1.5:
        return np.where(energy > 290, 0.031, 0.0)
    threshold = 0.3 + 3.0 * np.exp(-mass / 40)
    rise = np.where(energy > 10, 1.0, np.clip((energy - threshold) / 3.0, 0, 1))
    sigma = 1.724 * (mass / 207.2) ** 0.6836 * letaw(energy) * rise
    if charged:
        barrier = 1.44 * charge / (1.3 * mass ** (1 / 3) + 1.2)
        sigma = sigma * np.clip(1 - barrier / np.maximum(energy, 1e-9), 0, 1)
    return np.asarray(sigma, dtype=np.float64)


def elastic_barn(energy: Array, mass: float) -> Array:
    """Elastic cross section of a neutron on a nucleus, without resonances.  (E,) in barn"""
    if mass < 1.5:
        slow = 0.009 + 20 / (1 + (energy / 0.3) ** 1.1)
        return np.where(energy > 300, 0.009, slow)
    ratio = max(0.54 + 0.21 * (np.log(mass) - np.log(27)) / np.log(207 / 27), 0.3)
    return 1.724 * (mass / 207.2) ** 0.6836 * ratio * (1 + 2 * np.exp(-energy / 10))


def capture_barn(energy: Array, mass: float) -> Array:
    """Crude 1/v capture of neutrons and a constant tail.  (E,) in barn"""
    return 1e-3 * mass * np.sqrt(2.5e-8 / energy) / 5 + 2e-3 / (1 + energy)


def photonuclear_barn(energy: Array, mass: float, charge: int) -> Array:
    """Giant dipole resonance (Thomas-Reiche-Kuhn sum) and a quasi-deuteron tail.  (E,) in barn"""
    resonance, width = 31.2 * mass ** (-1 / 3) + 20.6 * mass ** (-1 / 6), 5.0
    area = 1e-3 * 60 * (mass - charge) * charge / mass * 2 / np.pi / width
    dipole = area / (1 + ((energy**2 - resonance**2) / (energy * width)) ** 2)
    return dipole + (energy > 20) * 1e-3 * 0.006 * mass


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
    with write_aside(path, overwrite=True) as aside:
        aside.write_text(text, encoding="ascii")


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
    values = bremsstrahlung(ELECTRON_LOG_MEV, PHOTON_SHARES, z)
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
    mass, slow = MASS_NUMBERS[z], NEUTRON_MEV[NEUTRON_MEV <= CAPTURE_MEV]
    for name, energy, barn in (
        ("neutron/el", NEUTRON_MEV, elastic_barn(NEUTRON_MEV, mass)),
        ("neutron/cap", slow, capture_barn(slow, mass)),
        ("gamma/inel", DIPOLE_MEV, photonuclear_barn(DIPOLE_MEV, mass, z)),
    ):
        _put(folder / f"{name}{z}", _vector(energy, barn * BARN_MM2))
    for ion, (number, charge) in IONS.items():
        nucleon = inelastic_barn(ION_MEV / number, mass, z * charge, charged=True)
        size = 1.0 if number == 1 else (1 + number ** (1 / 3) / mass ** (1 / 3)) ** 2 * 0.9
        _put(folder / f"{ion}/inel{z}", _vector(ION_MEV, size * nucleon * BARN_MM2))
    inelastic = inelastic_barn(NEUTRON_MEV, mass, z)
    _put(folder / f"neutron/inel{z}", _vector(NEUTRON_MEV, inelastic * BARN_MM2))
