"""Dask clusters that make shards: local processes, Slurm, HTCondor, or a scheduler's address.

Each task is a plan and a number, its answer a record: no array ever travels.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from caloforge.errors import CaloforgeError, Terminated, UsageError
from caloforge.production.manifest import ShardRecord
from caloforge.production.plan import Plan
from caloforge.production.shard import ShardMaker

POLL_SECONDS = 0.1
TASKS_A_WORKER = 3
"""In flight at a time, so that 10^5 shards are no burden for the scheduler."""
RETRIES = 2
JOB = {"cores": 1, "processes": 1, "memory": "2GB"}
"""Of a batch job that is not told otherwise: one process, which needs about 150 MB."""

Options = dict[str, Any]


def local(workers: int, options: Options) -> Any:
    """Processes of this machine, one thread each."""
    distributed = import_module("distributed")
    quiet = {"dashboard_address": None, "threads_per_worker": 1, "processes": True}
    return distributed.LocalCluster(n_workers=workers, **{**quiet, **options})


def slurm(workers: int, options: Options) -> Any:
    """Slurm jobs, one worker each."""
    return _jobs("SLURMCluster", workers, options)


def htcondor(workers: int, options: Options) -> Any:
    """HTCondor jobs, one worker each."""
    return _jobs("HTCondorCluster", workers, {"disk": "1GB", **options})


def _jobs(name: str, workers: int, options: Options) -> Any:
    kind = getattr(import_module("dask_jobqueue"), name)
    quiet = {"scheduler_options": {"dashboard_address": None}}
    try:
        cluster = kind(**{**JOB, **quiet, **options})
    except (TypeError, ValueError) as error:
        raise UsageError(f"--cluster-options: {name} says: {error}") from error
    cluster.scale(jobs=workers)
    return cluster


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
        options = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(options, dict):
        raise UsageError(f'{path} must hold one JSON object, such as {{"queue": "long"}}')
    return options


@lru_cache(maxsize=1)
def _maker(plan: str, folder: str) -> ShardMaker:
    """Kept between the tasks of a process: sessions cannot travel, and loading costs a second."""
    return ShardMaker(Plan.model_validate_json(plan), Path(folder))


def make_shard(number: int, plan: str, folder: str) -> str:
    """The task that workers run: JSON of the record of a finished shard."""
    return _maker(plan, folder).make(number).model_dump_json()


def with_dask(
    plan: Plan,
    folder: Path,
    numbers: list[int],
    workers: int,
    leaving: Callable[[], bool],
    *,
    cluster: str,
    options: Options,
) -> Iterator[ShardRecord]:
    """Shards as they are finished; raises what a worker met, Terminated when asked to leave."""
    distributed: Any = import_module("distributed")
    if cluster in CLUSTERS:
        jobs = CLUSTERS[cluster](workers, options)
    elif "://" in cluster:
        jobs = cluster
    else:
        raise UsageError(f"no cluster {cluster}; there are {', '.join(CLUSTERS)}, or an address")
    try:
        with distributed.Client(jobs) as client:
            yield from _collect(client, plan, folder, numbers, workers, leaving)
    except distributed.KilledWorker as error:
        raise CaloforgeError(
            f"workers died again and again ({str(error)[:120]}); finished shards are kept in "
            f"{folder}: the same command goes on"
        ) from error
    finally:
        if jobs is not cluster:
            jobs.close()


def _collect(
    client: Any,
    plan: Plan,
    folder: Path,
    numbers: list[int],
    workers: int,
    leaving: Callable[[], bool],
) -> Iterator[ShardRecord]:
    task = {"plan": plan.model_dump_json(), "folder": str(folder.absolute())}

    def submit(number: int) -> Any:
        return client.submit(make_shard, number, **task, pure=False, retries=RETRIES)

    waiting = iter(numbers)
    finished = import_module("distributed").as_completed()
    for number in islice(waiting, TASKS_A_WORKER * workers):
        finished.add(submit(number))
    while not finished.is_empty():
        if leaving():
            raise Terminated("terminated")
        batch = finished.next_batch(block=False)
        if not batch:
            time.sleep(POLL_SECONDS)
        for future in batch:
            for number in islice(waiting, 1):
                finished.add(submit(number))
            yield ShardRecord.model_validate_json(future.result())


__all__ = ["CLUSTERS", "JOB_CLUSTERS", "job_script", "make_shard", "read_options", "with_dask"]
