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

LOG_LINES, LOG_BYTES = 3, 2**14
STOP_SECONDS = 5.0


class Process:
    """A child that reads orders and writes answers. Its death shows when an answer does not come.

    ``log`` gets its stderr, in a new file; without one it writes to the stderr of this process.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        self.log = log
        if log:
            log.unlink(missing_ok=True)  # a link would send what is written elsewhere
        stream = log.open("xb") if log else None
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
        return " / ".join(last_lines(self.log)[-LOG_LINES:]) if self.log else ""

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


def last_lines(log: Path) -> list[str]:
    """Lines at the end of a log, however long it is, without the empty ones."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - LOG_BYTES))
        text = stream.read(LOG_BYTES).decode(errors="replace")
    return [line.strip() for line in text.split("\n") if line.strip()]


def environment_of_worker(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """An environment in which a worker finds all that this process can import."""
    path = os.pathsep.join(filter(None, sys.path))
    return {**environ, "PYTHONPATH": path, **more}
