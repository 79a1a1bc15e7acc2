"""Which showers join the training rows: the shipped second part, files that are named, neither."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, write
from caloforge.errors import DataError
from caloforge.objectives import R1, SelectiveDiversity
from caloforge.recipe import Data, Recipe
from caloforge.recipes import recipe_of_name
from caloforge.train import train
from caloforge.training.dataset import divide
from caloforge.training.folder import RunFolder
from small_run import set_options, small_recipe

Cli = Callable[..., tuple[int, str, str]]


def joined(caloforge: Cli, *options: str) -> list[str]:
    """Further files of the recipe that a command would train."""
    code, output, log = caloforge("train", *options, "--dry-run")
    assert code == 0, log
    actual: list[str] = json.loads(output)["data"]["training_files"]
    return actual


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("dcgan",), ["alice_zn/part-2"]),
        (("proton-gan",), ["alice_zp/part-2"]),
        (("dcgan", "--data", "alice_zn"), []),
        (("dcgan", "--more", "alice_zn"), ["alice_zn"]),
        (("dcgan", "--set", 'data.training_files=["alice_zn"]'), ["alice_zn"]),
        (
            ("dcgan", "--set", 'data.training_files=["alice_zn"]', "--more", "alice_zn/part-2"),
            ["alice_zn", "alice_zn/part-2"],
        ),
        (
            ("dcgan", "--set", 'data.training_files=["alice_zn"]', "--more", "alice_zn"),
            ["alice_zn"],
        ),
        (("dcgan", "--set", "data.split=row"), []),
        (("dcgan", "--set", "data.showers_per_particle=4"), []),
    ],
)
def test_the_second_part_joins_where_nothing_else_is_said(
    options: tuple[str, ...], expected: list[str], caloforge: Cli
) -> None:
    assert joined(caloforge, *options) == expected


def test_particles_of_equal_numbers_are_kept_apart(showers: Path, more_showers: Path) -> None:
    """Numbers are those of a file; conditions tell whether two are one particle."""
    recipe = small_recipe(f'data.training_files=["{more_showers}"]')
    with ShowerFile(showers) as file:
        joined, alone = divide(file, recipe.data), divide(file, small_recipe().data)
        assert len(joined.train) == len(alone.train) + 10
        same = small_recipe(f'data.training_files=["{showers}"]')
        with pytest.raises(DataError, match="share particle numbers"):
            divide(file, same.data)


def test_a_recipe_file_is_trained_as_it_stands(tmp_path: Path, caloforge: Cli) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(recipe_of_name("dcgan").to_json())
    assert joined(caloforge, str(path)) == []


@pytest.fixture
def more_showers(tmp_path: Path) -> Path:
    """The first particles of the sample, numbered as those of ``showers`` are."""
    with ShowerFile(sample_path("alice_zn")) as file:
        others = file.rows(0, int(file.groups().starts[10]))
        numbers = file.groups().ids[-10:].repeat(file.groups().counts[:10])
    write(tmp_path / "more.h5", replace(others, particle=numbers))
    return tmp_path / "more.h5"


def test_a_run_goes_on_with_what_it_began_with(
    showers: Path, more_showers: Path, tmp_path: Path, caloforge: Cli
) -> None:
    out = tmp_path / "run"
    more = ("--data", str(showers), "--more", str(more_showers), "--out", str(out))
    code, _, log = caloforge("train", "sdi-gan", *set_options(), *more, "-q")
    assert code == 0, log
    record = json.loads((out / "recipe.json").read_text())
    assert record["data"]["training_files"] == [str(more_showers)]
    assert list(record["run"]["data"]["training_files"]) == [str(more_showers)]
    again = ("--out", str(out), "--resume", "-q")
    code, _, log = caloforge("train", "sdi-gan", *set_options(), *again)
    assert code == 0, log


def test_what_joined_the_files_of_a_recipe_joins_when_the_run_goes_on(
    tmp_path: Path, caloforge: Cli
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    begun = recipe_of_name("dcgan").model_copy(
        update={"data": Data(training_files=("alice_zn", "alice_zn/part-2"))}
    )
    (run / "recipe.json").write_text(begun.to_json())
    named = ("--set", 'data.training_files=["alice_zn"]')
    options = ("dcgan", *named, "--out", str(run), "--resume")
    assert joined(caloforge, *options) == ["alice_zn", "alice_zn/part-2"]


def test_a_file_that_the_recipe_names_by_another_path_joins_once(
    more_showers: Path, monkeypatch: pytest.MonkeyPatch, caloforge: Cli
) -> None:
    monkeypatch.chdir(more_showers.parent)
    named = ("--set", 'data.training_files=["more.h5"]')
    assert joined(caloforge, "dcgan", *named, "--more", str(more_showers)) == ["more.h5"]


def test_search_takes_more_beside_the_files_of_a_recipe(tmp_path: Path, caloforge: Cli) -> None:
    named = ("--set", 'data.training_files=["alice_zn"]', "--more", "alice_zn/part-2")
    grid = ("--grid", "training.steps=1,2", "--data", str(tmp_path / "none.h5"))
    _, _, log = caloforge("search", "dcgan", *named, *grid, "--out", str(tmp_path / "found"))
    assert "alice_zn and alice_zn/part-2" in log


OLD: dict[str, Any] = {
    "R1": {"weight": 0.5},
    "NonSaturating": {"weight": 1.0},
    "SelectiveDiversity": {"weight": 0.1, "space": "features", "epsilon": 1e-5},
}


def old_record() -> dict[str, Any]:
    """A recipe as version 1 wrote it, before terms had units and heads a name."""
    record: dict[str, Any] = json.loads(small_recipe().to_json())
    del record["generator"]["head"]
    del record["critic"]["hottest"]
    return record | {"version": 1, "objective": OLD}


def test_a_recipe_of_version_1_means_what_it_meant() -> None:
    recipe = Recipe.from_json(json.dumps(old_record()))
    terms = {type(term).__name__: term for _, term in recipe.objective.terms}
    assert terms["R1"] == R1(space="cells")
    assert terms["SelectiveDiversity"] == SelectiveDiversity(unit="none", epsilon=1e-5)
    assert recipe.generator.head == "steep"


def test_a_run_of_version_1_goes_on(showers: Path, tmp_path: Path) -> None:
    recipe = Recipe.from_json(json.dumps(old_record()))
    run = train(recipe, showers, tmp_path / "run", threads=1)
    record = json.loads(run.recipe.read_text())
    run.recipe.write_text(json.dumps(old_record() | {"run": record["run"]}))
    assert train(recipe, showers, run.path, threads=1, resume=True) == RunFolder(run.path)
