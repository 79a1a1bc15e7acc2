"""The quality that the card of a simulator states: the rows of an evaluation that users ask for."""

from __future__ import annotations

from collections.abc import Iterator

from caloforge.evaluate.baselines import REAL
from caloforge.evaluate.resampling import Measured
from caloforge.evaluate.result import EvaluationResult
from caloforge.simulator.card import Measurement, Quality

TABLE = (
    "conditional_w1",
    "w1_all",
    "spread_slope",
    "sigma_total",
    "w1_occupancy",
    "w1_hottest",
)
"""Rows of the table, where the detector has them."""
TWO_SAMPLE = ("auc_boosted", "auc_low", "auc_both", "band_resolution_", "r2_ratio_")
"""Beginnings of the names of rows that stand below the table."""


def quality_of(result: EvaluationResult, against: str, against_sha256: str = "") -> Quality:
    """What a card says of an evaluation: numbers with floors, and the answer of the gate.

    Args:
        result: Of the simulator that the card belongs to.
        against: The real showers, in words.
        against_sha256: Checksum of their file.
    """
    gate = result.gate
    return Quality(
        against=against,
        against_sha256=against_sha256,
        measurements=tuple(measurements(result)),
        accepted=None if gate is None or gate.outcome == "too few" else gate.accepted,
        failed=() if gate is None else tuple(check.title for check in gate.failures),
    )


def measurements(result: EvaluationResult) -> Iterator[Measurement]:
    """Numbers of the table, then of the classifiers; undefined ones are left out."""
    units = {metric.name: metric.unit for metric in result.metrics}
    for name in TABLE:
        if name in units and (value := result.measured(name)).value is not None:
            yield measurement(name, value, result.measured(name, REAL), units[name])
    for row in result.two_sample:
        if row.metric.name.startswith(TWO_SAMPLE) and row.value.value is not None:
            yield measurement(row.metric.name, row.value, row.floor, "")


def measurement(name: str, value: Measured, floor: Measured, unit: str) -> Measurement:
    """A number beside its floor."""
    assert value.value is not None
    return Measurement(
        name=name,
        value=value.value,
        error=value.error,
        floor=floor.value,
        floor_error=floor.error,
        unit=unit,
    )
