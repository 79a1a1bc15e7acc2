"""Observables against loops over cells."""

import math
import sys

import numpy as np
import pytest

from caloforge.data.showers import Showers
from caloforge.detector import Condition, Detector, Layer
from caloforge.detector.readout import by_layer
from caloforge.evaluate.observables import hottest_cells, layout_of, observables, observe
from evaluate.stand_in import SMALL, energies, showers


def by_loops(image):
    """Total, centre x, centre y, width of one image of 2 x 3 mm cells, [x][y]."""
    total = sum_x = sum_y = 0.0
    for i, column in enumerate(image):
        for j, count in enumerate(column):
            total += count
            sum_x += count * (i - 2.5) * 2.0
            sum_y += count * (j - 2.5) * 3.0
    if total == 0:
        return 0.0, math.nan, math.nan, math.nan
    x, y = sum_x / total, sum_y / total
    squares = sum(
        count * (((i - 2.5) * 2 - x) ** 2 + ((j - 2.5) * 3 - y) ** 2)
        for i, column in enumerate(image)
        for j, count in enumerate(column)
    )
    return total, x, y, math.sqrt(squares / total)


def test_observables_are_what_loops_over_cells_give():
    sample = showers(energies(12, 0), 2, 1)
    sample.cells[5] = 0
    observed = observe(sample)
    for row, image in enumerate(sample.cells.reshape(-1, 6, 6).astype(float)):
        expected = by_loops(image.tolist())
        for name, value in zip(("total", "centre_x", "centre_y", "width"), expected, strict=True):
            assert observed.values[name][row] == pytest.approx(value, abs=1e-9, nan_ok=True)
        assert observed.values["empty"][row] == (row == 5)
        sums = [0.0] * 5
        for cell, channel in enumerate(SMALL.scheme().of_cell):
            sums[channel] += image.ravel()[cell]
        assert observed.channels[row].tolist() == sums


def test_one_lit_cell_has_a_place_and_no_width():
    sample = showers(energies(1, 0), 1, 1)
    sample.cells[:] = 0
    sample.cells[0, 6 * 5 + 1] = 9
    observed = observe(sample)
    assert observed.values["centre_x"][0] == pytest.approx(5.0)
    assert observed.values["centre_y"][0] == pytest.approx(-4.5)
    assert observed.values["width"][0] == 0


def test_blocks_do_not_change_anything(monkeypatch):
    sample = showers(energies(9, 0), 3, 1)
    whole = observe(sample)
    # By its full name: the package has a function that is called like the module.
    monkeypatch.setattr(sys.modules["caloforge.evaluate.observables"], "ROWS_AT_ONCE", 4)
    for observable in observables(SMALL):
        parts = observe(sample).values[observable.name]
        np.testing.assert_allclose(parts, whole.values[observable.name], rtol=1e-12)


def test_cells_of_all_layers_have_their_own_place():
    layers = (
        Layer(name="one", shape=(2, 1), cell_mm=(10.0, 1.0)),
        Layer(name="two", shape=(1, 3), cell_mm=(1.0, 4.0)),
    )
    channels = (by_layer({"one": 2, "two": 3}, "sum of each layer"),)
    changes = {"layers": layers, "channels": channels, "counts": False, "features": ()}
    conditions = (Condition(name="E", unit="GeV"),)
    layered = Detector.model_validate(SMALL.model_dump() | changes | {"conditions": conditions})
    places = layout_of(layered)
    assert places.x_mm.tolist() == [-5, 5, 0, 0, 0]
    assert places.y_mm.tolist() == [0, 0, -4, 0, 4]
    cells = np.array([[0, 0, 0, 0, 2.5]], dtype=np.float32)
    assert Showers(layered, cells, np.ones((1, 1)), np.zeros(1, dtype=np.int64)).total()[0] == 2.5


def test_textures_are_what_loops_over_cells_give():
    sample = showers(energies(6, 0), 2, 1)
    sample.cells[3] = 0
    observed = observe(sample).texture
    for row, image in enumerate(sample.cells.reshape(-1, 6, 6).astype(float)):
        flat, total = sorted(image.ravel().tolist(), reverse=True), float(image.sum())
        for photons in (1, 2, 3):
            assert observed[f"cells_{photons}"][row] == sum(cell == photons for cell in flat)
        if not total:
            assert all(math.isnan(observed[name][row]) for name in ("hottest_2", "squares"))
            continue
        pairs = sum(image[i, j] * image[i + 1, j] for i in range(5) for j in range(6))
        pairs += sum(image[i, j] * image[i, j + 1] for i in range(6) for j in range(5))
        assert observed["neighbours"][row] == pytest.approx(pairs / total**2)
        assert observed["squares"][row] == pytest.approx(sum(c * c for c in flat) / total**2)
        for rank in (2, 3, 4, 5):
            assert observed[f"hottest_{rank}"][row] == pytest.approx(flat[rank - 1] / total)


def test_a_layer_of_one_cell_has_a_dark_second_one():
    assert hottest_cells(np.array([[3.0], [0.0]]), 2).tolist() == [[3, 0], [0, 0]]
