"""Limits of memory and time for the first run of a graph that may come from anywhere."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, Thread
from typing import TypeVar

from caloforge.errors import DataError

FIRST_RUN_BYTES = 2**29
"""What loading a graph and its first run, of a few showers, may take beside the file itself."""
BYTES_OF_A_THREAD = 80 * 2**20
"""Address space that the C library reserves for the stack and the heap of a thread."""
COPIES_OF_THE_FILE = 6
FIRST_RUN_SECONDS = 20.0
BYTES_IN_A_SECOND = 2**25
"""Of a graph that is loaded: a large one may take longer."""
STATUS = Path("/proc/self/statm")
ONE_LIMIT = RLock()
"""Of threads that load at once, the last would else put back the limit of the first."""


@contextmanager
def memory_limit(file_bytes: int, threads: int = 1) -> Iterator[None]:
    """Let no more memory be taken inside than a graph of that size needs; on Linux alone.

    Allocations beyond it fail, which a runtime reports as any other error. The limit is that of the
    process, and what it was before afterwards.
    """
    if sys.platform != "linux" or not STATUS.is_file():
        yield
        return
    import resource

    with ONE_LIMIT:
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(STATUS.read_text(encoding="ascii").split()[0])
        n_bytes = pages * resource.getpagesize() + FIRST_RUN_BYTES
        n_bytes += BYTES_OF_A_THREAD * threads + COPIES_OF_THE_FILE * file_bytes
        bounds = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([n_bytes, *bounds]), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


Answer = TypeVar("Answer")


def within_time(
    file_bytes: int, work: Callable[[], Answer], stop: Callable[[], object] = lambda: None
) -> Answer:
    """What ``work`` returns; TimeoutError when it takes longer than a graph of that size needs.

    A runtime looks at ``stop`` between operators only, and a single one can take years. So the work
    runs in a thread, which is left to itself when its time is over.
    """
    seconds = FIRST_RUN_SECONDS + file_bytes / BYTES_IN_A_SECOND
    outcome: Future[Answer] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        stop()
        atexit.register(_leave_behind, thread)
        raise TimeoutError(f"it takes longer than {seconds:.0f} seconds") from None


def _leave_behind(thread: Thread) -> None:
    """End the process while a runtime computes: what Python and C++ tidy up would abort it."""
    if thread.is_alive():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(DataError.exit_code)
