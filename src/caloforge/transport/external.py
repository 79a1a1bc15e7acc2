"""A seam for other engines (AliRoot/O2, FLUKA, GEANT3): a command that makes showers of particles.

The command is called once for each shard, without a shell. ``{particles}`` becomes a csv with the
columns ``particle repeat pdg`` and the detector's conditions, one row a shower; ``{out}`` the
showers file that it has to write, with these rows in this order; ``{seed}`` a seed for this shard.
"""

from __future__ import annotations

import csv
import shlex
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np

from caloforge.errors import CaloforgeError, DataError, UsageError, reason_of
from caloforge.io.showers import read
from caloforge.jobs.process import last_lines
from caloforge.transport.parts import COMMAND_FOLDER, Shard
from caloforge.transport.request import Request

POLL_SECONDS = 0.2
PLACES = ("{particles}", "{out}")


def check_command(command: str) -> None:
    """UsageError unless the command names its input and output."""
    for place in PLACES:
        if place not in command:
            raise UsageError(f"the engine command must contain {place}: {command}")
    if not _words(command):
        raise UsageError("the engine command is empty")


def _words(command: str) -> list[str]:
    """The words of a command, as a shell would split it."""
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"the engine command: {reason_of(error)}: {command}") from error


def run_command(request: Request, rows: range, folder: Path, stop: threading.Event) -> Shard:
    """Showers of a shard by the engine's command; CaloforgeError when it fails, DataError when its
    file is not what was asked for.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=COMMAND_FOLDER) as name:
        work = Path(name)
        particles, out, log = work / "particles.csv", work / "showers.h5", work / "log"
        write_particle_list(particles, request, rows)
        seed = request.shot(rows.start).seed % 2**31
        values = {"particles": str(particles), "out": str(out), "seed": str(seed)}
        words = [_filled(word, values) for word in _words(request.command or "")]
        _call(words, log, stop)
        return _shard(request, rows, out)


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def write_particle_list(path: Path, request: Request, rows: range) -> None:
    """The particles of these showers as csv, numbers in full precision."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["particle", "repeat", "pdg", *request.detector.columns])
        for row in rows:
            place, repeat = divmod(row, request.repeats)
            particle = (
                int(request.particles.number[place]),
                repeat,
                int(request.particles.pdg[place]),
            )
            table.writerow([*particle, *map(repr, request.particles.conditions[place].tolist())])


def _call(words: list[str], log: Path, stop: threading.Event) -> None:
    with log.open("wb") as stream:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )
        except OSError as error:
            raise UsageError(f"cannot start {words[0]}: {error.strerror}") from None
        while process.poll() is None:
            try:
                process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    process.kill()
                    process.wait()
    if process.returncode:
        *_, last = ["no message", *last_lines(log)]
        raise CaloforgeError(f"{words[0]} ended with exit code {process.returncode}: {last}")


def _shard(request: Request, rows: range, out: Path) -> Shard:
    showers = read(out, request.detector)
    index = np.arange(rows.start, rows.stop)
    expected = request.particles.number[index // request.repeats]
    if not np.array_equal(showers.particle, expected):
        raise DataError(
            f"the engine's file has other particles than rows {rows.start}-{rows.stop - 1}"
        )
    if not np.allclose(showers.conditions, request.conditions(index), rtol=1e-6):
        raise DataError("the engine's file has other conditions than it was given")
    shard = Shard.empty(len(rows), request.detector.cells, request.overflow_layers)
    shard.cells[:] = showers.cells
    shard.cpu_seconds[:] = np.nan if showers.cpu_seconds is None else showers.cpu_seconds
    return shard
