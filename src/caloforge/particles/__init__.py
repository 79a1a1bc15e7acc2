"""Particles by PDG number, energy and direction: from tables, from arrays, from named spectra."""

from caloforge.particles.conditions import conditions_of, law_of_name
from caloforge.particles.tables import Piece, read_pieces

__all__ = ["Piece", "conditions_of", "law_of_name", "read_pieces"]
