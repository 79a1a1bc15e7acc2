"""Engine processes, one led by each thread; the showers of those that die are done again.

An engine answers its shots in order, so the first one without an answer is the one it died of. It
is shot again, with the same seed, by a fresh process; after two deaths at one seed it is missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from caloforge.errors import CaloforgeError, DataError
from caloforge.jobs.pool import Replaceable
from caloforge.jobs.process import Process
from caloforge.transport.request import Shot, Shower
from caloforge.transport.worker import read_answer, shots_line

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
