"""Quartz fibres in metal: every cell a square groove of air with one fibre, read at the back.

``FibreSteps`` hands each step of a charged particle in a fibre to ``light`` (threshold, angle,
charge). ``FibreLength`` is the fast C++ variant: track length above the Cherenkov threshold, all
directions alike. Poisson counts are drawn once per fibre, which is the same law as once per step.

Plates of absorber and active material, cut into the cells of the layers; all scoring in C++.

The exact stack is built as sections that end at layer borders, each of a core that is divided
into cells and four plain pieces around it, whose deposits are the overflow. No step crosses a
cell border, so the cell of its pre-step point is the cell of all its deposit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detector.matter import VACUUM
from caloforge.detectors.species import SPECIES
from caloforge.transport.geant4 import PROFILE_BINS, Image, SetDetector, Volumes
from caloforge.transport.geometry import (
    FibreStack,
    PlateStack,
    Section,
    layer_depths_mm,
    sections,
)
from caloforge.transport.light import Formula, LightYield, Table, mean_photons_per_mm, threshold_mev
from caloforge.transport.request import Setup

FAST_PARTICLES_MEV = {
    name: SPECIES[pdg].mass_mev
    for name, pdg in (
        ("e-", 11), ("e+", -11), ("mu-", 13), ("mu+", -13), ("pi-", -211), ("pi+", 211),
        ("kaon-", -321), ("kaon+", 321), ("proton", 2212), ("anti_proton", -2212),
    )
}  # fmt: skip
"""Particles whose light the length scoring counts, with their mass."""

NO_OVERFLOW = np.zeros(0, np.float32)


class Fibres:
    """World and cell numbers that both scorings share."""

    def __init__(
        self,
        g4: Any,
        setup: Setup,
        detector: Detector,
        geometry: FibreStack,
        keep: Callable[[Any], Any],
    ) -> None:
        self.g4, self.setup, self.geometry, self.keep = g4, setup, geometry, keep
        self.layer = detector.layers[0]
        self.depth_mm = float(self.layer.depth_mm or 0.0)

    def build(self) -> Any:
        """Block, columns, cells, grooves and fibres.  (the placed world)"""
        make, block = Volumes(self.g4, self.keep), self.geometry
        (nx, ny), (px, py), depth = self.layer.shape, self.layer.cell_mm, self.depth_mm
        logical, world = make.world(max(nx * px, ny * py), depth)
        metal = make.box("block", (nx * px, ny * py, depth), block.absorber)
        column = make.box("column", (px, ny * py, depth), block.absorber)
        cell = make.box("cell", (px, py, depth), block.absorber)
        groove = make.box("groove", (block.groove_mm, block.groove_mm, depth), block.groove)
        self.fibre = make.rod("fibre", block.fibre_diameter_mm, depth, block.fibre)
        make.place(metal, logical, (0.0, 0.0, depth / 2))
        make.repeat(column, metal, "x", nx, px)
        make.repeat(cell, column, "y", ny, py)
        make.place(groove, cell)
        make.place(self.fibre, groove)
        return world

    def actions(self) -> dict[str, Any]:
        """No user actions besides the engine's own."""
        return {}

    def counts(self, photons: NDArray[np.float64], rng: np.random.Generator) -> Image:
        """Poisson counts of the trapped photons of each fibre.  (K,)"""
        return rng.poisson(photons * self.setup.light_scale).astype(np.float32)


class FibreSteps(Fibres):
    """Light of every step by its velocity and direction."""

    def build(self) -> Any:
        """The placed world, and the detector that records steps."""
        self.light: LightYield = Formula()
        if self.setup.light_table:
            self.light = Table.read(Path(self.setup.light_table))
        self.steps: list[tuple[float, ...]] = []
        record = self._record_with_place if self.light.needs_impact else self._record
        self.recorder = self.keep(
            type("Fibres", (self.g4.G4VSensitiveDetector,), {"ProcessHits": record})("fibres")
        )
        return super().build()

    def attach(self, set_detector: SetDetector) -> None:
        """Watch the fibres."""
        self.g4.G4SDManager.GetSDMpointer().AddNewDetector(self.recorder)
        set_detector(self.fibre, self.recorder)

    @property
    def _record(self) -> Callable[[Any, Any, Any], bool]:
        ny, steps = self.layer.shape[1], self.steps

        def process(_: Any, step: Any, history: Any) -> bool:
            before = step.GetPreStepPoint()
            charge = before.GetCharge()
            if charge == 0:
                return False
            at = before.GetTouchable()
            cell = at.GetReplicaNumber(3) * ny + at.GetReplicaNumber(2)
            direction = before.GetMomentumDirection()
            length = step.GetStepLength() * charge * charge
            steps.append((cell, before.GetBeta(), direction.z, length, before.GetPosition().z))
            return True

        return process

    @property
    def _record_with_place(self) -> Callable[[Any, Any, Any], bool]:
        plain, steps = self._record, self.steps

        def process(detector: Any, step: Any, history: Any) -> bool:
            if not plain(detector, step, history):
                return False
            before = step.GetPreStepPoint()
            place, direction = before.GetPosition(), before.GetMomentumDirection()
            steps[-1] += (place.x, place.y, direction.x, direction.y)
            return True

        return process

    def collect(self, event: Any, rng: np.random.Generator) -> tuple[Image, Image, Image]:
        """Cells, no overflow, and trapped photons along the depth."""
        width = 9 if self.light.needs_impact else 5
        steps = np.array(self.steps, dtype=np.float64).reshape(-1, width)
        self.steps.clear()
        cell, beta, cosine, length, depth = steps.T[:5]
        photons = length * self.light(beta, cosine, self._impact(steps))
        cells = self.layer.cells
        bins = np.clip(depth / self.depth_mm * PROFILE_BINS, 0, PROFILE_BINS - 1).astype(np.int64)
        profile = np.bincount(bins, photons, PROFILE_BINS).astype(np.float32)
        image = np.bincount(cell.astype(np.int64), photons, cells).astype(np.float64)
        return self.counts(image, rng), NO_OVERFLOW, profile if self.setup.profile else NO_OVERFLOW

    def _impact(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of the line of each step to the fibre axis over the radius.  (S,)"""
        if not self.light.needs_impact:
            return np.zeros(len(steps))
        column, row = np.divmod(steps[:, 0].astype(np.int64), self.layer.shape[1])
        x = steps[:, 5] - self.layer.centres_mm(0)[column]
        y = steps[:, 6] - self.layer.centres_mm(1)[row]
        across = np.maximum(np.hypot(steps[:, 7], steps[:, 8]), 1e-12)
        distance = np.abs(x * steps[:, 8] - y * steps[:, 7]) / across
        return distance / (self.geometry.fibre_diameter_mm / 2)


class FibreLength(Fibres):
    """Track length of fast particles in C++, times one mean yield per mm."""

    def attach(self, set_detector: SetDetector) -> None:
        """One length scorer per mass, each with its threshold as a C++ filter."""
        g4, (nx, ny) = self.g4, self.layer.shape
        fibres = self.keep(g4.G4MultiFunctionalDetector("fibres"))
        g4.G4SDManager.GetSDMpointer().AddNewDetector(fibres)
        masses = sorted(set(FAST_PARTICLES_MEV.values()))
        for number, mass in enumerate(masses):
            scorer = self.keep(g4.G4PSTrackLength3D(f"length{number}", nx, ny, 1, 3, 2, 0))
            above = threshold_mev(mass) * g4.MeV
            fast = self.keep(g4.G4SDParticleWithEnergyFilter(f"fast{number}", above, 1e12))
            for name, its_mass in FAST_PARTICLES_MEV.items():
                if its_mass == mass:
                    fast.add(name)
            scorer.SetFilter(fast)
            fibres.RegisterPrimitive(scorer)
        self.names = [f"fibres/length{number}" for number in range(len(masses))]
        set_detector(self.fibre, fibres)

    def collect(self, event: Any, rng: np.random.Generator) -> tuple[Image, Image, Image]:
        """Cells; there is neither overflow nor a depth profile."""
        manager = self.g4.G4SDManager.GetSDMpointer()
        length_mm = np.zeros(self.layer.cells)
        for name in self.names:
            for cell, length in event.GetHCofThisEvent().GetHC(manager.GetCollectionID(name)):
                length_mm[cell] += length
        return self.counts(length_mm * mean_photons_per_mm(), rng), NO_OVERFLOW, NO_OVERFLOW


class FirstInteraction(Fibres):
    """The depth in mm at which the primary ends, as a profile of one number; cells stay empty."""

    def attach(self, set_detector: SetDetector) -> None:
        """Nothing is sensitive."""

    def actions(self) -> dict[str, Any]:
        """Drop secondaries, note where the primary ends."""

        def keep_the_primary(_: Any, track: Any) -> Any:
            classes = self.g4.G4ClassificationOfNewTrack
            return classes.fUrgent if track.GetParentID() == 0 else classes.fKill

        def note_the_end(_: Any, track: Any) -> None:
            self.end_mm = float(track.GetPosition().z)

        return {
            "G4UserStackingAction": {"ClassifyNewTrack": keep_the_primary},
            "G4UserTrackingAction": {"PostUserTrackingAction": note_the_end},
        }

    def collect(self, event: Any, rng: np.random.Generator) -> tuple[Image, Image, Image]:
        """Empty cells, and the depth."""
        depth = np.array([self.end_mm], np.float32)
        return np.zeros(self.layer.cells, np.float32), NO_OVERFLOW, depth


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
        for number, section in enumerate(sections(geometry, layer_depths_mm(self.detector))):
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
