"""The 2-D benchmark: its set, its figures of merit, its runs and what is committed of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from caloforge.detectors import POINTS
from caloforge.recipe import override
from caloforge.recipes import DETECTORS_OF, RECIPES, recipe_of_name
from validation.points import measures, page, plan, training
from validation.points.sample import CLUSTERS, draw
from validation.runner import Records, read_records, write_record


def test_set_is_what_the_paper_says(rng: np.random.Generator) -> None:
    points = draw(4000, rng)
    assert len(points) == CLUSTERS * 4000
    for cluster in range(CLUSTERS):
        rows = points.of_particles(np.array([cluster]))
        kind, spread = divmod(cluster, 2)
        assert rows.conditions[0].tolist() == [*(float(k == kind) for k in range(9)), spread]
        centre = rows.cells.mean(axis=0)
        np.testing.assert_allclose(centre, [100 * (kind // 3 - 1), 100 * (kind % 3 - 1)], atol=0.7)
        np.testing.assert_allclose(rows.cells.std(axis=0), 10**spread, rtol=0.05)


def test_figures_by_loops(rng: np.random.Generator) -> None:
    real, fake = draw(5, rng).cells, draw(5, rng).cells
    actual = measures.figures(real, fake)
    for bit in (0, 1):
        distances, variances = [], []
        for cluster in range(bit, CLUSTERS, 2):
            for axis in (0, 1):
                mine = sorted(fake[5 * cluster : 5 * cluster + 5, axis].tolist())
                other = sorted(real[5 * cluster : 5 * cluster + 5, axis].tolist())
                distances.append(sum(abs(a - b) for a, b in zip(mine, other, strict=True)) / 5)
                middle = sum(mine) / 5
                variances.append(sum((a - middle) ** 2 for a in mine) / 5)
        assert actual[f"w1_{bit}"] == pytest.approx(sum(distances) / 18, rel=1e-6)
        assert actual[f"variance_{bit}"] == pytest.approx(sum(variances) / 18, rel=1e-6)


def test_floor_is_that_of_the_reference(rng: np.random.Generator) -> None:
    """0.058 and 0.55 at 1000 points per cluster, by an independent program."""
    actual = measures.floor(1000, rng)
    assert actual["w1_0"] == pytest.approx(0.057, abs=0.005)
    assert actual["w1_1"] == pytest.approx(0.57, abs=0.05)


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - DETECTORS_OF))
def test_every_recipe_plays_on_points(name: str, rng: np.random.Generator) -> None:
    recipe = override(recipe_of_name(name, "points"), ["training.steps=2"])
    cells = training.generate(training.train(recipe), draw(2, rng), recipe)
    assert cells.shape == (36, 2)
    assert np.isfinite(cells).all()
    assert POINTS.signed


@pytest.mark.parametrize("method", ["sdi-gan", "divbal-gan", "calibrated"])
def test_a_learning_curve_changes_no_bit_of_the_generator(method: str) -> None:
    run = plan.PointsRun("final", "fragile", method, method, 0, weight=0.1)
    recipe = override(run.recipe(), ["training.steps=8"])
    curve = training.LearningCurve(recipe)
    generators = [training.train(recipe), training.train(recipe, curve)]
    alone, scored = (one.state_dict() for one in generators)
    assert alone.keys() == scored.keys()
    assert all(torch.equal(alone[name], scored[name]) for name in alone)
    record = curve.record["learning_curve"]
    assert record["step"] == list(range(1, 9))
    sample = training.sample_of("validation")
    cells = training.generate(generators[1], sample, recipe)
    last = measures.score(measures.figures(sample.cells, cells), measures.least())
    assert record["score"][-1] == pytest.approx(last, abs=1e-4)
    assert curve.record["last_third"] == training.last_third(record["score"])
    assert record["cpu_seconds"] == sorted(record["cpu_seconds"])
    assert curve.scoring_seconds > 0


def test_a_run_is_scored_thirty_times_and_after_its_last_step() -> None:
    steps = sorted(training.steps_of_scores(5000))
    assert len(steps) == 30
    assert steps[-1] == 5000
    assert set(np.diff(steps)) <= {166, 167}
    assert training.steps_of_scores(3) == {1, 2, 3}


def test_a_compared_run_without_a_learning_curve_is_made_again() -> None:
    for part, is_complete in (("trial", True), ("final", False), ("reading", False)):
        run = plan.PointsRun(part, "fragile", "sdi-gan", "sdi-gan", 0, weight=0.01)
        record = {"recipe": json.loads(run.recipe().to_json())}
        assert run.is_record_of(record) == is_complete
        assert run.is_record_of(record | {"learning_curve": {}})


def test_flat_curves_are_counted_and_the_others_go_somewhere() -> None:
    changes = (0.05, -0.05, -0.051, -0.2, 0.06)
    assert page.flat([{"last_third": change} for change in changes]) == "2 of 5 (2 fall, 1 rises)"
    assert page.flat([{"last_third": 0.0}]) == "1 of 1"
    assert page.flat([{"last_third": None}, {}]) == ""


SHORT, PAIR_LABEL = 3, "sdi-gan, per pair"
PAIR = plan.READINGS[PAIR_LABEL]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One method of two weights beside the baseline, a few steps, a seed."""
    two = plan.METHODS["sdi-gan"].weights[:2]
    methods = {"dcgan": plan.Method(), "sdi-gan": plan.Method("SelectiveDiversity", two)}
    for module in (plan, page):
        monkeypatch.setattr(module, "METHODS", methods)
    monkeypatch.setattr(plan, "SEEDS", 1)
    for name in ("LONG_SEEDS", "TRIAL_SEEDS"):
        monkeypatch.setattr(plan, name, 1)
    fixed = plan.Reading("sdi-gan", PAIR.settings)
    readings = {PAIR_LABEL: PAIR._replace(weights=two), "sdi-gan, fixed": fixed}
    for module in (plan, page):
        monkeypatch.setattr(module, "READINGS", readings)
    monkeypatch.setattr(Figure, "get_layout_engine", lambda figure: None)
    shortened = plan.PointsRun.recipe
    monkeypatch.setattr(
        plan.PointsRun,
        "recipe",
        lambda run: override(shortened(run), [f"training.steps={SHORT}"]),
    )


def runs_of(records: Records, regime: str, label: str) -> list[Any]:
    """Compared runs of a method or reading."""
    return [
        one
        for one in records.values()
        if one["part"] not in ("trial", "long") and (one["regime"], one["label"]) == (regime, label)
    ]


@pytest.mark.usefixtures("tiny")
def test_weights_are_tried_chosen_and_taken(
    tmp_path: Path, study: Callable[..., tuple[int, str, str]]
) -> None:
    code, output, _ = study("points", "--out", tmp_path, "-q")
    assert code == 0
    assert "| sdi-gan | 3.3 | 127.4 | 1.2 | 2.1 |" in output  # the paper's
    records = read_records(tmp_path)
    assert len(records) == 2 * (2 + 2) + 2 * 2 + 2 + 2
    chosen = {}
    for regime, label in (*((one, "sdi-gan") for one in plan.REGIMES), ("fragile", PAIR_LABEL)):
        scores = {
            one["weight"]: measures.score(one["figures"]["validation"], measures.least())
            for one in records.values()
            if (one["part"], one["regime"], one["label"]) == ("trial", regime, label)
        }
        (one,) = runs_of(records, regime, label)
        chosen[regime, label] = min(scores, key=lambda weight: scores[weight])
        assert one["weight"] == chosen[regime, label]
    (fixed,) = runs_of(records, "fragile", "sdi-gan, fixed")
    assert fixed["weight"] == chosen["fragile", "sdi-gan"]
    for one in records.values():
        assert ("learning_curve" in one) == ("last_third" in one) == (one["part"] != "trial")
        is_pair = one["label"] in plan.READINGS
        terms = one["recipe"]["objective"]
        assert terms.get("SelectiveDiversity", {}).get("average") == (
            "pair" if is_pair else "condition" if one["method"] == "sdi-gan" else None
        )
    images = ("figure1.png", "figure3-fragile.png", "figure3-healthy.png", "learning.png")
    for image in images:
        assert (tmp_path / image).stat().st_size > 10_000
    text = page.page(tmp_path)
    assert all(f"]({image})" in text for image in images)
    weights = [f"`{label}` ({regime}, {weight:g})" for (regime, label), weight in chosen.items()]
    assert text.count("At the edge of what was tried: ") == 2
    assert f"At the edge of what was tried: {weights[2]}.\n" in text
    assert all(one in text for one in weights)
    assert text.count(" **") >= 3
    first = records["fragile-trial-sdi-gan-weight0.01-seed1000"]
    (tmp_path / "runs" / "fragile-trial-sdi-gan-weight0.01-seed1000.json").unlink()
    assert study("points", "--out", tmp_path, "-q")[0] == 0
    again = read_records(tmp_path)["fragile-trial-sdi-gan-weight0.01-seed1000"]
    assert again["figures"] == first["figures"]
    # A record of another weight in the folder is on no page.
    other = first | {"weight": 0.5, "part": "final", "recipe": first["recipe"]}
    write_record(tmp_path / "runs" / "fragile-final-sdi-gan-weight0.5-seed0.json", other)
    assert "| 0.5 |" not in page.page(tmp_path)


def test_no_final_run_shares_a_seed_with_one_that_chooses() -> None:
    like = {"figures": {"validation": {"w1_0": 1.0, "w1_1": 1.0}}}
    made = {run.name: like for run in trials()}
    assert not [run for run in plan.plan(False, 0, made) if run.part == "reading" and is_pair(run)]
    made |= {run.name: like for run in plan.plan(False, 0, made) if run.part == "trial"}
    runs = list(plan.plan(False, 0, made))
    assert len({run.name for run in runs}) == len(runs)
    seeds = {part: {run.seed for run in runs if run.part == part} for part in plan.EVALUATED}
    assert not seeds["trial"] & (seeds["final"] | seeds["reading"])
    counts = Counter((run.regime, run.label) for run in runs if run.part == "trial")
    assert counts == {one: len(plan.weights_tried(one[1])) * plan.TRIAL_SEEDS for one in counts}
    assert sum(1 for _, label in counts if label in plan.READINGS) == 3
    assert sum(run.part == "reading" and is_pair(run) for run in runs) == 3 * plan.SEEDS


def is_pair(run: plan.PointsRun) -> bool:
    return run.label.endswith("per pair")


def trials() -> list[plan.PointsRun]:
    return [
        run
        for regime in ("fragile", "healthy")
        for method in plan.METHODS
        for run in plan.trials(regime, method, 0)
    ]


@pytest.mark.slow
def test_statements_are_met_by_the_code_as_it_is() -> None:
    """One seed of three methods at their chosen weights, fragile regime."""
    weights = {"dcgan": None, "sdi-gan": 0.01, "calibrated": 3.0}
    for method, weight in weights.items():
        run = plan.PointsRun("final", "fragile", method, method, 0, weight=weight)
        figures = run.execute(Path())["figures"]
        for one in page.STATEMENTS[:10]:
            if one.method == method:
                assert one.low <= figures[one.draw][one.figure] <= one.high, one.text
