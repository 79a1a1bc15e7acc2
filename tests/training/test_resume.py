"""A killed run loses at most one checkpoint interval, and goes on bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from caloforge import checkpoint
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.train import train
from caloforge.training import metrics
from full_disk import largest_file
from processes import run_together
from small_run import metrics_of, same, small_recipe, state_of, write_part_of_sample
from training import driver

KEPT = {
    "within_a_step": 5,
    "half_a_checkpoint": 5,
    "between_write_and_rename": 5,
    "just_renamed": 10,
    "half_a_line": 5,
    "between_line_and_checkpoint": 10,
    "before_the_simulator": 12,
    "sigterm": 7,
}
"""The step of the checkpoint that each of them finds."""


@pytest.fixture(scope="module")
def dead(showers: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs that were killed: their folders, exit codes, and what they left, by where."""
    out = tmp_path_factory.mktemp("dead")
    codes = {point: run_together(driver.killed, (point, out, showers)) for point in KEPT}
    return out, codes, {point: {path.name for path in (out / point).iterdir()} for point in codes}


@pytest.mark.parametrize("point", KEPT)
def test_killed_run_goes_on_bit_for_bit(
    point: str, dead: Any, straight: Path, showers: Path
) -> None:
    out, codes = dead[0] / point, dead[1]
    assert codes[point] == [143 if point == "sigterm" else -9]
    assert state_of(out)["step"] == KEPT[point]
    train(small_recipe(), showers, out, resume=True, threads=1)
    assert same(state_of(out), state_of(straight))
    assert metrics_of(out) == metrics_of(straight)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        path.name for path in straight.iterdir()
    )
    model = "simulator/generator.onnx"
    assert (out / model).read_bytes() == (straight / model).read_bytes()


def test_sigterm_leaves_the_best_generator_so_far(dead: Any) -> None:
    assert "simulator" in dead[2]["sigterm"]
    assert "simulator" not in dead[2]["before_the_simulator"]


def test_finished_run_may_be_resumed(straight: Path, showers: Path) -> None:
    before = state_of(straight), metrics_of(straight)
    train(small_recipe(), showers, straight, resume=True, threads=1)
    assert same(before[0], state_of(straight))
    assert before[1] == metrics_of(straight)


def test_resuming_another_recipe_is_refused(straight: Path, showers: Path) -> None:
    with pytest.raises(UsageError, match=r"another recipe, training\.steps was 12, not 11"):
        train(small_recipe("training.steps=11"), showers, straight, resume=True)


def test_resuming_with_other_data_is_refused(straight: Path, tmp_path: Path) -> None:
    other = write_part_of_sample(tmp_path / "other.h5", particles=41)
    with pytest.raises(DataError, match=r"other\.h5 is not what .* was trained on"):
        train(small_recipe(), other, straight, resume=True)


def test_resuming_nothing_is_refused(showers: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint\.pt to resume"):
        train(small_recipe(), showers, tmp_path / "nowhere", resume=True)
    assert not (tmp_path / "nowhere").exists()


def test_a_full_disk_is_one_line_and_leaves_no_half_checkpoint(tmp_path: Path) -> None:
    with largest_file(3000):
        with pytest.raises(CaloforgeError, match=r"checkpoint\.pt: no space left"):
            checkpoint.save(tmp_path / "checkpoint.pt", {"weights": torch.zeros(1000)})
        assert not any(tmp_path.iterdir())
        with pytest.raises(CaloforgeError, match=r"metrics\.jsonl: File too large"):
            metrics.append(tmp_path / "metrics.jsonl", {"step": 1, "words": "x" * 9000})
