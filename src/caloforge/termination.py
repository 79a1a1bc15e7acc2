"""SIGTERM asks a run to leave: after the step, with a checkpoint, or at once, with no output."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn


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
