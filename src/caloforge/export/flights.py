"""Features of straight flights in few operators: what a graph computes in place of one by one.

Shapes: N rows, C conditions, F features, P ends of flights. A runtime takes a third of a
microsecond for each operator, however few the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from caloforge.detector.features import AIR, Feature
from caloforge.networks.scaling import ConditionScale

PLAIN = ("value", "log")
WAVES = ("sine", "cosine")
KINDS = {*PLAIN, *WAVES, *AIR, "impact"}
OTHER_FIELDS = {"name": "", "kind": "impact", "of": (), "wavelength_cm": 1.0, "grooves": None}
"""Of a feature, what does not say where its flight ends."""


class Flight(NamedTuple):
    """A flight to a plane; its columns: vertex, momentum across and along, charge if it bends."""

    end: Feature
    columns: tuple[int, ...]


def flights_of(feature: Feature, columns: Sequence[int]) -> tuple[Flight, ...]:
    """The flight of an impact point or a wave; of a groove, those along x and along y."""
    if feature.kind in PLAIN:
        return ()
    end = feature.model_copy(update=OTHER_FIELDS)
    if feature.kind not in AIR:
        return (Flight(end, tuple(columns)),)
    straight = end.model_copy(update={"dispersion": None})
    vertex_x, momentum_x, vertex_y, momentum_y, *along = columns
    return (
        Flight(end, (vertex_x, momentum_x, *along)),
        Flight(straight, (vertex_y, momentum_y, along[0])),
    )


def can_be_stacked(scale: ConditionScale) -> bool:
    """Whether all features are of kinds known here, and all flights alike: those of a ZDC."""
    if any(f.kind not in KINDS or f.direction != "momentum" for f, _ in scale.features):
        return False
    flights = [flight for pair in scale.features for flight in flights_of(*pair)]
    ways = {(flight.end.within_cm, flight.columns[2]) for flight in flights}
    grooves = {
        (feature.grooves, *columns) for feature, columns in scale.features if feature.grooves
    }
    return len(ways) == 1 and len(grooves) <= 1


Use = tuple[Feature, list[int]]
"""A feature, and the columns of the conditions that it is computed of."""
QUARTER = pi / 2
"""cos(x) = sin(x + QUARTER)."""


class FlightFeatures(nn.Module):
    """``ConditionScale`` of a detector that ``can_be_stacked``.  (N, C) -> (N, F)"""

    mean: Tensor
    std: Tensor
    vertex_cm: Tensor
    distance_cm: Tensor
    factors: Tensor
    shifts: Tensor

    def __init__(self, scale: ConditionScale) -> None:
        super().__init__()
        self.register_buffer("mean", scale.mean)
        self.register_buffer("std", scale.std)
        self.by_piece: dict[str, list[Use]] = {piece: [] for piece in PIECES}
        numbers: dict[str, list[int]] = {piece: [] for piece in PIECES}
        for number, (feature, columns) in enumerate(scale.features):
            piece = "wave" if feature.kind in WAVES else feature.kind
            self.by_piece[piece].append((feature, columns))
            numbers[piece].append(number)
        self.order = torch.tensor([n for piece in numbers.values() for n in piece]).argsort()
        flights = [flight for pair in scale.features for flight in flights_of(*pair)]
        self.flights = list(dict.fromkeys(flights))
        for name in ("vertex_cm", "distance_cm"):
            row = torch.tensor([getattr(flight.end, name) for flight in self.flights])
            self.register_buffer(name, row, persistent=False)
        waves = self.by_piece["wave"]
        factors, shifts = torch.zeros(len(waves), len(self.flights)), torch.zeros(len(waves))
        for number, (feature, columns) in enumerate(waves):
            flight = self.flights.index(flights_of(feature, columns)[0])
            factors[number, flight] = 2 * pi / feature.wavelength_cm
            shifts[number] = QUARTER * (feature.kind == "cosine")
        self.register_buffer("factors", factors, persistent=False)
        self.register_buffer("shifts", shifts, persistent=False)

    def forward(self, conditions: Tensor) -> Tensor:
        points, slopes = self.ends(conditions)
        depth = self.depth(points, slopes)
        pieces = [
            PIECES[piece](self, features, conditions, points, depth)
            for piece, features in self.by_piece.items()
            if features
        ]
        return (torch.cat(pieces, dim=1)[:, self.order] - self.mean) / self.std

    def ends(self, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Where flights end, in cm, and their slopes to z.  (N, C) -> (N, P), (N, P)"""
        vertex, across, along = ([f.columns[place] for f in self.flights] for place in range(3))
        momentum = conditions[:, along[:1]].abs()
        slopes = conditions[:, across] / momentum
        points = conditions[:, vertex] * self.vertex_cm + slopes * self.distance_cm
        for number, (end, columns) in enumerate(self.flights):
            if end.dispersion is not None:
                shift = end.dispersion.at(conditions[:, list(columns[3:])], momentum)
                points = points + shift * torch.eye(len(self.flights))[number]
        within_cm = self.flights[0].end.within_cm
        return (points if within_cm is None else points.clamp(-within_cm, within_cm)), slopes

    def depth(self, points: Tensor, slopes: Tensor) -> Tensor | None:
        """Part of the depth that is flown in the air of a groove, if that is a feature.  (N, 1)"""
        features = [pair for kind in AIR for pair in self.by_piece[kind]]
        if not features:
            return None
        grooves = features[0][0].grooves
        assert grooves is not None
        axes = [self.flights.index(flight) for flight in flights_of(*features[0])]
        depths: Tensor = grooves.flight(torch, columns_of(points, axes), columns_of(slopes, axes))
        return depths.amin(1, keepdim=True) / grooves.depth_cm

    def impacts(self, features: Sequence[Use], points: Tensor) -> Tensor:
        """Ends of the flights of these features.  (N, P) -> (N, n)"""
        return columns_of(points, [self.flights.index(flights_of(*pair)[0]) for pair in features])


def columns_of(values: Tensor, columns: list[int]) -> Tensor:
    """Some columns; no operator where they are all, in their order.  (N, n) -> (N, m)"""
    return values if columns == list(range(values.shape[1])) else values[:, columns]


def conditions_of(features: Sequence[Use], conditions: Tensor) -> Tensor:
    """The condition of each feature of one condition.  (N, C) -> (N, n)"""
    return conditions[:, [columns[0] for _, columns in features]]


Piece = Callable[[FlightFeatures, Sequence[Use], Tensor, Tensor, Any], Tensor]
PIECES: dict[str, Piece] = {
    "value": lambda _, features, conditions, *__: conditions_of(features, conditions),
    "log": lambda _, features, conditions, *__: conditions_of(features, conditions).log(),
    "impact": lambda own, features, _, points, __: own.impacts(features, points),
    "wave": lambda own, _, __, points, ___: linear(points, own.factors, own.shifts).sin(),
    "groove": lambda *arguments: arguments[-1],
    "through": lambda *arguments: arguments[-1].floor(),
}
"""All features of a kind, of the conditions (N, C), ends (N, P) and depth in air (N, 1).  (N, n)"""
