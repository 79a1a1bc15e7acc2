"""Showers from a real transport engine: Geant4 in worker processes, or any command.

``prepare`` makes a Request of names and files, ``transport`` runs it. Geant4 itself is imported in
the workers only.
"""

from caloforge.transport.arrival import Upstream
from caloforge.transport.particles import Particles, draw, read_particles
from caloforge.transport.preparation import prepare
from caloforge.transport.request import Request
from caloforge.transport.run import Pool, Summary, transport
from caloforge.transport.tables import doctor, find_tables

__all__ = [
    "Particles",
    "Pool",
    "Request",
    "Summary",
    "Upstream",
    "doctor",
    "draw",
    "find_tables",
    "prepare",
    "read_particles",
    "transport",
]
