"""What a benchmark of productions measures in processes of its own: ``python -m ...tasks``.

Each answers on stdout with JSON. Those that run side by side wait for each other.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import numpy as np

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerWriter
from caloforge.generate import Particles, generate
from caloforge.generate.output import Output
from caloforge.io.hdf5 import Compression
from caloforge.machine import peak_memory_mb
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import BATCH, DRAWN_ROWS, block_streams, draw_counts, draw_latents

STAGE_ROUNDS = 40
NETWORK = "network"
SGEMM_SIZE = 1024


def production(folder: str, engine: str, packing: Compression, showers: int) -> dict[str, float]:
    """One production, measured by itself."""
    simulator = Simulator.load(Path(folder), engine=engine)
    particles = Particles.like(sample_path(simulator.detector.name), simulator.detector)
    output = Output(scheme=simulator.detector.scheme().scheme, packing=packing)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.h5"
        outcome = generate(
            simulator, particles, out, showers=showers, batch=BATCH, output=output, seed=1
        )
        with h5py.File(out) as file:
            images = sum(table.id.get_storage_size() for table in file["showers"].values())
    return {
        "microseconds": outcome.cpu_seconds / showers * 1e6,
        "memory_mb": peak_memory_mb(),
        "bytes": outcome.megabytes * 1e6 / showers,
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
        outcome = generate(simulator, particles, out, showers=showers, batch=BATCH, output=output)
    return showers / outcome.cpu_seconds


def sgemm(seconds: float) -> float:
    """Products of 1024 x 1024 float32 matrices a second of CPU time."""
    rng = np.random.default_rng(0)
    left, right = rng.random((2, SGEMM_SIZE, SGEMM_SIZE), dtype=np.float32)
    left @ right
    wait_for_the_others()
    start, count = time.process_time(), 0
    while time.process_time() - start < seconds:
        left @ right
        count += 1
    return count / (time.process_time() - start)


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


def main(what: str, task: str) -> None:
    """Do one task and print its answer."""
    sys.stdout.write(json.dumps(TASKS[what](**json.loads(task))))


if __name__ == "__main__":
    main(*sys.argv[1:])

__all__ = ["NETWORK", "production", "rate", "sgemm", "stages"]
