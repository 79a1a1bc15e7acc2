"""Histograms of files in blocks: the same as of everything at once, in little memory."""

import dataclasses
import json

import numpy as np
import pytest

from caloforge.cli import main
from caloforge.evaluate import engine as module
from caloforge.evaluate import observe, w1
from caloforge.evaluate.metrics.two_sample import separation_power
from evaluate.stand_in import SMALL, energies, showers, write_raw

REAL, MADE = (showers(energies(30, 0), 4, n, brightness=b) for n, b in ((1, 1.0), (2, 1.2)))


@pytest.fixture
def files(tmp_path):
    return [write_raw(tmp_path / f"{n}.h5", s) for n, s in enumerate((REAL, MADE))]


def test_blocks_give_what_everything_at_once_gives(files, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 7)
    actual = {row.name: row for row in module.stream(*files)}
    observed = observe(REAL), observe(MADE)
    for number, label in enumerate(SMALL.scheme().labels):
        a, b = (one.channels[:, number] for one in observed)
        row = actual[label]
        assert row.real.sum() == row.generated.sum() == 120
        assert row.separation == pytest.approx(separation_power(a, b, row.edges))
        assert row.w1 == pytest.approx(w1(a, b), abs=row.edges[1] - row.edges[0])
    assert actual["total"].unit == "counts"
    assert actual["width"].unit == "mm"


@pytest.mark.parametrize(
    "option",
    [
        ("--gate", "default"),
        ("--out", "page.html"),
        ("--to-card",),
        ("--part", "test"),
        ("--classifier", "none"),
        ("--seed", "1"),
    ],
)
def test_options_that_streaming_does_not_heed_are_refused(files, caloforge, option):
    code, out, log = caloforge(
        "evaluate", files[1], "--against", files[0], "--stream", *option, "-q"
    )
    assert (code, out) == (2, "")
    assert f"{option[0]} has no meaning with --stream" in log


def test_the_command_line_streams_two_files(files, capsys, tmp_path):
    arguments = ["evaluate", str(files[1]), "--against", str(files[0]), "--stream", "--wide"]
    assert main([*arguments, "-q", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["format"] == "caloforge-histograms"
    assert record["observables"]["total"]["w1"] > 10
    dark = write_raw(
        tmp_path / "dark.h5", dataclasses.replace(MADE, cells=np.zeros_like(MADE.cells))
    )
    arguments[1] = str(dark)
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["observables"]["width"]["w1"] is None
