"""What people type and what machines do: one line and a code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from caloforge.cli import main
from caloforge.data.showers import read
from extras import needs
from processes import run_command
from small_run import set_options, write_part_of_sample

CASES = Path(__file__).parent / "cases"
LARGE = "9" * 30


def command(*arguments):
    return [sys.executable, "-m", "caloforge", *map(str, arguments)]


@pytest.fixture
def run(capfd):
    """A command line, within five minutes -> code, stdout, stderr."""

    def code_and_output(*arguments):
        signal.alarm(300)
        try:
            return (main([str(argument) for argument in arguments]), *capfd.readouterr())
        finally:
            signal.alarm(0)

    return code_and_output


@pytest.fixture
def refused(run):
    """Runs what must be refused -> the one line that says why."""

    def line_of(*arguments, code=2):
        exit_code, out, err = run(*arguments)
        assert exit_code == code, err
        assert out == ""
        lines = err.splitlines()
        assert lines[-1].startswith("caloforge: "), err
        assert "Traceback" not in err
        return lines[-1]

    return line_of


@pytest.fixture
def accepted(run):
    """Runs a command that does what it is asked."""

    def succeed(*arguments):
        code, _, err = run(*arguments)
        assert code == 0, err

    return succeed


TRANSPORT = ("transport", "atlas_em", "--spectrum", "eplus", "-n", 1, "--out", "OUT")
BEYOND_SENSE = {
    "threads of torch": ("train", "sdi-gan", "--threads", "99999999999", "--out", "OUT"),
    "threads": ("generate", "alice_zn", "-n", 1, "--threads", "99999999999", "--out", "OUT"),
    "seed of a recipe": ("train", "sdi-gan", "--set", "seed=-1", "--out", "OUT"),
    "large seed of a recipe": ("train", "sdi-gan", "--set", f"seed={LARGE}", "--out", "OUT"),
    "seed": ("generate", "alice_zn", "-n", 1, "--seed", LARGE, "--out", "OUT"),
    "seed of an evaluation": ("evaluate", "alice_zn", "--against", "alice_zn", "--seed", LARGE),
    "a boolean for a number": ("train", "sdi-gan", "--set", "training.steps=true", "--out", "OUT"),
    "a text for a number": ("train", "sdi-gan", "--set", 'training.steps="5"', "--out", "OUT"),
    "a name that leaves the folder of runs": (
        "train", "sdi-gan", "--set", "name=../../x", "--dry-run",
    ),
    "a boolean for a weight": (
        "train", "sdi-gan", "--set", "objective.R1.weight=true", "--out", "OUT",
    ),
    "a number for a boolean": ("train", "sdi-gan", "--set", "training.drawn=1", "--out", "OUT"),
    "quotes": (*TRANSPORT, "--engine-command", "geant 'x {particles} {out}"),
    "repeats": (*TRANSPORT, "--repeats", LARGE),
    "workers": (*TRANSPORT, "--workers", LARGE),
}  # fmt: skip


@pytest.mark.parametrize("name", BEYOND_SENSE)
def test_values_beyond_sense(tmp_path, name, refused):
    out = tmp_path / "out.h5"
    refused(*(out if word == "OUT" else word for word in BEYOND_SENSE[name]))
    assert not any(tmp_path.iterdir())


def test_more_particles_than_memory(tmp_path, refused):
    out = tmp_path / "out.h5"
    line = refused(
        "transport", "atlas_em", "--spectrum", "eplus", "-n", 10**12, "--out", out, code=1
    )
    assert "memory ran out" in line
    assert not any(tmp_path.iterdir())


def test_a_description_without_end(tmp_path, refused):
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    line = refused(
        "data", "convert", CASES / "cc_ok.hdf5", "--detector", deep, "--out", "x.h5", code=3
    )
    assert "nested too deeply" in line


def test_layers_of_negative_depth_are_refused(tmp_path, refused):
    source = json.loads((CASES / "detector_bom.json").read_text("utf-8-sig"))
    source["layers"][0]["depth_mm"] = -60
    path = tmp_path / "detector.json"
    path.write_text(json.dumps(source))
    line = refused("train", "sdi-gan", "--detector", path, "--dry-run", code=3)
    assert "depth" in line


FILLS = {
    "generate": ("generate", "alice_zn", "-n", 1, "--engine", "onnxruntime"),
    "production": ("generate", "alice_zn", "-n", 1, "--shards", 1, "--engine", "onnxruntime"),
    "train": ("train", "sdi-gan"),
    "convert": (
        "data", "convert", CASES / "cc_ok.hdf5", "--detector", CASES / "binning_small.xml"
    ),
    "export": ("export", "alice_zn", "--target", "triton"),
}  # fmt: skip


def test_a_dry_run_opens_the_showers_that_it_is_given(refused):
    line = refused("train", "calogan", "--data", "alice_zn", "--dry-run", code=3)
    assert "holds showers of alice_zn" in line


def test_a_production_without_dask_leaves_nothing(tmp_path, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    order = ("generate", "alice_zn", "-n", 1, "--shards", 1, "--engine", "onnxruntime")
    line = refused(*order, "--executor", "dask", "--out", tmp_path / "production", code=1)
    assert "this needs distributed: pip install" in line
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", FILLS)
def test_a_pipe_is_no_place_for_output(tmp_path, name, refused):
    out = tmp_path / "pipe"
    os.mkfifo(out)
    force = [] if name == "production" else ["--force"]
    line = refused(*FILLS[name], "--out", out, *force)
    assert str(out) in line
    assert out.is_fifo()
    assert list(tmp_path.iterdir()) == [out]


def test_two_root_files_become_one(tmp_path, accepted):
    needs("uproot")
    root = CASES.with_name("formats") / "root"
    parts = [root / "o2sim-split0.root", root / "o2sim-split99.root"]
    for name, sources in (("one", parts[:1]), ("both", parts)):
        out = ("--out", tmp_path / f"{name}.h5", "-q")
        accepted("data", "convert", *sources, "--detector", "alice_zn", *out)
    one, both = (read(tmp_path / f"{name}.h5") for name in ("one", "both"))
    # The files hold the same particles, which are taken together.
    assert sorted(map(bytes, both.cells)) == sorted(2 * list(map(bytes, one.cells)))
    assert len(np.unique(both.particle)) == len(np.unique(one.particle))


def test_the_second_of_two_trainings_is_refused(tmp_path, refused):
    out, data = tmp_path / "run", write_part_of_sample(tmp_path / "zn.h5")
    line = command("train", "sdi-gan", "--data", data, "--out", out, "-q")
    line += set_options("training.steps=100000", "training.checkpoint_interval=100000")
    first = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(out / ".lock", first)
        time.sleep(0.3)
        second = refused("train", "sdi-gan", "--data", data, "--out", out, *set_options())
        forced = refused("train", "sdi-gan", "--data", data, "--out", out, "--force", "-q")
        for lines in (second, forced):
            assert f"process {first.pid} on {os.uname().nodename} writes here" in lines
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGTERM)
        _, log = first.communicate(timeout=60)
    assert first.returncode == 143, log


def wait_for(path, process, seconds=60):
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_a_damaged_line_of_metrics_does_not_stop_a_run(tmp_path, accepted):
    out, data = tmp_path / "run", write_part_of_sample(tmp_path / "zn.h5")
    line = ("train", "sdi-gan", "--data", data, "--out", out, "-q", *set_options())
    accepted(*line)
    metrics = out / "metrics.jsonl"
    whole = metrics.read_bytes().splitlines(keepends=True)
    metrics.write_bytes(b"".join([b'{"step": \xff\n', b"[" * 100_000 + b"\n", *whole]))
    accepted(*line, "--resume")
    assert [json.loads(one)["step"] for one in metrics.read_bytes().splitlines()] == [4, 8, 12]


def test_the_former_options_of_an_export_are_still_taken(tmp_path, accepted):
    former = ("--classifier", "always", "--showers", CASES / "real8.h5")
    present = ("--hit-classifier", "always", "--data", CASES / "real8.h5")
    for name, options in (("former", former), ("present", present)):
        accepted("export", "alice_zn", "--target", "o2", *options, "--out", tmp_path / name)
    former, present = (
        sorted(p.name for p in (tmp_path / n).iterdir()) for n in ("former", "present")
    )
    assert former == present


def test_nothing_is_told_to_the_makers_of_the_engine(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    out = ("--engine", "onnxruntime", "--out", tmp_path / "out.h5", "-q")
    code, _, err = run_command("generate", "alice_zn", "-n", 1, *out)
    assert code == 0, err
    assert not cache.exists()
