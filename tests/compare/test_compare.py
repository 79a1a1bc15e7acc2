"""The comparison: who is grouped, how errors are pooled, what the page and the numbers say."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caloforge.data import samples
from caloforge.errors import DataError, UsageError
from caloforge.evaluate.comparison import (
    Method,
    Run,
    combine_seeds,
    compare_runs,
    contrast,
    differences,
    labels,
    remarks,
    run_of,
    runs_by_recipe,
)
from caloforge.evaluate.inputs import load
from caloforge.report import pictures
from caloforge.report.tables import comparison_table
from caloforge.train import train
from small_run import small_recipe, write_part_of_sample

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_part_of_sample(tmp_path_factory.mktemp("showers") / "zn.h5", 60)


@pytest.fixture(scope="module")
def runs(showers: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two seeds of one recipe, one of another."""
    folder = tmp_path_factory.mktemp("runs")
    expected = [("sdi-gan", 0), ("sdi-gan", 1), ("dcgan", 0)]
    for name, seed in expected:
        recipe = small_recipe("training.steps=4", name=name, seed=seed)
        train(recipe, showers, folder / f"{name}-{seed}", threads=1)
    return {f"{name}-{seed}": folder / f"{name}-{seed}" for name, seed in expected}


def subject(name: str, seed: int, weight: float) -> Run:
    recipe = {
        "name": name,
        "seed": seed,
        "objective": {"T": {"weight": weight}},
        "run": {"x": seed},
    }
    return Run(f"{name}-{seed}-{weight}", recipe)


def test_errors_of_particles_and_seeds_by_loops(rng: np.random.Generator) -> None:
    first, second = rng.normal(5, 1, (2, 3, 41))
    actual = contrast("a", "b", {"a": combine_seeds(list(first)), "b": combine_seeds(list(second))})
    gaps = [second[:, r].mean() - first[:, r].mean() for r in range(41)]
    assert actual.particles.value == pytest.approx(gaps[0])
    middle = sum(gaps[1:]) / 40
    paired = math.sqrt(sum((gap - middle) ** 2 for gap in gaps[1:]) / 39)
    assert actual.particles.error == pytest.approx(paired)
    seeds = [
        sum((value - x[:, 0].mean()) ** 2 for value in x[:, 0]) / 2 / 3 for x in (first, second)
    ]
    assert actual.measured.error == pytest.approx(math.sqrt(paired**2 + sum(seeds)))
    assert actual.record["sigma"] == pytest.approx(gaps[0] / actual.measured.error)  # type: ignore[operator]


def test_paired_particles_cancel_and_a_single_seed_has_no_seed_error(
    rng: np.random.Generator,
) -> None:
    hard = rng.normal(0, 5, 301)  # the same particles are hard for both
    a, b = hard + 10, hard + 12 + rng.normal(0, 0.1, 301)
    actual = contrast("a", "b", {"a": combine_seeds([a]), "b": combine_seeds([b])})
    assert actual.measured == actual.particles
    assert actual.measured.error is not None
    assert actual.measured.error < 0.2
    assert combine_seeds([a]).seeds is None
    assert combine_seeds([a]).measured.error == pytest.approx(a[1:].std(ddof=1))


def test_a_shipped_simulator_with_a_slash_in_its_name_is_a_run() -> None:
    assert list(runs_by_recipe(["atlas_em/eplus"])) == ["calibrated"]
    with pytest.raises(UsageError, match="atlas_em/none: no such run or simulator"):
        runs_by_recipe(["atlas_em/none"])


def test_methods_that_learn_from_other_showers_are_named() -> None:
    one, other = (run_of(name).training_showers for name in ("alice_zn", "alice_zp"))
    assert [file.split()[0] for file in one] == ["zn.h5", "alice_zn/part-2"]
    methods = [
        Method(label, label, {}, (0, 1, 2), training_showers=frozenset({files}))
        for label, files in (("a", one), ("b", one), ("c", other))
    ]
    assert remarks(tuple(methods[:2])) == []
    (warning,) = remarks(tuple(methods))
    assert warning.startswith("trained on different showers: a on zn.h5 ")
    assert "; c on zp.h5 " in warning


def test_recipes_of_one_name_are_told_apart() -> None:
    groups = [[subject("sdi", 0, 1)], [subject("dc", 0, 1)], [subject("sdi", 0, 2)]]
    assert labels(groups) == ["sdi (1)", "dc", "sdi (2)"]
    by_label = dict(zip(labels(groups), groups, strict=True))
    assert differences("sdi (2)", by_label) == "objective.T.weight=2"
    assert differences("dc", by_label) == ""
    assert subject("a", 0, 1).settings == subject("a", 7, 1).settings


def test_numbers_of_a_run_are_those_of_evaluate(runs: dict[str, Path], showers: Path) -> None:
    path = str(runs["dcgan-0"])
    result = load(path, showers, seed=3).evaluate(seed=3, classifier="none")
    comparison = compare_runs(runs_by_recipe([path]), showers, seed=3)
    for row in result.metrics:
        assert comparison.methods[0].numbers[row.name].measured == result.measured(row.name)
    for one in comparison.references:
        for name in ("w1", "conditional_w1", "spread_slope"):
            theirs = result.measured(name, one.label)
            assert one.numbers[name].measured.value == theirs.value
    nearest = next(one for one in comparison.contrasts if one.second == "nearest")
    assert nearest.measured == result.difference("conditional_w1", "nearest")
    assert comparison.n_showers == result.n_showers


def test_seeds_are_pooled(runs: dict[str, Path], showers: Path) -> None:
    each = [compare_runs(runs_by_recipe([str(runs[f"sdi-gan-{k}"])]), showers) for k in (0, 1)]
    both = compare_runs(runs_by_recipe([str(runs["sdi-gan-1"]), str(runs["sdi-gan-0"])]), showers)
    (method,) = both.methods
    assert method.seeds == (0, 1)
    alone = [one.methods[0].numbers["conditional_w1"].measured.value for one in each]
    assert method.numbers["conditional_w1"].replicates[:, 0].tolist() == alone
    assert method.numbers["conditional_w1"].measured.value == pytest.approx(np.mean(alone))  # type: ignore[arg-type]


def test_page_and_numbers_by_the_command_line(
    runs: dict[str, Path],
    showers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caloforge: Command,
) -> None:
    monkeypatch.setattr(pictures, "data_uri", lambda figure: "data:image/png;base64,")
    out = tmp_path / "compared"
    command = ["compare", *runs.values(), "--against", showers, "--out", out, "-q"]
    code, output, log = caloforge(*command, "--json")
    assert (code, log) == (0, "")
    record = json.loads(output)
    assert record == json.loads((out / "comparison.json").read_text())
    assert (record["format"], record["version"]) == ("caloforge-comparison", 1)
    assert set(record["methods"]) == {"sdi-gan", "dcgan"}
    number = record["methods"]["sdi-gan"]["measures"]["conditional_w1"]
    assert number["error"] == pytest.approx(
        math.hypot(number["error_particles"], number["error_seeds"])
    )
    pairs = {(one["first"], one["second"]): one for one in record["contrasts"]["pairs"]}
    assert len(pairs) == 3
    assert next(iter(pairs.values()))["value"] >= 0
    assert any("fewer than 3 seeds: sdi-gan, dcgan" in one for one in record["warnings"])
    page = (out / "comparison.html").read_text()
    assert page.count("data:image/png;base64,") >= 5 + 2 + 2  # channels, particles, diversity
    assert not re.search(r"(?:src|href)=.(?!data:)", page)
    assert "<script" not in page
    for title in ("Distributions", "Showers", "Diversity", "Every number"):
        assert f"<h2>{title}</h2>" in page
    code, _, log = caloforge(*command)
    assert code == 2
    assert "comparison.html exists already; --force replaces it" in log


def test_shipped_showers_judge_where_none_are_named(
    runs: dict[str, Path],
    showers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caloforge: Command,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(samples, "sample_path", lambda name: showers)
    code, output, log = caloforge("compare", runs["dcgan-0"])
    assert code == 0
    assert f"evaluating with the showers {showers}\n" in log
    assert "real against real (floor)" in output
    assert "page: " not in log
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delitem(samples.SAMPLES, "alice_zn")
    code, _, log = caloforge("compare", runs["dcgan-0"], "-q")
    assert (code, log) == (
        2,
        "caloforge: no showers of alice_zn ship; name a file with --against\n",
    )


def test_table_names_all_and_their_differences(runs: dict[str, Path], showers: Path) -> None:
    output = comparison_table(
        compare_runs(runs_by_recipe([str(path) for path in runs.values()]), showers)
    )
    for text in ("sdi-gan", "dcgan", "real against real (floor)", "by particles", "nearest - "):
        assert text in output


def changed(folder: Path, target: Path, **entries: Any) -> str:
    """A copy of a run whose card says something else of the recipe."""
    import shutil

    shutil.copytree(folder, target)
    card = json.loads((target / "simulator" / "simulator.json").read_text())
    card["recipe"] |= entries
    (target / "simulator" / "simulator.json").write_text(json.dumps(card))
    return str(target)


@pytest.mark.parametrize("entry", [{"seed": "abc"}, {"seed": None}, {"seed": 0.5}, {"name": None}])
def test_card_with_a_wrong_seed_or_name_is_bad_data(
    entry: dict[str, Any], runs: dict[str, Path], showers: Path, tmp_path: Path, caloforge: Command
) -> None:
    run = changed(runs["dcgan-0"], tmp_path / "run", **entry)
    code, _, log = caloforge("compare", run, "--against", showers, "--out", tmp_path / "o", "-q")
    assert (code, len(log.splitlines())) == (3, 1)
    ((name, value),) = entry.items()
    assert f"simulator.json: {name} of the recipe is {value!r}" in log


def test_what_cannot_be_compared_is_refused_in_one_line(
    runs: dict[str, Path], showers: Path, tmp_path: Path, caloforge: Command
) -> None:
    run = runs["dcgan-0"]
    data = json.loads((run / "recipe.json").read_text())["data"]
    other = changed(run, tmp_path / "split", data=data | {"split_seed": 5}, name="other")
    refusals = {
        (str(run), other): "keeps other particles",
        (str(run), str(run)): "the same recipe and seed 0",
        (str(tmp_path / "none"),): "no such run",
        (str(tmp_path),): "neither a simulator nor a run",
    }
    for paths, reason in refusals.items():
        code, _, log = caloforge(
            "compare", *paths, "--against", showers, "--out", tmp_path / "o", "-q"
        )
        assert (code, len(log.splitlines())) == (2, 1)
        assert reason in log
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "x"):
        code, _, log = caloforge("compare", run, "--against", showers, "--out", path, "-q")
        assert (code, log) == (2, f"caloforge: {tmp_path / 'file'} is a file; name a folder\n")
    nameless = changed(run, tmp_path / "nameless")
    card = Path(nameless, "simulator", "simulator.json")
    card.write_text(json.dumps(json.loads(card.read_text()) | {"recipe": {}}))
    with pytest.raises(DataError, match="does not tell the recipe"):
        runs_by_recipe([nameless])
    with pytest.raises(UsageError, match="at least one run"):
        compare_runs({}, showers)
    assert not (tmp_path / "o").exists()
