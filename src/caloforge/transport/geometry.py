"""The matter behind a detector, and how a stack of plates is cut at the borders of its layers."""

from __future__ import annotations

from pydantic import TypeAdapter

from caloforge.detector import Detector
from caloforge.detector.features import Description
from caloforge.detector.matter import FibreStack as FibreStack
from caloforge.detector.matter import Geometry as Geometry
from caloforge.detector.matter import PlateStack as PlateStack
from caloforge.detectors import DETECTORS, facts_of
from caloforge.errors import DataError, UsageError

GEOMETRY: TypeAdapter[Geometry] = TypeAdapter(Geometry)
"""Reads a geometry from JSON."""
SMALLEST_MM = 1e-9
"""Thinner plates are rounding errors."""


def geometry_of(detector: Detector) -> Geometry:
    """The matter of a detector; raises UsageError where none is described."""
    matter = facts_of(detector).matter
    if matter is None:
        names = sorted(name for name, other in DETECTORS.items() if facts_of(other).matter)
        raise UsageError(f"no geometry for {detector.name}; transport knows {', '.join(names)}")
    return matter


def require_depth(geometry: Geometry, detector: Detector) -> None:
    """DataError for plates that end before the layers of the detector do."""
    needed_mm = sum(layer_depths_mm(detector))
    if isinstance(geometry, PlateStack) and geometry.depth_mm < needed_mm - SMALLEST_MM:
        raise DataError(
            f"the geometry: {geometry.units} units of {geometry.unit_mm:g} mm are "
            f"{geometry.depth_mm:g} mm deep, the layers of {detector.name} {needed_mm:g} mm; "
            "give more units"
        )


def layer_depths_mm(detector: Detector) -> tuple[float, ...]:
    """Thickness of each layer."""
    return tuple(float(layer.depth_mm or 0.0) for layer in detector.layers)


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
    parts: list[Section] = []
    unit, rest_mm = 0, geometry.unit_mm
    for layer, depth in enumerate(depths_mm):
        while depth > SMALLEST_MM:
            whole = int(depth / geometry.unit_mm + 1e-9) if rest_mm == geometry.unit_mm else 0
            if whole:
                parts.append(_section(geometry, layer, unit, whole, 0.0, geometry.unit_mm))
                unit, depth = unit + whole, depth - whole * geometry.unit_mm
                continue
            start, depth_mm = geometry.unit_mm - rest_mm, min(rest_mm, depth)
            parts.append(_section(geometry, layer, unit, 1, start, start + depth_mm))
            rest_mm, depth = rest_mm - depth_mm, depth - depth_mm
            if rest_mm < SMALLEST_MM:
                unit, rest_mm = unit + 1, geometry.unit_mm
    return parts


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
