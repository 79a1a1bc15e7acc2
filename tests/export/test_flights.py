"""Features of flights in few operators give what the features one by one give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caloforge.data.derive import FeatureScaling
from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.export.flights import FlightFeatures, can_be_stacked
from caloforge.networks.scaling import ConditionScale


def condition_scale(name: str) -> tuple[ConditionScale, torch.Tensor]:
    """The scale of a detector, and conditions of real particles.  (N, C)"""
    showers = read(sample_path(name))
    conditions = showers.conditions[:: max(1, len(showers.conditions) // 500)]
    scaling = FeatureScaling.fit(showers.detector, showers.conditions)
    scale = ConditionScale(showers.detector, scaling)
    return scale, torch.tensor(conditions, dtype=torch.float32)


@pytest.mark.parametrize("name", ["alice_zn", "alice_zp"])
def test_stacked_features_are_those_one_by_one(name: str) -> None:
    scale, conditions = condition_scale(name)
    assert can_be_stacked(scale)
    one_by_one, stacked = scale(conditions), FlightFeatures(scale)(conditions)
    assert len(np.unique(one_by_one.numpy(), axis=1).T) > 20  # features differ from each other
    torch.testing.assert_close(stacked, one_by_one, rtol=1e-4, atol=2e-4)


def test_directions_by_angles_are_left_one_by_one() -> None:
    scale, _ = condition_scale("atlas_em")
    assert not can_be_stacked(scale)
