"""Real Geant4: five showers in the default suite where the wheel installs, more when slow."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

from caloforge.data.showers import read
from caloforge.detectors import ALICE_ZN, ATLAS_EM

Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.skipif(
    find_spec("geant4_pybind") is None, reason="no geant4-pybind wheel is installed here"
)


@pytest.fixture(autouse=True, scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Formula tables in a folder of the test, whatever the machine has."""
    for name in [name for name in os.environ if name.startswith(("G4", "GEANT4"))]:
        del os.environ[name]
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


def em_particles(path: Path, energies: list[float]) -> Path:
    lines = [f"-11,{energy},1.5707963,0,1.3,2.1" for energy in energies]
    path.write_text("\n".join(["pdg,E,theta,phi,x0,y0", *lines]) + "\n")
    return path


def test_five_positrons_of_one_gev(tmp_path: Path, caloforge: Run) -> None:
    particles = em_particles(tmp_path / "p.csv", [1.0] * 5)
    out = tmp_path / "em.h5"
    code, text, err = caloforge(
        "transport", "atlas_em", "--particles", particles, "--seed", 3, "--out", out
    )
    assert code == 0, err
    assert "formula stand-ins" in err
    assert "formula" in text
    actual = read(out, ATLAS_EM)
    with h5py.File(out) as file:
        overflow = file["overflow"][:].sum(axis=1)
    assert actual.total() + overflow == pytest.approx(np.ones(5), abs=0.06)
    assert actual.provenance["tables"] == "formula"
    assert actual.cpu_seconds is not None
    assert (actual.cpu_seconds > 0).all()


@pytest.mark.slow
def test_workers_order_and_deaths_change_nothing(tmp_path: Path, caloforge: Run) -> None:
    arguments = ("transport", "alice_zn", "--spectrum", "photons", "-n", 6, "--repeats", 2, "-q")
    code, _, err = caloforge(*arguments, "--out", tmp_path / "one.h5")
    assert code == 0, err
    killer = threading.Timer(6.0, kill_a_worker)
    killer.start()
    code, _, err = caloforge(*arguments, "--workers", 2, "--out", tmp_path / "two.h5")
    killer.join()
    assert code == 0, err
    one, two = read(tmp_path / "one.h5", ALICE_ZN), read(tmp_path / "two.h5", ALICE_ZN)
    assert np.array_equal(one.cells, two.cells)


def kill_a_worker() -> None:
    """Kill one of our own workers."""
    mine = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    workers = [line.split()[0] for line in mine.stdout.splitlines() if "transport.worker" in line]
    if workers:
        os.kill(int(workers[0]), signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_run_leaves_no_worker_behind(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "caloforge", "transport", "alice_zn", "--spectrum",
        "spectator-neutrons", "-n", "50", "--out", str(tmp_path / "zn.h5"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(15)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    process.kill()
    process.wait()
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline
        time.sleep(1)
