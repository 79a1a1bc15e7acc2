"""Worker processes of this machine, each led by a thread; one that dies is replaced.

``lead`` hands out numbers to workers of any kind (calls here, showers of Geant4 in ``transport``).
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from caloforge.errors import CaloforgeError, Terminated
from caloforge.jobs.executor import Call, Done, Limits, OnCount
from caloforge.jobs.process import Process, environment_of_worker

COMMAND = (sys.executable, "-m", "caloforge.jobs.worker")
POLL_SECONDS = 0.2
GRACE_SECONDS = 600.0
"""For a checkpoint after SIGTERM; then a worker is killed."""


P = TypeVar("P", bound=Process)


class Worker(Protocol):
    """What a thread leads: it keeps its process alive, and starts no new one once it is stopped."""

    def do(self, number: int) -> Done:
        """Carry out a piece of work."""
        ...

    def ask_to_leave(self) -> None:
        """Start no process any more, and ask the one there is to leave; from any thread."""
        ...

    def kill(self) -> None:
        """End the process at once; from any thread."""
        ...

    def close(self) -> None:
        """End the process when all is done."""
        ...


def lead(
    workers: Sequence[Worker], numbers: Sequence[int], leaving: Callable[[], bool]
) -> Iterator[Done]:
    """Pieces of work as they are done; raises what a worker raises, Terminated when asked to leave.

    When the caller stops iterating the workers are asked to leave, and have left when this returns.
    """
    numbers_left: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        numbers_left.put(number)
    results: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
    stop = threading.Event()
    crew = workers[: len(numbers)]
    threads = [
        threading.Thread(target=_lead_one, args=(worker, numbers_left, results, stop), daemon=True)
        for worker in crew
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in numbers:
            yield _next(results, leaving)
    finally:
        stop.set()
        _end(crew, threads)


def _lead_one(
    worker: Worker,
    numbers: queue.SimpleQueue[int],
    results: queue.SimpleQueue[Done | BaseException],
    stop: threading.Event,
) -> None:
    """Take pieces of work until there are none, or until told to stop."""
    try:
        while not stop.is_set():
            results.put(worker.do(numbers.get_nowait()))
    except queue.Empty:
        pass
    except BaseException as error:
        results.put(error)
    finally:
        worker.close()


def _next(results: queue.SimpleQueue[Done | BaseException], leaving: Callable[[], bool]) -> Done:
    while True:
        if leaving():
            raise Terminated("terminated")
        try:
            answer = results.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _end(workers: Sequence[Worker], threads: Sequence[threading.Thread]) -> None:
    """Ask all to leave, wait for what they still write, then kill."""
    deadline = time.monotonic() + GRACE_SECONDS
    for worker in workers:
        worker.ask_to_leave()
    for worker, thread in zip(workers, threads, strict=True):
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            worker.kill()
            thread.join()


@dataclass
class Replaceable(Generic[P]):
    """A process that one thread uses: started when it is needed, and anew when it was buried."""

    start: Callable[[], P]
    process: P | None = None
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def running(self) -> P:
        """The process; raises Terminated once it was asked to leave."""
        with self.lock:
            if self.stopped:
                raise Terminated("terminated")
            self.process = self.process or self.start()
            return self.process

    def bury(self) -> int:
        """End the process, if there is one; its exit code."""
        with self.lock:
            process, self.process = self.process, None
        return 0 if process is None else process.stop()

    def ask_to_leave(self) -> None:
        """Start no process any more, and ask the one there is to leave; from any thread."""
        with self.lock:
            self.stopped = True
            if self.process is not None:
                self.process.ask_to_leave()

    def kill(self) -> None:
        """End the process at once; from any thread."""
        with self.lock:
            if self.process is not None:
                self.process.kill()


class CallWorker:
    """A process that carries out one call after the other."""

    def __init__(self, calls: Sequence[Call], limits: Limits, on_count: OnCount) -> None:
        self.calls, self.limits, self.on_count = calls, limits, on_count
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = environment_of_worker(os.environ, **dict.fromkeys(names, str(limits.threads)))
        self.current = Replaceable(lambda: Process(COMMAND, environment))

    def do(self, number: int) -> Done:
        """The call of that number, by new processes as long as they die."""
        call = self.calls[number]
        code = 0
        for _ in range(self.limits.attempts):
            answer = self._ask(self.current.running(), number)
            if answer is not None:
                return Done(number, *answer)
            code = self.current.bury()
        what = call.label or "working"
        if self.limits.attempts == 1:
            text = f"its process died while {what} (exit code {code}; out of memory?)"
        else:
            text = f"{self.limits.attempts} workers died while {what} (out of memory?)"
        return Done(number, error=CaloforgeError(text))

    def _ask(self, process: Process, number: int) -> tuple[Any, Exception | None] | None:
        """What the process answers, or None when it died."""
        order = pickle.dumps(self.calls[number])
        process.send(b"%d\n" % len(order) + order)
        while True:
            try:
                message = pickle.load(process.answers)
            except (EOFError, pickle.UnpicklingError, OSError, ValueError):
                return None
            if not isinstance(message, int):
                answer: tuple[Any, Exception | None] = message
                return answer
            self.on_count(number, message)

    def ask_to_leave(self) -> None:
        """Start no process any more, and ask the one there is to leave."""
        self.current.ask_to_leave()

    def kill(self) -> None:
        """End the process at once."""
        self.current.kill()

    def close(self) -> None:
        """End the process."""
        self.current.bury()


def with_processes(
    calls: Sequence[Call],
    workers: int,
    limits: Limits,
    leaving: Callable[[], bool],
    on_count: OnCount,
) -> Iterator[Done]:
    """Calls as they end, by processes of this machine."""
    pool = [CallWorker(calls, limits, on_count) for _ in range(workers)]
    return lead(pool, range(len(calls)), leaving)
