"""What a figure of speed or memory has to name: the processor, its instructions, the memory.

SIGTERM asks a run to leave: after the step, with a checkpoint, or at once, with no output.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from caloforge.errors import UsageError

PROC = Path("/proc")
MOST_THREADS = 512
"""Threads of one process that are taken for meant."""
LARGEST_PROCESS = 2**31 - 1
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)
"""What a file system answers that has no locks, or whose lock server does not answer."""
LARGEST_SEED = 2**63 - 1
KERNEL_FLAGS = ("avx", "amx", "fma", "sse4", "asimd", "sve", "bf16", "i8mm")


def require_threads(threads: int) -> int:
    """The number, if it is one of threads; UsageError else.

    >>> require_threads(2)
    2
    """
    if not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"{threads} threads: give a number from 1 to {MOST_THREADS}")
    return threads


def is_alive(process: int) -> bool:
    """Whether a process of this machine has that number; one of another user counts.

    >>> is_alive(os.getpid()), is_alive(0), is_alive(2**40)
    (True, False, False)
    """
    if not 0 < process <= LARGEST_PROCESS:  # 0 and less would address groups of processes
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def require_seed(seed: int) -> int:
    """The number, if it is a seed of random numbers; UsageError else.

    >>> require_seed(0)
    0
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"seed {seed}: give a number of at least 0 and at most {LARGEST_SEED}")
    return seed


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in MB (10^6 bytes).

    VmHWM, because ``ru_maxrss`` is inherited from the process that started this one.
    """
    status = PROC / "self" / "status"
    if status.is_file():
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        if match:
            return int(match[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def processor() -> str:
    """Name of the processor, as the system gives it."""
    information = PROC / "cpuinfo"
    if information.is_file():
        match = re.search(r"model name\s*:\s*(.+)", information.read_text(encoding="utf-8"))
        if match:
            return match[1].strip()
    return platform.processor() or platform.machine()


def cpu_flags() -> tuple[str, ...]:
    """Instructions that decide which kernel a runtime takes, hence the last bits of its sums."""
    information = PROC / "cpuinfo"
    if not information.is_file():
        return ()
    text = information.read_text(encoding="utf-8")
    match = re.search(r"^(?:flags|Features)\s*:\s*(.+)", text, re.MULTILINE)
    flags = match[1].split() if match else []
    return tuple(sorted({flag for flag in flags if flag.startswith(KERNEL_FLAGS)}))


def install(extra: str) -> str:
    """What installs an extra: the checkout itself where the program runs from one."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file():
        return f"pip install -e '{checkout}[{extra}]'"
    return f"pip install '.[{extra}]' in a checkout of caloforge"


@dataclass(frozen=True)
class _Request:
    """Handles SIGTERM; a request inside another one is passed on, so that neither misses it."""

    outer: Any = None
    event: threading.Event = field(default_factory=threading.Event)

    def __call__(self, number: int, frame: object) -> None:
        self.event.set()
        if isinstance(self.outer, _Request):
            self.outer(number, frame)


EXIT_CODE = 128 + signal.SIGTERM


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """SIGTERM ends what is under way as an error does, so that nothing half-written is left.

    A second one kills. A handler that is there already stays, and other threads have none.
    """
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _leave(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise SystemExit(EXIT_CODE)


@contextmanager
def asked_to_leave() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM has come; the old handler returns after."""
    if threading.current_thread() is not threading.main_thread():
        yield _Request().event.is_set  # only the main thread may handle signals
        return
    request = _Request(signal.getsignal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, request)
    try:
        yield request.event.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


HELD = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signals_held() -> Iterator[None]:
    """SIGTERM and Ctrl-C wait until the block ends, and then do what they would have done.

    For calls of a library that calls Python back and breaks when that raises.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread runs handlers
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in HELD}
    # None stands for a handler that is not Python's, which could not be put back.
    before = {number: handler for number, handler in handlers.items() if handler is not None}
    try:
        for number in before:
            signal.signal(number, lambda number, frame: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
