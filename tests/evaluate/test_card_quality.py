"""``evaluate --to-card``: what was measured stands in the card of the simulator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from caloforge.cli import main
from caloforge.data.samples import sample_path
from caloforge.data.showers import read, write
from caloforge.simulator import CARD, Simulator, read_card
from caloforge.simulator.shipped import shipped_simulator


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card") / "simulator"
    shutil.copytree(shipped_simulator("alice_zn"), folder)
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("few") / "few.h5"
    showers = read(sample_path("alice_zn"))
    write(path, showers.of_particles(np.unique(showers.particle)[:40]))
    return path


def test_numbers_and_answer_stand_in_the_card(
    simulator: Path, few: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", str(simulator), "--against", str(few), "--classifier", "none"]
    assert main([*command, "--to-card", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    card = read_card(simulator / CARD)
    assert card.quality is not None
    by_name = {one.name: one for one in card.quality.measurements}
    model, floor = (record["candidates"][name]["conditional_w1"] for name in ("model", "real"))
    assert by_name["conditional_w1"].value == pytest.approx(model["value"])
    assert by_name["conditional_w1"].floor == pytest.approx(floor["value"])
    assert card.quality.accepted is record["gate"]["accepted"]
    assert list(card.weaknesses) == record["gate"]["explanation"]
    Simulator.load(simulator).check()
    assert main(["data", "info", str(simulator)]) == 0
    assert "conditional W1 [counts] " in capsys.readouterr().out


def test_a_file_of_showers_has_no_card(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(few), "--against", str(few), "--to-card"]) == 2
    assert "neither a simulator nor a run" in capsys.readouterr().err
