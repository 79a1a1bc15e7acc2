"""``caloforge bench end-to-end``: showers to HDF5 on one core, stage by stage, and on two.

Each production runs in a process of its own, so that memory and start-up are its own. The network
of the simulator runs for real; what is written is what it draws.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import numpy as np

from caloforge.bench.report import Benchmark, Row
from caloforge.data.filters import Compression
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerWriter
from caloforge.errors import CaloforgeError
from caloforge.generate import Particles, generate
from caloforge.machine import peak_memory_mb
from caloforge.production.output import Output
from caloforge.reporter import SILENT, Reporter
from caloforge.sampling import BATCH, DRAWN_ROWS, block_streams, draw_counts, draw_latents
from caloforge.simulator import Simulator

STAGE_ROUNDS = 40
NETWORK = "network"
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SGEMM_SIZE, SGEMM_SECONDS, SCALING_ROUNDS = 1024, 2.0, 3


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
        made = fresh("production", showers=showers, packing=packing, **task)
        rows.append(Row(f"to HDF5, {packing}, {engine}", BATCH, made["microseconds"]))
        figures[f"{packing}: showers/s/core"] = 1e6 / made["microseconds"]
        figures[f"{packing}: peak memory, MB"] = made["memory_mb"]
        figures[f"{packing}: bytes a shower, all columns"] = made["bytes"]
        figures[f"{packing}: bytes an image"] = made["image_bytes"]
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


# ---- tasks of fresh processes --------------------------------------------------------------------


def production(folder: str, engine: str, packing: Compression, showers: int) -> dict[str, float]:
    """One production, measured by itself."""
    simulator = Simulator.load(Path(folder), engine=engine)
    particles = Particles.like(sample_path(simulator.detector.name), simulator.detector)
    output = Output(scheme=simulator.detector.scheme().scheme, packing=packing)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.h5"
        made = generate(
            simulator, particles, out, showers=showers, batch=BATCH, output=output, seed=1
        )
        with h5py.File(out) as file:
            images = sum(table.id.get_storage_size() for table in file["showers"].values())
    return {
        "microseconds": made.cpu_seconds / showers * 1e6,
        "memory_mb": peak_memory_mb(),
        "bytes": made.megabytes * 1e6 / showers,
        "image_bytes": images / showers,
    }


def rate(folder: str, engine: str, packing: Compression, showers: int) -> float:
    """Showers a second of CPU time, after all is loaded."""
    simulator = Simulator.load(Path(folder), engine=engine)
    particles = Particles.like(sample_path(simulator.detector.name), simulator.detector)
    output = Output(scheme=simulator.detector.scheme().scheme, packing=packing)
    wait_for_the_others()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.h5"
        made = generate(simulator, particles, out, showers=showers, batch=BATCH, output=output)
    return showers / made.cpu_seconds


def sgemm(seconds: float) -> float:
    """Products of 1024 x 1024 float32 matrices a second of CPU time."""
    rng = np.random.default_rng(0)
    left, right = rng.random((2, SGEMM_SIZE, SGEMM_SIZE), dtype=np.float32)
    left @ right
    wait_for_the_others()
    started, count = time.process_time(), 0
    while time.process_time() - started < seconds:
        left @ right
        count += 1
    return count / (time.process_time() - started)


def stages(folder: str, engine: str, packing: Compression) -> dict[str, float]:
    """Microseconds of CPU a shower, of each stage."""
    simulator = Simulator.load(Path(folder), engine=engine)
    detector = simulator.detector
    particles = Particles.like(sample_path(detector.name), detector)
    latent_stream, count_stream = block_streams(0, 0)
    spaced = np.linspace(0, len(particles) - 1, DRAWN_ROWS).astype(int)  # of all energies
    latents = draw_latents(latent_stream, DRAWN_ROWS, simulator.latent_size)
    conditions = particles.conditions[spaced]
    rates = simulator.expected(latents, conditions).copy()
    cells = draw_counts(rates, simulator.sampling, count_stream)
    work: dict[str, Callable[[], object]] = {
        "latents": lambda: draw_latents(latent_stream, DRAWN_ROWS, simulator.latent_size),
        "conditions": lambda: particles.of(range(DRAWN_ROWS)),
        NETWORK: lambda: [
            simulator.expected(latents[start : start + BATCH], conditions[start : start + BATCH])
            for start in range(0, DRAWN_ROWS, BATCH)
        ],
        "counts": lambda: draw_counts(rates, simulator.sampling, count_stream),
    }
    figures = {name: microseconds(call) for name, call in work.items()}
    with tempfile.TemporaryDirectory() as scratch:
        writer = ShowerWriter(
            Path(scratch) / "out.h5",
            detector,
            {},
            columns=() if particles.pdg is None else ("pdg",),
            channels_scheme=detector.scheme().scheme,
            compression=packing,
        )
        with writer:
            place = iter(range(0, 10**9, DRAWN_ROWS))

            def write() -> None:
                start = next(place)
                writer.append(cells, **particles.of(range(start, start + DRAWN_ROWS)))

            figures["sums and writing"] = microseconds(write)
    return figures


def microseconds(call: Callable[[], object]) -> float:
    """Median CPU time a shower."""
    call()
    times = []
    for _ in range(STAGE_ROUNDS):
        before = time.process_time()
        call()
        times.append(time.process_time() - before)
    return median(times) / DRAWN_ROWS * 1e6


TASKS: dict[str, Callable[..., Any]] = {
    "production": production,
    "rate": rate,
    "sgemm": sgemm,
    "stages": stages,
}


def wait_for_the_others() -> None:
    """Say that this process is ready, and go on when told."""
    sys.stderr.write("ready\n")
    sys.stderr.flush()
    sys.stdin.readline()


def fresh(what: str, **task: Any) -> Any:
    """Do a task in a process of its own and return its answer."""
    (answer,) = at_once(what, 1, **task)
    return answer


def at_once(what: str, count: int, **task: Any) -> list[Any]:
    """Do a task in several processes that begin to measure together."""
    command = [sys.executable, "-m", "caloforge.bench.end_to_end", what, json.dumps(task)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, **dict.fromkeys(LIMITS, "1")}
    started = [
        subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload]
        for _ in range(count)
    ]
    if what in ("rate", "sgemm"):
        for process in started:
            while process.stderr.readline() not in ("ready\n", ""):
                pass
    answers = []
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        shown, log = process.communicate()
        if process.returncode:
            raise CaloforgeError(f"bench {what} failed: {log[-500:]}")
        answers.append(json.loads(shown))
    return answers


def main(what: str, task: str) -> None:
    """Do one task and print its answer."""
    sys.stdout.write(json.dumps(TASKS[what](**json.loads(task))))


if __name__ == "__main__":
    main(*sys.argv[1:])

__all__ = ["bench_end_to_end", "packings_here"]
