"""Do two transport workers use two cores as well as two matrix products do?

    python -m benchmarks.transport_scaling [--rounds 9] [--showers 60] [--out results.json]

Each round times one and two processes of either kind, interleaved, on the same machine and under
the same load: efficiency = (time of one) / (time of two that do the same each), 1 with free cores.
Reported is the ratio of both efficiencies, median and standard error over rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, stdev

from caloforge.detectors import ATLAS_EM
from caloforge.jobs.process import environment_of_worker
from caloforge.machine import processor
from caloforge.transport import draw, prepare
from caloforge.transport.external import EngineCommand, EngineWorker
from caloforge.transport.request import Shot
from caloforge.transport.worker import setup_line

PRODUCT = """
import sys, time
import numpy as np
a = np.ones((512, 512), np.float32)
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        a @ a
    print("done", flush=True)
"""
Work = Callable[[], object]


def product_process() -> subprocess.Popen[str]:
    """A process that multiplies matrices when told how often."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", PRODUCT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    return process


def multiply(process: subprocess.Popen[str], times: int) -> None:
    """So many products in that process."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{times}\n")
    process.stdin.flush()
    process.stdout.readline()


def together(works: list[Work]) -> float:
    """Seconds until all have ended that start at once."""
    threads = [threading.Thread(target=work) for work in works]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def stations(folder: Path, seed: int) -> tuple[list[EngineWorker], list[Shot]]:
    """Two started workers of the EM calorimeter, and positrons for them."""
    particles = draw("eplus", ATLAS_EM, 400, seed)
    particles.conditions[:, 0] = 10.0
    request, tables = prepare(ATLAS_EM, particles, seed=seed)
    assert tables is not None
    line = setup_line(request.setup, ATLAS_EM, [-11])
    how = EngineCommand(line, environment_of_worker(tables.environment(dict(os.environ))), folder)
    workers = [EngineWorker(how, number) for number in range(2)]
    shots = [request.shot(row) for row in range(len(request))]
    for worker in workers:
        worker.serve(shots[:4], lambda shower: None)
    return workers, shots


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--showers", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record = measure(Path(folder), arguments.rounds, arguments.showers, arguments.seed)
    text = json.dumps(record, indent=1)
    sys.stdout.write(text + "\n")
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


def measure(folder: Path, rounds: int, showers: int, seed: int) -> dict[str, object]:
    """All rounds, and their median."""
    workers, shots = stations(folder, seed)
    products = [product_process() for _ in range(2)]
    own_shots = shots[:showers]
    transports: list[Work] = [lambda w=w: w.serve(own_shots, lambda s: None) for w in workers]  # type: ignore[misc]
    times = max(
        1, round(together(transports[:1]) / (together([lambda: multiply(products[0], 100)]) / 100))
    )
    multiplications: list[Work] = [lambda p=p: multiply(p, times) for p in products]  # type: ignore[misc]
    efficiencies: dict[str, list[float]] = {"transport": [], "sgemm": []}
    for _ in range(rounds):
        for name, works in (("transport", transports), ("sgemm", multiplications)):
            efficiencies[name].append(together(works[:1]) / together(works))
    for worker in workers:
        worker.close()
    for process in products:
        process.communicate()
    ratios = [a / b for a, b in zip(efficiencies["transport"], efficiencies["sgemm"], strict=True)]
    return {
        "what": "efficiency of two transport workers over that of two sgemm processes",
        "ratio": median(ratios),
        "error": 1.25 * stdev(ratios) / math.sqrt(len(ratios)),
        "transport_efficiency": median(efficiencies["transport"]),
        "sgemm_efficiency": median(efficiencies["sgemm"]),
        "rounds": rounds,
        "showers_of_10_gev_each": showers,
        "load": os.getloadavg()[0],
        "hardware": f"{processor()}, {os.cpu_count()} cores",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


if __name__ == "__main__":
    main()
