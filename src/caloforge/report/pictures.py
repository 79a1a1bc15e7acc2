"""Figures as files and as pictures of a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.errors import UsageError
from caloforge.io.files import write_aside
from caloforge.report.style import DOTS_PER_INCH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from caloforge.data.showers import Showers


def data_uri(plot: Figure) -> str:
    """The figure as a PNG inside a data URI, for one self-contained page.

    Example:
        >>> from caloforge.report.style import figure
        >>> data_uri(figure())[:22]
        'data:image/png;base64,'
    """
    buffer = io.BytesIO()
    take_as_written(plot)
    plot.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


ENDINGS = (".png", ".pdf", ".svg")
DATES = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
"""What leaves the date out, so that equal figures are equal files."""


def save(plot: Figure, path: str | Path, *, overwrite: bool = True) -> None:
    """Write the figure in the format that the suffix of the path names; no date is written.

    Args:
        plot: The figure.
        path: A name that ends in .png, .pdf or .svg; the file appears when it is whole.
        overwrite: Whether a file of that name is replaced.

    Raises:
        UsageError: Another suffix, or a file that may not be replaced.

    Example:
        >>> from caloforge.report.style import figure
        >>> save(figure(), "empty.png")
        >>> Path("empty.png").read_bytes()[1:4]
        b'PNG'
    """
    import matplotlib as mpl

    path = Path(path)
    require_picture_ending(path)
    take_as_written(plot)
    ending = path.suffix.lower()
    settings: dict[Any, Any] = {"svg.hashsalt": "caloforge"}  # names of its parts, else random
    with write_aside(path, overwrite=overwrite) as part, mpl.rc_context(settings):
        plot.savefig(part, format=ending[1:], dpi=DOTS_PER_INCH, metadata=DATES.get(ending, {}))


def require_picture_ending(path: Path) -> None:
    """Raise UsageError where the suffix of a path names no format of a figure."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path}: the suffix is one of {', '.join(ENDINGS)}")


def take_as_written(plot: Figure) -> None:
    """Let texts that are no mathematics be drawn as they are: names and units come from files."""
    from matplotlib.mathtext import MathTextParser
    from matplotlib.text import Text

    parser = MathTextParser("path")
    for text in plot.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text().count("$") < 2:
            continue
        try:
            parser.parse(text.get_text())
        except (ValueError, RecursionError):
            text.set_parse_math(False)


@dataclass(frozen=True)
class Picture:
    """A figure inside the page, and what is said under it."""

    uri: str
    caption: str
    wide: bool = False
    """True where it takes the whole width of the page."""

    @classmethod
    def of(cls, plot: Figure, caption: str, *, wide: bool = False) -> Picture:
        """The picture of a figure."""
        return cls(data_uri(plot), caption, wide)


@dataclass(frozen=True)
class Section:
    """Pictures that belong together."""

    title: str
    text: str
    pictures: Iterable[Picture]
    """Drawn one after the other where it is an iterator."""


def quantity_of(showers: Showers) -> str:
    """What a cell holds, for the colour bar."""
    return showers.detector.quantity if showers.detector.counts else showers.detector.unit
