"""Geant4 in this process: world, physics list, gun and read-out, built from the descriptions.

Geant4 allows one run manager a process and may end the process, so only ``worker`` calls this.
Its user classes are made from plain functions by ``_adapter``; everything handed to Geant4 is kept
alive in a list, because the bindings do not own it. Traps of geant4-pybind 0.1.3 that shape this
code (reference/geant4.md 3): overriding SetCuts crashes now and then, so the cut goes through
``/run/setCut``; a filter on a Python sensitive detector always crashes, so none is set there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.transport.geometry import FibreStack, Geometry
from caloforge.transport.readout import Readout, readout_of
from caloforge.transport.shots import Setup, Shot, Shower

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

    def bound(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda user, *given: function(user, *given)

    own = {name: bound(function) for name, function in methods.items()}
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
        found = self.g4.G4ParticleTable.GetParticleTable().FindParticle(pdg)
        return found is not None and not found.IsShortLived()

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
