"""Shapes of layered showers against loops; CaloGAN's 20 by the authors' formulas."""

import itertools
import math

import numpy as np
import pytest

from caloforge.detectors import ALICE_ZN, ALICE_ZP, ATLAS_EM, POINTS
from caloforge.evaluate.observables import (
    calogan,
    layout_of,
    observables,
    radial_profile,
    ring_edges,
    values_of,
)

LAYOUT = layout_of(ATLAS_EM)


def authors(images):
    """feats1d.py of CaloGAN for one shower, written again with loops."""
    energies = [float(image.sum()) for image in images]
    total = sum(energies)
    actual = {f"E_{n}": e for n, e in enumerate(energies)}
    actual["E_tot"] = total
    actual |= {f"f_{n}": e / total for n, e in enumerate(energies)}
    actual["d"] = max(n for n, e in enumerate(energies) if e != 0)
    actual["l_d"] = sum(n * e for n, e in enumerate(energies))
    actual["s_d"] = actual["l_d"] / total
    squares = sum(n * n * e for n, e in enumerate(energies)) / total
    actual["sigma_s_d"] = math.sqrt(max(squares - actual["s_d"] ** 2, 0))
    for n, image in enumerate(images):
        first, second = sorted(image.ravel().tolist())[-1:-3:-1]
        actual[f"E_ratio_{n}"] = (first - second) / (first + second + 1e-10)
        actual[f"sparsity_{n}"] = sum(x > 0 for x in image.ravel()) / image.size
        at = [-240 + 480 * i / (len(image) - 1) for i in range(len(image))]
        rows = [float(row.sum()) for row in image]
        if energies[n] == 0:
            actual[f"sigma_{n}"] = math.nan
            continue
        mean = sum(h * e for h, e in zip(at, rows, strict=True)) / energies[n]
        square = sum(h * h * e for h, e in zip(at, rows, strict=True)) / energies[n]
        actual[f"sigma_{n}"] = math.sqrt(max(square - mean**2, 0))
    return actual


@pytest.fixture
def cells(rng):
    cells = rng.exponential(1, (6, ATLAS_EM.cells)) * (rng.random((6, ATLAS_EM.cells)) < 0.2)
    cells[3, 288:] = 0
    return cells


def test_the_twenty_of_calogan_are_those_of_the_authors(cells):
    target = calogan(ATLAS_EM)
    assert len(target) == 20
    actual = values_of(cells, target, LAYOUT)
    images = ATLAS_EM.split(cells)
    for row in range(len(cells)):
        expected = authors([images[layer.name][row] for layer in ATLAS_EM.layers])
        assert set(expected) == set(actual)
        for name, value in expected.items():
            assert actual[name][row] == pytest.approx(value, nan_ok=True, abs=1e-9), name


def test_ours_take_the_true_middle_of_a_cell_along_both_axes():
    cells = np.zeros((1, ATLAS_EM.cells))
    cells[0, [0, 2 * 96]] = 1.0
    actual = values_of(cells, observables(ATLAS_EM), LAYOUT)
    assert actual["width_x_layer_0"][0] == pytest.approx(160)
    assert actual["width_y_layer_0"][0] == pytest.approx(0)
    theirs = values_of(cells, calogan(ATLAS_EM), LAYOUT)
    assert theirs["sigma_0"][0] == pytest.approx(240)
    assert actual["hottest_pair_layer_0"][0] == 0
    assert np.isnan(actual["hottest_pair_layer_1"][0])
    assert actual["last_layer"][0] == 0
    assert actual["occupancy_layer_0"][0] == 2 / 288


def test_empty_showers_have_no_shape_and_no_warning():
    cells = np.zeros((2, ATLAS_EM.cells))
    actual = values_of(cells, (*observables(ATLAS_EM), *calogan(ATLAS_EM)), LAYOUT)
    for name in ("fraction_layer_0", "depth", "depth_width", "last_layer", "sigma_1", "width"):
        assert np.isnan(actual[name]).all(), name
    for name in ("total", "sparsity_2", "E_ratio_0", "occupancy", "l_d"):
        assert (actual[name] == 0).all(), name


def test_each_detector_has_what_its_cells_allow():
    names = {d.name: {o.name for o in observables(d)} for d in (ALICE_ZN, ATLAS_EM, POINTS)}
    assert {"common_over_towers", "centroid_x"} <= names["alice_zn"]
    assert not {"common_over_towers", "centroid_x"} & names["atlas_em"]
    assert {"depth", "fraction_layer_2"} <= names["atlas_em"]
    assert names["points"] == {"total", "empty"}


@pytest.mark.parametrize("detector", [ALICE_ZN, ALICE_ZP], ids=lambda d: d.name)
def test_the_towers_of_a_zdc_are_those_of_loops(rng, detector):
    cells = rng.poisson(1, (3, detector.cells)).astype(float)
    actual = values_of(cells, observables(detector), layout_of(detector))
    scheme, (nx, ny) = detector.scheme(), detector.layers[0].shape
    size = detector.layers[0].cell_mm
    for row, shower in enumerate(cells):
        light, places = [0.0] * 5, [[] for _ in range(5)]
        for cell, channel in enumerate(scheme.of_cell):
            light[channel] += shower[cell]
            x = (cell // ny - (nx - 1) / 2) * size[0]
            y = (cell % ny - (ny - 1) / 2) * size[1]
            places[channel].append((x, y))
        weights = [value**0.395 for value in light[:4]]
        for axis, name in enumerate(("centroid_x", "centroid_y")):
            middles = [sum(p[axis] for p in place) / len(place) for place in places[:4]]
            expected = sum(w * m for w, m in zip(weights, middles, strict=True)) / sum(weights)
            assert actual[name][row] == pytest.approx(expected)
        assert actual["common_over_towers"][row] == pytest.approx(light[4] / sum(light[:4]))
        assert actual["hottest"][row] == pytest.approx(shower.max() / shower.sum())
        assert actual["occupancy"][row] == pytest.approx((shower > 0).mean())


def test_the_radial_profile_is_that_of_loops(rng):
    layout = layout_of(ALICE_ZN)
    cells = rng.poisson(0.05, (3, ALICE_ZN.cells)).astype(float)
    cells[2] = 0
    edges = ring_edges(layout)
    actual = radial_profile(cells, layout, edges)
    assert np.isnan(actual[2]).all()
    for row in range(2):
        total = cells[row].sum()
        x = (cells[row] * layout.x_mm).sum() / total
        y = (cells[row] * layout.y_mm).sum() / total
        away = [math.hypot(a - x, b - y) for a, b in zip(layout.x_mm, layout.y_mm, strict=True)]
        for ring, (low, high) in enumerate(itertools.pairwise(edges)):
            inside = sum(c for c, r in zip(cells[row], away, strict=True) if low <= r < high)
            assert actual[row, ring] == pytest.approx(inside / total)
