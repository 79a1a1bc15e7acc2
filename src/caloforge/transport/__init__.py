"""Showers from a real transport engine: Geant4 in worker processes, or any command.

``prepare`` makes a Request of names and files, ``transport`` runs it. Geant4 itself is imported in
the workers only.
"""

from caloforge.transport.arrival import Upstream
from caloforge.transport.data_tables import doctor, find_tables
from caloforge.transport.request import Particles, Request, draw, read_particles
from caloforge.transport.run import Pool, Summary, prepare, transport

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
