"""Who carries out calls: this process, processes beside it, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from caloforge.errors import CaloforgeError, Terminated, UsageError
from caloforge.extensions import sources, with_sources
from caloforge.reporter import SILENT, Reporter
from caloforge.termination import asked_to_leave

ExecutorName = Literal["iterative", "futures", "dask"]
ATTEMPTS = 3
"""A call that took so many workers with it is given up."""


class Call(NamedTuple):
    """A function of a module and its arguments, both fit for another process."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    label: str = ""
    """What it does, for errors: ``making shard 3``."""


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
        """Raise UsageError for several workers in one process."""
        if self.name == "iterative" and self.workers > 1:
            raise UsageError(f"{self.workers} workers need --executor futures or dask")

    def run(
        self, calls: Sequence[Call], limits: Limits = ONE_THREAD, reporter: Reporter = SILENT
    ) -> Iterator[Done]:
        """Calls as they end, each with what it returned or met.

        Other processes import the modules of own pieces that this one has (``--import``). A call
        whose workers die is done again, ``limits.attempts`` times. A caller that stops
        iterating ends the workers.

        Raises:
            Terminated: SIGTERM came, and the calls under way have left.
            CaloforgeError: the cluster does not take any job.
        """
        if self.name != "iterative" and (imported := sources()):
            calls = [Call(with_sources, (imported, *call[:2]), call.label) for call in calls]
        with asked_to_leave() as leaving:
            for result in RUNNERS[self.name](self, calls, limits, leaving, reporter):
                if isinstance(result.error, Terminated):
                    raise result.error
                yield result


Leaving = Callable[[], bool]
Runner = Callable[[Executor, Sequence[Call], Limits, Leaving, Reporter], Iterator[Done]]


def attempt(number: int, call: Call) -> Done:
    """Carry out a call in this process; what it meets is part of the answer."""
    try:
        return Done(number, call.function(*call.arguments))
    except CaloforgeError as error:
        return Done(number, error=error)


def _here(calls: Sequence[Call], leaving: Leaving) -> Iterator[Done]:
    """One after the other, in this process."""
    for number, call in enumerate(calls):
        if leaving():
            raise Terminated("terminated")
        yield attempt(number, call)


def _processes(
    calls: Sequence[Call], workers: int, limits: Limits, leaving: Leaving
) -> Iterator[Done]:
    """Processes of this machine."""
    from caloforge.jobs.pool import with_processes

    return with_processes(calls, workers, limits, leaving)


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
    "iterative": lambda by, calls, limits, leaving, reporter: _here(calls, leaving),
    "futures": lambda by, calls, limits, leaving, _: _processes(calls, by.workers, limits, leaving),
    "dask": lambda by, calls, limits, leaving, reporter: _dask(by, calls, leaving, reporter),
}

ALONE = Executor()


def executor_of(workers: int) -> Executor:
    """This process for one worker, processes beside it for more."""
    return Executor("futures", workers) if workers > 1 else ALONE
