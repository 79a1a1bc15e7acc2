"""Records of the layered campaign as numbers: means over seeds, bounds, targets held against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from caloforge.evaluate.resampling import Measured
from validation.calogan.judging import MEAN_SEPARATION
from validation.campaign.group import Group

Record = Mapping[str, Any]
CONFIDENCE = 0.95
"""Of one-sided bounds."""
MEAN_WITHIN, SIGMA_WITHIN, R2_RATIO, AUC_BELOW, AUC_AIM = 0.03, 0.20, 0.7, 0.98, 0.95
UNTRAINED_ABOVE, WIDENED_ABOVE = 0.99, 0.9
"""What the issue asks for."""


@dataclass(frozen=True)
class Target:
    """A demand, what was reached, and whether that is enough."""

    demand: str
    reached: str
    kept: bool


def upper(group: Group, name: str = "auc_both") -> float:
    """One-sided 95 % upper bound of a mean over seeds, NaN where it is undefined.

    The spread of few seeds is badly known: Student's t takes 2.92 of its errors for three (Student
    1908). The error of the showers is normal. One seed says nothing of others.
    """
    from scipy.special import ndtri, stdtrit

    found = [one["test"][name] for one in group.whole if one["test"][name]["value"] is not None]
    if not found:
        return math.nan
    values = [one["value"] for one in found]
    showers = ndtri(CONFIDENCE) * fmean(one["error"] or 0.0 for one in found)
    seeds = 0.0
    if len(values) > 1:
        seeds = stdtrit(len(values) - 1, CONFIDENCE) * stdev(values) / math.sqrt(len(values))
    return fmean(values) + math.hypot(showers, seeds)


def names(group: Group, prefix: str) -> list[str]:
    """Numbers of a group whose names begin so, in the order of the record."""
    found = group.whole[0]["test"] if group.whole else {}
    return [name for name in found if name.startswith(prefix)]


def farthest(group: Group, prefix: str) -> Measured:
    """Of several ratios the one farthest from 1."""
    return farthest_of(group.measured(name) for name in names(group, prefix))


def farthest_of(found: Iterable[Measured]) -> Measured:
    """The ratio that is farthest from 1."""
    known = [one for one in found if one.value is not None]
    return max(known, key=lambda one: abs((one.value or 0) - 1), default=_UNKNOWN)


def smallest(group: Group, prefix: str) -> Measured:
    """The smallest of several numbers."""
    found = [group.measured(name) for name in names(group, prefix)]
    known = [one for one in found if one.value is not None]
    return min(known, key=lambda one: one.value or 0, default=_UNKNOWN)


def mean_separation(group: Group) -> Measured:
    """Mean over the observables, and over the seeds."""
    runs = tuple({"test": {"": separation_of(run).record}} for run in group.whole)
    return Group(group.label, None, runs).measured("")


def separation_of(record: Record) -> Measured:
    """Mean separation of one run, or of real against real.

    Older records do not tell it: the error then takes observables as independent.
    """
    if MEAN_SEPARATION in record:
        return Measured(**record[MEAN_SEPARATION])
    found = list(record["separation"].values())
    if not found:
        return _UNKNOWN
    # 1 for an observable that no generated shower has: nothing is farther away.
    values = [1.0 if one["value"] is None else one["value"] for one in found]
    return Measured(fmean(values), math.hypot(*(one["error"] or 0 for one in found)) / len(found))


def minus(one: Measured, other: Measured) -> Measured:
    """A difference of two recipes: errors in quadrature, as if they had met other showers."""
    if one.value is None or other.value is None:
        return _UNKNOWN
    return Measured(one.value - other.value, math.hypot(one.error or 0, other.error or 0))


_UNKNOWN = Measured(None, None, "-")


def within(number: Measured, tolerance: float) -> bool:
    """Whether a ratio is 1 within a tolerance."""
    return number.value is not None and abs(number.value - 1) <= tolerance


def targets(ours: Group, published: Group | None, untrained: Measured) -> list[Target]:
    """All demands on our recipe, and on the classifier that judges it."""
    found = [*_physics(ours), *_classifier(ours, untrained)]
    if published is not None and published.whole:
        bound, other = upper(ours), published.measured("auc_both")
        below = other.value is not None and bound < other.value
        reached = f"{bound:.4f} (bound) against {other}"
        found.append(Target("AUC below that of our `calogan`", reached, below))
    return found


def _physics(ours: Group) -> Iterator[Target]:
    for prefix, what, tolerance in (
        ("band_mean_", "mean total", MEAN_WITHIN),
        ("band_sigma_", "sigma(total) / mean", SIGMA_WITHIN),
        ("band_resolution_", "stricter: sigma(total / E)", SIGMA_WITHIN),
    ):
        worst = farthest(ours, prefix)
        demand = f"{what} in every band within {tolerance:.0%}"
        yield Target(demand, str(worst), within(worst, tolerance))
    ratio = smallest(ours, "r2_ratio_")
    enough = ratio.value is not None and ratio.value >= R2_RATIO
    yield Target(f"R² of every attribute >= {R2_RATIO:g} of the real one", str(ratio), enough)


def _classifier(ours: Group, untrained: Measured) -> Iterator[Target]:
    auc, widened, bound = ours.measured("auc_both"), ours.measured("auc_widened"), upper(ours)
    for demand, below in (("", AUC_BELOW), ("aim: ", AUC_AIM)):
        title = f"{demand}classifier AUC, 95 % bound below {below:g}"
        yield Target(title, f"{auc}, bound {bound:.4f}", bound < below)
    for who, number, least in (
        ("the untrained generator", untrained, UNTRAINED_ABOVE),
        ("a copy widened by 10 %", widened, WIDENED_ABOVE),
    ):
        seen = number.value is not None and number.value >= least
        yield Target(f"that classifier on {who} >= {least:g}", str(number), seen)
