"""The 2-D benchmark: its set, its figures of merit, its runs and what is committed of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.detectors import POINTS
from caloforge.errors import UsageError
from caloforge.recipe import override
from caloforge.recipes import DETECTORS_OF, RECIPES, recipe_of_name
from caloforge.reporter import SILENT
from caloforge.validation.points import campaign, measure, plan, report, run
from caloforge.validation.points.sample import CLUSTERS, draw
from caloforge.validation.points.together import train_together


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
    found = measure.figures(real, fake)
    for bit in (0, 1):
        distances, variances = [], []
        for cluster in range(bit, CLUSTERS, 2):
            for axis in (0, 1):
                mine = sorted(fake[5 * cluster : 5 * cluster + 5, axis].tolist())
                other = sorted(real[5 * cluster : 5 * cluster + 5, axis].tolist())
                distances.append(sum(abs(a - b) for a, b in zip(mine, other, strict=True)) / 5)
                middle = sum(mine) / 5
                variances.append(sum((a - middle) ** 2 for a in mine) / 5)
        assert found[f"w1_{bit}"] == pytest.approx(sum(distances) / 18, rel=1e-6)
        assert found[f"variance_{bit}"] == pytest.approx(sum(variances) / 18, rel=1e-6)


def test_floor_is_that_of_the_reference(rng: np.random.Generator) -> None:
    """synthetic.md: 0.058 and 0.55 at 1000 points per cluster."""
    found = measure.floor(1000, rng)
    assert found["w1_0"] == pytest.approx(0.057, abs=0.005)
    assert found["w1_1"] == pytest.approx(0.57, abs=0.05)


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - DETECTORS_OF))
def test_every_recipe_plays_on_points(name: str, rng: np.random.Generator) -> None:
    recipe = override(recipe_of_name(name, "points"), ["training.steps=2"])
    cells = run.generate(run.train(recipe), draw(2, rng), recipe)
    assert cells.shape == (36, 2)
    assert np.isfinite(cells).all()
    assert POINTS.signed


def test_every_method_gets_the_same_trials_and_no_final_run_shares_a_seed() -> None:
    tried, last = [], plan.readings(plan.FULL, 0, campaign.usual_weights())
    for regime in campaign.REGIMES:
        runs = plan.trials(plan.FULL, 0, regime)
        per_method = Counter(t.method for t in runs)
        assert set(per_method) == set(plan.METHODS) - {"dcgan"}
        assert set(per_method.values()) == {8}
        assert len({t.steps for t in runs}) == 1
        tried += runs
        last += plan.finals(plan.FULL, 0, regime, campaign.usual_weights())
    assert not {t.seed for t in tried} & {t.seed for t in last}
    names = [t.name for t in tried + last]
    assert len(set(names)) == len(names)
    assert {t.part for t in last} == {"final", "reading"}


def test_weight_of_the_lowest_score_is_chosen() -> None:
    least = {"w1_0": 0.05, "w1_1": 0.5}

    def tried(weight: float, w1_0: float, w1_1: float) -> dict[str, Any]:
        figures = {"validation": {"w1_0": w1_0, "w1_1": w1_1}}
        return {"regime": "fragile", "method": "ms-gan", "weight": weight, "figures": figures}

    runs = [tried(1, 0.1, 1.0), tried(1, 0.1, 9.0), tried(2, 0.2, 2.0), tried(2, 0.2, 2.0)]
    assert campaign.choose(runs, least)["fragile", "ms-gan"] == 2


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One method beside the baseline, a few steps."""
    monkeypatch.setattr(campaign, "FULL", plan.Budget(3, 1, trial_steps=2, trial_seeds=1))
    chosen = {name: plan.METHODS[name] for name in ("dcgan", "sdi-gan")}
    for module in (plan, campaign, report):
        monkeypatch.setattr(module, "METHODS", chosen)


@pytest.mark.usefixtures("tiny")
def test_campaign_goes_on_where_it_was_killed(
    tmp_path: Path, caloforge: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, shown, _ = caloforge("validate", "points", "--out", tmp_path, "--workers", 1, "-q")
    assert code == 0
    assert "sdi-gan" in shown
    records = sorted((tmp_path / "runs").glob("*.json"))
    assert len(records) == 2 * (4 + 2)
    written = {path: path.read_text() for path in records}
    for image in ("figure1.png", "figure3-fragile.png", "figure3-healthy.png"):
        assert (tmp_path / image).stat().st_size > 10_000
    records[0].unlink()
    trained = []
    perform = run.perform

    def counted(tasks: list[plan.Task]) -> list[dict[str, Any]]:
        trained.extend(task.name for task in tasks)
        return perform(tasks)

    monkeypatch.setattr(run, "perform", counted)
    told = campaign.validate(tmp_path, quick=False, seed=0, workers=1, reporter=SILENT)
    assert set(told["means"]["healthy"]) == {"dcgan", "sdi-gan"}
    assert trained == [records[0].stem]
    again, first = json.loads(records[0].read_text()), json.loads(written[records[0]])
    assert again["figures"] == first["figures"]


def test_record_of_another_recipe_is_not_taken(tmp_path: Path) -> None:
    task = plan.Task("trial", "fragile", "dcgan", "dcgan", 1, 0)
    other = replace(task, steps=2)
    steps = [
        run.execute([one], tmp_path)[0]["recipe"]["training"]["steps"] for one in (task, other)
    ]
    assert steps == [1, 2]


@pytest.mark.parametrize(
    ("name", "term"),
    [(name, method.term) for name, method in plan.METHODS.items() if method.term],
)
def test_trained_together_is_trained_alone(name: str, term: str) -> None:
    """A member of a stack has its own weights, batches, latents and updates."""
    recipes = [
        override(
            recipe_of_name(name, "points"),
            ["training.steps=6", f"seed={seed}", f"objective.{term}.weight={weight}"],
        )
        for seed, weight in ((0, 0.1), (1, 0.5), (7, 0.1))
    ]
    for recipe, member in zip(recipes, train_together(recipes, run.material()), strict=True):
        alone = run.train(recipe)
        for mine, own in zip(member.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(mine, own, rtol=1e-3, atol=1e-5)


def test_only_seeds_and_weights_may_differ_in_a_stack() -> None:
    recipes = [override(recipe_of_name("dcgan", "points"), [f"training.steps={k}"]) for k in (2, 3)]
    with pytest.raises(UsageError, match="differ in seed and weights only"):
        train_together(recipes, run.material())


def test_unknown_claim_is_told(caloforge: Callable[..., tuple[int, str, str]]) -> None:
    code, _, told = caloforge("validate", "dots")
    assert code == 2
    assert "no claim dots; there are calogan, points" in told
