"""Two-sample metrics of generators that make next to nothing."""

import numpy as np
import pytest

from caloforge.evaluate.baselines import as_showers
from caloforge.evaluate.engine import two_sample_metrics
from caloforge.evaluate.metrics.two_sample import correlation
from evaluate.stand_in import energies, showers

REAL = showers(energies(12, 0), 4, 1)


@pytest.mark.parametrize("lit", [0, 1, 2, len(REAL)])
def test_nearly_empty_showers_have_defined_metrics(lit):
    cells = np.zeros_like(REAL.cells)
    cells[:lit] = REAL.cells[:lit]
    actual = {one.name: one.value for one in two_sample_metrics(REAL, as_showers(REAL, cells))}
    assert actual["ks_total"].value is not None
    assert np.isfinite(actual["ks_total"].value)
    for value in actual.values():
        assert value.value is None or np.isfinite(value.value)


@pytest.mark.parametrize("units", [(1.0, 1.0), (1e6, 1e-2)])
def test_a_correlation_has_no_unit(units):
    large, small, noise = np.random.default_rng(0).normal(size=(3, 400))
    values = np.stack([units[0] * large, units[1] * small, units[1] * (small + noise)], axis=1)
    np.testing.assert_allclose(correlation(values), np.corrcoef(values.T))


def test_a_constant_column_has_no_correlation():
    values = np.stack([np.full(40, 0.1), np.arange(40.0)], axis=1)
    np.testing.assert_array_equal(correlation(values), [[np.nan, np.nan], [np.nan, 1]])
