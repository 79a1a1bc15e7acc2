"""Empty figures of one style, styles of the experiments, and figures as bytes.

Matplotlib is imported inside functions: it costs half a second that ``--help`` should not pay.
Figures are made without pyplot, so nothing is registered and nothing has to be closed.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.errors import CaloforgeError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from caloforge.data.showers import Showers

REAL_FILL, REAL_EDGE = "#c9ced6", "#6b7280"
MODEL_COLOURS = (
    "#c2410c",
    "#1d4ed8",
    "#047857",
    "#7e22ce",
    "#ca8a04",
    "#0891b2",
    "#db2777",
    "#111827",
)
INK = "#1f2937"
COLOUR_MAP = "viridis"
DOTS_PER_INCH = 160
TEXT_POINTS = 9.0


def figure(width: float = 4.4, height: float = 3.4) -> Figure:
    """An empty figure of a size in inches that still reads on a phone."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def tidy(axes: Axes) -> Axes:
    """House style for one pair of axes: small ticks inside, one size of text."""
    axes.tick_params(
        direction="in", which="both", top=True, right=True, labelsize=TEXT_POINTS - 1, colors=INK
    )
    for spine in axes.spines.values():
        spine.set_color(REAL_EDGE)
        spine.set_linewidth(0.8)
    return axes


def data_uri(plot: Figure) -> str:
    """The figure as a PNG inside a data URI, for one self-contained page."""
    buffer = io.BytesIO()
    take_as_written(plot)
    plot.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def save(plot: Figure, path: str | Path) -> None:
    """Write the figure in the format that the suffix of the path names; no date is written."""
    take_as_written(plot)
    dated = {"CreationDate": None} if Path(path).suffix.lower() == ".pdf" else {}
    plot.savefig(path, dpi=DOTS_PER_INCH, metadata=dated)


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


PLAIN = "plain"
STYLES = {"alice": "ALICE", "atlas": "ATLAS", "cms": "CMS", "lhcb": "LHCb2"}
"""Names of ours, and of mplhep."""
OURS = ("figure.figsize", "figure.dpi", "savefig.dpi", "font.size")
"""Settings that keep our sizes: figures of a report stand three in a row."""


@contextmanager
def styled(name: str = PLAIN) -> Iterator[None]:
    """Draw figures inside this context as an experiment does.

    Raises UsageError for an unknown style, CaloforgeError where mplhep is not installed.
    """
    if name == PLAIN:
        yield
        return
    if name not in STYLES:
        raise UsageError(f"no style {name}; there are {', '.join((PLAIN, *STYLES))}")
    try:
        import mplhep
    except ModuleNotFoundError as error:
        raise CaloforgeError(f"style {name} needs the extra plots") from error
    import matplotlib as mpl

    style: dict[Any, Any] = dict(getattr(mplhep.style, STYLES[name]))
    usual: dict[Any, Any] = dict(mpl.rcParamsDefault)
    settings: dict[Any, Any] = {key: usual[key] for key in OURS}
    # Sizes of text are given in points by every figure; what is left of the style are fonts, ticks,
    # line widths and frames.
    with mpl.rc_context({**style, **settings}):
        yield


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
