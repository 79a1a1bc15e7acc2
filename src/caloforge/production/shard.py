"""Make one shard: a pure function of the plan and of the shard's number."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caloforge.errors import Terminated
from caloforge.io.files import sha256_of
from caloforge.machine import cpu_flags, processor
from caloforge.production.drawing import Drawn, draw_showers, outside_text
from caloforge.production.manifest import ShardRecord
from caloforge.production.particles import Source
from caloforge.production.plan import Plan
from caloforge.simulator import Simulator


def stay() -> bool:
    """Nobody asks to leave."""
    return False


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

    def make(self, number: int, leaving: Callable[[], bool] = stay) -> ShardRecord:
        """Write a shard aside, give it its name, and tell what it is.

        Raises Terminated when asked to leave, CaloforgeError for a full disk: then nothing is kept.
        """
        plan, rows = self.plan, self.plan.rows(number)
        path = self.folder / plan.file_name(number)
        started = time.process_time()
        outside: Counter[str] = Counter()
        described = describe(self.simulator, self.source, plan)
        columns = self.source.columns
        detector = self.simulator.detector
        with plan.output.open(path, detector, described, columns, overwrite=True) as writer:
            for drawn in self._draw(rows):
                if leaving():
                    raise Terminated(f"terminated while making {path.name}")
                outside.update(self._outside(drawn))
                writer.append(drawn.cells, **drawn.columns)
        return ShardRecord(
            number=number,
            file=path.name,
            first=rows.start,
            showers=len(rows),
            bytes=path.stat().st_size,
            sha256=sha256_of(path),
            cpu_seconds=time.process_time() - started,
            outside=dict(outside),
            **self.machine,
        )

    def _draw(self, rows: range) -> Any:
        plan = self.plan
        return draw_showers(
            self.simulator, self.source, rows, seed=plan.seed, batch=plan.settings.batch
        )

    def _outside(self, drawn: Drawn) -> dict[str, int]:
        counts = self.simulator.outside(drawn.columns["conditions"])
        if counts and self.plan.strict:
            from caloforge.errors import DataError

            rows = len(drawn.cells)
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
        "sampling": card.sampling,
        "runtime": f"{simulator.engine.name}, {simulator.engine.threads} thread(s)",
        "licence": card.provenance.get("licence", ""),
        "trained_on": card.provenance.get("source", ""),
    }
    return {name: value for name, value in record.items() if value}


__all__ = ["ShardMaker", "describe", "provenance"]
