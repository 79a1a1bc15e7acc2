"""Numbers of records and pages against loops: spreads, groups, differences, tails, cuts."""

from __future__ import annotations

import dataclasses
import math
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, Showers, read
from validation import metrics, summary
from validation.calogan import measures as layered_measures
from validation.calogan import page as calogan_page
from validation.metrics import EvaluationInputs, Measured
from validation.page import nearness
from validation.pictures import image
from validation.proton import measures as proton
from validation.proton import page as proton_page
from validation.summary import (
    ByParticle,
    Group,
    difference,
    groups,
    over_seeds,
    ratio_over_seeds,
)
from validation.zn import measures as zn

SHAPE = (56, 30)


def some(detector: str, rows: int) -> Showers:
    with ShowerFile(sample_path(detector)) as file:
        return file.rows(0, rows)


def changed(showers: Showers, cells: Any) -> Showers:
    return dataclasses.replace(showers, cells=cells, cpu_seconds=None)


def test_spreads_of_a_particle_by_loops() -> None:
    showers = some("alice_zn", 160)
    actual, half = metrics.spreads(showers), metrics.spreads(showers, half=1)
    for place, particle in enumerate(np.unique(showers.particle)):
        rows = [row for row in range(160) if showers.particle[row] == particle]
        for indices, numbers in ((rows, actual), (rows[1::2], half)):
            totals = [float(showers.cells[row].sum()) for row in indices]
            sums = [showers.detector.read_out(showers.cells[[row]])[0].tolist() for row in indices]
            apart = [
                sum(
                    abs(math.log1p(a) - math.log1p(b))
                    for a, b in zip(
                        showers.cells[i].tolist(), showers.cells[j].tolist(), strict=True
                    )
                )
                for i in indices
                for j in indices
                if i < j
            ]
            naive = {
                "mean": fmean(totals),
                "channels": fmean(stdev(column) for column in zip(*sums, strict=True)),
                "total": stdev(totals),
                "pairs": fmean(apart),
            }
            for name, value in naive.items():
                assert numbers[name][place] == pytest.approx(value, rel=1e-3, abs=1e-3), name
        if place == 3:
            break


def test_what_groups_particles_is_not_what_they_are_measured_by() -> None:
    showers = some("alice_zn", 400)
    first, second = (metrics.spreads(showers, half=half) for half in (0, 1))
    other = showers.cells.copy()
    place = np.concatenate([[0], np.flatnonzero(np.diff(showers.particle)) + 1])
    rank = np.arange(400) - np.repeat(place, np.diff(np.append(place, 400)))
    other[rank % 2 == 1] = 0
    assert metrics.spreads(changed(showers, other), half=0) == first
    assert metrics.spreads(changed(showers, other), half=1) != second
    actual = zn.groups_of(first)
    assert zn.groups_of(metrics.spreads(changed(showers, other), half=0)) == actual
    sizes = [actual.count(name) for name in zn.GROUPS]
    assert max(sizes) - min(sizes) <= 1
    for name, mean in zip(actual, first["mean"], strict=True):
        assert (name is None) == (mean is None or mean < zn.GROUPED_FROM)


def test_groups_are_ordered_by_more_than_brightness() -> None:
    mean, total = [100.0, 10_000.0, 400.0], [30.0, 100.0, 40.0]
    actual = zn.groups_of({"mean": mean, "total": total})  # 3, 1 and 2 roots of the mean
    assert actual == ["diverse", "consistent", "middle"]


def test_shown_showers_come_back_with_their_channels() -> None:
    showers = some("alice_zn", 1600)
    actual = zn.shown_particles_of(showers, showers)
    assert set(actual) == {"consistent", "diverse"}
    for one in actual.values():
        rows = showers.of_particles(np.array([one["particle"]]))
        assert len(one["showers"]) == len(one["channels"]) == zn.SHOWN
        for row, shower in enumerate(one["showers"]):
            cells = image(shower, (44, 44)).ravel()
            np.testing.assert_array_equal(cells, rows.cells[row])
            assert one["channels"][row] == rows.detector.read_out(rows.cells[[row]])[0].tolist()


def test_centre_errors_by_hand() -> None:
    showers = some("alice_zp", 96)
    first = showers.cells[::8].reshape(-1, *SHAPE)
    inside = first * (np.arange(SHAPE[0]) < SHAPE[0] - 1)[:, None]  # room for one cell more
    inside[:, 20, 10] += 1
    inside[3] = 0
    moved = np.roll(inside, 1, axis=1)
    real, generated = (
        changed(showers, np.repeat(x.reshape(12, -1), 8, axis=0)) for x in (inside, moved)
    )
    actual = metrics.centre_error_by_particle(EvaluationInputs(real, generated, None, {}))
    assert actual[3] is None
    assert [x for x in actual if x is not None] == pytest.approx([4.0] * 11, abs=1e-3)


def test_cut_leaves_out_faint_showers_of_both_sides(rng: np.random.Generator) -> None:
    showers = some("alice_zp", 96)
    generated = changed(showers, rng.poisson(0.01, showers.cells.shape).astype(np.uint16))
    actual = proton.at_cuts(showers, generated, "o2")
    for cut in proton.CUTS:
        bright = [[row for row in one.cells if row.sum() >= cut] for one in (showers, generated)]
        sums = [showers.detector.read_out(np.array(rows), "o2") for rows in bright]
        naive = [wasserstein_distance(sums[0][:, k], sums[1][:, k]) for k in range(5)]
        np.testing.assert_allclose(actual[str(cut)]["w1"], naive, atol=1e-4)
        assert actual[str(cut)]["passing"] == pytest.approx([len(k) / 96 for k in bright], abs=1e-4)
    dark = changed(showers, np.zeros_like(showers.cells))
    assert proton.at_cuts(showers, dark, "o2")["1"]["w1"] is None


def test_halves_share_no_shower_and_have_equal_numbers(rng: np.random.Generator) -> None:
    showers = some("alice_zp", 93)
    numbered_showers = changed(showers, showers.cells * 0)
    numbered_showers = dataclasses.replace(
        numbered_showers, cpu_seconds=np.arange(93, dtype=np.float32)
    )
    first, second = proton.halves(numbered_showers, rng)
    rows = [set(side.cpu_seconds.tolist()) for side in (first, second)]
    assert not rows[0] & rows[1]
    np.testing.assert_array_equal(first.particle, second.particle)
    showers_of = np.unique(showers.particle, return_counts=True)[1]
    assert np.unique(first.particle, return_counts=True)[1].tolist() == (showers_of // 2).tolist()


def test_tails_count_showers_above_real_quantiles() -> None:
    showers = some("alice_zp", 96)
    assert proton.tails(showers, showers)["common"]["above"] == [1.0, 1.0]
    twice = changed(showers, showers.cells * 2)
    scheme = showers.detector.scheme("paper-zp")
    sums = showers.detector.read_out(showers.cells)[:, scheme.labels.index("tower4")]
    limit = sorted(sums)[90] * 0.75 + sorted(sums)[91] * 0.25  # quantile 0.95 of 96 numbers
    naive = sum(2 * s > limit for s in sums) / sum(s > limit for s in sums)
    assert proton.tails(showers, twice)["tower4"]["above"][0] == pytest.approx(naive, abs=1e-4)


def test_bright_showers_have_the_error_of_their_particles() -> None:
    real = {"place": [0, 0, 1, 1, 2, 2], "sums": {"tower4": [0, 1, 5, 6, 0, 90]}}
    run = {"label": "x", "test": {}, "sums": {"tower4": [0, 0, 91, 92, 0, 93]}}
    group = summary.Group("x", None, (run,))
    ratio = proton_page.bright(group, real, "tower4", 0.9)  # 48: one real shower, three generated
    assert ratio.value == 3.0
    assert ratio.error is not None
    assert proton_page.excess(ratio) == pytest.approx(2 / ratio.error)
    same = proton_page.bright(group, {**run, "place": real["place"]}, "tower4", 0.4)
    assert (same.value, same.error) == (1.0, None)


def test_deviation_over_channels_is_what_the_paper_prints_as_that_over_runs() -> None:
    def published(values: list[float] | None) -> dict[str, Any]:
        return {"o2": {str(cut): {"w1": values} for cut in proton.CUTS}}

    channels = [0.39, 0.69, 1.99, 2.36, 5.06]
    runs = [published([x + shift for x in channels]) for shift in (-0.01, 0.0, 0.01)]
    row = proton_page.protocol_row("x", runs, "o2", "2.08")
    assert row == ["x", *["2.0980 ± 0.0058", "1.7"] * 3, "3", "2.08"]
    dark = proton_page.protocol_row("x", [*runs, published(None)], "o2", "")
    assert dark[1] == "2.0980 ± 0.0058 (3 of 4)"
    assert proton_page.protocol_row("x", [published(None)], "o2", "")[1] == "no shower passes"


def test_means_and_errors_over_seeds_by_loops(rng: np.random.Generator) -> None:
    runs = [
        {
            "label": "x", "weight": None, "seed": k, "steps": 5, "cpu_seconds": 1.0,
            "test": {"w1": {"value": value, "error": 0.3}, "mean_total": {"value": value / 20}},
            "last_third": 0.01 * value, "by_particle": rng.uniform(1, 2, 7).tolist(),
        }
        for k, value in enumerate((1.0, 2.0, 6.0))
    ]  # fmt: skip
    (together,) = groups(runs)
    actual = together.measured("w1")
    assert actual.value == pytest.approx(3.0)
    seeds = (sum((v - 3) ** 2 for v in (1, 2, 6)) / 2) ** 0.5 / 3**0.5
    assert actual.error == pytest.approx((0.3**2 + seeds**2) ** 0.5)
    assert (together.lit, together.flat, together.seeds) == ("2 of 3", "2 of 3, 1 rise", "3")
    assert over_seeds([{"value": None, "error": None}]).value is None
    assert over_seeds([]).note == "failed"


def test_a_difference_is_paired_over_particles_and_not_over_seeds(
    rng: np.random.Generator,
) -> None:
    particle = rng.uniform(1, 9, 200)
    first = ByParticle("a", np.stack([particle, particle + 0.5]), 2)
    second = ByParticle("b", np.stack([particle + 2, particle + 3]), 2)
    actual = difference(first, second)
    assert actual.measured.value == pytest.approx(2.25)
    assert (actual.particles.error or 0) == pytest.approx(0, abs=1e-9)
    seeds = math.hypot(0.25, 0.5)  # 0.5 / sqrt(2) / sqrt(2), and twice that
    assert actual.measured.error == pytest.approx(seeds)
    assert actual.sigma == pytest.approx(2.25 / seeds)


def test_only_particles_of_both_sides_are_compared() -> None:
    values = np.array([[1.0, 1.0, 9.0, np.nan]])
    first = ByParticle("a", values, 1)
    second = ByParticle("b", np.array([[2.0, 2.0, np.nan, 7.0]]), 2)
    actual = difference(first, second)
    assert (actual.common, actual.measured.value) == (2, 1.0)
    assert actual.cells[-2:] == ["1 of 1 / 1 of 2", "2 of 4"]
    empty = difference(first, ByParticle("c", np.empty((0, 4)), 3))
    assert empty.measured.value is None
    assert empty.cells[-2:] == ["1 of 1 / 0 of 3", "0 of 4"]


def test_a_ratio_is_one_of_means_of_the_same_particles() -> None:
    runs = [[2.0, 4.0, None, 100.0], [4.0, 8.0, 1.0, 100.0]]
    actual = ratio_over_seeds(runs, [1.0, 3.0, 5.0, 7.0], [True, True, True, False])
    values = [6 / 4, 13 / 9]
    assert actual.value == pytest.approx(fmean(values))


def test_extremes_of_the_layered_page() -> None:
    def run(seed: int, ratios: list[float]) -> dict[str, Any]:
        names = ("r2_ratio_E", "r2_ratio_phi", "band_mean_0", "band_mean_1")
        numbers = {
            name: {"value": {"value": value, "error": 0.1}, "floor": {"value": 1.0, "error": 0.01}}
            for name, value in zip(names, ratios, strict=True)
        }
        received = {"recipe": {"generator": {"told": None}}}
        record = {"label": "x", "weight": None, "seed": seed, "test": {}, "two_sample": numbers}
        return record | received

    (group,) = groups([run(0, [0.9, 0.5, 1.1, 0.7]), run(1, [0.9, 0.7, 1.1, 0.9])])
    assert calogan_page.worst_ratio(group).value == pytest.approx(0.6)
    assert calogan_page.farthest(group, "band_mean_") == "band_mean_1"
    assert calogan_page.worst_of_bands(group, "band_mean_").value == pytest.approx(0.8)
    others = {"two_sample": {"band_mean_0": {"value": {"value": 1.3, "error": 0.1}}}}
    (floor,) = calogan_page.floor_of([group], others)
    assert calogan_page.worst_ratio(floor).value == 1.0
    assert calogan_page.worst_of_bands(floor, "band_mean_").value == 1.3
    assert calogan_page.floor_of([], others) == []
    apart = calogan_page.minus(Measured(1.0, 0.3), Measured(0.5, 0.4))
    assert (apart.value, apart.error) == (0.5, pytest.approx(0.5))


def layered_run(label: str, seed: int, values: dict[str, float]) -> dict[str, Any]:
    numbers = {
        name: {"value": {"value": value, "error": 0.1}, "floor": None}
        for name, value in values.items()
    }
    recipe = {"generator": {"attributes": ["E"], "kind": "layered"}}
    return {
        "label": label, "weight": None, "seed": seed, "test": {}, "two_sample": numbers,
        "recipe": recipe, "last_third": -0.1 * seed, "validation_score": 0.5, "cpu_seconds": 9.7,
        "hardware": {"processor": "a processor"},
    }  # fmt: skip


def test_a_number_whose_name_begins_like_another_has_one_row() -> None:
    values = {"separation10_depth": 0.1, "separation10_depth_width": 0.2}
    (group,) = groups([layered_run("x", 0, values)])
    assert calogan_page.names(group, *calogan_page.SEPARATIONS) == list(values)


def test_a_part_is_compared_with_what_it_differs_from() -> None:
    separation = {"whole": 0.1, "non-saturating game": 0.4, "flipped labels": 0.9}
    runs = [
        layered_run(label, 0, {"separation10_depth": value, "r2_ratio_E": 0.5})
        for label, value in separation.items()
    ]
    rows = [line.split(" | ") for line in calogan_page.worth(groups(runs)).splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        ["| non-saturating game", "whole"],
        ["| flipped labels", "non-saturating game"],
    ]
    assert [row[2] for row in rows] == ["0.30 ± 0.14", "0.50 ± 0.14"]
    assert calogan_page.worth(groups(runs[:1])) == calogan_page.worth(groups(runs[2:])) == ""


def test_the_tail_of_a_band_is_that_of_a_loop() -> None:
    showers = read("atlas_em").rows(slice(0, 240))
    energy = [float(one) for one in showers.conditions[:, 0]]
    ratios = [
        float(cells.sum(dtype=float)) / e for cells, e in zip(showers.cells, energy, strict=True)
    ]
    band = [r for r, e in zip(ratios, energy, strict=True) if e <= np.quantile(energy, 1 / 6)]
    squares = sorted((r - fmean(band)) ** 2 for r in band)  # of 40 showers two are a twentieth
    expected = sum(squares[-2:]) / sum(squares)
    assert layered_measures.tail_shares(showers)[0] == pytest.approx(expected, abs=2e-3)


def test_what_the_layered_page_says_in_words() -> None:
    values = {"band_resolution_0": 0.4, "band_resolution_1": 0.9}
    runs = groups([layered_run("a", seed, values) for seed in (1, 2)])
    assert calogan_page.falling(runs) == {"a": "-15.0 %"}
    assert calogan_page.scaled(runs) == ["a"]
    others = {"two_sample": {"band_resolution_0": {"value": {"value": 0.9, "error": 0.2}}}}
    (text,) = calogan_page.resolutions(runs, calogan_page.floor_of(runs, others))
    assert text == "0.40 ± 0.10 for `a` (other real showers 0.90 ± 0.20)"
    seeds = list(calogan_page.seed_by_seed(runs))
    assert [row[:3] for row in seeds] == [["`a`", "1", "0.500"], ["`a`", "2", "0.500"]]
    assert seeds[0][-2:] == ["10", "a processor"]


def test_significance_needs_an_error() -> None:
    assert summary.sigma_of(Measured(3.0, None)) == ""
    assert summary.sigma_of(Measured(3.0, 1.0)) == "3.0"


@pytest.mark.parametrize(("received", "worst"), [(None, 0.2), (["E"], 0.9), (["E", "phi"], 0.5)])
def test_the_worst_ratio_is_of_attributes_that_the_networks_receive(
    received: list[str] | None, worst: float
) -> None:
    ratios = {"r2_ratio_E": 0.9, "r2_ratio_theta": 0.2, "r2_ratio_phi": 0.5}
    sides = {name: {"value": {"value": ratio, "error": 0.1}} for name, ratio in ratios.items()}
    record = {
        "test": {},
        "two_sample": sides,
        "recipe": {"generator": {"told": received}},
    }
    actual = calogan_page.worst_ratio(summary.Group("x", None, (record,)))
    assert actual.value == pytest.approx(worst)


def test_a_trial_counts_as_a_seed_and_a_failed_run_does_not() -> None:
    runs = [
        {"label": "x", "weight": 1.0, "seed": 0, "validation_score": 5.0},
        {"label": "x", "weight": 1.0, "seed": 1, "failed": "not finite"},
    ]
    assert groups(runs[:1])[0].seeds == "1"
    assert groups(runs)[0].seeds == "1 of 2"


def test_what_is_nearer_is_said_with_its_sigma() -> None:
    def of(label: str, w1: list[float]) -> Group:
        run = {"label": label, "weight": None, "seed": 0, "test": {}, "by_particle": w1}
        return groups([run])[0]

    near, far = of("a", [4.0, 5.0, 6.0]), of("b", [5.0, 6.5, 6.5])
    assert nearness(near, far).startswith("`a` is nearer than `b` by 1.0")
    assert nearness(far, near).startswith("`b` is farther than `a` by 1.0")
