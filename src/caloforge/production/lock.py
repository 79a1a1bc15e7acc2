"""One run at a time writes to a folder; the lock of a killed run does not outlive it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caloforge.errors import UsageError

LOCK = ".lock"
NOTE_BYTES = 4096


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; UsageError when another one does.

    The system releases the lock of a process that dies. Some file systems keep no locks between
    machines: there the note in the file tells, and a note of another machine is believed.
    """
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _take(descriptor, path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    here = socket.gethostname()
    locked = _lock(descriptor, path)
    holder = _note(descriptor)
    if not locked or holder.get("host", here) != here:
        raise UsageError(
            f"{path.parent}: process {holder.get('pid', '?')} on {holder.get('host', '?')} writes "
            f"here; if it is long dead, remove {path}"
        )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": here}).encode(), 0)


def _lock(descriptor: int, path: Path) -> bool:
    """Whether this process holds the lock, on the file that still has the name."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before may have removed the file after it was opened here.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _note(descriptor: int) -> dict[str, Any]:
    try:
        note = json.loads(os.pread(descriptor, NOTE_BYTES, 0) or b"{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


__all__ = ["LOCK", "only_run"]
