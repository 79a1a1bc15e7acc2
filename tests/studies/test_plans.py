"""Plans of the studies of recipes: every run is a recipe, seeds that choose judge nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from studies.records import everything
from validation import calogan, proton, zn
from validation.plans import QUICK_STEPS, TRIAL_SEED
from validation.proton import script_grid
from validation.summary import chosen_weights, groups, of_part, rank
from validation.training_runs import TrainingRun, with_learning_curve
from validation.zn.plan import LITERAL, PENALTIES, PLAN, SCORED, TERMS, scans

STUDIES = {"zn": zn, "proton": proton, "calogan": calogan}
LIKE: dict[str, Any] = {
    "test": {"conditional_w1": {"value": 7.0, "error": 0.5}},
    "hardware": {"processor": "one"},
}


def runs_of(name: str, *, quick: bool = False) -> list[TrainingRun]:
    plan = STUDIES[name].plan.plan
    records = everything(plan, LIKE, quick=quick)
    return list(plan(quick, 0, records))


@pytest.fixture(scope="module", params=sorted(STUDIES))
def runs(request: pytest.FixtureRequest) -> list[TrainingRun]:
    return runs_of(request.param)


def test_every_run_is_a_recipe_with_a_name_of_its_own(runs: list[TrainingRun]) -> None:
    assert len({run.name for run in runs}) == len(runs)
    for run in runs:
        recipe = run.recipe()
        assert Recipe.from_json(recipe.to_json()) == recipe
        assert run.is_record_of({"recipe": json.loads(recipe.to_json())})


def test_final_runs_are_default_recipes_on_all_training_rows(runs: list[TrainingRun]) -> None:
    finals = [run for run in runs if run.part == "final"]
    for run in finals:
        recipe, own = run.recipe(), recipe_of_name(run.method, run.detector)
        assert recipe.data.training_files == (f"{run.detector}/part-2",)
        changes = [f"seed={run.seed}", f"data.test={recipe.data.test}"]
        changes.append(f'data.training_files=["{run.detector}/part-2"]')
        assert recipe == with_learning_curve(override(own, changes))
    methods = {run.method for run in finals}
    seeds = {run.seed for run in finals}
    assert len(finals) == len(methods) * len(seeds)
    assert len(seeds) == (3 if runs[0].study == "calogan" else 5)
    assert [run.seed for run in runs[: len(methods)]] == [0] * len(methods)


def test_no_evaluated_run_shares_a_seed_with_one_that_chooses(runs: list[TrainingRun]) -> None:
    choosing = {run.seed for run in runs if run.evaluate is None}
    assert all(seed >= TRIAL_SEED for seed in choosing)
    assert not choosing & {run.seed for run in runs if run.evaluate is not None}


def test_methods_that_cost_more_get_fewer_steps_beside_equal_steps(runs: list[TrainingRun]) -> None:
    finals = {run.method: run for run in runs if run.part == "final"}
    for run in (one for one in runs if one.part == "equal" and one.label == one.method):
        ratio = run.recipe().training.steps / finals[run.method].recipe().training.steps
        assert ("sdi" in run.method) == (ratio < 0.9)  # by records.record_of


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_a_quick_study_is_one_short_run_of_each_method(name: str) -> None:
    runs = runs_of(name, quick=True)
    assert {run.recipe().training.steps for run in runs} == {QUICK_STEPS}
    assert [run.method for run in runs] == list(STUDIES[name].plan.METHODS)


def test_weights_are_tried_around_the_recipes_and_the_best_is_taken() -> None:
    plan = zn.plan.plan
    records = everything(plan, LIKE)
    best = chosen_weights(groups(of_part(records, "weight")))
    for scan in scans():
        assert scan.own in scan.weights
        trials = [run for run in plan(False, 0, records) if run.part == "weight"]
        own = [run for run in trials if run.label == scan.label]
        assert len(own) == 2 * len(scan.weights)
        for run in own:
            terms = {type(term).__name__: w for w, term in run.recipe().objective.terms}
            assert terms[scan.term] == run.weight
        lowest = min(
            groups(r for r in of_part(records, "weight") if r["label"] == scan.label), key=rank
        )
        assert best[scan.label].weight == lowest.weight
        again = {
            {type(term).__name__: w for w, term in run.recipe().objective.terms}[scan.term]
            for run in plan(False, 0, records)
            if run.part == "reweighted" and run.method == scan.method
        }
        assert again == ({lowest.weight} - {scan.own})


def test_a_weight_whose_seed_failed_is_not_chosen() -> None:
    def tried(weight: float, score: float | None, seed: int) -> dict[str, Any]:
        return {"label": "x", "weight": weight, "seed": seed, "validation_score": score}

    records = [tried(1, 3.0, 0), tried(1, 5.0, 1), tried(2, 1.0, 0), tried(2, None, 1)]
    assert chosen_weights(groups(records))["x"].weight == 1


@pytest.mark.parametrize("method", LITERAL)
def test_the_letter_of_the_papers_is_a_minimax_game_on_expected_counts(method: str) -> None:
    actual = {
        run.label: run.recipe() for run in runs_of("zn") if run.part == "literal" and run.seed == 0
    }
    whole, pairs = actual[f"{method}, by the letter"], actual[f"{method}, pairs"]
    assert not whole.training.drawn
    names = {type(term).__name__ for _, term in whole.objective.terms}
    assert names == {"Minimax", *PENALTIES, TERMS[method]}
    assert pairs.training.drawn
    own, published = recipe_of_name(method), recipe_of_name(f"{method}-published")
    for recipe, like in ((whole, published), (pairs, own)):
        weights = {type(term).__name__: weight for weight, term in recipe.objective.terms}
        of_like = {type(term).__name__: weight for weight, term in like.objective.terms}
        assert weights[TERMS[method]] == of_like[TERMS[method]]
    for recipe in (whole, pairs):
        (term,) = (t for _, t in recipe.objective.terms if type(t).__name__ == TERMS[method])
        assert term.average == "pair"


@pytest.mark.parametrize("method", LITERAL)
def test_a_reading_differs_from_the_letter_in_one_thing(method: str) -> None:
    runs = [run for run in runs_of("zn") if run.part == "reading" and run.method == method]
    letter, *others = (run.recipe().model_dump(mode="json") for run in runs)
    own = recipe_of_name(method).model_dump(mode="json")
    for other in others:
        changed = {name for name in ("objective", "training") if other[name] != letter[name]}
        assert len(changed) == 1
        terms = other["objective"].keys() - letter["objective"].keys()
        assert terms in (set(), {"Paired"})
        for name, term in other["objective"].items():
            new = term.items() - letter["objective"].get(name, {}).items()
            assert new <= own["objective"].get(name, {}).items()


def test_parts_of_the_layered_recipe_change_one_thing() -> None:
    runs = {run.label: run for run in runs_of("calogan") if run.part == "part" and run.seed == 0}
    whole = runs.pop("whole").recipe().model_dump(mode="json")
    for label, run in runs.items():
        other = run.recipe().model_dump(mode="json")
        differing_keys = {key for key in whole | other if whole.get(key) != other.get(key)}
        assert len(differing_keys) == 1, label
        assert other["training"]["steps"] >= 800


def test_parts_of_the_layered_recipe_that_change_two_things_have_partners() -> None:
    runs = runs_of("calogan")
    records = {run.label: run.recipe().model_dump(mode="json") for run in runs if run.seed == 0}
    flipped, plain = (
        records[name]["objective"] for name in ("flipped labels", "non-saturating game")
    )
    assert flipped.pop("FlippedLabels") == plain.pop("NonSaturating") | {"probability": 0.05}
    assert flipped == plain
    critics = [
        records[name]["critic"] for pair in calogan.plan.REFERENCE_OF.items() for name in pair
    ][2:]
    assert critics[0] == critics[1] | {"occupancy": None}
    assert {one["kind"] for one in critics} == {"layered"}


def test_the_longest_runs_of_the_layered_study_come_last() -> None:
    runs = runs_of("calogan")
    last = runs[-3:]
    assert {run.part for run in last} == {"long"}
    assert [(run.method, run.seed) for run in last] == [(one, 0) for one in calogan.plan.METHODS]
    assert [run.recipe().training.steps for run in last] == [12_000, 12_000, 6_000]
    assert calogan.plan.steps_of_start(800) == 80


def test_the_grid_of_the_script_is_judged_by_the_particles_of_the_comparison() -> None:
    grid = list(script_grid.plan(False, 0, {}))
    assert len({run.name for run in grid}) == 45
    (paper,) = script_grid.plan(True, 0, {})
    assert paper.weights == script_grid.PAPER
    ours, theirs = (run.recipe().data for run in (paper, runs_of("proton")[0]))
    split = ("validation", "test", "split", "split_seed", "training_files")
    assert all(getattr(ours, name) == getattr(theirs, name) for name in split)


def test_equal_seconds_change_no_steps_within_a_tenth() -> None:
    records = final_records(
        ("dcgan", 0, "a", 100.0), ("ms-gan", 0, "a", 105.0), ("sdi-gan", 0, "a", 200.0)
    )
    assert PLAN.equal_steps("ms-gan", 0, records) is None
    assert PLAN.equal_steps("sdi-gan", 0, records) == 500
    assert PLAN.equal_steps("divco", 0, records) is None


def test_equal_seconds_are_of_one_processor() -> None:
    records = final_records(
        ("dcgan", 0, "slow", 100.0), ("sdi-gan", 0, "fast", 100.0),
        ("dcgan", 1, "slow", 100.0), ("sdi-gan", 1, "slow", 200.0),
    )  # fmt: skip
    assert PLAN.equal_steps("sdi-gan", 0, records) == 500


def final_records(*runs: tuple[str, int, str, float]) -> dict[str, Any]:
    """Records of final runs: method, seed, processor, CPU seconds."""
    return {
        f"final-{method}-seed{seed}": {
            "part": "final", "label": method, "seed": seed, "steps": 1000,
            "cpu_seconds": seconds, "hardware": {"processor": processor},
        }
        for method, seed, processor, seconds in runs
    }  # fmt: skip


def test_the_score_beside_the_game_has_the_terms_of_both() -> None:
    runs = [run for run in runs_of("zn") if run.label == SCORED]
    assert len({run.seed for run in runs}) == len(runs) == 2
    terms = {type(term).__name__ for _, term in runs[0].recipe().objective.terms}
    assert terms == {"Paired", *PENALTIES, "EnergyScore"}
