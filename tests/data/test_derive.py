"""Derived columns against loops over numpy."""

import math

import numpy as np
import pytest

from caloforge.data.derive import SpreadBounds, peak_of_cells, spread
from caloforge.data.showers import ShowerFile, Showers, groups_of
from caloforge.errors import DataError
from tests.input_output.raw import TOY, numbers, write_raw
from tests.input_output.test_showers_file import in_memory


def naive_spread(showers, scale, relative):
    values = []
    for number in dict.fromkeys(showers.particle.tolist()):
        rows = [row for row in range(len(showers)) if showers.particle[row] == number]
        if len(rows) == 1:
            values.append(math.nan)
            continue
        total = 0.0
        for cell in range(showers.detector.cells):
            column = [float(showers.cells[row, cell]) for row in rows]
            if scale == "log1p":
                column = [math.log(1 + value) for value in column]
            mean = sum(column) / len(column)
            total += math.sqrt(sum((value - mean) ** 2 for value in column) / len(column))
        if relative:
            total /= math.sqrt(sum(int(showers.cells[row].sum()) for row in rows) / len(rows))
        values.append(total)
    return values


@pytest.mark.parametrize("scale", ["counts", "log1p"])
@pytest.mark.parametrize("relative", [False, True])
def test_spread_is_its_loop(tmp_path, scale, relative, monkeypatch):
    showers = in_memory()
    expected = naive_spread(showers, scale, relative)
    assert math.isnan(expected[1])
    actual = spread(showers, scale=scale, relative=relative)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    monkeypatch.setattr("caloforge.data.derive.SPREAD_BLOCK_ROWS", 2)
    with ShowerFile(write_raw(tmp_path / "a.h5")) as file:
        np.testing.assert_array_equal(spread(file, scale=scale, relative=relative), actual)
        some = file.groups().select(np.array([4, 5]))
        np.testing.assert_array_equal(
            spread(file, scale=scale, relative=relative, groups=some), actual[[0, 3]]
        )


def test_identical_repeats_have_spread_zero_and_no_light_no_relative_spread():
    showers = in_memory()
    same = Showers(TOY, np.full_like(showers.cells, 3), showers.conditions, showers.particle)
    np.testing.assert_array_equal(spread(same), [0, np.nan, 0, 0])
    dark = Showers(TOY, np.zeros_like(showers.cells), showers.conditions, showers.particle)
    np.testing.assert_array_equal(spread(dark), [0, np.nan, 0, 0])
    assert np.isnan(spread(dark, relative=True)).all()


def test_the_largest_cell_is_that_of_loops():
    showers = in_memory()
    for row in range(len(showers)):
        images = {name: numbers()[f"showers/{name}"][row] for name in ("front", "back")}
        best, where = -1, None
        for name in ("front", "back"):
            for x in range(images[name].shape[0]):
                for y in range(images[name].shape[1]):
                    if images[name][x, y] > best:
                        best, where = images[name][x, y], (x, y)
        assert tuple(peak_of_cells(TOY, showers.cells)[row]) == where
    dark = np.zeros_like(showers.cells)
    assert np.isnan(peak_of_cells(TOY, dark)).all()


def test_bounds_of_training_clip_others():
    bounds = SpreadBounds.fit(np.array([2.0, np.nan, 6.0]))
    assert (bounds.low, bounds.high) == (2.0, 6.0)
    np.testing.assert_array_equal(
        bounds.normalise(np.array([1.0, 2.0, 4.0, 9.0, np.nan])), [0, 0, 0.5, 1, np.nan]
    )
    np.testing.assert_array_equal(SpreadBounds(3, 3).normalise(np.array([3.0])), [0])
    with pytest.raises(DataError, match="undefined"):
        SpreadBounds.fit(np.array([np.nan]))


def test_groups():
    groups = groups_of(np.array([4, 4, 1, 7, 7, 7]))
    assert groups.ids.tolist() == [4, 1, 7]
    assert groups.starts.tolist() == [0, 2, 3]
    assert groups.counts.tolist() == [2, 1, 3]
    assert groups.select(np.array([7, 4])).row_index().tolist() == [0, 1, 3, 4, 5]
    assert groups.at_most(2).row_index().tolist() == [0, 1, 2, 3, 4]
    assert groups.at_most(None) is groups
    assert len(groups_of(np.array([], dtype=np.int64))) == 0
    with pytest.raises(DataError, match="no particle 8"):
        groups.select(np.array([8]))
    with pytest.raises(DataError, match="particle 4 appears again"):
        groups_of(np.array([4, 1, 4]))
