"""Dask clusters that carry out calls: local processes, Slurm, HTCondor, or a scheduler's address.

Only calls and what they return travel: no arrays, as long as nobody puts some into a call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from caloforge.documents import read_json
from caloforge.errors import CaloforgeError, Terminated, UsageError
from caloforge.jobs.executor import Call, Done, attempt
from caloforge.reporter import Reporter

POLL_SECONDS = 0.1
TASKS_A_WORKER = 3
"""In flight at a time, so that 10^5 calls are no burden for the scheduler."""
RETRIES = 2
SUBMIT_SECONDS = 45.0
"""A batch system that has not taken a job by then does not answer."""
JOB = {"cores": 1, "processes": 1, "memory": "2GB"}
"""Of a batch job that is not told otherwise: one process, which needs about 150 MB."""

Options = dict[str, Any]
ANY_PORT = "127.0.0.1:0"
"""Of the scheduler's HTTP server, which starts without a dashboard, too: two runs share no port."""


def local(workers: int, options: Options) -> Any:
    """Processes of this machine, one thread each."""
    distributed = import_module("distributed")
    quiet: Options = {"dashboard_address": None, "threads_per_worker": 1, "processes": True}
    if "dashboard_address" not in options:
        quiet["scheduler_kwargs"] = {"dashboard_address": ANY_PORT}
    return _built(distributed.LocalCluster, {**quiet, **options}, n_workers=workers)


def slurm(workers: int, options: Options) -> Any:
    """Slurm jobs, one worker each."""
    return _jobs("SLURMCluster", workers, options)


def htcondor(workers: int, options: Options) -> Any:
    """HTCondor jobs, one worker each."""
    return _jobs("HTCondorCluster", workers, {"disk": "1GB", **options})


def _jobs(name: str, workers: int, options: Options) -> Any:
    kind = getattr(import_module("dask_jobqueue"), name)
    quiet = {"scheduler_options": {"dashboard": False, "dashboard_address": ANY_PORT}}
    cluster = _built(_reporting(kind), {**JOB, **quiet, **options})
    cluster.scale(jobs=workers)
    return cluster


def _built(kind: Any, options: Options, **fixed: Any) -> Any:
    """A cluster; UsageError for options that its class refuses, or that are fixed."""
    try:
        return kind(**fixed, **options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"--cluster-options: {kind.__name__} says: {error}") from error
    except RuntimeError as error:
        raise CaloforgeError(f"{kind.__name__} does not start: {error}") from error


def _reporting(kind: Any) -> Any:
    """A cluster class that keeps in ``refused`` why jobs were not taken, where Dask only logs."""
    refused: list[str] = []
    interface: Any = import_module("distributed.deploy.spec").ProcessInterface

    class Job(kind.job_cls):  # type: ignore[misc]
        async def start(self) -> None:
            try:
                await asyncio.wait_for(super().start(), SUBMIT_SECONDS)
                return
            except TimeoutError:
                refused.append(f"{self.submit_command} does not answer")
            except (OSError, RuntimeError, ValueError) as error:
                refused.append(_reason(self.submit_command, error))
            await interface.start(self)  # Dask would complain of a job without status

        async def close(self) -> None:
            await super().close()
            await interface.close(self)  # Dask asserts the status of all jobs that it closed

    return type(kind.__name__, (kind,), {"job_cls": Job, "refused": refused})


def _reason(command: str, error: Exception) -> str:
    """What a batch system said, in one line."""
    if isinstance(error, FileNotFoundError):
        return f"{command}: no such command on this machine"
    text = str(error).partition("stderr:\n")[2] or str(error)
    return f"{command}: {' '.join(text.split())[:200]}"


CLUSTERS: dict[str, Callable[[int, Options], Any]] = {
    "local": local,
    "slurm": slurm,
    "htcondor": htcondor,
}


JOB_CLUSTERS = ("slurm", "htcondor")


def job_script(cluster: str, options: Options) -> str:
    """The batch job of a worker, for reading; nothing is submitted. UsageError for ``local``."""
    if cluster not in JOB_CLUSTERS:
        raise UsageError(f"a {cluster} cluster has no job script; slurm and htcondor have")
    with CLUSTERS[cluster](0, options) as jobs:
        return str(jobs.job_script())


def read_options(path: Path | None) -> Options:
    """Options of a cluster from a JSON file: what its class takes; UsageError when it is none."""
    if path is None:
        return {}
    try:
        options = read_json(path)
    except CaloforgeError as error:
        raise UsageError(f"--cluster-options {error}") from error
    if not isinstance(options, dict):
        raise UsageError(f'{path} must hold one JSON object, such as {{"queue": "long"}}')
    return options


def with_dask(
    calls: Sequence[Call],
    workers: int,
    leaving: Callable[[], bool],
    *,
    cluster: str,
    options: Options,
    reporter: Reporter,
) -> Iterator[Done]:
    """Calls as they end, by the workers of a cluster."""
    distributed: Any = import_module("distributed")
    if cluster in CLUSTERS:
        jobs = CLUSTERS[cluster](workers, options)
    elif "://" in cluster:
        jobs = cluster
    else:
        raise UsageError(f"no cluster {cluster}; there are {', '.join(CLUSTERS)}, or an address")
    try:
        with _client(distributed, jobs) as client:
            yield from _collect(client, jobs, calls, workers, leaving, reporter)
    finally:
        if jobs is not cluster:
            jobs.close()


@contextmanager
def _client(distributed: Any, jobs: Any) -> Iterator[Any]:
    try:
        client = distributed.Client(jobs)
    except OSError as error:
        raise CaloforgeError(f"{jobs}: no scheduler answers ({error})") from error
    with client:
        yield client


def _collect(
    client: Any,
    jobs: Any,
    calls: Sequence[Call],
    workers: int,
    leaving: Callable[[], bool],
    reporter: Reporter,
) -> Iterator[Done]:
    pending = iter(range(len(calls)))
    as_completed = import_module("distributed").as_completed()
    numbers: dict[str, int] = {}

    def submit(number: int) -> None:
        future = client.submit(attempt, number, calls[number], pure=False, retries=RETRIES)
        numbers[future.key] = number
        as_completed.add(future)

    for number in islice(pending, TASKS_A_WORKER * workers):
        submit(number)
    n_refused = 0
    while not as_completed.is_empty():
        if leaving():
            raise Terminated("terminated")
        n_refused = _note_refused(jobs, n_refused, workers, reporter)
        batch = as_completed.next_batch(block=False)
        if not batch:
            time.sleep(POLL_SECONDS)
        for future in batch:
            for number in islice(pending, 1):
                submit(number)
            yield _done(future, numbers.pop(future.key), calls)


def _note_refused(jobs: Any, before: int, workers: int, reporter: Reporter) -> int:
    """How many jobs the batch system did not take; CaloforgeError when it took none."""
    refusals: list[str] = getattr(jobs, "refused", [])
    if len(refusals) >= workers:
        raise CaloforgeError(f"the batch system takes no job: {refusals[0]}")
    if len(refusals) > before:
        reporter.warn(f"{len(refusals)} of {workers} jobs were not taken: {refusals[-1]}")
    return len(refusals)


def _done(future: Any, number: int, calls: Sequence[Call]) -> Done:
    """What a task answers, with the death of its workers as an error of the call."""
    try:
        result: Done = future.result()
    except import_module("distributed").KilledWorker as error:
        what = calls[number].label or "working"
        text = f"workers died again and again while {what} ({str(error)[:120]})"
        return Done(number, error=CaloforgeError(text))
    return result
