"""Worker processes that redo the showers of those that die.

A worker answers its shots in order, so the first one without an answer is the one it died of. It is
shot again, with the same seed, by a fresh process; after two deaths at one seed it is missing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from caloforge.errors import CaloforgeError, DataError
from caloforge.transport.shots import Shot, Shower
from caloforge.transport.worker import read_answer, shots_line

DEATHS = 2
START_SECONDS = 600.0
SHOWER_SECONDS = 600.0
SECONDS_PER_GEV = 1.0
"""A worker that is silent for longer counts as dead; transport takes about 5 ms a GeV."""
LOG_LINES = 3
WORKER = (sys.executable, "-m", "caloforge.transport.worker")


@dataclass(frozen=True)
class WorkerCommand:
    """How a worker is started: its command, environment and first line."""

    first_line: str
    environment: dict[str, str]
    log_folder: Path
    command: tuple[str, ...] = WORKER


class Worker:
    """One process and its pipes; started at once, greeted when it is ready."""

    def __init__(self, how: WorkerCommand, number: int) -> None:
        self.log = how.log_folder / f"worker-{number}.log"
        self.served = 0
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                how.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=how.environment,
            )
        self._send(how.first_line)
        self.greeting = self._greeting()

    @property
    def answers(self) -> IO[bytes]:
        """Where the process writes."""
        assert self.process.stdout is not None
        return self.process.stdout

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except OSError:
            self.process.kill()  # it died; reading will find the end of its answers

    def _greeting(self) -> dict[str, Any] | None:
        with self._limit(START_SECONDS):
            try:
                greeting: dict[str, Any] = json.loads(self.answers.readline())
            except ValueError:
                return None
        return greeting

    def _limit(self, seconds: float) -> _Limit:
        return _Limit(threading.Timer(seconds, self.process.kill))

    def serve(self, shots: Sequence[Shot], answer: Callable[[Shower], None]) -> int:
        """Answer shots in order; how many were answered before the process died."""
        self._send(shots_line(list(shots)))
        for number, shot in enumerate(shots):
            with self._limit(SHOWER_SECONDS + SECONDS_PER_GEV * shot.kinetic_gev):
                shower = read_answer(self.answers)
            if shower is None or shower.index != shot.index:
                return number
            self.served += 1
            answer(shower)
        return len(shots)

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").split("\n")
        return " / ".join([line.strip() for line in lines if line.strip()][-LOG_LINES:])

    def stop(self) -> None:
        """End the process, whatever it does."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class _Limit:
    """Kills a silent worker: the block must end before the timer does."""

    timer: threading.Timer

    def __enter__(self) -> None:
        self.timer.daemon = True
        self.timer.start()

    def __exit__(self, *error: object) -> None:
        self.timer.cancel()


@dataclass
class Station:
    """A worker that is replaced when it dies or has served enough."""

    how: WorkerCommand
    number: int
    renew_after: int | None = None
    worker: Worker | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    starts: int = 0
    engine: str = ""
    """Version that the last worker reported."""
    deaths: dict[int, int] = field(default_factory=dict)

    def ready(self) -> Worker:
        """A running worker.

        Raises CaloforgeError when none starts, DataError when the engine lacks a particle type.
        """
        if self.worker and self.renew_after and self.worker.served >= self.renew_after:
            self.close()
        if self.worker is None:
            self.worker = self._start() or self._start(last=True)
        assert self.worker is not None
        assert self.worker.greeting is not None
        if unknown := self.worker.greeting["unknown"]:
            raise DataError(f"the engine does not know particle type {unknown[0]} (PDG number)")
        return self.worker

    def _start(self, *, last: bool = False) -> Worker | None:
        """A new worker, or None when it died before its greeting."""
        if self.stop.is_set():
            raise CaloforgeError("transport was stopped")
        worker = Worker(self.how, self.number)
        self.starts += 1
        if worker.greeting is not None:
            self.engine = str(worker.greeting["engine"])
            return worker
        words = worker.last_words()
        worker.stop()
        if last:
            raise CaloforgeError(f"the transport engine does not start: {words}")
        return None

    def serve(self, shots: Sequence[Shot], answer: Callable[[Shower], None]) -> list[Shot]:
        """Answer all shots; returns those at which two workers died."""
        left, missing = list(shots), list[Shot]()
        while left:
            batch = left[: self.renew_after]
            answered = self.ready().serve(batch, answer)
            left = left[answered:]
            if answered < len(batch):
                self.close()
                culprit = left[0].index
                self.deaths[culprit] = self.deaths.get(culprit, 0) + 1
                if self.deaths[culprit] >= DEATHS:
                    missing.append(left.pop(0))
        return missing

    def close(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.stop()
            self.worker = None


def environment_for(environment: dict[str, str]) -> dict[str, str]:
    """Environment in which a worker finds this package, wherever it was imported from."""
    import caloforge

    source = str(Path(caloforge.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH", "")]))
    return {**environment, "PYTHONPATH": path}
