"""The comparison on the neutron calorimeter: its plan, its records, its page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge.errors import Terminated
from caloforge.recipe import Recipe, override
from caloforge.recipes import RECIPES, recipe_of_name
from caloforge.reporter import SILENT
from small_run import SETTINGS, write_part_of_sample
from validation.campaign import carry_out, cost, group, run, task
from validation.campaign.campaign import Campaign
from validation.campaign.record import by_name, read_records, read_references, same_run
from validation.campaign.record import write as write_record
from validation.campaign.task import LABELS, Task
from validation.campaign.trials import RATES
from validation.zn import campaign, plan, report, summary

SMALL = plan.Budget(trial=0.01, final=0.01, ablation=0.01, seeds=1, ablation_seeds=1)


def everything(budget: plan.Budget, score: Callable[[Task], float]) -> dict[str, Any]:
    """Records of the whole campaign, as if each run had got a score."""
    records: dict[str, Any] = {}
    while True:
        new = [t for t in plan.upcoming(budget, 0, records) if t.name not in records]
        if not new:
            return records
        records |= {t.name: {"validation_score": score(t), "part": t.part, "task": t} for t in new}


def test_every_method_gets_four_trials_but_ours_and_equal_lengths() -> None:
    records = everything(plan.FULL, lambda task: 1.0)
    tasks = [one["task"] for one in records.values()]
    for name in plan.METHODS:
        tried = [t for t in tasks if t.part == "trial" and t.method == name]
        assert len(tried) == (0 if name == "calibrated" else 4)
    finals = [t for t in tasks if t.part == "final"]
    assert {(t.method, t.seed) for t in finals} == {(m, s) for m in plan.METHODS for s in range(6)}
    for part, seconds in (
        ("trial", 120),
        ("final", plan.FULL.final),
        ("ablation", 180),
        ("window", 180),
    ):
        assert {t.cpu_seconds for t in tasks if t.part == part} == {seconds}
    judged = {t.seed for t in tasks if t.part not in campaign.CAMPAIGN.unjudged}
    assert not judged & {t.seed for t in tasks if t.part in campaign.CAMPAIGN.unjudged}
    assert len(records) == len({t.name for t in tasks})
    assert report.planned() == dict(Counter(t.part for t in tasks))


def test_trials_choose_optimisers_first_and_then_weights() -> None:
    wanted = {"dcgan": "5e-4", "sdi-gan": 0.01, "divco": 3.0}

    def score(task: Task) -> float:
        return float(wanted.get(task.method) not in (task.rate, task.weight))

    records = everything(plan.FULL, score)
    finals = {t.method: t for t in (r["task"] for r in records.values()) if t.part == "final"}
    assert {t.rate for name, t in finals.items() if name != "calibrated"} == {"5e-4"}
    assert finals["calibrated"].rate is None
    assert (finals["sdi-gan"].weight, finals["divco"].weight) == (0.01, 3.0)
    assert [t.name for t in plan.upcoming(plan.FULL, 0, {})][:2] == [
        "final-calibrated-seed0",
        "trial-dcgan-rate2e-4-seed1000",
    ]


def test_failed_trial_is_not_chosen() -> None:
    tried = plan.rate_trials(plan.FULL, 0)
    records = {
        t.name: {"validation_score": None if n == 0 else 9.0 - n} for n, t in enumerate(tried)
    }
    best = plan.chosen(tried, records)
    assert best is not None
    assert best.rate == "as-calibrated"


def test_every_task_is_a_recipe_and_says_what_it_changes() -> None:
    tasks = [r["task"] for r in everything(plan.FULL, lambda task: 1.0).values()]
    for one in tasks:
        recipe = one.recipe("alice_zn", 100)
        assert (recipe.training.steps, recipe.training.validation_interval) == (100, 10)
        assert recipe.training.precision == "float32"
        assert Recipe.from_json(recipe.to_json()) == recipe
    window = {
        t.weight: t.recipe("alice_zn", 9).objective.terms
        for t in tasks
        if t.part == "window" and t.method == "calibrated"
    }
    assert [dict(map(reversed, terms)) for terms in window.values()]  # type: ignore[arg-type]
    for weight, terms in window.items():
        assert {type(term).__name__: w for w, term in terms} == {
            "EnergyScore": 1,
            "NonSaturating": weight,
        }
    assert {*plan.METHODS} < {*RECIPES}


def test_optimisers_that_a_name_tells_are_those_of_the_recipe() -> None:
    tasks = [r["task"] for r in everything(plan.FULL, lambda task: 1.0).values()]
    rated = [t for t in tasks if t.rate is not None]
    assert {t.part for t in tasks} == {t.part for t in rated}
    for one in rated:
        assert one.rate is not None
        assert {*RATES[one.rate]} <= {*one.settings}, one.name
    for one in tasks:
        objective = one.recipe("alice_zn", 9).objective
        contested = objective.plays("critic")
        assert contested == (one.rate is not None), one.name


def test_the_papers_reading_is_tried_as_ours_was() -> None:
    """The same trials, at the optimisers that were chosen, but for what critic and terms see."""
    records = everything(plan.FULL, lambda task: 0.0 if task.rate == "5e-4" else 1.0)
    tasks = [one["task"] for one in records.values()]
    found = {(t.method, t.weight, t.seed): t for t in tasks if t.part == plan.READING}
    drawn = [t for t in tasks if t.part == "trial" and t.rate == "5e-4"]
    assert found.keys() == {(t.method, t.weight, t.seed) for t in drawn}
    for one in drawn:
        other = found[one.method, one.weight, one.seed].recipe("alice_zn", 9)
        assert other == override(one.recipe("alice_zn", 9), ["training.drawn=false"])


def test_a_weight_of_the_window_is_the_ablation() -> None:
    tasks = [r["task"] for r in everything(plan.FULL, lambda task: 1.0).values()]
    first = [t for t in tasks if t.seed == 0]
    (both,) = (t for t in first if t.label == "score and adversary")
    (window,) = (t for t in first if (t.part, t.label, t.weight) == ("window", "calibrated", 0.1))
    assert both.recipe("alice_zn", 9) == window.recipe("alice_zn", 9)


def test_steps_fill_the_budget() -> None:
    task = Task("final", "dcgan", "dcgan", 240, 0)
    assert cost.steps_of(task, {"dcgan": {"step": 0.1, "score": 2.0}}) == 2200
    assert cost.steps_of(task, {"dcgan": {"step": 100.0, "score": 2.0}}) == 10


def test_means_and_errors_over_seeds_by_loops(rng: np.random.Generator) -> None:
    runs = [
        {
            "label": "x", "weight": None, "seed": k, "steps": 5, "cpu_seconds": 1.0,
            "test": {"w1": {"value": value, "error": 0.3}},
            "by_particle": rng.uniform(1, 2, 7).tolist(),
        }
        for k, value in enumerate((1.0, 2.0, 6.0))
    ]  # fmt: skip
    (runs_together,) = group.groups(runs)
    found = runs_together.measured("w1")
    assert found.value == pytest.approx(3.0)
    seeds = (sum((v - 3) ** 2 for v in (1, 2, 6)) / 2) ** 0.5 / 3**0.5
    assert found.error == pytest.approx((0.3**2 + seeds**2) ** 0.5)
    means = runs_together.pooled().replicates[:, 0]
    np.testing.assert_allclose(means, [np.mean(one["by_particle"]) for one in runs])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Campaign:
    """Two methods, a weight each, tiny networks, twenty particles."""
    data = write_part_of_sample(tmp_path / "zn.h5", 20)
    monkeypatch.setattr(carry_out, "sample_path", lambda name: data)
    chosen = {name: plan.METHODS[name] for name in ("dcgan", "sdi-gan")}
    chosen["sdi-gan"] = replace(chosen["sdi-gan"], weights=(0.1,))
    for module in (plan, report):
        monkeypatch.setattr(module, "METHODS", chosen)
        monkeypatch.setattr(module, "RATES", {"2e-4": ()})
        monkeypatch.setattr(module, "ABLATIONS", {"plain": ("dcgan", ())})
    monkeypatch.setattr(plan, "WINDOWS", {"calibrated": (), "sdi-gan": (0.1,)})
    monkeypatch.setattr(cost, "WARM_STEPS", 0)
    monkeypatch.setattr(cost, "TIMED_STEPS", 1)

    def tiny(name: str, detector: str) -> Recipe:
        return override(recipe_of_name(name, detector), list(SETTINGS))

    monkeypatch.setattr(task, "recipe_of_name", tiny)
    changed = replace(campaign.CAMPAIGN, full=partial(plan.upcoming, SMALL))
    monkeypatch.setattr(campaign, "validate", partial(carry_out.carry_out, changed))
    return changed


def test_campaign_goes_on_where_it_was_left(
    small: Campaign,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    study: Callable[..., tuple[int, str, str]],
) -> None:
    out = tmp_path / "out"
    executed: list[str] = []
    execute = run.execute

    def leaves(whole: Campaign, task: Task, *more: Any) -> Any:
        executed.append(task.name)
        if len(executed) == 3:
            raise Terminated("stopped")
        return execute(whole, task, *more)

    monkeypatch.setattr(carry_out, "execute", leaves)
    with pytest.raises(Terminated):
        campaign.validate(out, quick=False, seed=0, workers=1, reporter=SILENT)
    page = (out / "README.md").read_text()
    assert "not finished" in page
    assert len(by_name(out)) == 2
    code, shown, _ = study("zn", "--out", out, "--workers", 1, "-q")
    assert code == 0
    assert "| sdi-gan | 0.1 |" in shown
    assert executed[2] == executed[3]
    records = by_name(out)
    assert len(set(executed)) == len(records) == len(executed) - 1
    assert (out / "README.md").read_text() == report.render_folder(out)
    folders = sorted(path.name for path in (out / "work").iterdir())
    assert folders == [".gitignore", *sorted(n for n in records if n.startswith("final"))]
    final = records["final-sdi-gan-rate2e-4-weight0.1-seed0"]
    assert final["budget_cpu_seconds"] == 0.01
    assert final["recipe"]["training"]["steps"] == final["steps"] == 10
    assert set(final["test"]) == set(summary.KEPT_MEASURES)
    assert "test" not in records["trial-dcgan-rate2e-4-seed1000"]
    again = len(executed)
    monkeypatch.setattr(report, "save_pictures", lambda *given: None)  # drawn once is enough
    campaign.validate(out, quick=False, seed=0, workers=1, reporter=SILENT)
    assert len(executed) == again


def test_one_recipe_is_trained_once(
    small: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = carry_out.sample_path(plan.DETECTOR), tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    final = Task("final", "calibrated", "calibrated", 0.01, 0)
    first = run.execute(small, final, 10, data, out)
    monkeypatch.setattr(run, "finish", None)
    ablation = Task("ablation", "score, all views", "calibrated", 0.01, 0)
    assert ablation.cost_name == final.cost_name
    second = run.execute(small, ablation, 10, data, out)
    assert (second["part"], second["label"]) == ("ablation", "score, all views")
    assert {key for key in first if first[key] != second[key]} == {"part", "label"}
    with pytest.raises(TypeError):
        run.execute(small, replace(ablation, seed=1), 10, data, out)


def test_our_worst_seed_meets_the_best_of_the_others() -> None:
    def made(label: str, seed: int, values: list[float]) -> dict[str, Any]:
        return {"label": label, "weight": None, "seed": seed, "test": {}, "by_particle": values}

    records = [
        made("calibrated", 0, [1.0, 2.0, 3.0]),
        made("calibrated", 1, [2.0, 3.0, 4.0]),
        made("sdi-gan", 0, [9.0, 9.0, 9.0]),
        made("sdi-gan", 1, [5.0, 6.0, 7.0]),
        made("dcgan", 0, [4.0, 4.0, 7.0]),
    ]
    rows = summary.luckiest(group.groups(records))
    assert [row[:2] for row in rows] == [
        ["calibrated, worst of 2", "dcgan, best of 1"],
        ["calibrated, worst of 2", "sdi-gan, best of 2"],
    ]
    assert rows[1][2].startswith("3")  # the same for each particle, hence without error
    assert rows[0][2].startswith("2.00 ± ")


def test_page_tells_how_far_the_campaign_is() -> None:
    records = everything(plan.FULL, lambda task: 1.0)
    whole = {
        name: {"part": one["part"], "budget_cpu_seconds": one["task"].cpu_seconds}
        for name, one in records.items()
    }
    assert report.progress(whole) == "All runs are there."
    part = {name: one for name, one in whole.items() if one["part"] != "window"}
    assert "missing: 8 x window" in report.progress(part)
    quick = {"x": {"part": "final", "budget_cpu_seconds": plan.QUICK.final}}
    assert "A quick look" in report.progress(quick)


def test_minutes_are_for_claims_that_can_be_left(
    study: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, told = study("points", "--minutes", 1, "--out", tmp_path)
    assert code == 2
    assert "--minutes" in told
    assert not list(tmp_path.iterdir())


def test_parts_of_names_choose_views() -> None:
    from caloforge.errors import UsageError
    from caloforge.objectives import EnergyScore

    names = ["cells", "channels", "a/blocks_2", "a/blocks_4"]
    assert EnergyScore().used(names) == names
    assert EnergyScore(views=("blocks", "cells")).used(names) == [names[0], *names[2:]]
    with pytest.raises(UsageError, match="no view towers"):
        EnergyScore(views=("towers",)).used(names)


COMMITTED = Path(__file__).parents[2] / "validation" / "zn"
RESULTS = Path(__file__).parents[2] / "docs" / "results.md"


@pytest.mark.skipif(not (COMMITTED / "README.md").is_file(), reason="nothing is committed yet")
def test_committed_page_is_what_the_records_say() -> None:
    assert (COMMITTED / "README.md").read_text(encoding="utf-8") == report.render_folder(COMMITTED)


@pytest.mark.skipif(not (COMMITTED / "runs").is_dir(), reason="no run is committed yet")
def test_committed_records_are_of_the_shipped_showers() -> None:
    from caloforge.data.samples import sample_path
    from caloforge.io.files import sha256_of

    sums = {one["data"]["sha256"] for one in read_records(COMMITTED)}
    assert sums == {sha256_of(sample_path("alice_zn"))}
    assert json.loads((COMMITTED / "costs.json").read_text()).keys()


def test_results_say_what_the_records_say() -> None:
    records = [one for one in by_name(COMMITTED).values() if one["part"] == "final"]
    found = {one.label: one for one in group.groups(records)}
    page = " ".join(RESULTS.read_text(encoding="utf-8").split())
    ours = found.pop("calibrated")
    best = min(found.values(), key=lambda one: one.value("conditional_w1"))
    told = [str(one.measured("conditional_w1")) for one in (ours, best)]
    lowest = min(float(row[3]) for row in summary.luckiest([ours, *found.values()]))
    assert f"`calibrated` {told[0]}, the best of the others (`{best.label}`) {told[1]}" in page
    assert f"beats the best seed of each by {lowest:.1f} sigma or more" in page
    rows = summary.demands([ours, *found.values()], read_references(COMMITTED), plan.METHODS)
    leads = [float(row[2]) for row in rows if row[5]]
    assert f"the lead is {min(leads):.1f} to {max(leads):.1f} sigma" in page


def test_a_record_with_fewer_fields_is_the_same_run(tmp_path: Path) -> None:
    task = plan.tried("window", "sdi-gan", 180, 0, "as-calibrated", 0.001)
    recipe, data = task.recipe("alice_zn", 9), {"name": "d", "sha256": "s"}
    older = json.loads(recipe.to_json())
    del older["generator"]["blur"]
    header = {"data": data, **{name: getattr(task, name) for name in LABELS}}
    (tmp_path / "runs").mkdir()
    write_record(
        tmp_path / "runs" / "final.json",
        header | {"part": "final", "recipe": older, "test": {"w1": 1.0}},
    )
    found = same_run(tmp_path, header, recipe)
    assert found is not None
    assert (found["part"], found["test"]) == ("window", {"w1": 1.0})
    assert same_run(tmp_path, header, override(recipe, ["seed=1"])) is None
