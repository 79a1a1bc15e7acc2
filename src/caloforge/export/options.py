"""What adapters take beside the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from caloforge.errors import UsageError
from caloforge.simulator import Simulator


@dataclass(frozen=True)
class Options:
    """What an adapter may need beside the simulator; each takes what it knows."""

    showers: Path | None = None
    """Showers that a classifier is made from, or whose particles fill a library."""
    mesh: tuple[int, ...] | None = None
    """Cells along the axes of a reader's mesh, in the reader's order."""
    count: int = 1000
    """Showers of a library."""
    particle: int = 22
    """PDG number of the particles that the generator was trained on."""
    seed: int = 0


def require_energies(simulator: Simulator, reader: str) -> None:
    """Raise UsageError for a simulator whose cells are no energies of a segmented calorimeter."""
    detector = simulator.detector
    if detector.counts or detector.signed or "E" not in detector.columns:
        raise UsageError(
            f"{reader} holds energies in cells; {detector.name} gives {detector.quantity}: "
            f"export it for o2 or triton"
        )


__all__ = ["Options", "require_energies"]
