"""Who makes the shards: this process, processes beside it, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from caloforge.production.manifest import ShardRecord
from caloforge.production.plan import Plan

ExecutorName = Literal["iterative", "futures", "dask"]
Leaving = Callable[[], bool]


@dataclass(frozen=True)
class Crew:
    """How many workers, and where they are."""

    executor: ExecutorName = "iterative"
    workers: int = 1
    cluster: str = "local"
    options: dict[str, Any] = field(default_factory=dict)

    def make(
        self, plan: Plan, folder: Path, numbers: list[int], leaving: Leaving
    ) -> Iterator[ShardRecord]:
        """Records of these shards, in the order in which they are finished."""
        return EXECUTORS[self.executor](self, plan, folder, numbers, leaving)


ALONE = Crew()


def iterative(
    crew: Crew, plan: Plan, folder: Path, numbers: list[int], leaving: Leaving
) -> Iterator[ShardRecord]:
    """One after the other, here."""
    from caloforge.production.shard import ShardMaker

    del crew
    maker = ShardMaker(plan, folder)
    for number in numbers:
        yield maker.make(number, leaving)


def futures(
    crew: Crew, plan: Plan, folder: Path, numbers: list[int], leaving: Leaving
) -> Iterator[ShardRecord]:
    """Processes of this machine."""
    from caloforge.production.processes import with_processes

    return with_processes(plan, folder, numbers, crew.workers, leaving)


def dask(
    crew: Crew, plan: Plan, folder: Path, numbers: list[int], leaving: Leaving
) -> Iterator[ShardRecord]:
    """Workers of a Dask cluster."""
    from caloforge.production.cluster import with_dask

    return with_dask(
        plan, folder, numbers, crew.workers, leaving, cluster=crew.cluster, options=crew.options
    )


EXECUTORS: dict[
    ExecutorName, Callable[[Crew, Plan, Path, list[int], Leaving], Iterator[ShardRecord]]
] = {"iterative": iterative, "futures": futures, "dask": dask}

__all__ = ["ALONE", "EXECUTORS", "Crew", "ExecutorName"]
