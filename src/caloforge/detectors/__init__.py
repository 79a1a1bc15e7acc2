"""The detectors that ship, one constant a file, and the table of their names."""

from caloforge.detector import Detector
from caloforge.detectors.alice_zn import ALICE_ZN
from caloforge.detectors.alice_zp import ALICE_ZP
from caloforge.detectors.atlas_em import ATLAS_EM
from caloforge.detectors.atlas_em_polar import ATLAS_EM_POLAR
from caloforge.detectors.points import POINTS
from caloforge.errors import UsageError

DETECTORS: dict[str, Detector] = {
    detector.name: detector for detector in (ALICE_ZN, ALICE_ZP, ATLAS_EM, ATLAS_EM_POLAR, POINTS)
}


def detector_of_name(name: str) -> Detector:
    """The detector of that name; raises UsageError with the names that exist."""
    if name not in DETECTORS:
        raise UsageError(f"no detector {name}; there are {', '.join(sorted(DETECTORS))}")
    return DETECTORS[name]


__all__ = [
    "ALICE_ZN",
    "ALICE_ZP",
    "ATLAS_EM",
    "ATLAS_EM_POLAR",
    "DETECTORS",
    "POINTS",
    "detector_of_name",
]
