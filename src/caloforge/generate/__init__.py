"""Showers by the million from a simulator: one file, or a folder of shards that can go on."""

from caloforge.extensions import make_callable
from caloforge.generate.one_file import Production, generate
from caloforge.generate.particles import Particles, Spectrum

make_callable(__name__)

__all__ = ["Particles", "Production", "Spectrum", "generate"]
