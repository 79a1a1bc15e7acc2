"""Where a hadron interacts first: the primary alone is followed, its secondaries are dropped."""

from __future__ import annotations

from typing import Any

import numpy as np

from caloforge.transport.fibres import NO_OVERFLOW, Fibres
from caloforge.transport.readout import Image, SetDetector


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
