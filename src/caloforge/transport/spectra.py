"""Particles of the named spectra that a detector has."""

from __future__ import annotations

import numpy as np

from caloforge.detector import Detector
from caloforge.detectors import facts_of
from caloforge.detectors.spectra import Law
from caloforge.errors import UsageError
from caloforge.transport.particles import Particles


def draw(name: str, detector: Detector, count: int, seed: int) -> Particles:
    """Particles of a named spectrum; UsageError with the names that the detector has."""
    law = law_of_name(name, detector)
    rng = np.random.default_rng([seed, *name.encode()])
    pdg, conditions = law(rng, detector, count)
    return Particles(pdg, conditions, np.arange(count), f"spectrum {name}, seed {seed}")


def law_of_name(name: str, detector: Detector) -> Law:
    """How a named spectrum is drawn; UsageError with the names that the detector has."""
    spectra = facts_of(detector).spectra
    if name not in spectra:
        names = ", ".join(sorted(spectra)) or "none"
        raise UsageError(f"{detector.name} has no spectrum {name}; it has {names}")
    return spectra[name]


__all__ = ["draw", "law_of_name"]
