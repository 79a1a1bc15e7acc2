"""The detectors that ship, one module each, and the table of their names."""

from collections.abc import Iterator
from types import ModuleType

from caloforge.detector import Detector
from caloforge.detectors import alice_zn, alice_zp, atlas_em, points
from caloforge.detectors.alice_zn import ALICE_ZN
from caloforge.detectors.alice_zp import ALICE_ZP
from caloforge.detectors.atlas_em import ATLAS_EM, ATLAS_EM_POLAR
from caloforge.detectors.facts import DetectorFacts
from caloforge.detectors.points import POINTS
from caloforge.errors import UsageError
from caloforge.extensions import Registry

SHIPPED = {
    facts.detector.name: facts
    for facts in (
        alice_zn.FACTS,
        alice_zp.FACTS,
        atlas_em.FACTS,
        atlas_em.POLAR_FACTS,
        points.FACTS,
    )
}
"""A new detector is one module and one row here."""


def facts_in(module: ModuleType) -> Iterator[tuple[str, DetectorFacts]]:
    """Detectors that stand in a module, with what is known of them; not those that ship."""
    members = list(vars(module).values())
    pieces = [DetectorFacts(one) for one in members if isinstance(one, Detector)]
    pieces += [one for one in members if isinstance(one, DetectorFacts)]
    for name, facts in {facts.detector.name: facts for facts in pieces}.items():
        if name not in SHIPPED or SHIPPED[name].detector != facts.detector:
            yield name, facts


def detectors_in(module: ModuleType) -> Iterator[tuple[str, Detector]]:
    """Detectors that stand in a module."""
    for name, facts in facts_in(module):
        yield name, facts.detector


RULE = "a detector is a Detector, or DetectorFacts, that stands in the module under any name"
FACTS: Registry[DetectorFacts] = Registry("detector", "detectors", dict(SHIPPED), facts_in, RULE)
"""All that is known of the detectors, by name."""
DETECTORS: Registry[Detector] = Registry(
    "detector", "detectors", {n: facts.detector for n, facts in SHIPPED.items()}, detectors_in, RULE
)


def detector_of_name(name: str) -> Detector:
    """The detector of that name.

    Raises:
        UsageError: for an unknown name, with those that exist.

    Example:
        >>> detector_of_name("alice_zn").schemes
        ('paper-zn', 'paper-zp', 'o2')
    """
    return DETECTORS.require(name)


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
