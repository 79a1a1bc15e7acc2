"""Flights through the grooves of fibres, beside walks along the line and real showers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caloforge.data.samples import showers_path
from caloforge.detector.features import Grooves
from caloforge.detectors import DETECTORS
from caloforge.io.showers import read

GROOVES = Grooves(width_cm=0.06, pitch_cm=0.16, depth_cm=100.0)
STEPS = np.linspace(0, 100, 20_001)


def stepped(point_cm: float, slope: float) -> float:
    """Depth at which a walk along the line first stands in matter."""
    cells = (point_cm + slope * STEPS - (np.floor(point_cm / 0.16) + 0.5) * 0.16) / 0.06
    outside = np.abs(cells) >= 0.5
    return float(STEPS[outside.argmax()]) if outside.any() else 100.0


def test_a_flight_ends_where_a_walk_along_the_line_meets_matter() -> None:
    rng = np.random.default_rng(0)
    points, slopes = rng.uniform(-3.5, 3.5, 400), rng.normal(0, 3e-4, 400)
    slopes[:4] = 0
    depths = GROOVES.flight(np, points, slopes)
    by_steps = [stepped(point, slope) for point, slope in zip(points, slopes, strict=True)]
    np.testing.assert_allclose(depths, by_steps, atol=0.006)
    assert 20 < (depths == 0).sum() < 380
    floats = (torch.tensor(part, dtype=torch.float32) for part in (points, slopes))
    single = GROOVES.flight(torch, *floats)
    assert (np.abs(single.numpy() - depths) < 0.2).mean() > 0.99


@pytest.mark.parametrize("name", ["alice_zn", "alice_zp"])
def test_particles_that_fly_through_a_groove_are_those_that_leave_no_light(name: str) -> None:
    detector = DETECTORS[name]
    showers = read(showers_path(f"{name}/part-2"))
    light = showers.cells.sum(axis=1) / showers.conditions[:, detector.column("Energy")]
    columns = {
        feature.name: feature.value(
            np, *(showers.conditions[:, detector.column(one)] for one in feature.of)
        )
        for feature in detector.features
    }
    layer = detector.layers[0]
    half = [cells * size / 20 for cells, size in zip(layer.shape, layer.cell_mm, strict=True)]
    x = columns.get("impact_dispersed_x", columns["impact_x"])
    on_the_face = (np.abs(x) < half[0] - 0.2) & (np.abs(columns["impact_y"]) < half[1] - 0.2)
    through = columns["through_groove"][on_the_face] == 1
    dark = light[on_the_face] < 0.03
    assert through.sum() >= 20
    assert dark[through].mean() > 0.95
    assert dark[~through].mean() < 0.01
