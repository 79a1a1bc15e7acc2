"""What each ablation does, in words made of the records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from caloforge.evaluate.comparison import contrast
from caloforge.evaluate.resampling import Measured
from validation.campaign.group import Group
from validation.zn.summary import SHOWN, pooled

Record = Mapping[str, Any]
CHANGES = (
    ("The adversary beside the score", "score, all views", "score and adversary"),
    ("The log-ratio beside both", "score and adversary", "score, adversary, log-ratio"),
    ("The adversary alone", "score, all views", "adversary alone"),
    ("Channels alone", "score, all views", "score, channels"),
    ("Units of neighbouring particles", "score, all views", "score, units of neighbours"),
    (
        "One shower of each particle, in these units",
        "score, units of neighbours",
        "score, one shower of each particle",
    ),
)
"""Ablations that are told in words: what is changed, and the runs before and after."""


def changes(found: Mapping[str, Group], references: Record) -> str:
    """Ablations by label in words: a list of what each change does."""
    there = {label: one for label, one in found.items() if one.whole}
    told = [
        f"- **{what}**: {change(there[before], there[after], references)}"
        for what, before, after in CHANGES
        if before in there and after in there
    ]
    return "\n".join(told)


def change(before: Group, after: Group, references: Record) -> str:
    """What a change does to conditional W1, slope and correlation."""
    paired = contrast(after.label, before.label, pooled([before, after], references)).measured
    verdict = "nearer" if (paired.value or 0) > 0 else "farther off"
    told = [_told("conditional W1", before, after, "conditional_w1", paired, verdict)]
    for name, what in (("spread_slope", "slope"), ("spread_correlation", "corr.")):
        a, b = before.measured(name), after.measured(name)
        if a.value is not None and b.value is not None:
            apart = Measured(b.value - a.value, math.hypot(a.error or 0, b.error or 0))
            told.append(_told(what, before, after, name, apart, "different"))
    return f"`{after.label}` (before: `{before.label}`) has {', '.join(told)}."


def _told(what: str, before: Group, after: Group, name: str, apart: Measured, verdict: str) -> str:
    sigma = abs(apart.sigma or 0.0)
    shown = f"**{verdict}**" if sigma >= SHOWN else "no difference shown"
    numbers = f"{what} {after.measured(name)} (before: {before.measured(name)}"
    return f"{numbers}; {shown}, {sigma:.1f} sigma)"
