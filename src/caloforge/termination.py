"""SIGTERM asks a run to leave; it leaves after the step, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class _Request:
    """Handles SIGTERM; a request inside another one is passed on, so that neither misses it."""

    outer: Any = None
    event: threading.Event = field(default_factory=threading.Event)

    def __call__(self, number: int, frame: object) -> None:
        self.event.set()
        if isinstance(self.outer, _Request):
            self.outer(number, frame)


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
