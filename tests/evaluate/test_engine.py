"""The judgement as a whole: it sees what is wrong, and says what it cannot know."""

import dataclasses
import json

import numpy as np
import pytest

import caloforge.evaluate
from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError
from caloforge.evaluate import add_two_sample_metrics, evaluate
from caloforge.evaluate.baselines import as_showers, shuffled
from caloforge.evaluate.deprecated import OLD_NAMES
from caloforge.evaluate.noise_floor import NO_CACHE
from caloforge.report.tables import table
from evaluate.stand_in import SMALL, energies, showers

ENERGY = energies(60, 0)
REAL = showers(ENERGY, 8, 1)
GOOD = showers(ENERGY, 8, 2)
TRAIN = showers(energies(5, 5), 8, 6, first_particle=1000)


def verdict(generated, real=REAL, train=TRAIN, **how):
    return evaluate(real, generated, train, resamples=60, **how)


@pytest.fixture(scope="module")
def good():
    return verdict(GOOD)


def test_a_perfect_generator_is_at_the_floor(good):
    for name in ("w1", "conditional_w1"):
        excess = good.difference(name, "model", "real")
        assert abs(excess.sigma) < 3, name
    for name in ("spread_slope", "sigma_total", "sigma_centre", "mean_total"):
        number = good.measured(name)
        assert number.value == pytest.approx(1, abs=max(0.1, 3 * number.error)), name
    assert good.n_showers == "4 v 4"
    assert not good.warnings


def test_a_perfect_generator_beats_every_baseline(good):
    for name in ("nearest", "replayed", "shuffled"):
        difference = good.difference("conditional_w1", name)
        assert difference.value > 0
        assert difference.sigma > 3, name


def test_a_generator_that_ignores_its_conditions_is_marginally_perfect_and_conditionally_wrong():
    ignoring = as_showers(REAL, shuffled(REAL, REAL, np.random.default_rng(3)))
    result = verdict(ignoring)
    assert result.measured("w1_all").value == pytest.approx(0, abs=1e-9)
    assert abs(result.difference("w1", "model", "real").sigma) < 3
    assert result.difference("conditional_w1", "model", "real").sigma > 5
    assert abs(result.difference("conditional_w1", "shuffled").sigma) < 3
    assert "Not distinguishable" in result.summary


def test_a_generator_without_diversity_is_seen(good):
    means = np.repeat(REAL.cells.reshape(60, 8, 36).mean(axis=1), 8, axis=0)
    lazy = as_showers(REAL, np.round(means).astype(np.uint16))
    result = verdict(lazy)
    assert result.measured("spread_slope").value == 0
    assert result.measured("sigma_total").value == 0
    assert result.measured("spread_correlation").value is None
    assert good.measured("sigma_total").value > 0.8


def test_a_dead_channel_is_seen_in_that_channel_alone():
    cells = GOOD.cells.copy()
    cells[:, np.array(SMALL.scheme().of_cell) == 2] = 0
    result = verdict(as_showers(REAL, cells))
    excess = {c: result.difference(f"w1_{c}", "model", "real").sigma for c in ("a", "b", "c", "d")}
    assert excess["c"] > 5
    assert max(abs(excess[c]) for c in "abd") < 3


def test_the_scheme_is_a_choice_that_is_named_with_the_numbers(good):
    second = verdict(GOOD, scheme="second")
    assert second.scheme == "second"
    assert "scheme second" in second.summary
    assert "scheme second" in table(second)
    assert second.measured("w1_all_a") != good.measured("w1_all_a")
    assert second.measured("mean_total") == good.measured("mean_total")
    with pytest.raises(UsageError, match="no scheme third"):
        verdict(GOOD, scheme="third")


def test_equal_seeds_give_equal_judgements_and_json_says_it_all(good):
    assert verdict(GOOD).to_json() == good.to_json() != verdict(GOOD, seed=1).to_json()
    record = json.loads(good.to_json())
    assert record["format"] == "caloforge-judgement"
    assert record["version"] == 1
    assert record["scheme"] == "first"
    assert record["numbers"] == "4 v 4"
    assert set(record["candidates"]) == {
        "model",
        "real",
        "nearest",
        "mean_image",
        "replayed",
        "shuffled",
    }
    assert record["candidates"]["model"]["conditional_w1"]["error"] > 0
    difference = next(
        d
        for d in record["differences"]
        if (d["measure"], d["first"]) == ("conditional_w1", "shuffled")
    )
    assert difference["sigma"] == pytest.approx(difference["value"] / difference["error"])


def test_the_table_names_every_candidate_and_measure(good):
    text = table(good)
    for candidate in good.candidates:
        assert candidate.title in text
    for row in good.metrics:
        assert row.title in text
    assert "conditional W1: real, shuffled conditions - generated" in text
    assert max(len(line) for line in text.splitlines()[:-1]) < 170


def test_without_repeats_marginals_have_a_floor_and_the_rest_says_no_repeats():
    energy = energies(200, 0)
    real, generated = showers(energy, 1, 1), showers(energy, 1, 2)
    result = verdict(generated, real=real)
    assert result.n_showers == "no repeats, 100 v 100 particles"
    for name in ("conditional_w1", "spread_slope", "spread_correlation", "sigma_total"):
        assert result.measured(name).value is None
        assert result.measured(name).note == "no repeats"
    assert result.measured("w1", "real").value > 0
    assert result.measured("w1").value > 0
    assert result.measured("mean_total").value == pytest.approx(1, abs=0.1)
    assert any("no particle has repeats" in warning for warning in result.warnings)
    assert result.summary.startswith("No repeats; marginal W1")
    json.loads(result.to_json())
    table(result)


def test_one_shower_is_judged_without_a_crash():
    energy = energies(1, 0)
    result = verdict(showers(energy, 1, 2), real=showers(energy, 1, 1))
    assert result.measured("w1_all").value > 0
    assert result.measured("w1").value is None
    json.loads(result.to_json())
    table(result)


def test_one_particle_with_repeats():
    energy = energies(1, 0)
    result = verdict(showers(energy, 8, 2), real=showers(energy, 8, 1))
    assert result.measured("conditional_w1").value > 0
    assert result.candidate("shuffled") is None
    assert any("only 1 particles" in warning for warning in result.warnings)


def test_empty_showers_are_defined_where_they_can_be():
    dark = as_showers(REAL, np.zeros_like(REAL.cells))
    result = verdict(dark)
    assert result.measured("empty").value == 1
    assert result.measured("mean_total").value == 0
    assert result.measured("w1_width").value is None
    assert result.difference("conditional_w1", "model", "real").sigma > 5
    both = verdict(dark, real=dark)
    assert both.measured("mean_total").value is None
    assert any("all real showers are empty" in warning for warning in both.warnings)
    json.loads(both.to_json())


def test_particles_of_one_side_only_are_left_out_and_counted():
    generated = GOOD.of_particles(np.arange(40))
    result = verdict(generated)
    assert result.particles == 40
    assert result.warnings[0].startswith("160 real rows are left out")
    half = verdict(GOOD.rows(np.arange(len(GOOD)) % 8 < 2))
    assert half.n_showers == "2 v 2"
    assert half.generated_rows == 120


def test_a_file_judged_against_itself_is_suspicious():
    assert any("copies" in warning for warning in verdict(REAL).warnings)


def test_training_on_the_judged_particles_is_told():
    assert any("baselines see the test" in w for w in verdict(GOOD, train=REAL).warnings)


def test_foreign_showers_are_refused():
    other = Detector.model_validate(SMALL.model_dump() | {"name": "other"})
    with pytest.raises(DataError, match="other showers against small"):
        verdict(dataclasses.replace(GOOD, detector=other))
    with pytest.raises(DataError, match="share no particle"):
        verdict(dataclasses.replace(GOOD, particle=GOOD.particle + 500))
    with pytest.raises(DataError, match="other conditions"):
        verdict(dataclasses.replace(GOOD, conditions=GOOD.conditions[::-1].copy()))


def test_one_real_shower_is_refused_in_one_line():
    real = showers(energies(1, 0), 1, 1)
    generated = showers(energies(1, 0), 8, 2)
    result = evaluate(real, generated, resamples=20)
    with pytest.raises(DataError, match="of one particle are too few") as caught:
        add_two_sample_metrics(result, real, generated)
    assert "\n" not in str(caught.value)


def test_an_error_of_zero_is_no_error():
    energy = energies(1, 0)
    result = evaluate(showers(energy, 8, 1), showers(energy, 8, 2), resamples=20)
    assert result.measured("w1").error is None
    assert all(difference.measured.sigma is None for difference in result.differences)


def test_tables_fit_80_columns_unless_they_may_be_wide():
    result = evaluate(REAL, GOOD, resamples=20)
    result = add_two_sample_metrics(result, REAL, GOOD, classifier="none")
    narrow, wide = table(result, 80), table(result)
    assert max(map(len, narrow.splitlines())) <= 80
    assert max(map(len, wide.splitlines())) > 80
    for metric in result.metrics:
        if metric.column:
            assert narrow.count(metric.column) >= 1


def test_old_names_work_and_warn():
    with pytest.warns(DeprecationWarning, match="is now caloforge.evaluate.engine.evaluate"):
        judge = caloforge.evaluate.judge
    with pytest.warns(DeprecationWarning, match="is now cache="):
        judge(REAL, GOOD, resamples=5, floors=NO_CACHE)
    for name in OLD_NAMES:
        with pytest.warns(DeprecationWarning, match="is now"):
            assert getattr(caloforge.evaluate, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = caloforge.evaluate.nothing
