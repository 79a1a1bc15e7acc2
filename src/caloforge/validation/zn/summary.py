"""Rows of the tables: methods, differences between them, what needs no network."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

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
OURS = "calibrated"
RIVALS = (OURS, "dcgan")
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


def luckiest(found: Iterable[Group]) -> list[list[str]]:
    """Rows of differences: the worst seed of ``calibrated``, the best seed of each other method.

    Seeds of one method may differ by more than methods do, and a mean over three hides it. The
    best is chosen by what it is judged by, which favours the other method.
    """
    known, rivals = {}, []
    for one in found:
        scores = [float(np.mean(run["by_particle"])) for run in one.whole]
        if not scores:
            continue
        ours = one.label == OURS
        chosen = one.whole[int(np.argmax(scores) if ours else np.argmin(scores))]
        label = f"{one.label}, {'worst' if ours else 'best'} of {len(scores)}"
        known[label] = pool([replicates(chosen["by_particle"])])
        rivals += [] if ours else [label]
    own = [label for label in known if label not in rivals]
    rivals.sort(key=lambda label: float(known[label].replicates[0, 0]))
    return [contrast_cells(contrast(a, b, known))[:4] for a in own for b in rivals]


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
