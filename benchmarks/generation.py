"""Speed and memory of ``caloforge generate`` on one core, stage by stage and end to end.

    python benchmarks/generation.py [--simulator alice_zn] [-n 50000] [--out results.md]

The network runs for real. With ``--untrained KIND`` a generator with random weights
stands in, and what is written are rates of real showers from the shipped sample: compressing images
of random weights would say nothing. Times are CPU times of this process; memory is VmHWM of a fresh
process. Nothing here is a test: figures depend on the machine and on who else uses it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, ShowerWriter, read
from caloforge.detectors import ALICE_ZN
from caloforge.engines import Engine
from caloforge.generate import Particles, generate
from caloforge.machine import peak_memory_mb, processor
from caloforge.sampling import block_streams, draw_counts, draw_latents
from caloforge.simulator import Simulator
from caloforge.simulators import find_simulator

BATCH = 256


@dataclass
class Replay:
    """Runs the network, throws its answer away and answers with real showers."""

    inner: Engine
    cells: NDArray[np.float32]
    name: str = "onnxruntime, real showers in place of its answers"
    threads: int = 1
    place: int = 0

    def run(
        self, latents: NDArray[np.float32], conditions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Rates of real showers.  (N, Z), (N, C) -> (N, K)"""
        answer = self.inner.run(latents, conditions)
        self.place = (self.place + len(answer)) % (len(self.cells) - len(answer))
        return self.cells[self.place : self.place + len(answer)]


def untrained(kind: str, folder: Path) -> None:
    """Export a generator with random weights (in a process of its own: it needs torch)."""
    import torch

    from caloforge.data.scaling import FeatureScaling
    from caloforge.export.onnx import export_simulator
    from caloforge.networks.generators import GeneratorConfig

    torch.manual_seed(0)
    conditions = read(sample_path("alice_zn")).conditions
    generator = GeneratorConfig(kind=kind).build(ALICE_ZN, FeatureScaling.fit(ALICE_ZN, conditions))
    export_simulator(generator, ALICE_ZN, {}, conditions, folder, latent_size=10)


def loaded(folder: Path, replay: bool) -> Simulator:
    """The simulator, with real showers in place of its answers if asked."""
    simulator = Simulator.load(folder)
    if not replay:
        return simulator
    with ShowerFile(sample_path("alice_zn")) as file:  # 0.97: rates are no whole numbers
        cells = file.cells(0, 2048).astype(np.float32) * np.float32(0.97)
    return replace(simulator, engine=Replay(simulator.engine, cells))


def end_to_end(folder: Path, replay: bool, showers: int, images: bool) -> dict[str, Any]:
    """One production in this process, which should be fresh."""
    simulator = loaded(folder, replay)
    particles = Particles.like(sample_path(simulator.detector.name), simulator.detector)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.h5"
        made = generate(simulator, particles, out, showers=showers, batch=BATCH, images=images)
    return made.record() | {"peak_memory_mb": peak_memory_mb()}


def stages(folder: Path, replay: bool) -> dict[str, float]:
    """Microseconds of CPU a shower, of each stage at batch 256."""
    simulator = loaded(folder, replay)
    detector = simulator.detector
    particles = Particles.like(sample_path(detector.name), detector)
    latent_stream, count_stream = block_streams(0, 0)
    rows = range(BATCH)
    known = particles.of(rows)
    latents = draw_latents(latent_stream, BATCH, simulator.latent_size)
    rates = simulator.expected(latents, known["conditions"]).copy()
    cells = draw_counts(rates, simulator.sampling, count_stream)
    inner = getattr(simulator.engine, "inner", simulator.engine)
    conditions = known["conditions"].astype(np.float32)
    work: dict[str, Callable[[], object]] = {
        "latents": lambda: draw_latents(latent_stream, BATCH, simulator.latent_size),
        "conditions": lambda: particles.of(rows),
        "network": lambda: inner.run(latents, conditions),
        "counts": lambda: draw_counts(rates, simulator.sampling, count_stream),
        "channel sums": lambda: detector.read_out(cells),
    }
    figures = {name: microseconds(call) for name, call in work.items()}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "out.h5"
        scheme = detector.scheme().scheme
        columns = tuple(name for name in ("pdg",) if name in known)
        with ShowerWriter(path, detector, {}, columns=columns, channels_scheme=scheme) as writer:
            place = iter(range(0, 10**9, BATCH))

            def write() -> None:
                start = next(place)
                writer.append(cells, **particles.of(range(start, start + BATCH)))

            figures["write (sums included)"] = microseconds(write)
    return figures


def microseconds(call: Callable[[], object], rounds: int = 30) -> float:
    """Median CPU time a shower."""
    call()
    times = []
    for _ in range(rounds):
        before = time.process_time()
        call()
        times.append(time.process_time() - before)
    return median(times) / BATCH * 1e6


def table(name: str, results: dict[str, Any]) -> str:
    """Markdown of the figures."""
    load = os.getloadavg()[0]
    lines = [
        f"# Generation: {name}",
        "",
        f"{processor()}, {os.cpu_count()} cores, load {load:.1f} at the end; one thread, batch "
        f"{BATCH}. Command: `python benchmarks/generation.py {' '.join(sys.argv[1:])}`.",
        "",
        "| stage | CPU us a shower |",
        "|---|---|",
        *(f"| {stage} | {value:.2f} |" for stage, value in results["stages"].items()),
        "",
        "| end to end, to HDF5 | showers | showers/s (wall) | showers/s/core (CPU) | peak MB "
        "| bytes a shower |",
        "|---|---|---|---|---|---|",
    ]
    for what, made in results["end to end"].items():
        lines.append(
            f"| {what} | {made['showers']} | {made['showers_per_second']:.0f} "
            f"| {made['showers'] / made['cpu_seconds']:.0f} | {made['peak_memory_mb']:.0f} "
            f"| {made['megabytes'] * 1e6 / made['showers']:.0f} |"
        )
    return "\n".join([*lines, ""])


def fresh(arguments: list[str], **task: Any) -> Any:
    """Run a task of this file in a process of its own and return its answer."""
    command = [sys.executable, __file__, *arguments, "--task", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


TASKS: dict[str, Callable[..., Any]] = {
    "stages": lambda folder, replay: stages(Path(folder), replay),
    "end to end": lambda folder, replay, showers, images: end_to_end(
        Path(folder), replay, showers, images
    ),
    "untrained": lambda kind, folder: untrained(kind, Path(folder)),
}


def main() -> None:
    """Measure and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulator", default="alice_zn")
    parser.add_argument("--untrained", help="light, o2 or reference, with random weights")
    parser.add_argument("-n", type=int, default=50_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        task = json.loads(options.task)
        print(json.dumps(TASKS[task.pop("what")](**task)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder, name = Path(scratch) / "simulator", f"untrained {options.untrained}"
        if options.untrained:
            fresh([], what="untrained", kind=options.untrained, folder=str(folder))
        else:
            folder, name = find_simulator(options.simulator), options.simulator
        task = {"folder": str(folder), "replay": bool(options.untrained)}
        whole = {"what": "end to end", "showers": options.n}
        results = {
            "stages": fresh([], what="stages", **task),
            "end to end": {
                "images, sums, conditions": fresh([], images=True, **whole, **task),
                "sums, conditions": fresh([], images=False, **whole, **task),
            },
        }
    text = table(name, results)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
