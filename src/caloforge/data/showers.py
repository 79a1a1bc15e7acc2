"""Showers and their files: the names that the rest of the program uses."""

from caloforge.data.particles import Groups, groups_of
from caloforge.data.record import Showers, cell_type, join
from caloforge.io.hdf5 import Compression
from caloforge.io.showers import Column, ShowerFile, ShowerWriter, read, write

__all__ = [
    "Column",
    "Compression",
    "Groups",
    "ShowerFile",
    "ShowerWriter",
    "Showers",
    "cell_type",
    "groups_of",
    "join",
    "read",
    "write",
]
