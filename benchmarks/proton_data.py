"""From pickles of the papers' size to the first batch of training: time and resident memory.

    python -m benchmarks.proton_data [--rows 344228] [--seed 0] [--recipe RECIPE] [--folder /tmp]

Makes synthetic showers in the authors' format (images float64, a table of particles; needs pandas),
converts them with the command line, then opens the result in a fresh process and draws the first
batch, and trains a few steps in another. Nothing in them is physics; sizes, zeros, photon sums and
repeats are those of the real set, rows of a particle apart.
"""

import argparse
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_memory import MEGABYTE, peak_bytes, processor, train_on

COLUMNS = ("Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge")
MEAN = (1380, 0, 0, 0, 0, 0, 1380, 938.272, 1)
"""Energies are those of the drawn momenta."""
DEVIATION = (170, 1e-3, 1e-3, 4, 0.1, 0.1, 170, 0, 0)
SHAPE = (56, 30)
REPEATS = 29
"""Rows of one particle: 186 097 of 6 505."""
MEDIAN_SUM, WIDTH, LARGEST_SUM = 5.0, 1.65, 2312
"""Photon sums: log-normal with quartiles near 2, 5 and 18."""
BLOCK = 4096
NEEDS = frozenset({"spread", "twin", "peak", "intensity"})
STEPS = 20


def photons(rows: int, rng: np.random.Generator) -> Any:
    """Counts in a few pixels about random centres.  (rows, 56, 30)"""
    images = np.zeros((rows, *SHAPE))
    sums = np.exp(rng.normal(np.log(MEDIAN_SUM), WIDTH, rows)).clip(1, LARGEST_SUM).astype(int)
    row = np.repeat(np.arange(rows), sums)
    centres = rng.uniform((4, 4), (52, 26), (rows, 2))
    places = np.rint(centres[row] + rng.normal(0, 2.5, (len(row), 2))).astype(int)
    x, y = np.clip(places, 0, np.array(SHAPE) - 1).T
    np.add.at(images, (row, x, y), 1.0)
    return images


def make_pickles(folder: Path, rows: int, seed: int) -> tuple[Path, Path]:
    """Images and particles as the authors name them; images go through a file, not memory."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    scratch = folder / "images.raw"
    images = np.memmap(scratch, "f8", "w+", shape=(rows, *SHAPE))
    for start in range(0, rows, BLOCK):
        images[start : start + BLOCK] = photons(min(BLOCK, rows - start), rng)
    particles = rng.normal(MEAN, DEVIATION, (-(-rows // REPEATS), len(COLUMNS)))
    momentum, mass = particles[:, 4:7], particles[:, 7] / 1000
    particles[:, 0] = np.sqrt((momentum**2).sum(axis=1) + mass**2)
    table = pd.DataFrame(particles[rng.permutation(rows) % len(particles)], columns=list(COLUMNS))
    table["proton_photon_sum"] = images.sum(axis=(1, 2))
    paths = (
        folder / "data_proton_photonsum_proton_1_2312.pkl",
        folder / "data_cond_photonsum_proton_1_2312.pkl",
    )
    for path, value in zip(paths, (np.asarray(images), table), strict=True):
        with path.open("wb") as file:
            pickle.dump(value, file, protocol=5)
    scratch.unlink()
    return paths


def convert(sources: list[Path], out: Path) -> None:
    """Convert in this process and print what it cost."""
    from caloforge.cli import main as caloforge

    start = time.perf_counter()
    code = caloforge(["data", "convert", *map(str, sources), "--allow-pickle", "--out", str(out)])
    assert code == 0
    size = sum(source.stat().st_size for source in sources)
    print(
        f"convert: {size / MEGABYTE:.0f} MB of pickles to {out.stat().st_size / MEGABYTE:.0f} MB, "
        f"{time.perf_counter() - start:.1f} s, VmHWM {peak_bytes() / MEGABYTE:.0f} MB "
        f"({peak_bytes() / size:.2f} x)"
    )


def first_batch(path: Path) -> None:
    """Draw the first batch in this process and print what it cost."""
    import torch

    from caloforge.data.batches import Batches
    from caloforge.data.showers import ShowerFile
    from caloforge.data.split import split_by_particle

    torch.set_num_threads(1)
    start, before, cpu_before = time.perf_counter(), peak_bytes(), time.process_time()
    with ShowerFile(path) as file:
        train = split_by_particle(file.particle, seed=0).train
        open_end = time.perf_counter()
        batches = Batches(file, train, seed=0, needs=NEEDS)
        ready = time.perf_counter()
        batches.at(0)
    end = time.perf_counter()
    parts = (open_end - start, ready - open_end, end - ready)
    print(
        f"first batch: {end - start:.2f} s, CPU {time.process_time() - cpu_before:.2f} s (open, "
        f"spreads, fill the buffer and draw: {', '.join(f'{part:.2f}' for part in parts)} s), "
        f"{len(train)} particles; VmHWM {before / MEGABYTE:.0f} MB after imports, "
        f"{peak_bytes() / MEGABYTE:.0f} MB at the end"
    )


def main() -> None:
    """Each part in a process of its own: only its memory counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=344_228)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", default="calibrated", help="train this one for 20 steps")
    parser.add_argument("--folder", type=Path, help="where to make files (6 GB, removed)")
    parser.add_argument("--part", nargs="+", help="used by the script itself")
    options = parser.parse_args()
    if options.part:
        part, *paths = options.part
        PARTS[part](options, *map(Path, paths))
        return
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, Python {platform.python_version()}, numpy {np.__version__}",
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        sources = make_pickles(Path(folder), options.rows, options.seed)
        out = Path(folder) / "zp.h5"
        batch = ("batch", [out])
        for part, paths in (("convert", [out, *sources]), batch, batch, batch, ("train", [out])):
            arguments = ["--recipe", options.recipe, "--part", part, *map(str, paths)]
            subprocess.run([sys.executable, "-m", "benchmarks.proton_data", *arguments], check=True)


PARTS: dict[str, Callable[..., None]] = {
    "convert": lambda options, out, *sources: convert(list(sources), out),
    "batch": lambda options, path: first_batch(path),
    "train": lambda options, path: train_on(path, options.recipe, STEPS),
}

if __name__ == "__main__":
    main()
