"""Rows of the tables: methods, differences between them, what needs no network."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from caloforge.compare.pooling import contrast, pool
from caloforge.evaluate.measured import Measured
from caloforge.validation.campaign.group import Group, contrast_cells, replicates
from caloforge.validation.campaign.judging import NEAREST

Record = Mapping[str, Any]
KEPT_MEASURES = (
    "w1_all",
    "w1",
    "conditional_w1",
    "spread_slope",
    "spread_correlation",
    "sigma_total",
    "mean_total",
)
"""What a record keeps of a judgement."""
MEASURES = (
    ("conditional_w1", "cond. W1"),
    ("w1", "W1"),
    ("spread_slope", "slope"),
    ("spread_correlation", "corr."),
    ("sigma_total", "σ(total)"),
    ("mean_total", "mean total"),
)
COLUMNS = ("", "weight", *(title for _, title in MEASURES), "seeds", "steps", "CPU s")
RIVALS = ("calibrated", "dcgan")
"""Every method is held against these two, and against the nearest particle."""


def group_row(one: Group) -> list[str]:
    """Cells of a row of runs that differ in their seed only."""
    weight = "" if one.weight is None else f"{one.weight:g}"
    numbers = [str(one.measured(name)) for name, _ in MEASURES]
    return [one.label, weight, *numbers, str(len(one.whole)), one.steps, one.cpu_seconds]


def pairs(found: Iterable[Group], references: Record) -> list[list[str]]:
    """Rows of differences: every method and ``calibrated``, ``dcgan``, the nearest particle."""
    known = {one.label: one.pooled() for one in found if one.whole}
    ranked = sorted(known, key=lambda label: float(known[label].replicates[:, 0].mean()))
    known[NEAREST] = pool([replicates(references["references"][NEAREST]["by_particle"])])
    wanted = [
        (a, b) for a, b in itertools.combinations(ranked, 2) if a in RIVALS or b in RIVALS
    ] + [(label, NEAREST) for label in ranked]
    return [contrast_cells(contrast(a, b, known)) for a, b in wanted]


def reference_row(one: Record) -> list[str]:
    """A row of what needs no network."""
    numbers = [Measured(**one["test"][name]) for name, _ in MEASURES]
    return [
        f"*{one['title']}*",
        "",
        *("-" if n.value is None else str(n) for n in numbers),
        "",
        "",
        "",
    ]
