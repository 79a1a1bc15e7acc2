"""What is tried: every combination of the values of some settings."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from caloforge.documents import json_or_word
from caloforge.errors import UsageError


@dataclass(frozen=True)
class Axis:
    """A setting and the values that it is given in turn."""

    path: str
    values: tuple[Any, ...]


Point = tuple[tuple[str, Any], ...]
"""One value for each axis, as (path, value)."""

REFUSED = {
    "seed": "every point gets the same seeds; use --seeds for their number",
    "name": "it only labels a run; name a setting that changes it",
    "citation": "it only labels a run; name a setting that changes it",
}
"""Paths of a recipe that make no other method, and what to do instead."""


def parse_axis(text: str) -> Axis:
    """The axis that ``path=value,value,...`` names; raises UsageError for anything else.

    Values are read as JSON where that is possible (numbers, lists), as plain words elsewhere.
    """
    path, equals, rest = text.partition("=")
    values = _values(rest)
    if not (path and equals and values):
        raise UsageError(f"--grid {text}: write path=value,value, as in training.steps=500,1000")
    if len(set(map(json.dumps, values))) < len(values):
        raise UsageError(f"--grid {text}: a value stands there twice")
    return Axis(path, tuple(values))


def points(axes: Sequence[Axis]) -> list[Point]:
    """All combinations; the last axis runs fastest.

    Raises UsageError for a path given twice, and for one that makes no other method.
    """
    paths = [axis.path for axis in axes]
    if label := next((path for path in paths if path in REFUSED), None):
        raise UsageError(f"--grid {label}: {REFUSED[label]}")
    if twice := sorted({path for path in paths if paths.count(path) > 1}):
        raise UsageError(f"--grid {twice[0]} stands there twice; name all its values at once")
    combined = itertools.product(*(axis.values for axis in axes))
    return [tuple(zip(paths, values, strict=True)) for values in combined]


def settings(point: Point) -> list[str]:
    """A point as ``path=value`` settings of a recipe."""
    return [f"{path}={json.dumps(value)}" for path, value in point]


def title(point: Point) -> str:
    """A point in words, without the first part of each path."""
    parts = (f"{path.partition('.')[2] or path}={_shown(value)}" for path, value in point)
    return ",".join(parts) or "as it is"


def _values(text: str) -> list[Any]:
    values = json_or_word(f"[{text}]")
    if isinstance(values, str):
        return [json_or_word(part.strip()) for part in text.split(",") if part.strip()]
    return list(values)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
