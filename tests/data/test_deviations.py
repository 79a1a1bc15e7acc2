"""The spread of columns: as numpy where they vary, 0 where rounding makes numpy find one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from caloforge.data.deviations import deviations, divisors


@pytest.fixture(params=["f4", "f8"])
def values(request: pytest.FixtureRequest) -> NDArray[np.floating]:
    return np.random.default_rng(0).normal(size=(1001, 5)).astype(request.param)


def test_columns_that_vary_have_the_deviation_of_numpy(values: NDArray[np.floating]) -> None:
    assert np.array_equal(deviations(values), values.std(axis=0))
    assert np.array_equal(divisors(values), values.std(axis=0))
    assert deviations(values).dtype == values.dtype


def test_a_constant_column_has_none(values: NDArray[np.floating]) -> None:
    values[:, 3] = 0.1
    assert values.std(axis=0)[3] > 0  # what the mean is rounded by
    assert deviations(values)[3] == 0
    assert divisors(values)[3] == 1
    values[::2, 3] *= 1 + 2e-7  # as sums of float32 cells are
    assert deviations(values)[3] == 0


@pytest.mark.filterwarnings("error")
def test_rows_without_a_number_do_not_count(values: NDArray[np.floating]) -> None:
    few = np.array(values)
    few[10:, 0], few[:, 1] = np.nan, np.nan
    assert deviations(few)[0] == pytest.approx(values[:10, 0].std(), rel=1e-6)
    assert deviations(few)[1] == 0
