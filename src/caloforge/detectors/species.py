"""Particles by their PDG number: mass and charge, the same for all that is read, made and written.

Masses of nuclei are without the electrons of the atom.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from caloforge.errors import DataError

MEV_PER_GEV = 1000.0


class Species(NamedTuple):
    """A kind of particle."""

    pdg: int
    mass_mev: float
    charge: int
    """In units of e."""

    @property
    def mass_gev(self) -> float:
        """Its mass in GeV."""
        return self.mass_mev / MEV_PER_GEV


SPECIES = {
    pdg: Species(pdg, mass_mev, charge)
    for mass_mev, charge, pdg in (
        (0.0, 0, 22), (0.51099895, -1, 11), (0.51099895, 1, -11), (105.6583755, -1, 13),
        (105.6583755, 1, -13), (139.57039, 1, 211), (139.57039, -1, -211), (493.677, 1, 321),
        (493.677, -1, -321), (497.611, 0, 130), (938.272089, 1, 2212), (938.272089, -1, -2212),
        (939.565422, 0, 2112), (1115.683, 0, 3122), (1189.37, 1, 3222), (1197.449, -1, 3112),
        (1314.86, 0, 3322), (1321.71, -1, 3312), (1672.45, -1, 3334),
    )
}  # fmt: skip
"""Those that reach a calorimeter, by PDG number; a neutral of 939.565 MeV is a neutron."""


@cache
def species_of(pdg: int) -> Species:
    """Mass and charge of a particle by its PDG number; DataError for one that is not known."""
    if pdg in SPECIES:
        return SPECIES[pdg]
    from particle import InvalidParticle, Particle, ParticleNotFound

    try:
        particle = Particle.from_pdgid(pdg)
    except (ParticleNotFound, InvalidParticle):
        raise DataError(f"no particle has the PDG number {pdg}") from None
    if particle.mass is None or particle.charge is None:
        raise DataError(f"the mass or charge of PDG number {pdg} is not known")
    # The library has atomic masses of nuclei, but those of the proton and the neutron themselves.
    electrons = abs(round(particle.charge)) if (particle.pdgid.A or 0) > 1 else 0
    mass_mev = float(particle.mass) - electrons * SPECIES[11].mass_mev
    return Species(pdg, mass_mev, round(particle.charge))
