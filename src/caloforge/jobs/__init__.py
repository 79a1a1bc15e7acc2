"""Work that is cut into calls: in this process, in worker processes, or on a Dask cluster.

A call is a function of a module and its arguments, so that it can travel. ``Executor.run`` yields
what each call returned, or met, as it ends; workers that die are replaced. ``only_run`` keeps a
second writer out of a folder.

    with only_run(folder):
        for done in Executor("futures", workers=2).run([Call(make, (n,)) for n in range(9)]):
            keep(done.number, done.result())

After SIGTERM the calls under way are asked to leave and ``run`` raises Terminated.
"""

from caloforge.jobs.executor import (
    ALONE,
    LOCK,
    Call,
    CallProgress,
    Done,
    Executor,
    ExecutorName,
    Limits,
    executor_of,
    only_run,
)

__all__ = [
    "ALONE",
    "LOCK",
    "Call",
    "CallProgress",
    "Done",
    "Executor",
    "ExecutorName",
    "Limits",
    "executor_of",
    "only_run",
]
