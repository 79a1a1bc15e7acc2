"""Geometry as data: the matter behind each Detector, from which any engine can build.

The numbers of cells and their pitch come from the Detector; here stands only what it does not
know: materials, fibres, grooves, plates. Lengths in mm, z = 0 at the front face.
"""

from __future__ import annotations

from typing import Literal

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.features import Description
from caloforge.transport.materials import (
    AIR,
    BRASS,
    LEAD,
    LIQUID_ARGON,
    QUARTZ,
    TUNGSTEN_ALLOY,
    VACUUM,
    Material,
)


class FibreStack(Description):
    """A metal block with one quartz fibre, in a square groove of air, in each cell."""

    kind: Literal["fibres"] = "fibres"
    absorber: Material
    groove: Material = AIR
    fibre: Material = QUARTZ
    groove_mm: float
    fibre_diameter_mm: float
    cut_mm: float = 0.05
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
    absorber_mm: float
    active_mm: float
    units: int
    width_mm: float
    """The plates are wider than the cells; what falls outside them is the overflow."""
    cut_mm: float = 0.7
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

GEOMETRIES: dict[str, Geometry] = {
    "alice_zn": FibreStack(
        absorber=TUNGSTEN_ALLOY,
        groove_mm=0.6,
        fibre_diameter_mm=0.365,
        source="AliceO2 ZDCBase/Geometry.h; card of shared/data",
    ),
    "alice_zp": FibreStack(
        absorber=BRASS,
        groove_mm=0.8,
        fibre_diameter_mm=0.55,
        source="AliceO2 ZDCBase/Geometry.h; card of shared/data",
    ),
    "atlas_em": PlateStack(
        absorber=LEAD,
        active=LIQUID_ARGON,
        absorber_mm=2.0,
        active_mm=4.0,
        units=80,
        width_mm=1000.0,
        source="hep-lbdl/CaloGAN generation/src/DetectorConstruction.cc",
    ),
}
"""What a detector is made of; change a record to study another calorimeter."""


def geometry_of(detector: Detector) -> Geometry:
    """The matter of a detector; raises UsageError where none is described."""
    if detector.name not in GEOMETRIES:
        raise UsageError(
            f"no geometry for {detector.name}; transport knows {', '.join(sorted(GEOMETRIES))}"
        )
    return GEOMETRIES[detector.name]


class Section(Description):
    """Plates of one repeated section between two depths, all in one layer of cells."""

    layer: int
    first_unit: int
    units: int
    absorber_mm: float
    active_mm: float

    @property
    def depth_mm(self) -> float:
        """Thickness of the section."""
        return self.units * (self.absorber_mm + self.active_mm)


def sections(geometry: PlateStack, depths_mm: tuple[float, ...]) -> list[Section]:
    """The exact stack cut at the layer borders; a border inside a plate splits that one unit.

    Each section ends at a layer border or where whole units end, so that the depth of a pre-step
    point always tells its layer. The argon plate of the unit around z = +197 mm becomes 3 + 1 mm.
    """
    found: list[Section] = []
    unit, left = 0, geometry.unit_mm
    for layer, depth in enumerate(depths_mm):
        while depth > 1e-9:
            whole = int(depth / geometry.unit_mm + 1e-9) if left == geometry.unit_mm else 0
            if whole:
                found.append(_section(geometry, layer, unit, whole, 0.0, geometry.unit_mm))
                unit, depth = unit + whole, depth - whole * geometry.unit_mm
                continue
            start, taken = geometry.unit_mm - left, min(left, depth)
            found.append(_section(geometry, layer, unit, 1, start, start + taken))
            left, depth = left - taken, depth - taken
            if left < 1e-9:
                unit, left = unit + 1, geometry.unit_mm
    return found


def _section(
    geometry: PlateStack, layer: int, unit: int, units: int, start_mm: float, stop_mm: float
) -> Section:
    """A section of units, or the part of one between two depths inside it."""
    lead = max(0.0, min(stop_mm, geometry.absorber_mm) - start_mm)
    return Section(
        layer=layer,
        first_unit=unit,
        units=units,
        absorber_mm=lead,
        active_mm=stop_mm - start_mm - lead,
    )
