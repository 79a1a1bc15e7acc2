"""Shoots a series and keeps its showers in a file that grows: it can be stopped and resumed.

Shapes: N showers of a series, K cells, bins along the depth.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import CaloforgeError, Terminated
from caloforge.io.files import write_aside
from caloforge.jobs.process import environment_of_worker
from caloforge.machine import asked_to_leave
from caloforge.transport.data_tables import Tables
from caloforge.transport.external import EngineCommand, EngineWorker
from caloforge.transport.request import Request, Setup, Shot, Shower
from caloforge.transport.worker import setup_line

CHUNK_CPU_SECONDS = 20.0
CPU_SECONDS_PER_GEV = 0.006


@dataclass(frozen=True)
class Measured:
    """The showers of a point."""

    cells: NDArray[np.float32]
    overflow: NDArray[np.float32]
    profile: NDArray[np.float32]
    cpu_seconds: NDArray[np.float64]
    seed: NDArray[np.int64]
    """Engine seed of each shower: tells whether a file belongs to a plan.  (N,)"""

    def __len__(self) -> int:
        return len(self.cpu_seconds)

    @property
    def total(self) -> NDArray[np.float64]:
        """Signal of each shower, the overflow included.  (N,)"""
        sums = self.cells.sum(axis=1, dtype=np.float64) + self.overflow.sum(
            axis=1, dtype=np.float64
        )
        return np.asarray(sums)


@dataclass(frozen=True)
class Series:
    """Shots to measure, in order, and what they need."""

    name: str
    request: Request
    tables: Tables
    shots: Sequence[Shot]


def measure(series: Series, folder: Path) -> Measured:
    """The showers of a series, those on disk and those still to make.

    Raises Terminated after SIGTERM, between two parts.
    """
    path = folder / f"{series.name}.npz"
    earlier = of_this_plan(load(path), series.shots)
    n_done = 0 if earlier is None else len(earlier)
    if earlier is not None and n_done >= len(series.shots):
        return earlier
    engine = _engine(series, folder)
    try:
        with asked_to_leave() as leaving:
            for shots in _chunks(series.shots[n_done:]):
                earlier = _joined(earlier, _shoot(engine, shots))
                with write_aside(path, overwrite=True) as aside:
                    np.savez_compressed(aside, **vars(earlier))
                if leaving():
                    raise Terminated(f"stopped by SIGTERM; {path} goes on")
    finally:
        engine.close()
    assert earlier is not None
    return earlier


def of_this_plan(earlier: Measured | None, shots: Sequence[Shot]) -> Measured | None:
    """What is on disk, unless it was measured with other seeds: then nothing."""
    if earlier is None:
        return None
    seeds = [shot.seed for shot in shots[: len(earlier)]]
    return earlier if np.array_equal(earlier.seed[: len(seeds)], seeds) else None


def _chunks(shots: Sequence[Shot]) -> Iterator[Sequence[Shot]]:
    """Parts of about ``CHUNK_CPU_SECONDS``."""
    start, cost = 0, 0.0
    for end, shot in enumerate(shots, 1):
        cost += CPU_SECONDS_PER_GEV * shot.kinetic_gev + 1e-3
        if cost > CHUNK_CPU_SECONDS or end == len(shots):
            yield shots[start:end]
            start, cost = end, 0.0


def load(path: Path) -> Measured | None:
    """A point from disk."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return Measured(**{name: file[name] for name in Measured.__dataclass_fields__})


def _engine(series: Series, folder: Path) -> EngineWorker:
    request = series.request
    setup: Setup = request.setup.model_copy(update={"profile": True})
    pdgs = sorted({int(pdg) for pdg in request.particles.pdg})
    environment = environment_of_worker(series.tables.environment(dict(os.environ)))
    logs = folder / f"{series.name}.logs"
    logs.mkdir(exist_ok=True)
    return EngineWorker(
        EngineCommand(setup_line(setup, request.detector, pdgs), environment, logs), 0
    )


def _shoot(engine: EngineWorker, shots: Sequence[Shot]) -> Measured:
    showers: list[Shower] = []
    if missing := engine.serve(shots, showers.append):
        raise CaloforgeError(f"two workers died at seed {missing[0].seed}")
    return Measured(
        np.stack([shower.cells for shower in showers]),
        np.stack([shower.overflow for shower in showers]),
        np.stack([shower.profile for shower in showers]),
        np.array([shower.cpu_seconds for shower in showers]),
        np.array([shot.seed for shot in shots]),
    )


def _joined(first: Measured | None, second: Measured) -> Measured:
    if first is None:
        return second
    return Measured(
        **{name: np.concatenate([a, vars(second)[name]]) for name, a in vars(first).items()}
    )


def hits_of(measured: Measured) -> NDArray[np.float32]:
    """Cells of the showers that are not empty."""
    return np.asarray(measured.cells[measured.cells.sum(axis=1) > 0])
