"""What follows a run: lines of metrics, logs, the picture of its curves."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from caloforge.report.curves import learning_curves, series
from caloforge.train import train
from caloforge.training import metrics
from caloforge.training.callbacks import Callback, flat, logs_of_names
from caloforge.training.folder import RunFolder
from extras import needs
from small_run import set_options, small_recipe

Cli = Callable[..., tuple[int, str, str]]
STEPS = 44
LINES = [20, 25, 40, 44]
"""Every twentieth step and the scored ones."""


class Follow(Callback):
    """Writes down what it was told."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.lines: list[Mapping[str, Any]] = []
        self.checkpoints: list[int] = []
        self.ended = 0

    def step(self, step: int, losses: metrics.Parts) -> None:
        assert set(losses) == {"generator", "critic"}
        self.steps.append(step)

    def line(self, record: Mapping[str, Any]) -> None:
        self.lines.append(record)

    def checkpoint(self, step: int, path: Path) -> None:
        assert path.is_file()
        self.checkpoints.append(step)

    def end(self) -> None:
        self.ended += 1


@pytest.fixture(scope="module")
def followed(showers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Follow]:
    intervals = ("training.validation_interval=25", "training.checkpoint_interval=30")
    recipe = small_recipe(f"training.steps={STEPS}", *intervals)
    follow, out = Follow(), tmp_path_factory.mktemp("followed") / "run"
    logs = [follow, *logs_of_names(["csv"])]
    return train(recipe, showers, out, threads=1, callbacks=logs).path, follow


def test_callbacks_see_steps_lines_and_checkpoints(followed: tuple[Path, Follow]) -> None:
    run, follow = followed
    assert follow.steps == list(range(1, STEPS + 1))
    assert [line["step"] for line in follow.lines] == LINES
    assert [line["step"] for line in follow.lines if "score" in line] == [25, 44]
    assert follow.checkpoints == [0, 30, 44]
    assert follow.ended == 1
    lines = metrics.read(run / "metrics.jsonl")
    assert lines == json.loads(json.dumps(follow.lines))
    assert RunFolder(run).summary()["best_step"] in (25, 44)


def test_the_table_has_every_number(followed: tuple[Path, Follow]) -> None:
    run, _ = followed
    with (run / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row, line in zip(rows, metrics.read(run / "metrics.jsonl"), strict=True):
        assert {k: float(v) for k, v in row.items() if v} == pytest.approx(flat(line))
    assert "losses/generator/SelectiveDiversity" in rows[0]


def test_a_resumed_run_keeps_its_table(caloforge: Cli, showers: Path, tmp_path: Path) -> None:
    words = ("train", "sdi-gan", "--data", showers, "--out", tmp_path / "run", "--log", "csv")
    intervals = ("training.validation_interval=2", "training.checkpoint_interval=2")
    for steps, more in ((4, ()), (6, ("--resume",))):
        settings = set_options(f"training.steps={steps}", *intervals)
        code, _, err = caloforge(*words, *settings, *more)
        assert code == 0, err
    with (tmp_path / "run" / "metrics.csv").open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["2", "4", "6"]


@pytest.mark.extras
def test_tensorboard_gets_the_numbers(showers: Path, tmp_path: Path) -> None:
    needs("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = small_recipe("training.steps=4", "training.validation_interval=2")
    logs = logs_of_names(["tensorboard"])
    run = train(recipe, showers, tmp_path / "run", threads=1, callbacks=logs).path
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    lines = [flat(line) for line in metrics.read(run / "metrics.jsonl")]
    for name, points in series(lines).items():
        if name != "step":
            numbers = [number for one in events.Scalars(name) for number in (one.step, one.value)]
            assert numbers == pytest.approx([number for point in points for number in point])


def test_logs_that_are_none_are_one_line(caloforge: Cli) -> None:
    code, _, err = caloforge("train", "dcgan", "--log", "paper")
    assert (code, err) == (2, "caloforge: --log paper: there are csv, tensorboard\n")


def test_the_curves_show_score_losses_and_rates(followed: tuple[Path, Follow]) -> None:
    run, _ = followed
    lines = metrics.read(run / "metrics.jsonl")
    figure = learning_curves(lines, "run")
    labels = sorted(axes.get_ylabel() for axes in figure.axes)
    assert labels == [
        "learning rate",
        "losses of the critic",
        "losses of the generator",
        "validation score",
    ]
    (score,) = [axes for axes in figure.axes if axes.get_ylabel() == "validation score"]
    assert score.get_lines()[0].get_xdata().tolist() == [25, 44]
    drawn_losses = {line.get_label() for axes in figure.axes for line in axes.get_lines()} & set(
        lines[0]["losses"]["generator"]
    )
    assert drawn_losses == set(lines[0]["losses"]["generator"])


def test_the_picture_is_written(
    caloforge: Cli, followed: tuple[Path, Follow], tmp_path: Path
) -> None:
    run, _ = followed
    code, out, err = caloforge("plot-run", run)
    assert (code, out.count("\n")) == (0, 1), err
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    for words, exit_code, message in (
        ([tmp_path], 2, "is no run: it has no metrics.jsonl"),
        ([run, "--out", tmp_path / "curves.doc"], 2, "the suffix is one of"),
    ):
        code, _, err = caloforge("plot-run", *words)
        assert (code, message in err) == (exit_code, True), err
    (tmp_path / "metrics.jsonl").write_text('{"step": 1')
    code, _, err = caloforge("plot-run", tmp_path)
    assert (code, err.count("\n")) == (3, 1)
