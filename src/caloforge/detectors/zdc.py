"""What the Zero Degree Calorimeters of ALICE share: conditions, features, the names of towers.

Geometry: AliceO2 ``Detectors/ZDC/base/include/ZDCBase/Geometry.h``. A pixel is [x][y] and counts
what O2 calls nphe ("photons" in the papers).
"""

from __future__ import annotations

from caloforge.detector import Condition, Layer
from caloforge.detector.features import (
    Dispersion,
    Feature,
    Grooves,
    groove_features,
    impact_features,
)

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
