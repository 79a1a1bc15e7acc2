"""Records of the layered campaign as numbers: means over seeds, bounds, targets held against."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from caloforge.evaluate.measured import Measured
from caloforge.validation.campaign.group import Group

Record = Mapping[str, Any]
ONE_SIDED_95 = 1.645
MEAN_WITHIN, SIGMA_WITHIN, R2_RATIO, AUC_BELOW, AUC_AIM = 0.03, 0.20, 0.7, 0.98, 0.95
UNTRAINED_ABOVE, WIDENED_ABOVE = 0.99, 0.9
"""What the issue asks for."""


@dataclass(frozen=True)
class Target:
    """A demand, what was reached, and whether that is enough."""

    demand: str
    reached: str
    kept: bool


def upper(number: Measured) -> float:
    """One-sided 95 % upper bound, NaN where the number is undefined."""
    if number.value is None:
        return math.nan
    return number.value + ONE_SIDED_95 * (number.error or 0.0)


def names(group: Group, prefix: str) -> list[str]:
    """Numbers of a group whose names begin so, in the order of the record."""
    found = group.whole[0]["test"] if group.whole else {}
    return [name for name in found if name.startswith(prefix)]


def farthest(group: Group, prefix: str) -> Measured:
    """Of several ratios the one farthest from 1."""
    found = [group.measured(name) for name in names(group, prefix)]
    known = [one for one in found if one.value is not None]
    return max(known, key=lambda one: abs((one.value or 0) - 1), default=_UNKNOWN)


def smallest(group: Group, prefix: str) -> Measured:
    """The smallest of several numbers."""
    found = [group.measured(name) for name in names(group, prefix)]
    known = [one for one in found if one.value is not None]
    return min(known, key=lambda one: one.value or 0, default=_UNKNOWN)


def mean_separation(group: Group) -> Measured:
    """Mean over the 20 observables, 1 for one that no generated shower has.

    The error takes them as independent.
    """
    found = [group.measured(name, "separation") for name in group.whole[0]["separation"]]
    if not found:
        return _UNKNOWN
    error = math.hypot(*(one.error or 0 for one in found)) / len(found)
    total = sum(1.0 if one.value is None else one.value for one in found)
    return Measured(total / len(found), error)


_UNKNOWN = Measured(None, None, "-")


def within(number: Measured, tolerance: float) -> bool:
    """Whether a ratio is 1 within a tolerance."""
    return number.value is not None and abs(number.value - 1) <= tolerance


def targets(ours: Group, published: Group | None, untrained: Measured) -> list[Target]:
    """All demands on our recipe, and on the classifier that judges it."""
    found = [*_physics(ours), *_classifier(ours, untrained)]
    if published is not None and published.whole:
        bound, other = upper(ours.measured("auc_both")), published.measured("auc_both")
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
    auc, widened = ours.measured("auc_both"), ours.measured("auc_widened")
    bound = upper(auc)
    demand = f"classifier AUC, 95 % bound below {AUC_BELOW:g} (aim {AUC_AIM:g})"
    yield Target(demand, f"{auc}, bound {bound:.4f}", bound < AUC_BELOW)
    for who, number, least in (
        ("the untrained generator", untrained, UNTRAINED_ABOVE),
        ("a copy widened by 10 %", widened, WIDENED_ABOVE),
    ):
        seen = number.value is not None and number.value >= least
        yield Target(f"that classifier on {who} >= {least:g}", str(number), seen)
