"""Simulators that ship, one folder each, and where a simulator that a user names lies."""

from __future__ import annotations

from pathlib import Path

from caloforge.data.samples import SAMPLES
from caloforge.errors import UsageError
from caloforge.simulator.card import CARD

SHIPPED = Path(__file__).parents[1] / "simulators"
PREFIX = "simulator/"
"""Before the name of a simulator where a sample of showers may have the same name."""


def shipped_simulators() -> list[str]:
    """Names of the simulators that ship, such as ``alice_zn`` or ``atlas_em/gamma``."""
    return sorted(card.parent.relative_to(SHIPPED).as_posix() for card in SHIPPED.rglob(CARD))


def shipped_simulator(name: str) -> Path:
    """Folder of a shipped simulator; UsageError with the names that exist."""
    if name not in shipped_simulators():
        names = ", ".join(shipped_simulators()) or "none"
        raise UsageError(f"no simulator {name} ships; there are: {names}")
    return SHIPPED / name


def folder_of(path: Path) -> Path | None:
    """The folder of a simulator, where the path is that or its run."""
    folders = (path, path / "simulator")
    return next((folder for folder in folders if (folder / CARD).is_file()), None)


def find_simulator(text: str | Path) -> Path:
    """Folder of a simulator given as that folder, as a run folder, or by the name of a shipped one.

    Raises UsageError when it is none of them.
    """
    path = Path(text)
    if (folder := folder_of(path)) is not None:
        return folder
    if path.exists():
        raise UsageError(f"{text} is neither a simulator nor a run: it has no {CARD}")
    return shipped_simulator(str(text).removeprefix(PREFIX))


def find_named(text: str, kinds: str) -> Path:
    """``find_simulator``, where a path that is not there is no misspelled name."""
    path = Path(text)
    name = text.removeprefix(PREFIX)
    if not path.exists() and len(path.parts) > 1 and name not in shipped_simulators():
        raise UsageError(f"{text}: no such {kinds}")
    return find_simulator(text)


def simulator_of(text: str) -> Path | None:
    """The folder of a simulator where the text names one: its folder, that of its run, its name.

    A sample of showers that ships under the same name goes first, unless ``simulator/`` stands
    before the name.
    """
    path = Path(text)
    if (folder := folder_of(path)) is not None:
        return folder
    name = text.removeprefix(PREFIX)
    is_named = name != text or not (path.exists() or text in SAMPLES)
    return SHIPPED / name if is_named and name in shipped_simulators() else None
