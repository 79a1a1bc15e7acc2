"""What makes a campaign: its claim and detector, its plan, its judge, its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from caloforge.evaluate.inputs import EvaluationInputs
from validation.campaign.record import Record, Records
from validation.campaign.task import Task

Plan = Callable[[int, Records], Iterator[Task]]
"""(seed, records) -> all tasks that the records let one know, the most telling first."""


@dataclass(frozen=True)
class Campaign:
    """A claim to be repeated. All functions live in modules: processes get the whole record."""

    claim: str
    """Its name on the command line and in records."""
    detector: str
    """Its shipped showers are trained on and judged with."""
    full: Plan
    quick: Plan
    judge: Callable[[EvaluationInputs], Record]
    """What a record says of the test part, joined to its header."""
    references: Callable[[Path], Record]
    """What no network is needed for, of the showers in a file; made once for a folder."""
    report: Callable[[Path], None]
    """Writes README.md and pictures of a folder from its records."""
    terminal: Callable[[Path], str]
    """What the command line prints of a folder in the end."""
    unjudged: frozenset[str] = frozenset({"trial"})
    """Parts that only choose, on validation particles."""
    kept: frozenset[str] = frozenset({"final"})
    """Parts whose run folders stay, for ``caloforge compare`` and pictures."""
