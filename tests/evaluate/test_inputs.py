"""Runs, simulators and files through the command line, on files that our writer never saw."""

import dataclasses
import hashlib
import json

import h5py
import numpy as np
import pytest

from caloforge.cli import main
from caloforge.data.showers import Showers
from caloforge.data.split import split_by_particle
from caloforge.evaluate.inputs import load
from caloforge.report import pictures
from evaluate.stand_in import energies, showers, write_raw
from handmade import DETECTOR, Z, answer, write_simulator

PARTICLES, REPEATS = 30, 6


def toy_showers():
    """Showers as the hand-made simulator makes them, but for another seed."""
    rng = np.random.default_rng(1)
    conditions = np.repeat(rng.uniform(0, 10, (PARTICLES, 2)), REPEATS, axis=0)
    rates = answer(rng.normal(size=(len(conditions), Z)), conditions)
    cells = np.floor(rates + rng.random(rates.shape)).astype(np.uint16)
    return Showers(DETECTOR, cells, conditions, np.repeat(np.arange(PARTICLES) * 3, REPEATS))


@pytest.fixture
def against(tmp_path):
    return write_raw(tmp_path / "real.h5", toy_showers())


def recipe_of(path, **changes):
    """What a run folder's simulator tells of its training."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    data = {"validation": 0.2, "test": 0.3, "split": "particle", "split_seed": 4} | changes
    return {"name": "by hand", "data": data, "run": {"data": {"sha256": digest}}}


def test_a_run_is_judged_on_its_test_particles(tmp_path, against):
    run = tmp_path / "run"
    write_simulator(run / "simulator", recipe=recipe_of(against))
    case = load(str(run), against, seed=5)
    split = split_by_particle(np.arange(PARTICLES) * 3, (0.5, 0.2, 0.3), seed=4)
    assert np.unique(case.real.particle).tolist() == split.test.tolist()
    assert np.unique(case.train.particle).tolist() == split.train.tolist()
    assert (case.generated.particle == case.real.particle).all()
    assert not np.array_equal(case.generated.cells, case.real.cells)
    for part, numbers in (("validation", split.validation), ("train", split.train)):
        inputs = load(str(run), against, part=part)
        assert np.unique(inputs.real.particle).tolist() == numbers.tolist()


def test_another_file_was_never_seen_and_is_judged_whole(tmp_path, against):
    write_simulator(tmp_path / "simulator", recipe=recipe_of(against))
    with h5py.File(against, "r+") as file:
        file.attrs["source"] = "another production"
    case = load(str(tmp_path / "simulator"), against)
    assert len(case.real) == PARTICLES * REPEATS
    assert case.train is None
    assert len(load(str(tmp_path / "simulator"), against, part="test").real) == 9 * REPEATS


def test_a_production_was_never_seen_and_is_judged_whole(tmp_path, against):
    write_simulator(tmp_path / "simulator", recipe=recipe_of(against))
    production = tmp_path / "production"
    production.mkdir()
    name, rows = "showers-00000-of-00001.h5", PARTICLES * REPEATS
    against.rename(production / name)
    manifest = {"format": "caloforge-production", "version": 1, "complete": True}
    manifest["shards"] = [{"file": name, "showers": rows}]
    (production / "manifest.json").write_text(json.dumps(manifest))
    assert len(load(str(tmp_path / "simulator"), production).real) == rows


def test_a_split_by_row_is_labelled_leaky(tmp_path, against):
    write_simulator(tmp_path / "simulator", recipe=recipe_of(against, split="row"))
    case = load(str(tmp_path / "simulator"), against)
    assert len(case.real) == round(0.3 * PARTICLES * REPEATS)
    assert "leaky" in case.evaluate(classifier="none").warnings[0]


def test_later_cycles_of_a_production_find_their_particles(tmp_path):
    energy = energies(12, 0)
    real, generated = showers(energy, 4, 1), showers(energy, 4, 2)
    twice = dataclasses.replace(
        real,
        cells=np.concatenate([generated.cells, showers(energy, 4, 3).cells]),
        conditions=np.tile(real.conditions, (2, 1)),
        particle=np.concatenate([real.particle, real.particle + 12]),
    )
    files = [write_raw(tmp_path / f"{n}.h5", s) for n, s in enumerate((real, twice))]
    case = load(str(files[1]), files[0])
    assert np.bincount(case.generated.particle).tolist() == [8] * 12
    expected = np.concatenate([generated.cells[:4], showers(energy, 4, 3).cells[:4]])
    np.testing.assert_array_equal(case.generated.cells[:8], expected)


def test_the_command_line_prints_json_and_writes_the_report(tmp_path, against, capsys, monkeypatch):
    monkeypatch.setattr(pictures, "data_uri", lambda figure: "data:image/png;base64,")
    write_simulator(tmp_path / "simulator", recipe=recipe_of(against))
    out = tmp_path / "deep" / "report.html"
    arguments = ["evaluate", str(tmp_path / "simulator"), "--against", str(against)]
    arguments += ["--out", str(out), "--classifier", "none"]
    assert main([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["format"] == "caloforge-judgement"
    assert record["particles"] == 9
    assert "nearest" in record["candidates"]
    assert record["provenance"]["against"].endswith("(test particles)")
    assert json.loads(out.with_suffix(".json").read_text()) == record
    page = out.read_text()
    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;numpy&lt;/b&gt;" in page
    assert "<b>numpy" not in page
    assert "one shower for each of 54 rows" in captured.err
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_file_is_judged_in_a_table_for_people(tmp_path, capsys):
    energy = energies(10, 0)
    files = [write_raw(tmp_path / f"{n}.h5", showers(energy, 4, n)) for n in (1, 2)]
    train = write_raw(tmp_path / "train.h5", showers(energies(30, 9), 4, 9, first_particle=99))
    words = ["evaluate", str(files[0]), "--against", str(files[1]), "--train", str(train)]
    assert main([*words, "--scheme", "second", "-q"]) == 0
    captured = capsys.readouterr()
    assert "shower of nearest particle" in captured.out
    assert "scheme second" in captured.out
    assert not captured.err


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"subject": "nowhere"}, 2, "nowhere"),
        ({"subject": "runs/nowhere"}, 2, "no such file, run or simulator"),
        ({"--against": "missing.h5"}, 3, "missing.h5"),
        ({"--scheme": "third"}, 2, "no scheme third"),
        ({"--out": "report.pdf"}, 2, "ends in .html"),
        ({"--part": "best"}, 2, "best"),
        ({"--train": "missing.h5"}, 3, "missing.h5"),
    ],
)
def test_bad_input_costs_one_line(tmp_path, capsys, changes, code, message):
    real = write_raw(tmp_path / "real.h5", showers(energies(4, 0), 2, 1))
    options = {"subject": str(real), "--against": str(real)} | changes
    subject = options.pop("subject")
    assert main(["evaluate", subject, *(word for pair in options.items() for word in pair)]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not captured.out


def test_a_simulator_of_another_detector_or_without_split(tmp_path, capsys, against):
    write_simulator(tmp_path / "simulator")
    real = write_raw(tmp_path / "small.h5", showers(energies(4, 0), 2, 1))
    assert main(["evaluate", str(tmp_path / "simulator"), "--against", str(real)]) == 3
    assert "small" in capsys.readouterr().err
    arguments = ["evaluate", str(tmp_path / "simulator"), "--against", str(against), "-q"]
    assert main([*arguments, "--part", "test"]) == 3
    assert "only --part all" in capsys.readouterr().err
    assert main([*arguments, "--classifier", "none"]) == 0
