"""Geant4 in this process: world, physics list, gun and read-out, built from the descriptions.

Geant4 allows one run manager a process and may end the process, so only ``worker`` calls this.
Its user classes are made from plain functions by ``_adapter``; everything handed to Geant4 is kept
alive in a list, because the bindings do not own it. Traps of geant4-pybind 0.1.3 that shape this
code: overriding SetCuts crashes now and then, so the cut goes through
``/run/setCut``; a filter on a Python sensitive detector always crashes, so none is set there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detector.matter import VACUUM, Material
from caloforge.errors import UsageError
from caloforge.transport.geometry import FibreStack, Geometry
from caloforge.transport.request import Setup, Shot, Shower

Image = NDArray[np.float32]
SetDetector = Callable[[Any, Any], None]

PROFILE_BINS = 100


class Readout(Protocol):
    """Geometry and scoring of one calorimeter."""

    def build(self) -> Any:
        """The placed world volume."""
        ...

    def attach(self, set_detector: SetDetector) -> None:
        """Make volumes sensitive."""
        ...

    def actions(self) -> dict[str, Any]:
        """User action classes of Geant4 and their methods, besides the engine's own."""
        ...

    def collect(self, event: Any, rng: np.random.Generator) -> tuple[Image, Image, Image]:
        """Cells (K,), overflow (L,) and depth profile of a finished event."""
        ...


def readout_of(
    g4: Any, setup: Setup, detector: Detector, geometry: Geometry, keep: Callable[[Any], Any]
) -> Readout:
    """The read-out that ``setup.scoring`` names; ``prepare`` has checked the name."""
    from caloforge.transport.fibres import FibreLength, FibreSteps, FirstInteraction, Plates

    readouts: dict[tuple[str, str], Any] = {
        ("fibres", "light"): FibreSteps,
        ("fibres", "length"): FibreLength,
        ("fibres", "interaction"): FirstInteraction,
        ("plates", "deposit"): Plates,
    }
    return readouts[geometry.kind, setup.scoring](g4, setup, detector, geometry, keep)


Keep = Callable[[Any], Any]
Size = tuple[float, float, float]


class Volumes:
    """Makes logical volumes and puts them into each other, holding a reference to all."""

    def __init__(self, g4: Any, keep: Keep) -> None:
        self.g4, self.keep = g4, keep
        self.materials: dict[str, Any] = {}

    def material(self, material: Material) -> Any:
        """The Geant4 material, built once."""
        if material.name not in self.materials:
            self.materials[material.name] = self.keep(self._built(material))
        return self.materials[material.name]

    def _built(self, material: Material) -> Any:
        nist = self.g4.G4NistManager.Instance()
        if not material.fractions:
            return nist.FindOrBuildMaterial(material.name)
        density = material.density_g_cm3 * self.g4.g / self.g4.cm3
        mixture = self.g4.G4Material(material.name, density, len(material.fractions))
        for element, fraction in material.fractions:
            mixture.AddMaterial(nist.FindOrBuildMaterial(element), fraction)
        return mixture

    def box(self, name: str, size: Size, material: Material) -> Any:
        """A logical box of full lengths ``size``."""
        solid = self.keep(self.g4.G4Box(name, *(length / 2 for length in size)))
        return self.keep(self.g4.G4LogicalVolume(solid, self.material(material), name))

    def rod(self, name: str, diameter: float, length: float, material: Material) -> Any:
        """A logical cylinder along z."""
        solid = self.keep(self.g4.G4Tubs(name, 0, diameter / 2, length / 2, 0, 2 * math.pi))
        return self.keep(self.g4.G4LogicalVolume(solid, self.material(material), name))

    def place(self, volume: Any, mother: Any | None, centre: Size = (0.0, 0.0, 0.0)) -> Any:
        """A volume in its mother."""
        name = volume.GetName()
        where = self.g4.G4ThreeVector(*centre)
        return self.keep(self.g4.G4PVPlacement(None, where, volume, name, mother, False, 0))

    def repeat(self, volume: Any, mother: Any, axis: str, number: int, width: float) -> None:
        """Fill the mother with copies along an axis; one copy is a plain placement."""
        if number == 1:
            self.place(volume, mother)
            return
        along = {"x": self.g4.kXAxis, "y": self.g4.kYAxis, "z": self.g4.kZAxis}[axis]
        self.keep(self.g4.G4PVReplica(volume.GetName(), volume, mother, along, number, width))

    def world(self, width: float, depth: float) -> tuple[Any, Any]:
        """An empty world around a calorimeter whose front face is at z = 0: (logical, placed)."""
        logical = self.box("world", (2 * width, 2 * width, 2 * depth + 200), VACUUM)
        return logical, self.place(logical, None)


COMMANDS = (
    "/control/verbose 0",
    "/run/verbose 0",
    "/process/verbose 0",
    "/process/em/verbose 0",
    "/process/had/verbose 0",
    "/process/em/fluo false",
    "/process/em/auger false",
    "/process/em/pixe false",
)
"""Silence, and no atomic de-excitation (it would read more data files)."""

QUIET_ELECTRON_KEV = 180.0
"""Below the Cherenkov threshold of quartz (190 keV) electrons end at once in fibre stacks."""


def _adapter(base: Any, *arguments: object, **methods: Callable[..., Any]) -> Any:
    """An instance of a Geant4 user class whose virtual methods are plain functions."""

    def method(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda user, *arguments: function(user, *arguments)

    own = {name: method(function) for name, function in methods.items()}
    return type(f"Python{base.__name__}", (base,), own)(*arguments)


class Engine:
    """One initialised Geant4 that answers shots."""

    def __init__(self, setup: Setup, detector: Detector, geometry: Geometry) -> None:
        import geant4_pybind

        self.g4 = geant4_pybind
        self.kept: list[Any] = []
        self.shots: list[Shot] = []
        self.answer: Callable[[Shower], None] = lambda shower: None
        self.started = 0.0
        self.readout: Readout = readout_of(self.g4, setup, detector, geometry, self.keep)
        self.manager = self._manager(setup)
        self._commands(setup, geometry)
        self.manager.Initialize()
        self.g4.G4UImanager.GetUIpointer().ApplyCommand("/run/beamOn 0")

    def keep(self, thing: Any) -> Any:
        """Hold a Python reference to what Geant4 uses."""
        self.kept.append(thing)
        return thing

    @property
    def version(self) -> str:
        """Version of Geant4, for example ``geant4-11-04-patch-01``."""
        return str(self.g4.G4Version).strip("$ ").removeprefix("Name:").split("[")[0].strip()

    def knows(self, pdg: int) -> bool:
        """Whether the physics list tracks this particle (quarks and resonances it does not)."""
        definition = self.g4.G4ParticleTable.GetParticleTable().FindParticle(pdg)
        return definition is not None and not definition.IsShortLived()

    def run(self, shots: Sequence[Shot], answer: Callable[[Shower], None]) -> None:
        """Transport shots in order; each shower is answered when it is complete."""
        self.shots, self.answer = list(reversed(shots)), answer
        self.manager.BeamOn(len(shots))

    def _manager(self, setup: Setup) -> Any:
        g4, keep = self.g4, self.keep
        manager = keep(g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial))
        construction = _adapter(
            g4.G4VUserDetectorConstruction,
            Construct=lambda _: self.readout.build(),
            ConstructSDandField=lambda user: self.readout.attach(user.SetSensitiveDetector),
        )
        manager.SetUserInitialization(keep(construction))
        manager.SetUserInitialization(self._physics(setup.physics))
        manager.SetUserInitialization(
            keep(_adapter(g4.G4VUserActionInitialization, Build=self._actions))
        )
        return manager

    def _physics(self, constructors: Sequence[str]) -> Any:
        physics = self.keep(_adapter(self.g4.G4VModularPhysicsList))
        physics.SetVerboseLevel(0)
        for name in constructors:
            physics.RegisterPhysics(self.keep(getattr(self.g4, name)()))
        return physics

    def _commands(self, setup: Setup, geometry: Geometry) -> None:
        fibres = isinstance(geometry, FibreStack)
        own = [f"/run/setCut {setup.cut_mm} mm"]
        own += [f"/process/em/lowestElectronEnergy {QUIET_ELECTRON_KEV} keV"] if fibres else []
        for command in (*own, *COMMANDS):
            self.g4.G4UImanager.GetUIpointer().ApplyCommand(command)

    def _actions(self, initialization: Any) -> None:
        g4 = self.g4
        self.gun = self.keep(g4.G4ParticleGun(1))
        primaries = _adapter(g4.G4VUserPrimaryGeneratorAction, GeneratePrimaries=self._shoot)
        events = _adapter(g4.G4UserEventAction, EndOfEventAction=self._collect)
        own = self.readout.actions().items()
        extra = [_adapter(getattr(g4, name), **methods) for name, methods in own]
        for action in (primaries, events, *extra):
            initialization.SetUserAction(self.keep(action))

    def _shoot(self, _: Any, event: Any) -> None:
        self.started = time.process_time()
        shot, g4 = self.shots[-1], self.g4
        g4.HepRandom.setTheSeed(shot.seed)
        particle = g4.G4ParticleTable.GetParticleTable().FindParticle(shot.pdg)
        if particle is None:
            raise UsageError(f"Geant4 does not know PDG {shot.pdg}")
        x, y, z = (
            p - u / shot.direction[2]
            for p, u in zip((*shot.position_mm, 0.0), shot.direction, strict=True)
        )
        self.gun.SetParticleDefinition(particle)
        self.gun.SetParticleEnergy(shot.kinetic_gev * g4.GeV)
        self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(*shot.direction))
        self.gun.SetParticlePosition(g4.G4ThreeVector(x, y, z))
        self.gun.GeneratePrimaryVertex(event)

    def _collect(self, _: Any, event: Any) -> None:
        shot = self.shots.pop()
        cells, overflow, profile = self.readout.collect(event, np.random.default_rng(shot.seed))
        seconds = time.process_time() - self.started
        self.answer(Shower(shot.index, cells, overflow, profile, seconds))
