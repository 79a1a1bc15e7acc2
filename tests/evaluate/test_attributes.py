"""Attributes, slopes, read-back, sums of energy, widening and traversals against loops."""

import dataclasses
import math

import numpy as np
import pytest

from caloforge import report as plots
from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers, read
from caloforge.detectors import ALICE_ZN, ATLAS_EM, DETECTORS
from caloforge.evaluate.attributes import MOVED_WEIGHT, Traversal, attributes, real_beside, traverse
from caloforge.evaluate.metrics import energy as energy_metrics
from caloforge.evaluate.metrics import layered as layered_metrics
from caloforge.evaluate.metrics import networks
from caloforge.evaluate.metrics.classifier import widened
from caloforge.evaluate.metrics.layered import (
    RESAMPLINGS,
    layered_checks,
    regressors_of,
    slope,
    slopes,
)
from caloforge.evaluate.metrics.networks import ClassifierConfig
from caloforge.evaluate.observables import layout_of, values_of
from caloforge.evaluate.resampling import Measured, resamplings
from caloforge.report.layered_sections import traversal_pictures, value_labels

LAYOUT = layout_of(ATLAS_EM)
MIDDLE = np.array([50.0, math.pi / 2, 0.0, 0.0, 0.0])


def conditions_of(rows, rng):
    spread = np.array([40.0, 0.2, 0.2, 40.0, 40.0])
    return MIDDLE + spread * rng.uniform(-1, 1, (rows, 5))


def blobs(conditions, rng):
    """Showers that follow their conditions: a Gaussian in each layer, at a depth of its own."""
    cells = np.empty((len(conditions), ATLAS_EM.cells))
    for layer, share, depth in zip(
        LAYOUT.layers, (0.2, 0.79, 0.01), (40.0, 150.0, 400.0), strict=True
    ):
        x = conditions[:, 3] - depth * np.tan(conditions[:, 2])
        y = conditions[:, 4] - depth * (conditions[:, 1] - math.pi / 2)
        away = (layer.x_mm - x[:, None]) ** 2 / 60**2 + (layer.y_mm - y[:, None]) ** 2 / 40**2
        image = np.exp(-away / 2) * rng.uniform(0.9, 1.1, away.shape)
        energy = share * conditions[:, 0]
        cells[:, layer.cells] = image / image.sum(axis=1, keepdims=True) * energy[:, None]
    return cells.astype(np.float32)


def sample(rows, seed, first=0):
    rng = np.random.default_rng(seed)
    conditions = conditions_of(rows, rng)
    return Showers(ATLAS_EM, blobs(conditions, rng), conditions, first + np.arange(rows))


def test_each_attribute_has_an_observable_that_follows_it():
    actual = {a.name: a.observable.name for a in attributes(ATLAS_EM)}
    assert actual == {
        "E": "total",
        "theta": "shift_y",
        "phi": "shift_x",
        "x0": "centre_x",
        "y0": "centre_y",
        "polar angle squared": "width",
    }
    assert attributes(ALICE_ZN) == ()
    plain = {a.name: a.observable.name for a in attributes(DETECTORS["atlas_em_polar"])}
    assert plain["polar angle squared"] == "width"
    assert "azimuth" not in plain


def test_the_polar_angle_is_that_of_the_momentum(rng):
    """The authors' angles of a unit vector lead back to its angle to z."""
    momentum = rng.normal(size=(20, 3)) * [0.3, 0.3, 1]
    momentum[:, 2] = np.abs(momentum[:, 2])
    length = np.linalg.norm(momentum, axis=1)
    conditions = np.zeros((20, 5))
    conditions[:, 1] = np.arccos(momentum[:, 1] / length)
    conditions[:, 2] = np.arctan(-momentum[:, 0] / momentum[:, 2])
    polar = attributes(ATLAS_EM)[-1].of(conditions)
    np.testing.assert_allclose(np.sqrt(polar), np.arccos(momentum[:, 2] / length), atol=1e-7)


def test_the_shift_between_layers_is_that_of_loops(rng):
    cells = rng.exponential(1, (3, ATLAS_EM.cells))
    cells[2, :288] = 0
    observables = {a.observable.name: a.observable for a in attributes(ATLAS_EM)}
    actual = values_of(cells, tuple(observables.values()), LAYOUT)
    for axis, name in enumerate(("shift_x", "shift_y")):
        for row in range(3):
            middles = []
            for layer in ATLAS_EM.layers[:2]:
                image = ATLAS_EM.split(cells[row : row + 1])[layer.name][0]
                above = below = 0.0
                for (x, y), value in np.ndenumerate(image):
                    above += value * layer.centres_mm(axis)[(x, y)[axis]]
                    below += value
                middles.append(above / below if below else math.nan)
            expected = middles[1] - middles[0]
            assert actual[name][row] == pytest.approx(expected, nan_ok=True)


def test_a_slope_is_the_coefficient_of_least_squares(rng):
    table = rng.normal(size=(30, 3)) * [1, 100, 0.01] + [0, 500, 3]
    observed = 2.5 * table[:, 0] - 0.3 * table[:, 1] + rng.normal(size=30)
    observed[4] = np.nan
    weights = rng.integers(0, 3, (4, 30)).astype(float)
    actual = slope(observed, table, weights)
    for weight, value in zip(weights, actual, strict=True):
        rows = [n for n in range(30) if n != 4 for _ in range(int(weight[n]))]
        design = [[*table[n], 1.0] for n in rows]
        expected = np.linalg.lstsq(np.array(design), observed[rows], rcond=None)[0][0]
        assert value == pytest.approx(expected, rel=1e-5)
    assert np.isnan(slope(observed, np.ones((30, 3)), weights)).all()


def test_slopes_see_showers_that_ignore_an_attribute():
    real = sample(400, 1)
    conditions = real.conditions.copy()
    conditions[:, 4] = 0
    deaf = dataclasses.replace(real, cells=blobs(conditions, np.random.default_rng(2)))
    actual = {s.attribute.name: s for s in slopes(real, deaf, rng=np.random.default_rng(0))}
    assert actual["E"].real.value == pytest.approx(1, abs=1e-4)
    assert actual["y0"].real.value > 0.9
    assert actual["y0"].generated.value == pytest.approx(0, abs=0.02)
    assert actual["y0"].difference.sigma < -20
    assert abs(actual["x0"].difference.value) < 0.02
    # Layers at depths of 40 and 150 mm: 110 mm a radian, along y.
    assert actual["theta"].real.value == pytest.approx(-110, rel=0.1)


def test_r_squared_is_that_of_loops(rng):
    target, miss = rng.normal(3, 2, 12), rng.normal(0, 1, 12)
    weights = rng.integers(0, 3, (3, 12)).astype(float)
    for weight, value in zip(
        weights, layered_metrics.r_squared(miss, target, weights), strict=True
    ):
        rows = [n for n in range(12) for _ in range(int(weight[n]))]
        mean = sum(target[n] for n in rows) / len(rows)
        spread = sum((target[n] - mean) ** 2 for n in rows)
        assert value == pytest.approx(1 - sum(miss[n] ** 2 for n in rows) / spread)


def test_what_is_in_a_shower_can_be_read_back():
    pytest.importorskip("torch")
    train, real = sample(400, 1), sample(150, 2, first=1000)
    conditions = real.conditions.copy()
    conditions[:, 4] = np.random.default_rng(4).permutation(conditions[:, 4])
    deaf = dataclasses.replace(real, cells=blobs(conditions, np.random.default_rng(3)))
    short = ClassifierConfig("short", (64,), 3e-3, 64, 25, 6)
    actual = {r.name: r for r in layered_metrics.read_back(train, real, deaf, config=short)}
    assert actual["E"].real.value > 0.9
    assert actual["y0"].real.value > 0.25
    assert actual["y0"].generated.value < 0
    assert actual["E"].ratio.value == pytest.approx(1, abs=0.05)


def test_bands_and_shares_are_those_of_loops():
    real, generated = sample(60, 1), sample(60, 2)
    generated = dataclasses.replace(generated, conditions=real.conditions)
    sums = energy_metrics.sums_of(real, generated, np.random.default_rng(0))
    names = tuple(layer.name for layer in ATLAS_EM.layers)
    energy = real.conditions[:, 0]
    for number, share in enumerate(energy_metrics.shares(sums, names)[:-1]):
        image = ATLAS_EM.split(generated.cells)[names[number]]
        expected = sum(float(one.sum()) for one in image) / energy.sum()
        assert share.generated.value == pytest.approx(expected, rel=1e-5)
    actual = energy_metrics.bands(sums, 5)
    assert [band.particles for band in actual] == [12] * 5
    band = actual[1]
    rows = [n for n in range(60) if band.low <= energy[n] < band.high]

    def moments(cells):
        totals = [float(cells[n].sum(dtype=float)) for n in rows]
        mean = sum(totals) / len(rows)
        sigma = math.sqrt(sum((t - mean) ** 2 for t in totals) / len(rows))
        ratios = [t / energy[n] for t, n in zip(totals, rows, strict=True)]
        middle = sum(ratios) / len(rows)
        return mean, sigma / mean, math.sqrt(sum((r - middle) ** 2 for r in ratios) / len(rows))

    expected = [m / r for m, r in zip(moments(generated.cells), moments(real.cells), strict=True)]
    for number, value in zip(
        (band.mean, band.relative_sigma, band.resolution), expected, strict=True
    ):
        assert number.value == pytest.approx(value, rel=1e-4)


def test_a_widened_copy_is_wider_and_nothing_else(rng):
    cells = sample(20, 5).cells * (rng.random((20, ATLAS_EM.cells)) < 0.5)
    cells[3, 288:432] = 0
    wide = widened(cells, ATLAS_EM)
    assert ((wide > 0) == (cells > 0)).all()
    for layer in LAYOUT.layers:
        for row in range(20):
            before, after = (c[row, layer.cells].astype(float) for c in (cells, wide))
            assert after.sum() == pytest.approx(before.sum(), rel=1e-5)
            if not before.sum():
                continue
            x, y = (before @ at / before.sum() for at in (layer.x_mm, layer.y_mm))
            square = (layer.x_mm - x) ** 2 + (layer.y_mm - y) ** 2
            ratio = (after @ square / after.sum()) / (before @ square / before.sum())
            assert ratio == pytest.approx(1.21, rel=1e-3)


def test_a_traversal_holds_the_latents_and_all_other_conditions():
    calls = []

    def expected(latents, conditions):
        calls.append((latents.copy(), conditions.copy()))
        return blobs(conditions, np.random.default_rng(7)) * (1 + 0.01 * latents[:, :1])

    ranges = {
        name: (middle - half, middle + half)
        for name, middle, half in zip(ATLAS_EM.columns, MIDDLE, (40, 0.2, 0.2, 40, 40), strict=True)
    }
    actual = traverse(expected, 3, ATLAS_EM, ranges, rng=np.random.default_rng(0))
    assert all((latents == calls[0][0]).all() for latents, _ in calls)
    y0 = next(one for one in actual if one.attribute.name == "y0")
    values = [c for _, c in calls if c[0, 4] != 0]
    assert all((c[:, :4] == MIDDLE[:4]).all() for c in values)
    assert y0.at.tolist() == [-40, -20, 0, 20, 40]
    assert y0.images.shape == (5, ATLAS_EM.cells)
    each = [np.polyfit(y0.at, row, 1)[0] for row in y0.observed]
    assert y0.slope.value == pytest.approx(np.mean(each))
    assert y0.slope.error == pytest.approx(np.std(each, ddof=1) / math.sqrt(len(each)))


def moved_x0(at):
    """A traversal of x0 with flat images, as bright as x0 is large."""
    conditions = np.tile(MIDDLE, (len(at), 1))
    conditions[:, 3] = at
    attribute = next(a for a in attributes(ATLAS_EM) if a.name == "x0")
    images = np.abs(np.array(at))[:, None] * np.ones(ATLAS_EM.cells)
    return Traversal(attribute, conditions, np.array(at), images, images[:, :1], Measured(1.0))


def test_real_showers_beside_a_traversal_are_the_nearest_by_loops():
    real, moved = sample(60, 1), moved_x0([-30.0, 0.004, 30.0])
    actual = real_beside(moved, real)
    weights = np.array([1, 1, 1, MOVED_WEIGHT, 1]) / real.conditions.std(axis=0)
    for number, expected in enumerate(moved.conditions):
        away = [math.dist(weights * row, weights * expected) for row in real.conditions]
        near = sorted(range(60), key=away.__getitem__)[:10]
        np.testing.assert_allclose(actual.images[number], real.cells[near].mean(axis=0), rtol=1e-6)
        mean = sum(real.conditions[row, 3] for row in near) / 10
        assert actual.condition[number] == pytest.approx(mean)
        assert abs(actual.condition[number] - expected[3]) < 15


def test_values_are_told_to_a_hundredth_of_their_steps():
    assert value_labels(np.array([-50.0, -0.00726, 49.99])) == ["-50", "0", "50"]
    assert value_labels(np.array([1.0712, 50.499, 99.93])) == ["1.1", "50.5", "99.9"]
    assert value_labels(np.array([1.2217, 1.5704, 1.918])) == ["1.222", "1.57", "1.918"]
    assert value_labels(np.array([0.123456]), like=np.array([0.0, 50.0])) == ["0.1"]
    assert value_labels(np.array([7.0, 7.0])) == ["7", "7"]


def test_a_traversal_is_drawn_over_real_showers_and_less_its_middle():
    means, differences = traversal_pictures(moved_x0([-30.0, 0.004, 30.0]), sample(60, 1))
    titles = [axes.get_title() for axes in means.axes if axes.get_title()]
    assert titles[:3] == ["x0 = -30 mm", "x0 = 0 mm", "x0 = 30 mm"]
    assert all(title.startswith("around ") for title in titles[3:])
    assert [axes.get_ylabel() for axes in means.axes][:6:3] == [
        "layer_0\ngenerated\ny [mm]",
        "layer_0\nreal\ny [mm]",
    ]
    assert [axes.get_ylabel() for axes in means.axes[18:]] == ["mean GeV a cell"] * 3
    titles = [axes.get_title() for axes in differences.axes if axes.get_title()]
    assert titles[:2] == ["x0 = -30 mm\nminus x0 = 0 mm", "x0 = 30 mm\nminus x0 = 0 mm"]
    np.testing.assert_allclose(differences.axes[0].images[0].get_array(), 30 - 0.004)


def test_a_dark_image_says_so_and_needs_no_colours():
    dark = {layer.name: np.zeros(layer.shape) for layer in ATLAS_EM.layers}
    lit = dark | {"layer_1": np.ones((12, 12))}
    figure = plots.layer_images({"real": lit, "generated": dark}, ATLAS_EM.layers, label="GeV")
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes[:6]]
    assert texts == [["dark"], ["dark"], [], ["dark"], ["dark"], ["dark"]]
    assert [axes.get_ylabel() for axes in figure.axes[6:]] == ["GeV"]


def test_the_rows_of_a_layered_detector_are_there_with_their_floors():
    pytest.importorskip("torch")
    real, train = sample(200, 1), sample(200, 3, first=500)
    missed = real.conditions * [0.8, 1, 1, 1, 1] + [0, 0, 0, 20, 0]
    generated = dataclasses.replace(real, cells=blobs(missed, np.random.default_rng(3)))
    overflow = np.full((200, 3), 0.5, dtype=np.float32)
    real = dataclasses.replace(real, overflow=overflow)
    short = ClassifierConfig("short", (32,), 1e-2, 64, 25, 8)
    actual = {r.name: r for r in layered_checks(real, generated, train, config=short)}
    assert actual["share_total"].floor.value == pytest.approx(1, abs=1e-4)
    assert actual["negative"].value.value == 0
    ratio = 200 * 1.5 / real.conditions[:, 0].sum()
    assert actual["overflow"].floor.value == pytest.approx(ratio)
    assert actual["overflow"].value.note == "not generated"
    assert sum(name.startswith("band_mean") for name in actual) >= 5
    assert 0.2 < actual["auc_both"].floor.value < 0.8
    # 200 other showers that have the mean total of their energy, in bands of other energies.
    assert actual["band_mean_2"].floor.value == pytest.approx(1, abs=0.1)
    assert actual["band_mean_2"].floor.error > 0
    assert actual["r2_ratio_E"].floor.value == pytest.approx(1, abs=0.1)
    assert actual["r2_ratio_E"].floor.error > 0
    # Showers lie 20 mm beside their particles and lack a fifth of their energy, within the range of
    # others: who is told the particles sees it in each.
    blind, ratio = (actual[name].value.value for name in ("auc_both", "auc_conditions"))
    assert ratio > 0.95
    assert ratio > blind + 0.1
    assert 0.2 < actual["auc_conditions"].floor.value < 0.8
    without = {r.name for r in layered_checks(real, generated, None, config=None)}
    assert without == {name for name in actual if not name.startswith(("auc_", "r2_"))}
    few = {r.name: r for r in layered_checks(real, generated, train.rows(slice(50)), config=None)}
    assert few["band_mean_2"].floor.note == "too few training showers"
    assert few["band_mean_2"].value == actual["band_mean_2"].value


def test_the_floor_of_a_resolution_is_that_of_other_real_showers():
    """By loops, with the training showers that the classifiers' floor has, too."""
    real, train = sample(120, 1), sample(300, 3, first=500)
    checks = {r.name: r for r in layered_checks(real, real, train, config=None)}
    other = layered_metrics.as_many(train, 120, 0)
    edges = np.quantile(real.conditions[:, 0], [1 / 6, 2 / 6])

    def resolution(showers):
        ratios = [
            float(cells.sum(dtype=float)) / energy
            for cells, energy in zip(showers.cells, showers.conditions[:, 0], strict=True)
            if edges[0] <= energy < edges[1]
        ]
        return np.std(ratios)

    expected = resolution(other) / resolution(real)
    assert checks["band_resolution_1"].floor.value == pytest.approx(expected, rel=1e-3)
    assert checks["band_resolution_1"].value.value == 1


def test_weights_of_a_slope_are_particles():
    real = sample(50, 1)
    actual = slopes(real, real, rng=np.random.default_rng(3))
    assert all(s.difference.value == 0 for s in actual)
    weights = resamplings(50, RESAMPLINGS, np.random.default_rng(3))
    totals = values_of(real.cells, (actual[0].attribute.observable,), LAYOUT)["total"]
    table = regressors_of(actual[0].attribute, real.conditions)
    again = slope(totals, table, weights)
    assert actual[0].real.error == pytest.approx(again[1:].std(ddof=1))


def test_what_is_constant_but_for_rounding_is_not_read_back() -> None:
    """All photons of the sample come straight: the deviation of theta is 7e-14."""
    showers = read(sample_path("atlas_em/gamma"))
    assert showers.conditions[:, showers.detector.column("theta")].std() > 0
    train, real = showers.rows(np.arange(300)), showers.rows(np.arange(300, 400))
    short = ClassifierConfig("short", (8,), 3e-3, 64, 2, 2)
    actual = layered_metrics.read_back(train, real, real, config=short)
    assert [one.name for one in actual] == ["E"]


def test_a_fixed_beam_of_one_energy_has_nothing_to_read_back() -> None:
    pytest.importorskip("torch")
    beam = conditions_of(1, np.random.default_rng(5))
    real, generated, train = (
        dataclasses.replace(sample(rows, seed), conditions=np.repeat(beam, rows, axis=0))
        for rows, seed in ((60, 1), (60, 2), (100, 3))
    )
    assert real.conditions.std(axis=0).any()  # by rounding
    short = ClassifierConfig("short", (8,), 3e-3, 64, 2, 2)
    assert layered_metrics.read_back(train, real, generated, config=short) == ()
    rows = {row.name: row for row in layered_checks(real, generated, train, config=short)}
    assert {row.value.note for name, row in rows.items() if name.startswith("slope_")} == {
        "does not vary"
    }
    assert not any(name.startswith("r2_") for name in rows)
    assert rows["auc_conditions"].value.value is not None
    assert rows["auc_widened"].value.value is not None


def test_conditions_that_do_not_vary_are_not_blown_up() -> None:
    beam = conditions_of(1, np.random.default_rng(5))
    real = dataclasses.replace(sample(60, 1), conditions=np.repeat(beam, 60, axis=0))
    (actual,) = networks.conditions_of(real)
    assert np.abs(actual).max() < 100
