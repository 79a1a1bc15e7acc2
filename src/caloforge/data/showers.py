"""Showers and their files: the names that the rest of the program uses."""

from caloforge.data.filters import Compression
from caloforge.data.particles import Groups, groups_of
from caloforge.data.reading import ShowerFile, read
from caloforge.data.record import Showers, cell_type
from caloforge.data.writing import Column, ShowerWriter, write

__all__ = [
    "Column",
    "Compression",
    "Groups",
    "ShowerFile",
    "ShowerWriter",
    "Showers",
    "cell_type",
    "groups_of",
    "read",
    "write",
]
