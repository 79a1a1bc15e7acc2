"""The search: what is tried, what is chosen, and that a killed one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caloforge.data.samples import sample_path
from caloforge.errors import CaloforgeError, DataError, Terminated, UsageError
from caloforge.io.files import sha256_of
from caloforge.jobs import Call, Executor, Limits
from caloforge.objectives import NonFinite, SelectiveDiversity
from caloforge.recipe import Recipe
from caloforge.search import outcome as search_run
from caloforge.search.outcome import Outcome, SearchResult, gather, search
from caloforge.search.trial import Axis, parse_axis, points, settings, title
from caloforge.training.folder import RunFolder
from small_run import set_options, small_recipe, write_part_of_sample

WEIGHTS = "objective.SelectiveDiversity.weight=0.01,1"


@pytest.fixture(scope="module")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_part_of_sample(tmp_path_factory.mktemp("showers") / "zn.h5", 20)


def short(*more: str) -> Recipe:
    return small_recipe("training.steps=4", "training.checkpoint_interval=2", *more)


def test_grid_is_every_combination_last_axis_fastest() -> None:
    axes = [parse_axis("a.b=1,2"), parse_axis("a.kind=x,y"), parse_axis("c=[1,2],[3]")]
    assert axes[2].values == ([1, 2], [3])
    actual = points(axes)
    assert len(actual) == 8
    assert actual[1] == (("a.b", 1), ("a.kind", "x"), ("c", [3]))
    assert settings(actual[0]) == ["a.b=1", 'a.kind="x"', "c=[1, 2]"]
    assert title(actual[0]) == "b=1,kind=x,c=[1, 2]"
    assert points([]) == [()]


@pytest.mark.parametrize("text", ["a.b", "a.b=", "=1,2", "a.b=,", "a.b=1,1", "a.b=1,,2", "a.b=x,"])
def test_grid_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--grid"):
        parse_axis(text)


def test_path_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--grid a\.b"):
        points([parse_axis("a.b=1"), parse_axis("a.b=2")])


@pytest.mark.parametrize(
    ("grid", "advice"),
    [
        ("seed=3,4", "--grid seed: every point gets the same seeds; use --seeds"),
        ("name=x,y", "--grid name: it only labels a run"),
        ("citation=x,y", "--grid citation: it only labels a run"),
        ("objective.SelectiveDiversity.weight=1,1.0", "are the same recipe; leave one out"),
        ("training.drawn=true,1", "training.drawn: Input should be true or false"),
    ],
)
def test_points_that_are_no_distinct_runs_are_refused(
    grid: str, advice: str, tmp_path: Path, caloforge: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "found"
    code, _, log = caloforge(
        "search", "sdi-gan", "--out", out, "-q", "--grid", grid, *set_options("training.steps=1")
    )
    assert (code, len(log.splitlines())) == (2, 1)
    assert advice in log
    assert not out.exists()


def test_wrong_showers_and_a_file_as_folder_are_told_before_the_work(
    tmp_path: Path, caloforge: Callable[..., tuple[int, str, str]]
) -> None:
    file = tmp_path / "file"
    file.write_text("not showers")
    out, message = tmp_path / "found", "is a file; name a folder"
    for data, folder, code, reason in (
        (tmp_path / "missing.h5", out, 3, "no such file"),
        (tmp_path, out, 3, "is a folder, not a file"),
        (file, out, 3, "not an HDF5 file"),
        ("alice_zp", out, 3, "alice_zp"),
        ("alice_zn", file, 2, message),
        ("alice_zn", file / "x", 2, message),
    ):
        command = ["search", "sdi-gan", "--grid", WEIGHTS, "--data", data, "--out", folder, "-q"]
        exit_code, _, log = caloforge(*command)
        assert (exit_code, len(log.splitlines())) == (code, 1)
        assert reason in log
        assert not out.exists()


def test_folder_and_showers_have_defaults_that_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caloforge: Callable[..., tuple[int, str, str]],
) -> None:
    class Asked(CaloforgeError):
        pass

    def search_stub(recipe: Recipe, axes: list[Axis], data: Path, out: Path, **more: Any) -> None:
        raise Asked(f"{data.name} {out} {more['seeds']}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search_run, "search", search_stub)
    log = caloforge("search", "sdi-gan", "--grid", WEIGHTS, "--seeds", 5)[2]
    assert f"searching in search-sdi-gan with the showers {sample_path('alice_zn')}" in log
    assert "caloforge: zn.h5 search-sdi-gan 5" in log
    for verb in (["search", "--grid", "training.steps=1,2"], ["train"]):
        code, _, log = caloforge(*verb, "calibrated", "--detector", "points", "-q")
        assert (code, log) == (
            2,
            "caloforge: no showers of points ship; name a file with --data\n",
        )


def outcome(weight: float, seed: int, score: float | None) -> Outcome:
    failed = "" if score else "not finite"
    return Outcome((("w", weight),), seed, Path(f"{weight}-{seed}"), score, failed=failed)


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_lowest_mean_is_chosen_and_a_failed_seed_rules_its_point_out() -> None:
    axis = Axis("w", (1, 2, 3))
    runs = [(1, 4.0, 9.0), (2, 5.0, 5.0), (3, 0.1, None)]
    outcomes = [outcome(w, seed, s) for w, *scores in runs for seed, s in enumerate(scores)]
    result = SearchResult("r", "d", (axis,), Path("x"), "0", gather(outcomes, points([axis])))
    assert result.best is not None
    assert dict(result.best.point) == {"w": 2}
    assert [dict(one.point)["w"] for one in result.ranked] == [2, 1, 3]
    assert result.points[0].score.value == 6.5
    assert result.points[0].score.error == pytest.approx(2.5)  # standard error of two seeds
    record = json.loads(json.dumps(result.record))
    assert (record["format"], record["version"]) == ("caloforge-search", 1)
    assert record["points"][2]["score"] == {"value": None, "error": None, "note": "failed"}
    assert "best on validation particles: w=2" in str(result)


def test_search_by_the_command_line_and_again(
    showers: Path, tmp_path: Path, caloforge: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "found"
    command = ["search", "sdi-gan", "--data", showers, "--grid", WEIGHTS, "--seeds", 2]
    command += ["--out", out, "--json", "-q", *set_options("training.steps=4")]
    code, output, log = caloforge(*command)
    assert (code, log) == (0, "")
    record = json.loads(output)
    assert record == json.loads((out / "search.json").read_text())
    folders = [Path(one["folder"]) for point in record["points"] for one in point["runs"]]
    assert len(folders) == 4
    for folder in folders:
        lines = [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]
        assert (folder / "simulator" / "simulator.json").is_file()
        assert lines[-1]["step"] == 4
    means = [point["score"]["value"] for point in record["points"]]
    assert means == sorted(means)
    best = Recipe.from_json((out / "best.json").read_text())
    weight = record["best"]["objective.SelectiveDiversity.weight"]
    weights = {type(term): own for own, term in best.objective.terms}
    assert weights[SelectiveDiversity] == weight
    times_before = times(out / "runs")
    assert json.loads(caloforge(*command)[1]) == record
    assert times(out / "runs") == times_before


def test_search_without_files_learns_from_the_showers_that_train_takes(
    tmp_path: Path, caloforge: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "found"
    command = ["search", "calibrated", "--detector", "alice_zp", "--grid", "training.steps=1,2"]
    code, _, log = caloforge(*command, "--seeds", 1, "--out", out)
    assert code == 0, log
    assert "alice_zp/part-2" in log
    code, plan, _ = caloforge("train", "calibrated", "--detector", "alice_zp", "--dry-run", "-q")
    assert code == 0
    best = Recipe.from_json((out / "best.json").read_text())
    assert best.data.training_files == Recipe.from_json(plan).data.training_files
    assert best.data.training_files == ("alice_zp/part-2",)


def test_search_goes_on_where_it_was_killed(
    showers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that SIGTERM stopped has a checkpoint and a simulator, and is still not finished."""
    from caloforge.training.run import Run

    recipe = short("training.validation_interval=1")
    axes = [Axis("training.decay_from", (0.1, 0.9))]
    keep, number = Run.log_and_checkpoint, []

    def killed(run: Run, leave: bool) -> None:
        number.append(run.step)
        keep(run, leave)
        if len(number) == 6:  # step 2 of the second run, which leaves after step 3
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Run, "log_and_checkpoint", killed)
    with pytest.raises(Terminated):
        search(recipe, axes, showers, tmp_path / "killed")
    assert number == [1, 2, 3, 4, 1, 2, 3]
    assert len(list(tmp_path.glob("killed/runs/*/simulator"))) == 2
    result = search(recipe, axes, showers, tmp_path / "killed")
    assert number[7:] == [4]
    straight = search(recipe, axes, showers, tmp_path / "straight")
    assert [one.score for one in result.points] == [one.score for one in straight.points]


def test_unfinished_run_goes_on_from_its_checkpoint(
    showers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from caloforge.training.run import Run

    axes = [Axis("training.decay_from", (0.5,))]
    save = Run.save

    def broken(run: Run) -> None:
        save(run)
        if run.step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "save", broken)
        search(short(), axes, showers, tmp_path)
    recipes = []
    resume = Run.resume
    monkeypatch.setattr(Run, "resume", lambda run: (resume(run), recipes.append(run.step))[0])
    result = search(short(), axes, showers, tmp_path)
    assert recipes == [2]
    assert result.best is not None


def test_run_that_fails_by_itself_rules_its_point_out(
    showers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = [Axis("training.decay_from", (0.1, 0.9))]
    finish = search_run.finish

    def fails(recipe: str, *more: Any, **named: Any) -> Any:
        if Recipe.from_json(recipe).training.decay_from == 0.1:
            raise NonFinite("term Hinge is nan")
        return finish(recipe, *more, **named)

    monkeypatch.setattr(search_run, "finish", fails)
    result = search(short(), axes, showers, tmp_path)
    assert result.best is not None
    assert dict(result.best.point) == {"training.decay_from": 0.9}
    assert "failed: " in str(result)
    assert "term Hinge is nan" in str(result)
    assert (tmp_path / "best.json").exists()
    nothing = search(short(), [Axis("training.decay_from", (0.1,))], showers, tmp_path)
    assert nothing.best is None
    assert not (tmp_path / "best.json").exists(), "it is of an earlier grid"


def test_folder_of_another_search_is_left_alone(
    showers: Path, tmp_path: Path, caloforge: Callable[..., tuple[int, str, str]]
) -> None:
    axes = [Axis("training.decay_from", (0.5,))]
    search(short(), axes, showers, tmp_path)
    with pytest.raises(UsageError, match="another recipe"):
        search(short("data.split_seed=4"), axes, showers, tmp_path)
    other = write_part_of_sample(tmp_path / "other.h5", 19)
    with pytest.raises(DataError, match="other showers"):
        search(short(), axes, other, tmp_path)
    command = ["search", "sdi-gan", "--out", tmp_path, "-q", "--grid"]
    code, _, log = caloforge(*command, "objective.Selective.weight=1")
    assert code == 2
    assert "--grid objective.Selective.weight: objective has no Selective" in log
    assert len(log.splitlines()) == 1


def double(value: int) -> int:
    if value == 3:
        raise DataError("three")
    if value == 4:
        os._exit(9)
    return 2 * value


@pytest.mark.slow
def test_processes_return_results_and_errors() -> None:
    calls = [Call(double, (n,)) for n in range(5)]
    answers = {
        outcomes.number: outcomes
        for outcomes in Executor("futures", 3).run(calls, Limits(attempts=1))
    }
    assert [answers[n].result() for n in range(3)] == [0, 2, 4]
    assert isinstance(answers[3].error, DataError)
    assert isinstance(answers[4].error, CaloforgeError)
    assert "exit code 9" in str(answers[4].error)


@pytest.mark.slow
def test_two_workers_find_what_one_finds(showers: Path, tmp_path: Path) -> None:
    axes = [Axis("training.decay_from", (0.1, 0.9))]
    one, two = (search(short(), axes, showers, tmp_path / str(n), workers=n) for n in (1, 2))
    assert [x.score for x in one.points] == [x.score for x in two.points]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_killed_search(showers: Path, tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "caloforge", "search", "sdi-gan", "--data", str(showers)]
    command += ["--grid", "training.decay_from=0.1,0.9", "--workers", "2", "--seeds", "1"]
    command += ["--out", str(tmp_path), *set_options("training.steps=1000000")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("runs/*/metrics.jsonl"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(number)
    process.wait(timeout=60)
    time.sleep(3)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    folder = next(tmp_path.glob("runs/*"))
    assert RunFolder(folder).checkpoint.is_file()
    assert sha256_of(showers)
