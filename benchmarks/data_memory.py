"""Resident memory while batches are drawn from a ZN file that is larger than the buffer.

    python -m benchmarks.data_memory [--rows 295867] [--steps 400] [--torch | --recipe sdi-gan]

Makes a file of the papers' size (repeats of the shipped sample under new particle numbers) in a
temporary folder, draws batches with every derived column, and prints VmHWM and the time a batch;
with ``--recipe`` it trains on the file instead, with one score on validation particles.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from caloforge.data.batches import Batches
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, Showers, ShowerWriter, read
from caloforge.data.split import split_by_particle

NEEDS = frozenset({"spread", "twin", "peak"})
MEGABYTE = 2**20


def make_file(path: Path, rows: int) -> None:
    """Copies of the sample, particle numbers counting on, until there are so many rows."""
    sample = read(sample_path("alice_zn"))
    step = int(sample.particle.max()) + 1
    with ShowerWriter(path, sample.detector, {"engine": "repeats of the sample"}) as writer:
        for copy, start in enumerate(range(0, rows, len(sample))):
            part = sample.rows(slice(0, min(len(sample), rows - start)))
            numbers = part.particle + copy * step
            writer.extend(
                Showers(
                    part.detector,
                    part.cells,
                    part.conditions,
                    numbers,
                    part.pdg,
                    part.cpu_seconds,
                )
            )


def draw(path: Path, steps: int, with_torch: bool) -> None:
    """Draw batches in this process and print what it cost."""
    if with_torch:
        import torch

        torch.zeros(1)
    before = peak_bytes()
    start = time.perf_counter()
    with ShowerFile(path) as file:
        train = split_by_particle(file.particle, seed=0).train
        batches = Batches(file, train, seed=0, needs=NEEDS)
        ready = time.perf_counter()
        print(
            f"file: {len(file)} rows, {path.stat().st_size / MEGABYTE:.0f} MB on disk, "
            f"{len(file) * 1936 * 2 / MEGABYTE:.0f} MB of cells"
        )
        for step in range(steps):
            batches.at(step)
        # Each pass of a large file fills the buffer several times: start the next one too.
        batches.at(len(batches) + 1)
    end = time.perf_counter()
    print(f"opening and spreads: {ready - start:.1f} s")
    print(
        f"{steps} batches of 16 x 8: {1000 * (end - ready) / steps:.2f} ms each, buffers included"
    )
    print(
        f"VmHWM: {before / MEGABYTE:.0f} MB after imports"
        f"{' (with torch)' if with_torch else ''}, {peak_bytes() / MEGABYTE:.0f} MB at the end"
    )


def train_on(path: Path, recipe: str, steps: int) -> None:
    """Train a recipe for some steps in this process and print its memory."""
    from caloforge.recipe import override
    from caloforge.recipes import recipe_of_name
    from caloforge.train import train

    with ShowerFile(path) as file:
        detector = file.detector.name
    settings = [f"training.steps={steps}", f"training.validation_interval={steps}"]
    config = override(recipe_of_name(recipe, detector), settings)
    run = train(config, path, path.parent / "run", threads=1)
    print(f"{recipe}: {steps} steps and a score, {run.summary()['cpu_seconds']:.0f} CPU s")
    print(f"VmHWM: {peak_bytes() / MEGABYTE:.0f} MB at the end")


def peak_bytes() -> int:
    """Greatest resident memory of this process so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def processor() -> str:
    """Name of the CPU."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main() -> None:
    """Make the file in one process, draw in a fresh one: only its memory counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=295_867)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--torch", action="store_true", help="import torch first")
    parser.add_argument("--recipe", help="train this recipe instead")
    parser.add_argument("--file", type=Path, help="draw from this file (used by the script itself)")
    options = parser.parse_args()
    if options.file and options.recipe:
        train_on(options.file, options.recipe, options.steps)
        return
    if options.file:
        draw(options.file, options.steps, options.torch)
        return
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, numpy {np.__version__}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.h5"
        make_file(path, options.rows)
        flags = ["--torch"] if options.torch else []
        flags += ["--recipe", options.recipe] if options.recipe else []
        arguments = ["--file", str(path), "--steps", str(options.steps), *flags]
        subprocess.run([sys.executable, "-m", "benchmarks.data_memory", *arguments], check=True)


if __name__ == "__main__":
    main()
