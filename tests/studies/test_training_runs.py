"""A training run of a study: trained for real, evaluated, recorded, gone on with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caloforge.errors import Terminated
from caloforge.recipe import Recipe
from small_run import SETTINGS, write_part_of_sample
from validation import training_runs
from validation.metrics import table_of
from validation.runner import RUNS, WORK, write_record
from validation.training_runs import TrainingRun, is_of, last_third, outcome_text

ROOT = Path(__file__).parents[2]
RUN = TrainingRun(
    study="zn", detector="alice_zn", part="final", label="sdi-gan, short", method="sdi-gan",
    seed=3, evaluate=table_of, settings=(*SETTINGS, "training.steps=12"), keep=True,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few_showers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of a study of few showers."""
    data = write_part_of_sample(tmp_path_factory.mktemp("data") / "zn.h5", 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_runs, "sample_path", lambda name: data)
        yield


@pytest.fixture(scope="module")
def study_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a study and the record of its run."""
    out = tmp_path_factory.mktemp("study")
    (out / RUNS).mkdir()
    return out, RUN.execute(out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / RUNS).mkdir()
    return tmp_path


def test_a_record_says_what_was_done_and_what_came_out(
    study_run: tuple[Path, dict[str, Any]],
) -> None:
    folder, record = study_run
    assert RUN.name == "final-sdi-gan-short-seed3"
    assert Recipe.from_json(json.dumps(record["recipe"])) == RUN.recipe()
    assert RUN.is_record_of(record)
    assert len(record["recipe_sha256"]) == len(record["data"]["sha256"]) == 64
    for name in ("command", "date", "torch", "outcome"):
        assert record[name], name
    assert bool(record["commit"]) is (ROOT / ".git").exists()
    assert {"processor", "cores", "load", "device", "threads"} <= record["hardware"].keys()
    assert (record["steps"], record["seed"], record["label"]) == (12, 3, "sdi-gan, short")
    curve = record["learning_curve"]
    assert curve["step"] == list(range(1, 13))
    assert record["validation_score"] == pytest.approx(min(curve["score"]), abs=1e-4)
    assert curve["cpu_seconds"][-1] == record["cpu_seconds"] > 0
    assert {"conditional_w1", "sigma_total", "spread_slope"} <= record["test"].keys()
    assert all({"value", "error"} <= one.keys() for one in record["test"].values())
    assert json.loads(json.dumps(record)) == record
    files = sorted(path.name for path in (folder / WORK / RUN.name).iterdir())
    assert files == ["metrics.jsonl", "recipe.json", "simulator"]


def test_a_run_goes_on_from_its_checkpoint(
    study_run: tuple[Path, dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = study_run[1]
    other = replace(RUN, label="again")
    monkeypatch.setattr(TrainingRun, "_same_run", lambda *given: None)
    finish, steps = training_runs.finish, []

    def leaves(recipe: Any, *more: Any, **options: Any) -> Any:
        steps.append(1)
        if len(steps) == 1:
            raise Terminated("stopped")
        return finish(recipe, *more, **options)

    monkeypatch.setattr(training_runs, "finish", leaves)
    with pytest.raises(Terminated):
        other.execute(folder)
    again = other.execute(folder)
    assert again["learning_curve"]["score"] == straight["learning_curve"]["score"]
    assert again["test"] == straight["test"]


def test_a_run_that_only_chooses_has_no_test_numbers_and_leaves_nothing(folder: Path) -> None:
    run = replace(RUN, evaluate=None, part="weight", weight=0.5, keep=False)
    record = run.execute(folder)
    assert run.name == "weight-sdi-gan-short-weight0.5-seed3"
    assert "test" not in record
    assert not (folder / WORK / run.name).exists()


def test_one_recipe_is_trained_once(
    study_run: tuple[Path, dict[str, Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study_run[1]
    write_record(folder / RUNS / f"{RUN.name}.json", first)
    monkeypatch.setattr(training_runs, "finish", None)
    second = replace(RUN, part="equal", label="sdi-gan").execute(folder)
    assert {key for key in first if first[key] != second[key]} == {"part", "label"}
    with pytest.raises(TypeError):
        replace(RUN, seed=4).execute(folder)


def test_a_run_that_blows_up_is_a_record(folder: Path) -> None:
    run = replace(RUN, settings=(*RUN.settings, "optimisers.generator.learning_rate=1e30"))
    record = run.execute(folder)
    assert "failed" in record
    assert "test" not in record
    assert record["outcome"].startswith("failed: ")
    assert run.is_record_of(record)


def test_a_record_with_fewer_fields_is_of_the_same_recipe() -> None:
    older = json.loads(RUN.recipe().to_json())
    del older["generator"]["blur"]
    assert is_of({"recipe": older}, RUN.recipe())
    assert not is_of({"recipe": older}, replace(RUN, seed=4).recipe())
    assert not is_of({}, RUN.recipe())


def test_the_last_third_is_flat_or_not_by_hand() -> None:
    assert last_third([9, 8, 7, 6, 5, 4, 4, 2, 2]) == pytest.approx(2 / 4 - 1)
    assert last_third([1.0] * 30) == 0
    assert last_third([3.0, 2.0]) is None
    assert training_runs.is_flat({"last_third": -0.05})
    assert not training_runs.is_flat({"last_third": -0.06})
    assert not training_runs.is_flat({"last_third": None})


def test_a_run_is_told_in_a_line() -> None:
    record = {"validation_score": 7.123, "steps": 10, "cpu_seconds": 61.2}
    assert outcome_text(record) == "validation 7.12, 10 steps, 61 CPU s"
    test = {"test": {"conditional_w1": {"value": 6.999}}}
    assert outcome_text(record | test) == "validation 7.12, test 7.00, 10 steps, 61 CPU s"
