"""What adapters take beside the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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


__all__ = ["Options"]
