"""Numbers of the tables: methods, differences between them, demands, what needs no network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from caloforge.evaluate.comparison import CombinedSeeds, Contrast, combine_seeds, contrast
from caloforge.evaluate.resampling import Measured
from validation.campaign.group import Group, contrast_cells, replicates
from validation.campaign.judging import NEAREST

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
OURS, BASELINE, FLOOR = "calibrated", "dcgan", "real"
RIVALS = (OURS, BASELINE)
"""Every method is held against these two, and against the nearest particle."""
SHOWN = 3.0
"""Sigmas from which on a difference is called one, as the issue asks."""
SLOPE, SIGMA, FLOORS = (0.8, 1.2), (0.7, 1.4), 3.0
"""What the issue asks of ``calibrated``, and its aim for conditional W1 in floors."""
YES, NO, OPEN = "yes", "**no**", "open"
READ_IN_BOTH_WAYS = ("method", "weight", "drawn counts", "expected counts")
DEMANDS = (
    "demand",
    "found",
    "sigma",
    "sigma by particles alone",
    "sigma by Welch's t",
    "sigma by ranks of seeds",
    "kept",
)


def group_row(one: Group) -> list[str]:
    """Cells of a row of runs that differ in their seed only."""
    weight = "" if one.weight is None else f"{one.weight:g}"
    numbers = [str(one.measured(name)) for name, _ in MEASURES]
    return [one.label, weight, *numbers, str(len(one.whole)), one.steps, one.cpu_seconds]


def pooled(found: Iterable[Group], references: Record) -> dict[str, CombinedSeeds]:
    """Conditional W1 of each method that has a run, and of the nearest particle."""
    known = {one.label: one.pooled() for one in found if one.whole}
    known[NEAREST] = combine_seeds([replicates(references["references"][NEAREST]["by_particle"])])
    return known


def pairs(found: Iterable[Group], references: Record) -> list[list[str]]:
    """Rows of differences: every method and ``calibrated``, ``dcgan``, the nearest particle."""
    known = pooled(found, references)
    ranked = sorted(
        known.keys() - {NEAREST}, key=lambda label: float(known[label].replicates[:, 0].mean())
    )
    wanted = [
        (a, b) for a, b in itertools.combinations(ranked, 2) if a in RIVALS or b in RIVALS
    ] + [(label, NEAREST) for label in ranked]
    return [contrast_cells(contrast(a, b, known)) for a, b in wanted]


def luckiest(found: Iterable[Group]) -> list[list[str]]:
    """Rows of differences: the worst seed of ``calibrated``, the best seed of each other method.

    Seeds of one method may differ by more than methods do, and a mean over a few hides it. The
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
        known[label] = combine_seeds([replicates(chosen["by_particle"])])
        rivals += [] if ours else [label]
    own = [label for label in known if label not in rivals]
    rivals.sort(key=lambda label: float(known[label].replicates[0, 0]))
    return [contrast_cells(contrast(a, b, known))[:4] for a in own for b in rivals]


def demands(found: Sequence[Group], references: Record, methods: Iterable[str]) -> list[list[str]]:
    """Rows of what the issue asks of ``calibrated``; none before it has two seeds."""
    ours = {one.label: one for one in found}.get(OURS)
    if ours is None or len(ours.whole) < 2:
        return []
    known = pooled(found, references)
    rivals = [NEAREST, *(name for name in methods if name != OURS)]
    rows = [_beaten(rival, known, len(ours.whole[0]["by_particle"])) for rival in rivals]
    floor = Measured(**references["references"][FLOOR]["test"]["conditional_w1"])
    return [*rows, *_bounds(ours, floor)]


def _beaten(rival: str, known: Mapping[str, CombinedSeeds], particles: int) -> list[str]:
    """Whether a method, or the nearest particle, is farther from the real showers."""
    named = "the nearest particle" if rival == NEAREST else f"`{rival}`"
    demand = f"conditional W1 below that of {named} by {SHOWN:g} sigma"
    if rival not in known or (rival != NEAREST and known[rival].seeds is None):
        return [demand, "too few runs", "", "", "", "", OPEN]
    found = contrast(OURS, rival, known)
    sigma = found.measured.sigma or 0.0
    careful = welch(found, known[OURS], known[rival], particles)
    shown = [f"{number:.1f}" for number in (sigma, found.particles.sigma or 0.0, careful)]
    shown.append("" if rival == NEAREST else f"{ranks(known[OURS], known[rival]):.1f}")
    return [demand, f"lower by {found.measured}", *shown, YES if sigma >= SHOWN else NO]


def _bounds(ours: Group, floor: Measured) -> Iterator[list[str]]:
    for name, what, (low, high) in (
        ("spread_slope", "slope of the spread", SLOPE),
        ("sigma_total", "σ(total)", SIGMA),
    ):
        number = ours.measured(name)
        kept = number.value is not None and low <= number.value <= high
        yield _bound(f"{what} within {low:g}-{high:g}", str(number), kept)
    number = ours.measured("conditional_w1")
    kept = None not in (number.value, floor.value) and number.value <= FLOORS * floor.value  # type: ignore[operator]
    ratio = f"{number} against {FLOORS:g} x ({floor})"
    yield _bound(f"aim: conditional W1 at most {FLOORS:g} x its floor", ratio, kept)


def _bound(demand: str, found: str, kept: bool) -> list[str]:
    return [demand, found, "", "", "", "", YES if kept else NO]


def welch(found: Contrast, first: CombinedSeeds, second: CombinedSeeds, particles: int) -> float:
    """Sigma of a normal law that is as improbable as the difference is for Student's t.

    With two or three seeds the error is itself uncertain. Degrees of freedom by Welch and
    Satterthwaite, for the variances of the particles and of the seeds of either side.
    """
    from scipy.stats import norm, t  # slow to import

    parts = [(found.particles.error, particles - 1)]
    parts += [(one.seeds, len(one.replicates) - 1) for one in (first, second)]
    variances = [(error**2, freedom) for error, freedom in parts if error]
    whole = sum(variance for variance, _ in variances)
    if not whole or found.measured.value is None:
        return 0.0
    freedom = whole**2 / sum(variance**2 / freedom for variance, freedom in variances)
    return float(norm.isf(t.sf(found.measured.value / math.sqrt(whole), freedom)))


def ranks(first: CombinedSeeds, second: CombinedSeeds) -> float:
    """Sigma by which seeds of the first are the lower ones: the exact test of Mann and Whitney.

    One run that blew up moves a mean and its error by as much; it moves no ranks.
    """
    from scipy.stats import mannwhitneyu, norm  # slow to import

    lower, higher = (one.replicates[:, 0] for one in (first, second))
    found = mannwhitneyu(lower, higher, alternative="less", method="exact")
    return float(norm.isf(found.pvalue))


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


def read_in_both_ways(drawn: Iterable[Record], expected: Iterable[Record]) -> list[list[str]]:
    """Validation scores of the same trials on drawn and on expected counts."""
    known = {_tried(one): one["validation_score"] for one in drawn}
    pairs = [(one, known.get(_tried(one)), one["validation_score"]) for one in expected]
    pairs.sort(key=lambda pair: (pair[0]["method"], pair[0]["weight"] or 0))
    return [
        [one["method"], "" if one["weight"] is None else f"{one['weight']:g}", *map(_score, both)]
        for one, *both in pairs
    ]


def _tried(one: Record) -> tuple[Any, ...]:
    return one["method"], one["rate"], one["weight"], one["seed"]


def _score(value: float | None) -> str:
    return "failed" if value is None else f"{value:.2f}"


def best_trials(tried: Iterable[Record]) -> dict[str, Record]:
    """The trial of the lowest validation score of each method."""
    best: dict[str, Record] = {}
    for one in tried:
        score, method = one["validation_score"], one["method"]
        if score is not None and (method not in best or score < best[method]["validation_score"]):
            best[method] = one
    return best
