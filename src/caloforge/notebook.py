"""Results as small tables of a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def table_of(title: str, rows: Mapping[str, Any]) -> str:
    """An HTML table of names and values, everything escaped.

    >>> table_of("run", {"steps": 3})
    '<table><caption>run</caption><tr><th>steps</th><td>3</td></tr></table>'
    """
    lines = (
        f"<tr><th>{escape(name)}</th><td>{text_of(value)}</td></tr>" for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def text_of(value: Any) -> str:
    """A value in a cell; numbers with four digits."""
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
