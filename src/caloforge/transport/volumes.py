"""Boxes, tubes, replicas and materials of Geant4 in a few words; lengths in mm."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from caloforge.matter import VACUUM, Material

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
