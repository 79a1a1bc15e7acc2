"""The process that carries out calls: ``python -m caloforge.jobs.worker``.

It reads pickled calls and answers each with a pickled ``(value, error)``, before it with whole
numbers: how much is done. It ends with its input, at once: an orphan must not write beside the next
run.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import IO, Any

from caloforge.errors import CaloforgeError


def serve(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Carry out the calls that are ordered."""
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(orders, calls), daemon=True).start()

    def write(message: object) -> None:
        answers.write(pickle.dumps(message))
        answers.flush()

    while True:
        write(answer(calls.get(), write))


def listen(orders: IO[bytes], calls: queue.SimpleQueue[Any]) -> None:
    """Pass calls on; leave at once when there is nobody to give them."""
    while order := orders.readline():
        calls.put(orders.read(int(order)))
    os._exit(0)


def answer(order: bytes, advance: Callable[[int], None]) -> tuple[Any, Exception | None]:
    """What a call returns, or what it met."""
    value, error = None, None
    try:
        value = pickle.loads(order).carry_out(advance)
    except Exception as met:
        if not isinstance(met, CaloforgeError):
            met.add_note(f"in a worker process:\n{traceback.format_exc()}")
        error = _fit_to_travel(met)
    return value, error


def _fit_to_travel(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return CaloforgeError(f"{type(error).__name__}: {error}")
    return error


def main() -> None:
    """Serve on stdin and stdout, which nobody else may write to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run that started it decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
