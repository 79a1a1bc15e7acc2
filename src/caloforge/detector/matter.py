"""What a calorimeter is made of, as data from which any engine can build.

The numbers of cells and their pitch are the Detector's; here stands what it does not know:
materials, fibres, grooves, plates. Fractions are by weight, densities in g/cm3, lengths in mm. An
element is named as NIST names it in Geant4 (``G4_W``), which fixes its isotopes and mean excitation
energy.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from caloforge.detector.features import Description

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A length or a density."""


class Material(Description):
    """Weight fractions of elements at a density; an empty mixture is a NIST material by name."""

    name: str
    density_g_cm3: Positive
    fractions: tuple[tuple[str, float], ...] = ()
    elements: tuple[int, ...]
    """Atomic numbers: the data tables that the engine will open."""
    source: str


TUNGSTEN_ALLOY = Material(
    name="zn_tungsten_alloy",
    density_g_cm3=17.6,
    fractions=(("G4_W", 0.93), ("G4_Fe", 0.03), ("G4_Ni", 0.04)),
    elements=(26, 28, 74),
    source="AliceO2 Detectors/ZDC/simulation Detector.cxx: W/Fe/Ni 93/3/4",
)
TUNGSTEN = Material(
    name="G4_W", density_g_cm3=19.3, elements=(74,), source="NIST; reference block of PDG"
)
BRASS = Material(
    name="zp_brass",
    density_g_cm3=8.48,
    fractions=(("G4_Cu", 0.63), ("G4_Zn", 0.37)),
    elements=(29, 30),
    source="AliceO2 Detectors/ZDC/simulation Detector.cxx: Cu63/Zn37",
)
QUARTZ = Material(
    name="G4_SILICON_DIOXIDE", density_g_cm3=2.32, elements=(8, 14), source="NIST silica"
)
AIR = Material(name="G4_AIR", density_g_cm3=1.20479e-3, elements=(6, 7, 8, 18), source="NIST")
LEAD = Material(name="G4_Pb", density_g_cm3=11.35, elements=(82,), source="NIST")
LIQUID_ARGON = Material(name="G4_lAr", density_g_cm3=1.396, elements=(18,), source="NIST")
VACUUM = Material(
    name="G4_Galactic", density_g_cm3=1e-25, elements=(1,), source="Geant4: thin hydrogen"
)


class FibreStack(Description):
    """A metal block with one quartz fibre, in a square groove of air, in each cell."""

    kind: Literal["fibres"] = "fibres"
    absorber: Material
    groove: Material = AIR
    fibre: Material = QUARTZ
    groove_mm: Positive
    fibre_diameter_mm: Positive
    cut_mm: Positive = 0.05
    """Range cut of secondaries. In tungsten 0.05 mm is about the Cherenkov threshold of quartz
    (190 keV electrons), where light stops growing; 1 mm loses a quarter (docs/transport.md)."""
    physics: Literal["hadronic", "em"] = "hadronic"
    source: str

    @property
    def materials(self) -> tuple[Material, ...]:
        """All materials, the surrounding vacuum included."""
        return (self.absorber, self.groove, self.fibre, VACUUM)


class PlateStack(Description):
    """Units of an absorber and an active plate; cells sum the deposits in both."""

    kind: Literal["plates"] = "plates"
    absorber: Material
    active: Material
    absorber_mm: Positive
    active_mm: Positive
    units: Annotated[int, Field(ge=1, le=100_000)]
    width_mm: Positive
    """The plates are wider than the cells; what falls outside them is the overflow."""
    cut_mm: Positive = 0.7
    physics: Literal["hadronic", "em"] = "em"
    source: str

    @property
    def materials(self) -> tuple[Material, ...]:
        """All materials, the surrounding vacuum included."""
        return (self.absorber, self.active, VACUUM)

    @property
    def unit_mm(self) -> float:
        """Thickness of one unit."""
        return self.absorber_mm + self.active_mm

    @property
    def depth_mm(self) -> float:
        """Thickness of the whole stack."""
        return self.units * self.unit_mm


Geometry = FibreStack | PlateStack
"""The matter of a detector."""
