"""What is known of a detector beside its description, all of it optional.

The description (``Detector``) goes into every file; these facts stay in the package. A module of a
detector holds both, and ``caloforge.detectors`` has one row for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from caloforge.detector import Detector
from caloforge.detector.matter import Geometry
from caloforge.detectors.spectra import Law


@dataclass(frozen=True)
class AliceNames:
    """What the programs and files of ALICE call a calorimeter."""

    o2_parameter: str
    """Ending of the keys of ``ZDCSimParam``: ``ZDCFastSimModelPathNeutron``."""
    o2_towers: Literal["quadrants", "strips"]
    """How O2 sums the fibres that are not common."""
    o2_image: Literal["first", "second"]
    """Which image of the inner pair of ``ZDCResponseImage`` is its own."""
    sum_columns: tuple[str, ...] = ()
    """Columns of the authors' tables that hold the sum of the image beside them."""


@dataclass(frozen=True)
class DetectorFacts:
    """A detector and all that is known of it."""

    detector: Detector
    samples: Mapping[str, str] = field(default_factory=dict)
    """Shipped showers by name; the empty name is meant where nothing else is said."""
    spectra: Mapping[str, Law] = field(default_factory=dict)
    """Particles to start from, by name."""
    matter: Geometry | None = None
    """What it is made of, for transport."""
    spectator: int | None = None
    """PDG number of the nucleons that fly into it at beam energy."""
    alice: AliceNames | None = None
