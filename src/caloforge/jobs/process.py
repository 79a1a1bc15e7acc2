"""A worker process and its pipes, whatever it is that it works on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LOG_LINES = 3
STOP_SECONDS = 5.0


class Process:
    """A child that reads orders and writes answers. Its death shows when an answer does not come.

    ``log`` gets its stderr; without one it writes to the stderr of this process.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        self.log = log
        stream = log.open("wb") if log else None
        try:
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=environment,
            )
        finally:
            if stream is not None:
                stream.close()

    @property
    def answers(self) -> IO[bytes]:
        """Where the process writes."""
        assert self.child.stdout is not None
        return self.child.stdout

    def send(self, order: bytes) -> None:
        """Write to the process, if it still lives."""
        assert self.child.stdin is not None
        with suppress(OSError):
            self.child.stdin.write(order)
            self.child.stdin.flush()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Kill the process if the block takes longer: a silent one counts as dead."""
        timer = threading.Timer(seconds, self.child.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def last_words(self) -> str:
        """The end of its log, in one line."""
        text = self.log.read_text(errors="replace") if self.log else ""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        return " / ".join(lines[-LOG_LINES:])

    def ask_to_leave(self) -> None:
        """Send SIGTERM: what is under way may write a checkpoint first."""
        self.child.terminate()

    def kill(self) -> None:
        """End the process at once."""
        self.child.kill()

    def stop(self) -> int:
        """Close the pipes, see to it that the process ends, and return its exit code."""
        for stream in (self.child.stdin, self.child.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        try:
            return self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()


def environment_of_worker(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """An environment in which a worker finds all that this process can import."""
    path = os.pathsep.join(filter(None, sys.path))
    return {**environ, "PYTHONPATH": path, **more}


__all__ = ["Process", "environment_of_worker"]
