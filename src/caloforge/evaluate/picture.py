"""A picture and a section of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caloforge.data.showers import Showers


@dataclass(frozen=True)
class Picture:
    """A figure inside the page, and what is said under it."""

    uri: str
    caption: str
    wide: bool = False
    """True where it takes the whole width of the page."""


@dataclass(frozen=True)
class Section:
    """Pictures that belong together."""

    title: str
    text: str
    pictures: tuple[Picture, ...]


def quantity_of(showers: Showers) -> str:
    """What a cell holds, for the colour bar."""
    return showers.detector.quantity if showers.detector.counts else showers.detector.unit
