"""What the Zero Degree Calorimeters of ALICE share: conditions, features, the names of towers.

Geometry: AliceO2 ``Detectors/ZDC/base/include/ZDCBase/Geometry.h``. A pixel is [x][y] and counts
what O2 calls nphe ("photons" in the papers).

What is known of a detector beside its description, all of it optional.

The description (``Detector``) goes into every file; these facts stay in the package. A module of a
detector holds both, and ``caloforge.detectors`` has one row for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from caloforge.detector import Condition, Detector, Layer
from caloforge.detector.features import (
    Dispersion,
    Feature,
    Grooves,
    groove_features,
    impact_features,
)
from caloforge.detector.matter import Geometry
from caloforge.detectors.spectra import Law

TOWERS = ("tower1", "tower2", "tower3", "tower4", "common")

CONDITIONS = (
    Condition(name="Energy", unit="GeV", meaning="total energy"),
    Condition(name="Vx", unit="cm", meaning="vertex", vector="V", axis="x"),
    Condition(name="Vy", unit="cm", meaning="vertex", vector="V", axis="y"),
    Condition(name="Vz", unit="cm", meaning="vertex", vector="V"),
    Condition(name="Px", unit="GeV/c", meaning="momentum", vector="P", axis="x"),
    Condition(name="Py", unit="GeV/c", meaning="momentum", vector="P", axis="y"),
    Condition(name="Pz", unit="GeV/c", meaning="momentum", vector="P"),
    Condition(name="mass", unit="MeV", meaning="mass"),
    Condition(name="charge", unit="e", meaning="electric charge"),
)
"""Order and units of the nine conditions, on which all public codes agree."""


def grooves_of(layer: Layer, groove_mm: float) -> Grooves:
    """The grooves of the fibres of a layer, one in each of its cells."""
    depth_mm = layer.depth_mm or 0.0
    return Grooves(width_cm=groove_mm / 10, pitch_cm=layer.cell_mm[0] / 10, depth_cm=depth_mm / 10)


def features(
    half_width_cm: float,
    grooves: Grooves,
    distance_cm: float,
    dispersion: Dispersion | None = None,
    within_cm: float | None = None,
) -> tuple[Feature, ...]:
    """Features of a particle that flies to a ZDC of that half width and fibre pitch.

    The impact point is vertex + 112.6 m x slope, which standardised momenta hide at low energy.
    Vertex and slope by themselves are left out: they identify particles without deciding how
    they shower, hence only help to memorise the training particles. The wave of one pitch is the
    place within a cell; the features of the groove are how far a particle flies in its air, and
    whether from end to end, in which case it leaves no light (docs/decisions/networks.md).
    With a dispersion, waves along x are those of where the bent flight ends; the end of the
    straight one stays as a number, for files of another transport line.
    """
    wavelengths_cm = (*(half_width_cm * times for times in (8, 4, 2, 1)), grooves.pitch_cm)
    straight_waves = () if dispersion else wavelengths_cm
    bent = ("Vx", "Px", "Pz", "charge")
    return (
        Feature(name="log_energy", kind="log", of=("Energy",)),
        *impact_features(("Vx", "Px", "Pz"), distance_cm, straight_waves, within_cm=within_cm),
        *(
            impact_features(
                bent, distance_cm, wavelengths_cm, dispersion=dispersion, within_cm=within_cm
            )
            if dispersion
            else ()
        ),
        *impact_features(("Vy", "Py", "Pz"), distance_cm, wavelengths_cm, within_cm=within_cm),
        *groove_features(grooves, distance_cm, dispersion, within_cm),
        Feature(name="mass", kind="value", of=("mass",)),
        Feature(name="charge", kind="value", of=("charge",)),
    )


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
