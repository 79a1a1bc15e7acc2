"""Make one shard: a pure function of the plan and of the shard's number.

Shapes: N showers, K cells, C conditions.
"""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import SAMPLING_FRACTION
from caloforge.errors import DataError, Terminated
from caloforge.generate.particles import Source
from caloforge.generate.plan import Plan, ShardRecord
from caloforge.io.files import sha256_of
from caloforge.machine import asked_to_leave, cpu_flags, processor
from caloforge.particles.tables import PIECE_ROWS
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import BLOCK, name_of_law


class Drawn(NamedTuple):
    """A batch: cells (N, K) and what is known of the particles (conditions, particle, pdg)."""

    cells: NDArray[Any]
    columns: dict[str, NDArray[Any]]


def draw_showers(
    simulator: Simulator, source: Source, showers: range, *, seed: int, batch: int
) -> Iterator[Drawn]:
    """Showers of these numbers, which start at a multiple of BLOCK, batch by batch.

    The last batch is padded to its full size, so that a shower never depends, not even in its last
    bit, on how many follow it.
    """
    for first in range(showers.start, showers.stop, BLOCK):
        block = range(first, min(first + BLOCK, showers.stop))
        columns = source.of(block)
        conditions = simulator.require_conditions(columns["conditions"])
        padded = np.pad(conditions, ((0, BLOCK - len(block)), (0, 0)), mode="edge")
        whole = range(first, min(first + -(-len(block) // batch) * batch, first + BLOCK))
        for rows, cells in simulator.batches(padded, whole, seed=seed, batch=batch):
            here = slice(rows.start - first, min(rows.stop, block.stop) - first)
            rows_of_block = here.stop - here.start
            yield Drawn(
                cells[:rows_of_block], {name: column[here] for name, column in columns.items()}
            )


def outside_text(simulator: Simulator, counts: dict[str, int], rows: int, source: str) -> str:
    """What is outside the domain of a simulator, in one line."""
    return f"{source}: {simulator.domain.text(counts, rows)}"


def outside(simulator: Simulator, source: Source, rows: range, *, strict: bool) -> dict[str, int]:
    """Rows outside the domain, by rule; DataError if ``strict`` and there are some."""
    counts: Counter[str] = Counter()
    for start in range(rows.start, rows.stop, PIECE_ROWS):
        piece = range(start, min(start + PIECE_ROWS, rows.stop))
        conditions = simulator.require_conditions(source.of(piece)["conditions"])
        counts.update(simulator.outside(conditions))
    if counts and strict:
        raise DataError(outside_text(simulator, counts, len(rows), source.source))
    return dict(counts)


class ShardMaker:
    """A simulator and particles, loaded once by each process, for all shards that it makes."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.simulator, self.source = plan.load()
        flags = cpu_flags()
        self.machine: dict[str, Any] = {"host": socket.gethostname(), "processor": processor()}
        if flags != plan.cpu_flags:
            self.machine["cpu_flags"] = flags

    def make(self, number: int, advance: Callable[[int], None]) -> ShardRecord:
        """Write a shard aside, give it its name, and return its record.

        ``advance`` hears how many showers are written.
        Raises Terminated after SIGTERM, CaloforgeError for a full disk: then nothing is kept.
        """
        plan, rows = self.plan, self.plan.rows(number)
        path = self.folder / plan.file_name(number)
        start = time.process_time()
        outside: Counter[str] = Counter()
        attributes = describe(self.simulator, self.source, plan)
        showers = 0
        columns = self.source.columns
        detector = self.simulator.detector
        with (
            plan.output.open(path, detector, attributes, columns, overwrite=True) as writer,
            asked_to_leave() as leaving,
        ):
            for block in self._draw(rows):
                if leaving():
                    raise Terminated(f"terminated while making {path.name}")
                outside.update(self._outside(block))
                writer.append(block.cells, **block.columns)
                showers += len(block.cells)
                if showers % BLOCK == 0:
                    advance(showers)
        return ShardRecord(
            number=number,
            file=path.name,
            first=rows.start,
            showers=len(rows),
            bytes=path.stat().st_size,
            sha256=sha256_of(path),
            cpu_seconds=time.process_time() - start,
            outside=dict(outside),
            **self.machine,
        )

    def _draw(self, rows: range) -> Any:
        plan = self.plan
        return draw_showers(
            self.simulator, self.source, rows, seed=plan.seed, batch=plan.settings.batch
        )

    def _outside(self, block: Drawn) -> dict[str, int]:
        counts = self.simulator.outside(block.columns["conditions"])
        if counts and self.plan.strict:
            rows = len(block.cells)
            raise DataError(outside_text(self.simulator, counts, rows, self.source.source))
        return counts


def describe(simulator: Simulator, source: Source, plan: Plan) -> dict[str, str]:
    """Where the showers of a shard come from; the same text whichever process makes it."""
    text = provenance(simulator, source, plan.seed)
    return text | {"runtime": f"{plan.engine_version}, {plan.settings.threads} thread(s)"}


def provenance(simulator: Simulator, source: Source, seed: int) -> dict[str, str]:
    """Where generated showers come from, as text for the file."""
    card = simulator.card
    record = {
        "engine": f"caloforge {card.caloforge_version} simulator",
        "seed": str(seed),
        "source": source.source,
        "simulator_sha256": card.generator_sha256,
        "sampling": name_of_law(card.sampling),
        "runtime": f"{simulator.engine.name}, {simulator.engine.threads} thread(s)",
        "licence": card.provenance.get("licence", ""),
        "trained_on": card.provenance.get("source", ""),
        SAMPLING_FRACTION: card.provenance.get(SAMPLING_FRACTION, ""),
    }
    return {name: value for name, value in record.items() if value}


@lru_cache(maxsize=1)
def _maker(plan: str, folder: str) -> ShardMaker:
    """Kept between the calls of a process: sessions cannot travel, and loading costs a second."""
    return ShardMaker(Plan.model_validate(json.loads(plan)), Path(folder))


def make_shard(
    number: int, plan: str, folder: str, *, advance: Callable[[int], None]
) -> ShardRecord:
    """The call that workers carry out; ``plan`` is JSON."""
    return _maker(plan, folder).make(number, advance)
