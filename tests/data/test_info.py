"""What `data info` and `data convert` say and write, through the command line."""

import json

import numpy as np
import pytest

from caloforge.data.info import describe, summarise
from caloforge.data.samples import SAMPLES, sample_path
from caloforge.data.showers import ShowerFile
from caloforge.errors import UsageError
from tests.data.test_derive import naive_spread
from tests.formats.test_file_formats import images, pair, particles
from tests.input_output.raw import IDS, write_raw
from tests.input_output.test_showers_file import in_memory


def test_numbers_of_a_small_file(tmp_path):
    showers = in_memory()
    summary = summarise(write_raw(tmp_path / "a.h5"))
    assert (summary.rows, summary.particles) == (10, 4)
    assert summary.repeats == {1: 1, 2: 1, 3: 1, 4: 1}
    assert summary.pdg == {-211: 4, 22: 5, 2112: 1}
    assert summary.conditions[0] == {
        "name": "Energy",
        "unit": "GeV",
        "min": showers.conditions[:, 0].min(),
        "max": showers.conditions[:, 0].max(),
    }
    assert summary.largest_cell == showers.cells.max()
    assert summary.cpu_seconds_mean == pytest.approx(showers.cpu_seconds.mean())
    spreads = np.array(naive_spread(showers, "counts", False))
    defined = spreads[~np.isnan(spreads)]
    assert summary.spread_variation == pytest.approx(defined.std() / defined.mean())
    means = [showers.of_particles(np.array([i])).total().mean() for i in IDS]
    order = sorted((0, 2, 3), key=lambda number: means[number])
    for at, number in zip(summary.spread_at_total, order, strict=True):
        assert at.particles == 1
        assert at.total == pytest.approx((means[number],) * 2)
        assert at.quantiles == pytest.approx((spreads[number],) * 3)


def test_empty_fraction(tmp_path):
    front = np.ones((10, 4, 3), "u2")
    front[[2, 5, 6]] = 0
    arrays = {"showers/front": front, "showers/back": np.zeros((10, 2, 2), "u2")}
    assert summarise(write_raw(tmp_path / "a.h5", arrays)).empty_fraction == 0.3


def test_no_table_of_spreads_without_repeats(tmp_path):
    text = describe(summarise(write_raw(tmp_path / "a.h5", one_spread("singles"))))
    assert "\nspread          unknown: no particle has two showers\n" in text
    assert "mean total" not in text


def one_spread(kind):
    """Every particle swings between 4 and 8 in each cell, or has one shower."""
    if kind == "singles":
        return {"particle": np.arange(10)}
    swing = np.where(np.arange(10) % 2, 4, 8).astype("u2")
    energies = np.repeat(np.arange(1.0, 6.0), 2)
    return {
        "showers/front": np.broadcast_to(swing[:, None, None], (10, 4, 3)),
        "showers/back": np.broadcast_to(swing[:, None, None], (10, 2, 2)),
        "particle": np.repeat(np.arange(5), 2),
        "conditions": np.column_stack([energies, energies]),
    }


@pytest.mark.parametrize(
    ("kind", "word"), [("equal", "all conditions have the same spread"), ("singles", "fewer than")]
)
def test_no_diversity_to_test_is_a_warning(tmp_path, caloforge, kind, word):
    path = write_raw(tmp_path / "a.h5", one_spread(kind))
    code, out, err = caloforge("data", "info", path, "--json")
    assert code == 0
    assert err.startswith("warning: ")
    assert word in err
    assert "no claim about diversity can be tested" in err
    assert json.loads(out)["warnings"] == [err.removeprefix("warning: ").strip()]


def test_info_of_the_sample(caloforge):
    code, out, err = caloforge("data", "info", sample_path("alice_zn"))
    assert (code, err) == (0, "")
    for word in ("alice_zn", "12264", "1535", "GEANT", "CC BY 4.0", "GeV/c", "2112", "0.4932"):
        assert word in out
    code, out, err = caloforge("data", "info", sample_path("alice_zn"), "--json")
    record = json.loads(out)
    assert record["repeats"] == {"2": 1, "3": 2, "8": 1532}
    assert record["warnings"] == []
    assert len(record["spread_at_total"]) == 5


def test_samples_ship_with_their_card_and_are_small():
    paths = [sample_path(name) for name in SAMPLES]
    assert sum(path.stat().st_size for path in paths) < 40e6
    card = paths[0].with_name("README.md").read_text()
    for name, path in zip(SAMPLES, paths, strict=True):
        assert path.name in card
        with ShowerFile(path) as file:
            assert file.detector.name == name.split("/")[0]
            assert {"engine", "licence", "cuts", "source", "cpu"} <= set(file.provenance)
    with pytest.raises(UsageError, match="no showers of points ship"):
        sample_path("points")


def test_convert_on_the_command_line(tmp_path, caloforge):
    sources = pair(tmp_path / "in", np.log1p(images()), particles())
    out = tmp_path / "out.h5"
    code, output, err = caloforge("data", "convert", *sources, "--out", out, "--json")
    assert code == 0
    assert json.loads(output) == {"out": str(out), "rows": 6}
    assert "cells are log1p (detected; --values overrides)" in err
    before = out.read_bytes()
    code, _, err = caloforge("data", "convert", *sources, "--out", out, "-q")
    assert code == 2
    assert err.count("\n") == 1
    assert out.read_bytes() == before
    code, _, err = caloforge("data", "convert", *sources, "--out", out, "--force", "-q")
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("info", "none.h5"), 3, "none.h5: no such file"),
        (("info",), 2, "FILE"),
        (("convert", "none.npz", "--out", "o.h5"), 3, "none.npz: no such file"),
        (("convert", "none.npz", "--out", "o.h5", "--detector", "alice"), 2, "no detector alice"),
        (("convert", "none.npz", "--out", "o.h5", "--values", "log"), 2, "log1p"),
        (("convert", "none.npz"), 2, "--out"),
    ],
)
def test_bad_command_lines(caloforge, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    exit_code, out, err = caloforge("data", *arguments)
    assert (exit_code, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
