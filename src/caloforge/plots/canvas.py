"""Empty figures of one style, and figures as bytes.

Matplotlib is imported inside functions: it costs half a second that ``--help`` should not pay.
Figures are made without pyplot, so nothing is registered and nothing has to be closed.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

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


def data_uri(drawn: Figure) -> str:
    """The figure as a PNG inside a data URI, for one self-contained page."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def save(drawn: Figure, path: Path) -> None:
    """Write the figure in the format that the suffix of the path names."""
    drawn.savefig(path, dpi=DOTS_PER_INCH)
