"""Named spectra of particles that a detector has."""

from __future__ import annotations

from caloforge.detector import Detector
from caloforge.detectors import facts_of
from caloforge.detectors.spectra import Law
from caloforge.errors import UsageError


def law_of_name(name: str, detector: Detector) -> Law:
    """How a named spectrum is drawn; UsageError with the names that the detector has."""
    spectra = facts_of(detector).spectra
    if name not in spectra:
        names = ", ".join(sorted(spectra)) or "none"
        raise UsageError(f"{detector.name} has no spectrum {name}; it has {names}")
    return spectra[name]
