"""Worker processes of this machine; one that dies is replaced and its shard made again."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caloforge import errors
from caloforge.errors import CaloforgeError, Terminated
from caloforge.production.manifest import ShardRecord
from caloforge.production.plan import Plan

DEATHS = 3
"""A shard that took so many workers with it is given up."""
WORKER = (sys.executable, "-m", "caloforge.production.worker")
POLL_SECONDS = 0.2


class Worker:
    """A process that makes one shard after the other."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        threads = str(plan.settings.threads)
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        self.process = subprocess.Popen(
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **limits},
        )
        self._send(json.dumps({"plan": plan.model_dump(mode="json"), "folder": str(folder)}))

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):  # it died; that shows when its answer does not come
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()

    def make(self, number: int) -> ShardRecord | None:
        """The record of a shard, or None when the process died; raises what it met."""
        self._send(str(number))
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            return None
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise getattr(errors, answer["kind"], CaloforgeError)(answer["error"])
        return ShardRecord.model_validate_json(json.dumps(answer["record"]))

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]


@dataclass
class Lane:
    """A thread that leads one worker through the shards that are left."""

    plan: Plan
    folder: Path
    numbers: queue.SimpleQueue[int]
    made: queue.SimpleQueue[ShardRecord | BaseException]
    stop: threading.Event
    worker: Worker | None = None

    def lead(self) -> None:
        """Take shards until there are none, or until told to stop."""
        try:
            while not self.stop.is_set():
                self.made.put(self._make(self.numbers.get_nowait()))
        except queue.Empty:
            pass
        except BaseException as error:
            self.made.put(error)
        finally:
            self.close()

    def _make(self, number: int) -> ShardRecord:
        for _ in range(DEATHS):
            self.worker = self.worker or Worker(self.plan, self.folder)
            record = self.worker.make(number)
            if record is not None:
                return record
            self.close()
            if self.stop.is_set():
                break
        raise CaloforgeError(
            f"{DEATHS} workers died while making shard {number} (out of memory?); finished shards "
            f"are kept in {self.folder}: the same command goes on"
        )

    def close(self) -> None:
        """End the worker."""
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.stop()


def with_processes(
    plan: Plan, folder: Path, numbers: list[int], workers: int, leaving: Callable[[], bool]
) -> Iterator[ShardRecord]:
    """Shards as they are finished; raises the first error of a worker, Terminated when asked."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)
    made: queue.SimpleQueue[ShardRecord | BaseException] = queue.SimpleQueue()
    stop = threading.Event()
    count = min(workers, len(numbers))
    lanes = [Lane(plan, folder, waiting, made, stop) for _ in range(count)]
    threads = [threading.Thread(target=lane.lead, daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    try:
        for _ in numbers:
            yield _next(made, leaving)
    finally:
        stop.set()
        for lane, thread in zip(lanes, threads, strict=True):
            while thread.is_alive():
                lane.close()  # again, for it may just have started a worker
                thread.join(POLL_SECONDS)


def _next(
    made: queue.SimpleQueue[ShardRecord | BaseException], leaving: Callable[[], bool]
) -> ShardRecord:
    while True:
        if leaving():
            raise Terminated("terminated")
        try:
            answer = made.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if isinstance(answer, BaseException):
            raise answer
        return answer


__all__ = ["with_processes"]
