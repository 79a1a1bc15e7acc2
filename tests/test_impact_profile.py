"""Profiles around the point of impact, beside a loop over cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.data.derive import FeatureScaling
from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers, read
from caloforge.detectors.alice_zn import ALICE_ZN
from caloforge.detectors.points import POINTS
from caloforge.errors import UsageError
from caloforge.networks.generators import GeneratorConfig
from caloforge.networks.impact_profile import LEAST_SHARE, ImpactPoint, ImpactProfile
from caloforge.networks.scaling import ConditionScale

LAYER = ALICE_ZN.layers[0]
TRUNK = 5


@pytest.fixture(scope="module")
def real() -> Showers:
    return read(sample_path("alice_zn")).rows(np.arange(0, 8000, 10))


def scaling_of(showers: Showers, kind: Any = "features") -> FeatureScaling:
    return FeatureScaling.fit(showers.detector, showers.conditions, kind)


def features_of(showers: Showers, scaling: FeatureScaling) -> torch.Tensor:
    conditions = torch.tensor(showers.conditions, dtype=torch.float32)
    return ConditionScale(showers.detector, scaling)(conditions)


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("name", ["alice_zn", "alice_zp"])
def test_the_hottest_cell_of_real_showers_is_that_of_the_impact(name: str) -> None:
    showers = read(sample_path(name))
    scaling, layer = scaling_of(showers), showers.detector.layers[0]
    bright = showers.rows(np.flatnonzero(showers.cells.sum(axis=1) > 300))
    point = ImpactPoint(showers.detector, scaling, layer)(features_of(bright, scaling)).numpy()
    hottest = np.stack(np.unravel_index(bright.cells.argmax(axis=1), layer.shape), axis=1)
    assert (np.abs(np.median(hottest + 0.5 - point, axis=0)) < 0.1).all()
    assert (np.abs(hottest + 0.5 - point) < 1).all(axis=1).mean() > 0.8


def test_profile_is_the_mixture_written_cell_by_cell(real: Showers) -> None:
    scaling = scaling_of(real)
    torch.manual_seed(0)
    profile = ImpactProfile(ALICE_ZN, scaling, LAYER, TRUNK)
    features, trunk = features_of(real, scaling)[:1], torch.randn(1, TRUNK)
    with torch.no_grad():
        cells = profile(features, trunk).reshape(LAYER.shape)
        point = profile.impact(features)[0].tolist()
        logits, *shifts = profile.mixture(trunk)[0].chunk(3)
    weights = torch.softmax(logits, dim=0).tolist()
    for x, y in ((0, 0), (21, 22), (int(point[0]) % 44, int(point[1]) % 44)):
        share = 0.0
        for number, (weight, width) in enumerate(
            zip(weights, profile.widths.flatten().tolist(), strict=True)
        ):
            along = []
            for cell, middle, shift in zip((x, y), point, shifts, strict=True):
                centre = middle + width * float(shift[number])
                upper, lower = (cell + 1 - centre) / width, (cell - centre) / width
                along.append(logistic(upper) - logistic(lower))
            share += weight * along[0] * along[1]
        assert float(cells[x, y]) == pytest.approx(share + LEAST_SHARE, rel=1e-3)


def test_without_an_impact_among_the_features_profiles_stand_in_the_middle(real: Showers) -> None:
    scaling = scaling_of(real, "plain")
    point = ImpactPoint(ALICE_ZN, scaling, LAYER)(torch.randn(3, len(scaling.features)))
    assert point.tolist() == [[22.0, 22.0]] * 3


def test_cells_of_any_sign_have_no_profile() -> None:
    scaling = FeatureScaling.fit(
        POINTS, np.random.default_rng(0).normal(size=(9, len(POINTS.columns))), "plain"
    )
    with pytest.raises(UsageError, match=r"points has cells of any sign: set generator\.kind=mlp"):
        GeneratorConfig(kind="profile").build(POINTS, scaling)
