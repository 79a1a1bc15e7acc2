"""Two-sample metrics of generators that make next to nothing."""

import numpy as np
import pytest

from caloforge.evaluate.baselines import as_showers
from caloforge.evaluate.engine import two_sample_metrics
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
