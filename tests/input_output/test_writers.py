"""Every writer leaves a whole file or none: errors, signals and full disks."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from caloforge.errors import DataError
from caloforge.io import hdf5
from caloforge.io.channels import ChannelWriter
from caloforge.io.root import TREE, RootWriter, open_root
from caloforge.io.showers import ShowerWriter, read
from caloforge.machine import leaving_at_once
from tests.extras import needs

REAL = Path(__file__).parents[1] / "cases" / "real8.h5"
WRITERS = {
    "channels": (ChannelWriter, "out.h5"),
    "root": (RootWriter, "out.root"),
    "showers": (ShowerWriter, "out.h5"),
}


def append(writer, showers):
    more = {"cpu_seconds": showers.cpu_seconds} if isinstance(writer, ShowerWriter) else {}
    writer.append(showers.cells, showers.conditions, showers.particle, pdg=showers.pdg, **more)


def opened(kind, folder):
    writer, name = WRITERS[kind]
    if kind == "root":
        needs("uproot")
    columns = ("pdg", "cpu_seconds") if kind == "showers" else ("pdg",)
    showers = read(REAL)
    return writer(folder / name, showers.detector, {"engine": "tests"}, columns=columns), showers


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_nothing(tmp_path, kind, error):
    writer, showers = opened(kind, tmp_path)
    with pytest.raises(error), writer:
        append(writer, showers)
        raise error
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", WRITERS)
def test_without_an_error_the_file_is_there(tmp_path, kind):
    writer, showers = opened(kind, tmp_path)
    with writer:
        append(writer, showers)
    assert [path.name for path in tmp_path.iterdir()] == [WRITERS[kind][1]]


def changed(showers, name, place, value):
    array = getattr(showers, name).copy()
    array[place] = value
    return dataclasses.replace(showers, **{name: array})


SPOILT = {
    "a condition that is no number": (
        lambda showers: changed(showers, "conditions", (0, 0), np.nan),
        "is not a finite number",
    ),
    "other conditions of one particle": (
        lambda showers: changed(changed(showers, "particle", 1, 4), "conditions", (1, 0), 1.0),
        "other conditions than before",
    ),
    "a particle that comes back": (
        lambda showers: showers.rows(np.array([0, 1, 0])),
        "appears again later",
    ),
    "a column that was promised": (
        lambda showers: dataclasses.replace(showers, pdg=None),
        "promised a column pdg, these rows lack it",
    ),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("fault", SPOILT)
def test_rows_that_are_refused_leave_no_trace(tmp_path, kind, fault):
    writer, showers = opened(kind, tmp_path)
    showers = dataclasses.replace(showers, particle=np.arange(len(showers)))
    spoil, says = SPOILT[fault]
    with writer:
        append(writer, showers.rows(slice(0, 4)))
        with pytest.raises(DataError, match=says):
            append(writer, spoil(showers.rows(slice(4, 8))))
        append(writer, showers.rows(slice(4, 8)))
    path = next(tmp_path.iterdir())
    if kind == "root":
        with open_root(path) as file:
            assert {len(rows) for rows in file[TREE].arrays(library="np").values()} == {8}
        return
    with h5py.File(path) as file:
        tables = []
        file.visititems(
            lambda _, one: tables.append(one) if isinstance(one, h5py.Dataset) else None
        )
        assert {len(one) for one in tables} == {8}


@pytest.mark.parametrize("kind", WRITERS)
def test_numbers_of_particles_that_do_not_fit_the_rows_are_refused(tmp_path, kind):
    writer, showers = opened(kind, tmp_path)
    with pytest.raises(DataError, match="must be"), writer:
        writer.append(showers.cells, showers.conditions, showers.particle[:3], pdg=showers.pdg)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_without_rows_or_with_a_particle_twice_is_none(tmp_path, kind):
    writer, showers = opened(kind, tmp_path)
    with pytest.raises(DataError, match="no showers to write"), writer:
        append(writer, showers.rows(slice(0, 0)))
    writer, _ = opened(kind, tmp_path)
    twice = dataclasses.replace(showers, particle=np.array([1, 2, 2, 2, 2, 2, 2, 2]))
    with pytest.raises(DataError, match="particle 1 appears again later"), writer:
        append(writer, twice)
        append(writer, twice.rows(slice(0, 1)))
    assert not any(tmp_path.iterdir())


LONG = {
    "root": ("data", "export", "atlas_em", "--to", "root", "--out", "out.root"),
    "showers": ("data", "select", "atlas_em", "--compression", "smallest", "--out", "out.h5"),
    "calogan": ("data", "export", "atlas_em", "--to", "calogan", "--pdg", "11", "--out", "out.h5"),
    "generate": ("generate", "alice_zn", "-n", "10000000", "--out", "out.root"),
}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("calogan", "showers")]


@pytest.mark.parametrize("name", ["root", "generate", *SLOW])
def test_sigterm_leaves_nothing(tmp_path, name):
    if "root" in LONG[name][-1]:
        needs("uproot")
    line = [sys.executable, "-m", "caloforge", *LONG[name], "-q"]
    process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not any(tmp_path.iterdir()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)
    process.terminate()
    _, log = process.communicate(timeout=120)
    assert process.returncode == 143, log
    assert "Traceback" not in log
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("call", ["write", "truncate"])
def test_sigterm_does_not_break_into_hdf5(tmp_path, monkeypatch, capfd, call):
    # HDF5 calls Python back; an exception there ends in messages at exit or in a crash.
    calls, original = [], getattr(hdf5.Sink, call)

    def terminated(sink, *content):
        calls.append(call)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGTERM)
        return original(sink, *content)

    monkeypatch.setattr(hdf5.Sink, call, terminated)
    opened = hdf5.FileAside(tmp_path / "out.h5")
    with pytest.raises(SystemExit) as problem, leaving_at_once(), opened as aside:
        aside.file["cells"] = range(1000)
    assert problem.value.code == 143
    assert len(calls) > 1
    assert capfd.readouterr().err == ""
    left = list(tmp_path.iterdir())
    assert [path.name for path in left] in ([], ["out.h5"])
    for path in left:
        with h5py.File(path) as file:
            assert list(file["cells"]) == list(range(1000))


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.input_output.test_writers import append, opened
writer, showers = opened(sys.argv[1], Path(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    with writer:
        for _ in range(2000 if sys.argv[1] != "showers" else 1):
            append(writer, showers)
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(1)
"""


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("size", [pytest.param(0, marks=pytest.mark.slow), 4096])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, kind, size):
    if kind == "root":
        needs("uproot")
    root = Path(__file__).parents[2]
    process = subprocess.run(
        [sys.executable, "-c", FULL, kind, tmp_path, str(size)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}:{os.environ.get('PYTHONPATH', '')}"},
        timeout=120,
    )
    assert (process.returncode, process.stderr) == (1, "")
    assert process.stdout.startswith("CaloforgeError")
    assert "no space left" in process.stdout
    assert not any(tmp_path.iterdir())
