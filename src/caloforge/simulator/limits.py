"""Limits of memory and time for the first run of a graph that may come from anywhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

FIRST_RUN_BYTES = 2 * 2**30
"""What loading a graph and its first run, of a few showers, may take beside the file itself."""
COPIES_OF_THE_FILE = 6
FIRST_RUN_SECONDS = 60.0
STATUS = Path("/proc/self/statm")


@contextmanager
def memory_limit(file_bytes: int) -> Iterator[None]:
    """Let no more memory be taken inside than a graph of that size needs; on Linux alone.

    Allocations beyond it fail, which a runtime reports as any other error. The limit is that of the
    process, and what it was before afterwards.
    """
    if sys.platform != "linux" or not STATUS.is_file():
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(STATUS.read_text(encoding="ascii").split()[0])
    n_bytes = pages * resource.getpagesize() + FIRST_RUN_BYTES + COPIES_OF_THE_FILE * file_bytes
    bounds = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([n_bytes, *bounds]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def time_limit(options: Any, seconds: float = FIRST_RUN_SECONDS) -> Iterator[None]:
    """Let a run with these ``RunOptions`` of onnxruntime end at an operator after that time."""
    timer = Timer(seconds, lambda: setattr(options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
