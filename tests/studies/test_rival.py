"""The flow-matching simulator: its steps by hand, and a run that goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile
from caloforge.errors import UsageError
from caloforge.recipe import Data
from caloforge.simulator import Simulator
from caloforge.training.dataset import Dataset, divide
from small_run import same, write_part_of_sample
from validation import rival
from validation.rival import plan
from validation.rival.training import FlowTraining, Settings, train
from validation.runner import RUNS, WORK, write_record

SETTINGS = Settings(rows=2)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Training and validation particles of a small file."""
    with ShowerFile(write_part_of_sample(tmp_path_factory.mktemp("few") / "few.h5", 10)) as file:
        return divide(file, Data())


def state_of(training: FlowTraining) -> object:
    parts = (training.generator, training.optimiser, training.average.network)
    return [training.step, training.curve["loss"], *(part.state_dict() for part in parts)]


def test_a_run_that_goes_on_is_the_same(few: Dataset, tmp_path: Path) -> None:
    straight, first, second = (FlowTraining(few, SETTINGS) for _ in range(3))
    train(straight, lambda one: one.step == 2, tmp_path / "straight.pt")
    train(first, lambda one: one.step == 1, tmp_path / "half.pt")
    second.restore(tmp_path / "half.pt")
    train(second, lambda one: one.step == 2, tmp_path / "half.pt")
    assert same(state_of(second), state_of(straight))
    assert not same(state_of(first), state_of(straight))
    with pytest.raises(UsageError, match="other settings"):
        FlowTraining(few, Settings(rows=2, seed=1)).restore(tmp_path / "half.pt")


def test_steps_follow_the_velocity_and_end_at_counts(few: Dataset) -> None:
    generator = FlowTraining(few, SETTINGS).generator
    torch.nn.init.zeros_(generator.velocity.exit.weight)
    torch.nn.init.constant_(generator.velocity.exit.bias, 2.0)
    latents = torch.linspace(-4, 4, 2 * 1936).view(2, 1936)
    conditions = torch.from_numpy(few.conditions[:2].astype(np.float32))
    with torch.no_grad():
        counts = generator(latents, conditions)
    logs = (latents + 2) * generator.deviation + generator.mean
    torch.testing.assert_close(counts, logs.exp().sub(1).clamp(min=0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(generator.encode(counts).flatten(1)[1], latents[1] + 2)


@pytest.mark.slow
def test_a_run_is_judged_and_timed_and_has_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "ROUNDS", 1)
    folder = tmp_path / "rival"
    (folder / RUNS).mkdir(parents=True)
    (folder / WORK).mkdir()
    write_record(folder / "references.json", plan.references())
    for run in plan.plan(True, 0, {}):
        write_record(folder / RUNS / f"{run.name}.json", run.execute(folder))
    rival.page.write(folder)
    page = (folder / "README.md").read_text()
    assert "| flow matching |" in page
    assert "\n## Speed\n" in page
    assert "\n\n\n" not in page
    simulator = Simulator.load(folder / WORK / "simulator")
    with ShowerFile(sample_path("alice_zn")) as file:
        conditions = file.conditions[:2]
    assert simulator.generate(conditions).shape == (2, 1936)
