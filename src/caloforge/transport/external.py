"""A seam for other engines (AliRoot/O2, FLUKA, GEANT3): a command that makes showers of particles.

The command is called once for each shard, without a shell. ``{particles}`` becomes a csv with the
columns ``particle repeat pdg`` and the detector's conditions, one row a shower; ``{out}`` the
showers file that it has to write, with these rows in this order; ``{seed}`` a seed for this shard.

Engine processes, one led by each thread; the showers of those that die are done again.

An engine answers its shots in order, so the first one without an answer is the one it died of. It
is shot again, with the same seed, by a fresh process; after two deaths at one seed it is missing.
"""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.errors import CaloforgeError, DataError, UsageError, reason_of
from caloforge.io.showers import read
from caloforge.jobs.pool import Replaceable
from caloforge.jobs.process import Process, last_lines
from caloforge.transport.parts import COMMAND_FOLDER, Shard
from caloforge.transport.request import Request, Shot, Shower
from caloforge.transport.worker import read_answer, shots_line

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
    if request.overflow_layers:
        shard.overflow[:] = np.nan if showers.overflow is None else showers.overflow
    return shard


DEATHS = 2
START_SECONDS = 600.0
SHOWER_SECONDS = 600.0
SECONDS_PER_GEV = 1.0
"""An engine that is silent for longer counts as dead; transport takes about 5 ms a GeV."""
WORKER = (sys.executable, "-m", "caloforge.transport.worker")


@dataclass(frozen=True)
class EngineCommand:
    """How an engine is started: its command, environment and first line."""

    first_line: str
    environment: dict[str, str]
    log_folder: Path
    command: tuple[str, ...] = WORKER


class EngineProcess(Process):
    """One engine and its pipes."""

    def __init__(self, how: EngineCommand, number: int) -> None:
        log = how.log_folder / f"worker-{number}.log"
        super().__init__(how.command, how.environment, log)
        self.shot_count = 0
        self.greeting: dict[str, Any] | None = None
        self.send(how.first_line.encode())

    def is_ready(self) -> bool:
        """Wait for the engine's greeting; whether it came."""
        if self.greeting is None:
            with self.limit(START_SECONDS):
                try:
                    self.greeting = json.loads(self.answers.readline())
                except ValueError:
                    return False
        return True

    def serve(self, shots: Sequence[Shot], answer: Callable[[Shower], None]) -> int:
        """Answer shots in order; how many were answered before the process died."""
        self.send(shots_line(list(shots)).encode())
        for number, shot in enumerate(shots):
            with self.limit(SHOWER_SECONDS + SECONDS_PER_GEV * shot.kinetic_gev):
                shower = read_answer(self.answers)
            if shower is None or shower.index != shot.index:
                return number
            self.shot_count += 1
            answer(shower)
        return len(shots)


@dataclass
class EngineWorker:
    """An engine that is replaced when it dies or has served enough."""

    how: EngineCommand
    number: int
    renew_after: int | None = None
    starts: int = 0
    engine: str = ""
    """Version that the last process reported."""
    deaths: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.current = Replaceable(partial(EngineProcess, self.how, self.number))

    def ready(self) -> EngineProcess:
        """A running engine.

        Raises CaloforgeError when none starts, DataError when the engine lacks a particle type.
        """
        process = self.current.process
        if process and self.renew_after and process.shot_count >= self.renew_after:
            self.close()
        engine = self._start() or self._start(last=True)
        assert engine is not None
        assert engine.greeting is not None
        if unknown := engine.greeting["unknown"]:
            raise DataError(f"the engine does not know particle type {unknown[0]} (PDG number)")
        return engine

    def _start(self, *, last: bool = False) -> EngineProcess | None:
        """The running engine or a new one; None when it died before its greeting."""
        self.starts += self.current.process is None
        engine = self.current.running()
        if engine.is_ready():
            assert engine.greeting is not None
            self.engine = str(engine.greeting["engine"])
            return engine
        words = engine.last_words()
        self.close()
        if last:
            raise CaloforgeError(f"the transport engine does not start: {words}")
        return None

    def serve(self, shots: Sequence[Shot], answer: Callable[[Shower], None]) -> list[Shot]:
        """Answer all shots; returns those at which two engines died."""
        remaining, missing = list(shots), list[Shot]()
        while remaining:
            batch = remaining[: self.renew_after]
            answers = self.ready().serve(batch, answer)
            remaining = remaining[answers:]
            if answers < len(batch):
                self.close()
                culprit = remaining[0].index
                self.deaths[culprit] = self.deaths.get(culprit, 0) + 1
                if self.deaths[culprit] >= DEATHS:
                    missing.append(remaining.pop(0))
        return missing

    def close(self) -> None:
        """End the engine."""
        self.current.bury()
