"""Productions in real processes, and what to compare of them."""

import hashlib
import subprocess
import sys
import time

import h5py
import numpy as np

SHOWERS, SHARD = 20_000, 2048
SHARDS = 10
PARTICLES = 10


def order(shop, out, *options, sharded=True, showers=SHOWERS):
    """Arguments of a production."""
    size = ["--shard-size", SHARD] if sharded else []
    command = ["generate", shop / "simulator", "--like", shop / "like.h5", "-n", showers]
    return [
        str(part)
        for part in (
            *command,
            "--out",
            out,
            "--seed",
            3,
            "--engine",
            "onnxruntime",
            *size,
            *options,
        )
    ]


def start(arguments, **how):
    """A real run, with its log."""
    command = [sys.executable, "-W", "error", "-m", "caloforge", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
    )


def finish(arguments, **how):
    """Exit code, stdout and stderr of a real run."""
    process = start(arguments, **how)
    try:
        output, log = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, output, log


def until(reached, process, seconds=60):
    """Wait until something is true while a run goes on; tell whether it still ran."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and not reached():
        assert time.monotonic() < deadline, "the run got stuck"
        time.sleep(0.005)
    return process.poll() is None


def shards(folder):
    return sorted(folder.glob("showers-*-of-*"))


def digests(folder):
    """Hash of every finished shard."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards(folder)}


def arrays(paths):
    """All arrays of these files, put together, by raw h5py."""
    names = ("showers/front", "showers/back", "channels", "conditions", "particle", "pdg")
    parts = {name: [] for name in names}
    for path in paths:
        with h5py.File(path) as file:
            for name in names:
                parts[name].append(file[name][:])
    return {name: np.concatenate(actual) for name, actual in parts.items()}


def assert_same(paths, one_file):
    expected = arrays([one_file])
    for name, values in arrays(paths).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
