"""What the engine needs of a calorimeter: its world, its sensitive volumes, its cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.transport.geometry import Geometry
from caloforge.transport.shots import Setup

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
    """The read-out that ``setup.scoring`` names; raises UsageError where there is none."""
    from caloforge.transport.fibres import FibreLength, FibreSteps
    from caloforge.transport.interaction import FirstInteraction
    from caloforge.transport.plates import Plates

    readouts: dict[tuple[str, str], Any] = {
        ("fibres", "light"): FibreSteps,
        ("fibres", "length"): FibreLength,
        ("fibres", "interaction"): FirstInteraction,
        ("plates", "deposit"): Plates,
    }
    key = (geometry.kind, setup.scoring)
    if key not in readouts:
        names = [scoring for kind, scoring in readouts if kind == geometry.kind]
        raise UsageError(f"{detector.name} has no scoring {setup.scoring}; it has {names}")
    readout: Readout = readouts[key](g4, setup, detector, geometry, keep)
    return readout
