"""Who carries out calls: this process, processes beside it, or a Dask cluster.

One run at a time writes to a folder; the lock of a killed run does not outlive it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

from caloforge.documents import parse_json
from caloforge.errors import CaloforgeError, DataError, Terminated, UsageError
from caloforge.extensions import sources, with_sources
from caloforge.machine import NO_LOCKS, asked_to_leave, is_alive
from caloforge.reporter import SILENT, Advance, Reporter

ExecutorName = Literal["iterative", "futures", "dask"]
ATTEMPTS = 3
"""A call that took so many workers with it is given up."""


class Call(NamedTuple):
    """A function of a module and its arguments, both fit for another process."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    label: str = ""
    """What it does, for errors: ``making shard 3``."""
    counts: bool = False
    """Whether the function takes ``advance``, and calls it with how much it has done so far."""

    def carry_out(self, advance: Callable[[int], None]) -> Any:
        """What the function returns."""
        keywords = {"advance": advance} if self.counts else {}
        return self.function(*self.arguments, **keywords)


class Done(NamedTuple):
    """A call that has ended: its number, and what it returned or met."""

    number: int
    value: Any = None
    error: Exception | None = None

    def result(self) -> Any:
        """What the call returned; raises what it met."""
        if self.error is not None:
            raise self.error
        return self.value


OnCount = Callable[[int, int], None]
"""Takes the number of a call and how much of it is done; from any thread."""


def no_count(call: int, done: int) -> None:
    """Nobody asks how much of a call is done."""


class CallProgress:
    """Progress within calls; one that begins again, since its worker died, counts anew."""

    def __init__(self, advance: Advance) -> None:
        self.advance, self.lock = advance, threading.Lock()
        self.done: dict[int, int] = {}

    def count(self, call: int, done: int, note: str = "") -> None:
        """So much of a call is done; from any thread."""
        with self.lock:
            self.advance(done - self.done.get(call, 0), note)
            self.done[call] = done


@dataclass(frozen=True)
class Limits:
    """How a call may use workers."""

    threads: int = 1
    """Of each worker process."""
    attempts: int = ATTEMPTS
    """Workers that may die of one call."""


ONE_THREAD = Limits()


@dataclass(frozen=True)
class Executor:
    """How many workers, and where they are."""

    name: ExecutorName = "iterative"
    workers: int = 1
    cluster: str = "local"
    options: dict[str, Any] = field(default_factory=dict)

    def require_possible(self) -> None:
        """Raise UsageError for several workers in one process, ModuleNotFoundError without Dask."""
        if self.name == "iterative" and self.workers > 1:
            raise UsageError(f"{self.workers} workers need --executor futures or dask")
        if self.name == "dask":
            from caloforge.jobs.cluster import JOB_CLUSTERS

            import_module("distributed")
            if self.cluster in JOB_CLUSTERS:
                import_module("dask_jobqueue")

    def run(
        self,
        calls: Sequence[Call],
        limits: Limits = ONE_THREAD,
        reporter: Reporter = SILENT,
        on_count: OnCount = no_count,
    ) -> Iterator[Done]:
        """Calls as they end, each with what it returned or met.

        Other processes import the modules of own pieces that this one has (``--import``). A call
        whose workers die is done again, ``limits.attempts`` times. A caller that stops
        iterating ends the workers. ``on_count`` hears how much of a call is done, where calls count
        and the workers are of this machine.

        Raises:
            Terminated: SIGTERM came, and the calls under way have left.
            CaloforgeError: the cluster does not take any job.
        """
        if self.name != "iterative" and (imported := sources()):
            calls = [
                call._replace(function=with_sources, arguments=(imported, *call[:2]))
                for call in calls
            ]
        with asked_to_leave() as leaving:
            for result in RUNNERS[self.name](self, calls, limits, leaving, reporter, on_count):
                if isinstance(result.error, Terminated):
                    raise result.error
                yield result


Leaving = Callable[[], bool]
Runner = Callable[[Executor, Sequence[Call], Limits, Leaving, Reporter, OnCount], Iterator[Done]]


def attempt(number: int, call: Call, on_count: OnCount = no_count) -> Done:
    """Carry out a call in this process; what it meets is part of the answer."""
    try:
        return Done(number, call.carry_out(partial(on_count, number)))
    except CaloforgeError as error:
        return Done(number, error=error)


def _here(calls: Sequence[Call], leaving: Leaving, on_count: OnCount) -> Iterator[Done]:
    """One after the other, in this process."""
    for number, call in enumerate(calls):
        if leaving():
            raise Terminated("terminated")
        yield attempt(number, call, on_count)


def _processes(
    calls: Sequence[Call], workers: int, limits: Limits, leaving: Leaving, on_count: OnCount
) -> Iterator[Done]:
    """Processes of this machine."""
    from caloforge.jobs.pool import with_processes

    return with_processes(calls, workers, limits, leaving, on_count)


def _dask(
    executor: Executor, calls: Sequence[Call], leaving: Leaving, reporter: Reporter
) -> Iterator[Done]:
    """Workers of a Dask cluster."""
    from caloforge.jobs.cluster import with_dask

    cluster, options = executor.cluster, executor.options
    return with_dask(
        calls, executor.workers, leaving, cluster=cluster, options=options, reporter=reporter
    )


RUNNERS: dict[ExecutorName, Runner] = {
    "iterative": lambda by, calls, limits, leaving, _, on_count: _here(calls, leaving, on_count),
    "futures": lambda by, calls, limits, leaving, _, on_count: _processes(
        calls, by.workers, limits, leaving, on_count
    ),
    "dask": lambda by, calls, limits, leaving, reporter, _: _dask(by, calls, leaving, reporter),
}

ALONE = Executor()


def executor_of(workers: int) -> Executor:
    """This process for one worker, processes beside it for more."""
    return Executor("futures", workers) if workers > 1 else ALONE


LOCK = ".lock"
NOTE_BYTES = 4096
HELD = (errno.EAGAIN, errno.EACCES)


@contextmanager
def only_run(folder: Path, reporter: Reporter = SILENT, *, shared: bool = False) -> Iterator[None]:
    """Make the folder and hold it for this process.

    ``shared``: together with others that share it, which write other files.

    The system releases the lock of a process that dies. Some file systems keep no locks, or none
    between machines: there the note in the file decides, and a note of another machine is believed.
    A folder that is left empty, and was not there before, is removed.

    Raises:
        UsageError: another process holds the folder, it or its lock is a link, or it is a file.
    """
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link to {folder.readlink()}; name that instead")
    fresh = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{error.filename} is a file; name a folder") from error
    path = folder / LOCK
    descriptor = _open(path)
    try:
        try:
            _take(descriptor, path, reporter, shared)
        except OSError:
            if fresh:
                path.unlink(missing_ok=True)
            raise
        try:
            yield
        finally:
            if not shared:
                path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
        if fresh:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _open(path: Path) -> int:
    """The lock's file, which may not be a link: its text would land elsewhere."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UsageError(f"{path} is a symbolic link; remove it") from error


def _take(descriptor: int, path: Path, reporter: Reporter, shared: bool) -> None:
    here = socket.gethostname()
    success = _lock(descriptor, path, shared)
    holder = _note(descriptor)
    if success is None:
        reporter.warn(f"{path.parent}: its file system offers no locks; start no second run here")
        success = not _is_another(holder.get("pid"))
    if not success or holder.get("host", here) != here:
        pid, host = (ascii(holder.get(key, "?")).strip("'")[:80] for key in ("pid", "host"))
        raise UsageError(
            f"{path.parent}: process {pid} on {host} writes here; if it is long dead, remove {path}"
        )
    if shared:
        return
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": here}).encode(), 0)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise CaloforgeError(f"{path.parent}: {error.strerror}") from error


def _lock(descriptor: int, path: Path, shared: bool) -> bool | None:
    """Whether this process holds the lock, on the file that still has the name; None: no locks."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        # The holder before may have removed the file after it was opened here.
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in HELD:
            return False
        if error.errno in NO_LOCKS:
            return None
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_another(pid: object) -> bool:
    """Whether a note names a process of this machine that lives and is another one than this."""
    return isinstance(pid, int) and pid != os.getpid() and is_alive(pid)


def _note(descriptor: int) -> dict[str, Any]:
    try:
        note = parse_json(os.pread(descriptor, NOTE_BYTES, 0) or b"{}", LOCK)
    except DataError:
        return {}
    return note if isinstance(note, dict) else {}
