"""Particles by their PDG number: mass, charge, and which number a mass and a charge belong to."""

from __future__ import annotations

from typing import NamedTuple


class Species(NamedTuple):
    """A kind of particle."""

    pdg: int
    mass_mev: float
    charge: int
    """In units of e."""


SPECIES = {
    pdg: Species(pdg, mass_mev, charge)
    for mass_mev, charge, pdg in (
        (0.0, 0, 22), (0.511, -1, 11), (0.511, 1, -11), (105.658, -1, 13), (105.658, 1, -13),
        (139.570, 1, 211), (139.570, -1, -211), (493.677, 1, 321), (493.677, -1, -321),
        (497.611, 0, 130), (938.272, 1, 2212), (938.272, -1, -2212), (939.565, 0, 2112),
        (1115.683, 0, 3122), (1189.37, 1, 3222), (1197.449, -1, 3112), (1314.86, 0, 3322),
        (1321.71, -1, 3312), (1672.45, -1, 3334),
    )
}  # fmt: skip
"""Those that reach a calorimeter, by PDG number; a neutral of 939.565 MeV is a neutron."""
