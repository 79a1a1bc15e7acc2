"""Formulas that stand in for Geant4's tabulated cross sections where no tables are installed.

Nothing is copied from a data set. T and k are the kinetic energy of an electron and the energy of
its photon in MeV, Z and A charge and mass number, E a hadron's kinetic energy in MeV.

- Bremsstrahlung below 1 GeV: Koch and Motz 3BN (Rev. Mod. Phys. 31, 920) times Elwert's factor
  below 2 MeV, Tsai (Rev. Mod. Phys. 46, 815) with Thomas-Fermi screening and Coulomb correction
  above 50 MeV, a blend in log T between; above 1 GeV Geant4's own model needs no table.
- Hadrons: geometric cross sections at the size of PDG's interaction lengths, Letaw's energy factor
  (Astrophys. J. Suppl. 51, 271); above 20 GeV Geant4's own Glauber-Gribov model takes over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ELECTRON_MEV = 0.51099895
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
    sigma: Array = 16 * ALPHA * RADIUS_CM**2 / 3 * charge**2 * bracket
    return sigma


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
    sigma: Array = scale * bracket * elwert(p0 / start, p / end, charge)
    return sigma


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
    sigma: Array = 1.724 * (mass / 207.2) ** 0.6836 * ratio * (1 + 2 * np.exp(-energy / 10))
    return sigma


def capture_barn(energy: Array, mass: float) -> Array:
    """Crude 1/v capture of neutrons and a constant tail.  (E,) in barn"""
    return 1e-3 * mass * np.sqrt(2.5e-8 / energy) / 5 + 2e-3 / (1 + energy)


def photonuclear_barn(energy: Array, mass: float, charge: int) -> Array:
    """Giant dipole resonance (Thomas-Reiche-Kuhn sum) and a quasi-deuteron tail.  (E,) in barn"""
    resonance, width = 31.2 * mass ** (-1 / 3) + 20.6 * mass ** (-1 / 6), 5.0
    area = 1e-3 * 60 * (mass - charge) * charge / mass * 2 / np.pi / width
    dipole = area / (1 + ((energy**2 - resonance**2) / (energy * width)) ** 2)
    sigma: Array = dipole + (energy > 20) * 1e-3 * 0.006 * mass
    return sigma
