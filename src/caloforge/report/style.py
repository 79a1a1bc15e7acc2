"""Colours, empty figures of one style, and the styles of the experiments.

Matplotlib is imported inside functions: it costs half a second that ``--help`` should not pay.
Figures are made without pyplot, so nothing is registered and nothing has to be closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from caloforge.errors import CaloforgeError, UsageError
from caloforge.machine import install

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


PLAIN = "plain"
STYLES = {"alice": "ALICE", "atlas": "ATLAS", "cms": "CMS", "lhcb": "LHCb2"}
"""Names of ours, and of mplhep."""
OURS = ("figure.figsize", "figure.dpi", "savefig.dpi", "font.size")
"""Settings that keep our sizes: figures of a report stand three in a row."""


@contextmanager
def styled(name: str = PLAIN) -> Iterator[None]:
    """Draw figures inside this context as an experiment does.

    Args:
        name: plain, or a name in ``STYLES``.

    Raises:
        UsageError: There is no such style.
        CaloforgeError: mplhep is not installed.

    Example:
        >>> with styled("plain"):
        ...     plot = figure()
    """
    if name == PLAIN:
        yield
        return
    if name not in STYLES:
        raise UsageError(f"no style {name}; there are {', '.join((PLAIN, *STYLES))}")
    try:
        import mplhep
    except ModuleNotFoundError as error:
        raise CaloforgeError(f"style {name} needs mplhep: {install('plots')}") from error
    import matplotlib as mpl

    style: dict[Any, Any] = dict(getattr(mplhep.style, STYLES[name]))
    usual: dict[Any, Any] = dict(mpl.rcParamsDefault)
    settings: dict[Any, Any] = {key: usual[key] for key in OURS}
    # Sizes of text are given in points by every figure; what is left of the style are fonts, ticks,
    # line widths and frames.
    with mpl.rc_context({**style, **settings}):
        yield
