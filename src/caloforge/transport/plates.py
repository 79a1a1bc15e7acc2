"""Plates of absorber and active material, cut into the cells of the layers; all scoring in C++.

The exact stack is built as sections that end at layer borders, each of a core that is divided
into cells and four plain pieces around it, whose deposits are the overflow. No step crosses a
cell border, so the cell of its pre-step point is the cell of all its deposit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from caloforge.detector import Detector
from caloforge.detector.matter import VACUUM
from caloforge.transport.geant4 import Image, SetDetector, Volumes
from caloforge.transport.geometry import PlateStack, Section, sections
from caloforge.transport.request import Setup

NOTHING = np.zeros(0, np.float32)


class Scored(NamedTuple):
    """A sensitive plate: its volume, its section, and whether it is inside the cells."""

    volume: Any
    section: Section
    name: str
    inside: bool
    active: bool


class Plates:
    """The stack, its cells, and the overflow beside them."""

    def __init__(
        self,
        g4: Any,
        setup: Setup,
        detector: Detector,
        geometry: PlateStack,
        keep: Callable[[Any], Any],
    ) -> None:
        self.g4, self.setup, self.detector, self.geometry = g4, setup, detector, geometry
        self.keep, self.scored = keep, list[Scored]()
        self.make = Volumes(g4, keep)

    def build(self) -> Any:
        """Sections one behind the other.  (the placed world)"""
        geometry, depth = self.geometry, 0.0
        logical, world = self.make.world(geometry.width_mm, geometry.depth_mm)
        depths = tuple(float(layer.depth_mm or 0.0) for layer in self.detector.layers)
        for number, section in enumerate(sections(geometry, depths)):
            middle = depth + section.depth_mm / 2
            for name, volume, x, y in self._pieces(f"s{number}", section):
                self.make.place(volume, logical, (x, y, middle))
                if name:
                    self._fill(name, volume, section)
            depth += section.depth_mm
        return world

    def _pieces(self, name: str, section: Section) -> Iterator[tuple[str, Any, float, float]]:
        """The core (left to ``_cells``) and the four pieces of the frame around it."""
        layer = self.detector.layers[section.layer]
        core_x, core_y = (n * mm for n, mm in zip(layer.shape, layer.cell_mm, strict=True))
        wide, deep = self.geometry.width_mm, section.depth_mm
        side_x, side_y = (wide - core_x) / 2, (wide - core_y) / 2
        yield "", self._cells(name, section), 0.0, 0.0
        for sign, end in ((-1, "low"), (1, "high")):
            box = self.make.box(f"{name}x{end}", (side_x, wide, deep), VACUUM)
            yield f"{name}x{end}", box, sign * (core_x + side_x) / 2, 0.0
            box = self.make.box(f"{name}y{end}", (core_x, side_y, deep), VACUUM)
            yield f"{name}y{end}", box, 0.0, sign * (core_y + side_y) / 2

    def _cells(self, name: str, section: Section) -> Any:
        """The core of a section: columns of cells, each filled with plates."""
        layer, deep = self.detector.layers[section.layer], section.depth_mm
        (nx, ny), (dx, dy) = layer.shape, layer.cell_mm
        core = self.make.box(f"{name}core", (nx * dx, ny * dy, deep), VACUUM)
        column = self.make.box(f"{name}column", (dx, ny * dy, deep), VACUUM)
        cell = self.make.box(f"{name}cell", (dx, dy, deep), VACUUM)
        self.make.repeat(column, core, "x", nx, dx)
        self.make.repeat(cell, column, "y", ny, dy)
        self._fill(f"{name}cell", cell, section, inside=True)
        return core

    def _fill(self, name: str, mother: Any, section: Section, *, inside: bool = False) -> None:
        """Fill a volume with units of absorber and active plates."""
        solid = mother.GetSolid()
        x, y = 2 * solid.GetXHalfLength(), 2 * solid.GetYHalfLength()
        deep = section.absorber_mm + section.active_mm
        unit = self.make.box(f"{name}unit", (x, y, deep), VACUUM)
        self.make.repeat(unit, mother, "z", section.units, deep)
        start = -deep / 2
        for thick, material, active in (
            (section.absorber_mm, self.geometry.absorber, False),
            (section.active_mm, self.geometry.active, True),
        ):
            if thick > 0:
                plate = self.make.box(
                    f"{name}{'active' if active else 'absorber'}", (x, y, thick), material
                )
                self.make.place(plate, unit, (0.0, 0.0, start + thick / 2))
                self.scored.append(Scored(plate, section, plate.GetName(), inside, active))
                start += thick

    def actions(self) -> dict[str, Any]:
        """No user actions besides the engine's own."""
        return {}

    def attach(self, set_detector: SetDetector) -> None:
        """A deposit scorer on every plate, numbered by cell and unit."""
        manager = self.g4.G4SDManager.GetSDMpointer()
        for plate in self.scored:
            detector = self.keep(self.g4.G4MultiFunctionalDetector(f"D{plate.name}"))
            manager.AddNewDetector(detector)
            detector.RegisterPrimitive(self.keep(self._scorer(plate)))
            set_detector(plate.volume, detector)

    def _scorer(self, plate: Scored) -> Any:
        """Deposits by (column, cell, unit) inside the cells, by unit beside them."""
        if not plate.inside:
            return self.g4.G4PSEnergyDeposit("E", 1)
        nx, ny = self.detector.layers[plate.section.layer].shape
        return self.g4.G4PSEnergyDeposit3D("E", nx, ny, plate.section.units, 3, 2, 1)

    def collect(self, event: Any, rng: np.random.Generator) -> tuple[Image, Image, Image]:
        """Cells and overflow in GeV; deposits per unit in absorber and active plates."""
        manager, hits = self.g4.G4SDManager.GetSDMpointer(), event.GetHCofThisEvent()
        cells = np.zeros(self.detector.cells)
        overflow = np.zeros(len(self.detector.layers))
        profile = np.zeros((2, self.geometry.units))
        starts = self.detector.offsets()
        for plate in self.scored:
            section = plate.section
            collection = hits.GetHC(manager.GetCollectionID(f"D{plate.name}/E"))
            deposits = np.fromiter((x for pair in collection for x in pair), np.float64).reshape(
                -1, 2
            )
            cell, unit = np.divmod(deposits[:, 0].astype(np.int64), section.units)
            gev = deposits[:, 1] / self.g4.GeV
            np.add.at(profile[int(plate.active)], unit + section.first_unit, gev)
            if plate.inside:
                np.add.at(cells, starts[section.layer] + cell, gev)
            else:
                overflow[section.layer] += gev.sum()
        along = profile.astype(np.float32).ravel() if self.setup.profile else NOTHING
        return cells.astype(np.float32), overflow.astype(np.float32), along
