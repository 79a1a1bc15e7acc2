"""The detectors that ship, one module each, and the table of their names."""

from caloforge.detector import Detector
from caloforge.detectors import alice_zn, alice_zp, atlas_em, points
from caloforge.detectors.alice_zn import ALICE_ZN
from caloforge.detectors.alice_zp import ALICE_ZP
from caloforge.detectors.atlas_em import ATLAS_EM, ATLAS_EM_POLAR
from caloforge.detectors.facts import DetectorFacts
from caloforge.detectors.points import POINTS
from caloforge.errors import UsageError

FACTS: dict[str, DetectorFacts] = {
    facts.detector.name: facts
    for facts in (
        alice_zn.FACTS,
        alice_zp.FACTS,
        atlas_em.FACTS,
        atlas_em.POLAR_FACTS,
        points.FACTS,
    )
}
"""All that is known of the detectors, by name: a new detector is one module and one row here."""
DETECTORS: dict[str, Detector] = {name: facts.detector for name, facts in FACTS.items()}


def detector_of_name(name: str) -> Detector:
    """The detector of that name.

    Raises:
        UsageError: for an unknown name, with those that exist.

    Example:
        >>> detector_of_name("alice_zn").schemes
        ('paper-zn', 'paper-zp', 'o2')
    """
    if name not in DETECTORS:
        raise UsageError(f"no detector {name}; there are {', '.join(sorted(DETECTORS))}")
    return DETECTORS[name]


def facts_of(detector: Detector) -> DetectorFacts:
    """What is known of a detector; of one that was not registered, its description alone."""
    return FACTS.get(detector.name, DetectorFacts(detector))


def register(facts: DetectorFacts) -> None:
    """Let a detector of another package be known by its name.

    Raises UsageError when the name is that of a different detector.
    """
    earlier = FACTS.get(facts.detector.name)
    if earlier is not None and earlier.detector != facts.detector:
        raise UsageError(f"there is a detector {facts.detector.name} already; take another name")
    FACTS[facts.detector.name] = facts
    DETECTORS[facts.detector.name] = facts.detector


__all__ = [
    "ALICE_ZN",
    "ALICE_ZP",
    "ATLAS_EM",
    "ATLAS_EM_POLAR",
    "DETECTORS",
    "FACTS",
    "POINTS",
    "DetectorFacts",
    "detector_of_name",
    "facts_of",
    "register",
]
