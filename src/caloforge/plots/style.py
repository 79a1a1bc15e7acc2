"""Styles of the experiments for every figure, through the extra ``plots``.

``plain`` is ours and needs nothing. A style acts inside its context only, so that nobody's own
matplotlib settings are touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from caloforge.errors import CaloforgeError, UsageError

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
        raise CaloforgeError(f"style {name} needs caloforge[plots]") from error
    import matplotlib as mpl

    wanted: dict[Any, Any] = dict(getattr(mplhep.style, STYLES[name]))
    usual: dict[Any, Any] = dict(mpl.rcParamsDefault)
    kept: dict[Any, Any] = {key: usual[key] for key in OURS}
    # Sizes of text are given in points by every figure; what is left of the style are fonts, ticks,
    # line widths and frames.
    with mpl.rc_context({**wanted, **kept}):
        yield
