"""``python -m benchmarks end-to-end``: showers to HDF5 on one core, stage by stage, and on two.

Each production runs in a process of its own, so that memory and start-up are its own. The network
of the simulator runs for real; what is written is what it draws.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Benchmark, Row
from benchmarks.tasks import NETWORK
from caloforge.errors import CaloforgeError
from caloforge.io.hdf5 import Compression
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator.sampling import BATCH

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SGEMM_SECONDS, SCALING_ROUNDS = 2.0, 3


def bench_end_to_end(
    simulator: Path,
    *,
    showers: int = 20_000,
    packings: tuple[Compression, ...] = ("portable",),
    engine: str = "onnxruntime",
    scaling: bool = True,
    reporter: Reporter = SILENT,
) -> Benchmark:
    """Rates, stages, memory and bytes of a production; and what a second worker adds."""
    figures: dict[str, float] = {}
    rows: list[Row] = []
    task = {"folder": str(simulator), "engine": engine}
    for packing in packings:
        reporter.say(f"end to end, {packing}")
        outcome = fresh("production", showers=showers, packing=packing, **task)
        rows.append(Row(f"to HDF5, {packing}, {engine}", BATCH, outcome["microseconds"]))
        figures[f"{packing}: showers/s/core"] = 1e6 / outcome["microseconds"]
        figures[f"{packing}: peak memory, MB"] = outcome["memory_mb"]
        figures[f"{packing}: bytes a shower, all columns"] = outcome["bytes"]
        figures[f"{packing}: bytes an image"] = outcome["image_bytes"]
        stages = fresh("stages", packing=packing, **task)
        for name, value in stages.items():
            figures[f"{packing}: {name}, us"] = value
        figures[f"{packing}: all but the network, us"] = sum(
            value for name, value in stages.items() if name != NETWORK
        )
    if scaling:
        reporter.say("two workers")
        figures |= two_workers(task, showers)
    return Benchmark("end-to-end", rows, figures)


def packings_here() -> tuple[Compression, ...]:
    """The portable packing, and the fast one where its plugin is installed."""
    return ("portable", "fast") if find_spec("hdf5plugin") else ("portable",)


def two_workers(task: dict[str, str], showers: int) -> dict[str, float]:
    """Rate of two workers over one, as a share of what two sgemm processes reach.

    By CPU time: what shared caches and memory cost, whoever else uses the machine.
    """
    alone = {"seconds": SGEMM_SECONDS}
    work = {"packing": "portable", "showers": showers, **task}
    sgemm, both, one, two = [], [], [], []
    for _ in range(SCALING_ROUNDS):  # in turn, so that all meet the same disturbances
        sgemm.append(sum(at_once("sgemm", 1, **alone)))
        both.append(sum(at_once("sgemm", 2, **alone)))
        one.append(sum(at_once("rate", 1, **work)))
        two.append(sum(at_once("rate", 2, **work)))
    ceiling = median(b / a for a, b in zip(sgemm, both, strict=True))
    gain = median(b / a for a, b in zip(one, two, strict=True))
    return {
        "two sgemm processes over one": ceiling,
        "two workers over one": gain,
        "two workers, share of two sgemm processes": gain / ceiling,
    }


def fresh(what: str, **task: Any) -> Any:
    """Do a task in a process of its own and return its answer."""
    (answer,) = at_once(what, 1, **task)
    return answer


def at_once(what: str, count: int, **task: Any) -> list[Any]:
    """Do a task in several processes that begin to measure together."""
    command = [sys.executable, "-m", "benchmarks.tasks", what, json.dumps(task)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, **dict.fromkeys(LIMITS, "1")}
    processes = [
        subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload]
        for _ in range(count)
    ]
    if what in ("rate", "sgemm"):
        for process in processes:
            while process.stderr.readline() not in ("ready\n", ""):
                pass
    answers = []
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, log = process.communicate()
        if process.returncode:
            raise CaloforgeError(f"bench {what} failed: {log[-500:]}")
        answers.append(json.loads(output))
    return answers


__all__ = ["bench_end_to_end", "packings_here"]
