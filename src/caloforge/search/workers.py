"""Runs in processes of their own, several at once; no process outlives the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import Any

from caloforge.errors import CaloforgeError, Terminated
from caloforge.termination import asked_to_leave

POLL_SECONDS = 0.2
Job = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function of a module and its arguments, both fit for another process."""


@dataclass(frozen=True)
class Running:
    """A process, the number of its job, and where its answer will come."""

    process: BaseProcess
    number: int
    answer: Connection


def in_processes(jobs: Sequence[Job], workers: int) -> Iterator[tuple[int, Any]]:
    """Number and result of each job as it ends; a CaloforgeError is a result, too.

    After SIGTERM all processes get one and leave in their own way; then raises Terminated.
    """
    waiting = list(enumerate(jobs))[::-1]
    running: list[Running] = []
    with asked_to_leave() as leaving:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_start(*waiting.pop()))
                ended = wait([one.answer for one in running], timeout=POLL_SECONDS)
                if leaving():
                    raise Terminated("stopped by SIGTERM; the same command goes on")
                for one in [one for one in running if one.answer in ended]:
                    running.remove(one)
                    yield one.number, _answer(one)
        finally:
            _stop(running)


def _start(number: int, job: Job) -> Running:
    # Fork would copy the threads of torch and HDF5 in any state.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, *job))
    process.start()
    there.close()
    return Running(process, number, here)


def _work(answer: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """What the process does: the job, then its result or what it met."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        result = function(*arguments)
    except CaloforgeError as error:
        result = error
    answer.send(result)


def _leave_with_parent() -> None:
    """An orphan would write to folders that the next search writes to."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(one: Running) -> Any:
    try:
        result = one.answer.recv()
    except EOFError:
        one.process.join()
        code = one.process.exitcode
        result = CaloforgeError(f"its process died (exit code {code}; out of memory?)")
    one.process.join()
    return result


def _stop(running: Sequence[Running]) -> None:
    """Ask all to leave; a run writes its checkpoint first."""
    for one in running:
        one.process.terminate()
    for one in running:
        one.process.join()
