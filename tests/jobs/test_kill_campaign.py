"""Kills at random moments lose nothing: train, generate, an array of jobs, transport, search.

Each verb is killed again and again at moments that a seed draws over the time of an undisturbed
run, then finished by the command that goes on. The result has the bytes of the undisturbed run.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest

from small_run import set_options, write_part_of_sample

pytestmark = pytest.mark.slow
KILLS = 6
FAKE = Path(__file__).parents[1] / "transport" / "fake_worker.py"
STEPS = ("training.steps=12", "training.checkpoint_interval=2", "training.validation_interval=4")


class Verb(NamedTuple):
    """How a run is started, how it goes on, and what must be equal in the end."""

    start: Callable[[Path], list[str]]
    go_on: Callable[[Path], list[str]]
    digest: Callable[[Path], str]


def caloforge(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "caloforge", *map(str, arguments), "-q"]


def training(out: Path, *more: str) -> list[str]:
    data = out.parent / "zn.h5"
    settings = set_options(*STEPS)
    return caloforge("train", "sdi-gan", "--data", data, "--out", out, *settings, *more)


def resumed_training(out: Path) -> list[str]:
    has_checkpoint = (out / "checkpoint.pt").is_file()
    return training(out, *(["--resume"] if has_checkpoint else ["--force"]))


def weights(out: Path) -> str:
    import torch

    state = torch.load(out / "checkpoint.pt", weights_only=True)["networks"]
    digest = hashlib.sha256()
    for name in sorted(state):
        for key in sorted(state[name]):
            digest.update(state[name][key].numpy().tobytes())
    return digest.hexdigest()


def generating(out: Path) -> list[str]:
    return caloforge(
        "generate", "alice_zn", "-n", 60_000, "--seed", 3, "--shard-size", 2048, "--engine",
        "onnxruntime", "--executor", "futures", "--workers", 2, "--out", out,
    )  # fmt: skip


def one_job(out: Path) -> list[str]:
    return [*generating(out), "--shard", "1/1"]


def shards(out: Path) -> str:
    files = sorted(out.glob("showers-*.h5"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


TRANSPORT = """
import sys
from pathlib import Path
from caloforge.detectors import ATLAS_EM
from caloforge.transport import Pool, draw, prepare, request, run, transport
run.require_engine = lambda: None
request.LARGEST_SHARD = 3
out, resume, *worker = sys.argv[1:]
asked, tables = prepare(ATLAS_EM, draw("eplus", ATLAS_EM, 20, 5), repeats=2, seed=5)
goes_on = resume == "resume" and Path(out + ".parts", "plan.json").exists()
transport(asked, tables, Path(out), pool=Pool(2, None, tuple(worker)), resume=goes_on,
          overwrite=not goes_on)
"""


def transporting(out: Path, resume: str = "begin") -> list[str]:
    marks = out.parent / "marks"
    marks.mkdir(exist_ok=True)
    worker = [sys.executable, str(FAKE), str(marks), "0.1"]
    return [sys.executable, "-c", TRANSPORT, str(out), resume, *worker]


def resumed_transport(out: Path) -> list[str]:
    return transporting(out, "resume")


def cells(out: Path) -> str:
    with h5py.File(out) as file:
        layers = [np.asarray(file["showers"][name]) for name in sorted(file["showers"])]
    return hashlib.sha256(b"".join(layer.tobytes() for layer in layers)).hexdigest()


def searching(out: Path) -> list[str]:
    grid = ["--grid", "training.decay_from=0.1,0.9", "--seeds", "1", "--workers", "2"]
    data = ["--data", out.parent / "zn.h5"]
    return caloforge("search", "sdi-gan", *data, "--out", out, *grid, *set_options(*STEPS))


def scores(out: Path) -> str:
    record = json.loads((out / "search.json").read_text())
    return str([(point["settings"], point["score"]["value"]) for point in record["points"]])


VERBS = {
    "train": Verb(training, resumed_training, weights),
    "generate": Verb(generating, generating, shards),
    "shards": Verb(one_job, one_job, shards),
    "transport": Verb(transporting, resumed_transport, cells),
    "search": Verb(searching, searching, scores),
}


def run(command: list[str], kill_after: float | None = None) -> float:
    """Run a command in its own group, kill it perhaps, and wait until no process is left."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if kill_after is None:
        _, log = process.communicate(timeout=600)
        assert process.returncode == 0, log.decode()
        return time.monotonic() - start
    try:
        process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return time.monotonic() - start
        time.sleep(0.05)
    pytest.fail("a worker outlives its run")


@pytest.mark.parametrize("name", VERBS)
def test_kills_at_any_moment_lose_nothing(
    tmp_path: Path, name: str, rng: np.random.Generator
) -> None:
    verb = VERBS[name]
    folders = [tmp_path / "whole", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
        write_part_of_sample(folder / "zn.h5", 20)
    whole, interrupted = (folder / "out.h5" for folder in folders)
    seconds = run(verb.start(whole))
    for number, moment in enumerate(rng.uniform(0.1, 0.9, KILLS)):
        run((verb.go_on if number else verb.start)(interrupted), moment * seconds)
        if name == "transport" and interrupted.exists():
            break
    if not (name == "transport" and interrupted.exists()):
        run(verb.go_on(interrupted))
    assert verb.digest(interrupted) == verb.digest(whole)
    part_files = [path for path in folders[1].rglob("*") if ".part" in path.name]
    assert part_files == []
