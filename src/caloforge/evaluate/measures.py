"""Which measures are taken of a detector: the rows of the table.

A new measure is one function of ``measure`` and one row here.
"""

from __future__ import annotations

from functools import partial

from caloforge.detector import Detector
from caloforge.evaluate.measure import (
    MARGINAL_HALVINGS,
    SPREAD_HALVINGS,
    Measure,
    Row,
    centre_error,
    centre_sigma,
    channel_sigma,
    channel_w1,
    conditional,
    mean_difference,
    mean_ratio,
    observable_w1,
    spread,
    total_sigma,
)
from caloforge.evaluate.observable import Observable
from caloforge.evaluate.observables import observables
from caloforge.readout import Channels

__all__ = ["Measure", "Row", "distances", "diversities", "measures", "rows_of", "shapes"]


def measures(detector: Detector, channels: Channels) -> tuple[Measure, ...]:
    """Everything that is measured of showers of a detector, read out by a scheme."""
    seen = observables(detector)
    return (
        *distances(detector.unit, channels.labels),
        *diversities(channels.labels, seen),
        *shapes(detector.unit, seen),
    )


def rows_of(table: tuple[Measure, ...]) -> tuple[Row, ...]:
    """The rows of all measures."""
    return tuple(row for measure in table for row in measure.rows)


def distances(unit: str, labels: tuple[str, ...]) -> tuple[Measure, ...]:
    """Distances of the channel sums: as papers print them, at equal numbers, per particle."""
    named = partial(_per_channel, unit=unit, labels=labels)
    return (
        Measure(named("w1_all", "W1, all rows"), channel_w1, halvings=0),
        Measure(named("w1", "W1"), channel_w1, halvings=MARGINAL_HALVINGS),
        Measure(named("conditional_w1", "conditional W1"), conditional, per_particle=True),
    )


def diversities(labels: tuple[str, ...], seen: tuple[Observable, ...]) -> tuple[Measure, ...]:
    """How much the showers of one particle differ, generated against real."""
    slope = Row("spread_slope", "spread slope", ideal=1)
    same = Row("spread_correlation", "spread corr. at fixed total", ideal=1)
    total, centre = (Row(f"sigma_{n}", f"sigma({n})", ideal=1) for n in ("total", "centre"))
    channels = [Row(f"sigma_{n}", f"sigma({n})", ideal=1, detail=True) for n in labels]
    return (
        Measure((slope, same), spread, halvings=SPREAD_HALVINGS, per_particle=True),
        Measure((total,), total_sigma, per_particle=True),
        Measure(tuple(channels), channel_sigma, per_particle=True),
        *_where("centre_x", seen, Measure((centre,), centre_sigma, per_particle=True)),
    )


def shapes(unit: str, seen: tuple[Observable, ...]) -> tuple[Measure, ...]:
    """Means of observables, and their distances."""
    total = Row("mean_total", "mean total", ideal=1)
    width = Row("mean_width", "mean width", ideal=1, detail=True)
    empty = Row("empty", "empty, excess over real", "fraction")
    wide = partial(mean_ratio, observable="width")
    centre = Row("centre_error", "distance of mean centres", "mm", distance=True)
    return (
        Measure((total,), partial(mean_ratio, observable="total"), halvings=0),
        *_where("centre_x", seen, Measure((centre,), centre_error, per_particle=True)),
        *_where("width", seen, Measure((width,), wide, halvings=0)),
        Measure((empty,), partial(mean_difference, observable="empty"), halvings=0),
        *(
            Measure(
                (Row(f"w1_{o.name}", f"W1 of {o.title}", o.unit or unit, 0, True, True),),
                partial(observable_w1, observable=o.name),
                halvings=MARGINAL_HALVINGS,
            )
            for o in seen
            if o.name != "empty"
        ),
    )


def _where(name: str, seen: tuple[Observable, ...], measure: Measure) -> tuple[Measure, ...]:
    """The measure, where the detector has the observable that it needs."""
    return (measure,) if name in {observable.name for observable in seen} else ()


def _per_channel(name: str, title: str, unit: str, labels: tuple[str, ...]) -> tuple[Row, ...]:
    return (
        Row(name, title, unit, distance=True),
        *(
            Row(f"{name}_{label}", f"{title}: {label}", unit, distance=True, detail=True)
            for label in labels
        ),
    )
