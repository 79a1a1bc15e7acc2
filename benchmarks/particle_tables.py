"""CPU time and memory of ``generate --particles`` beside ``--like``, of the same particles.

    python -m benchmarks.particle_tables [--rows 1000000] [--turns 1]

Writes the particles of the shipped ZN sample again and again as CSV and parquet (extra
``tables``), generates one shower each with the shipped simulator, and prints the CPU time and the
peak memory of the whole command.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np

from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.machine import processor

BLOCK_ROWS = 2**16


def write_tables(folder: Path, rows: int) -> dict[str, list[str]]:
    """Tables of so many particles; the options of generate for each.  By name"""
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    sample = read(sample_path("alice_zn"))
    assert sample.pdg is not None
    names = ["pdg", *sample.detector.columns]
    csv, packed = folder / "particles.csv", folder / "particles.parquet"
    schema = pyarrow.schema([("pdg", "i4"), *((name, "f8") for name in sample.detector.columns)])
    with csv.open("w", encoding="utf-8") as text, parquet.ParquetWriter(packed, schema) as columns:
        text.write(",".join(names) + "\n")
        for start in range(0, rows, BLOCK_ROWS):
            rows_of_sample = np.arange(start, min(start + BLOCK_ROWS, rows)) % len(sample)
            parts = [sample.pdg[rows_of_sample], *sample.conditions[rows_of_sample].T]
            lines = zip(*(part.tolist() for part in parts), strict=True)
            text.writelines(",".join(map(repr, line)) + "\n" for line in lines)
            columns.write_table(pyarrow.table(dict(zip(names, parts, strict=True)), schema))
    like = ["--like", str(sample_path("alice_zn")), "-n", str(rows)]
    return {"like": like, "CSV": ["--particles", str(csv)], "parquet": ["--particles", str(packed)]}


def measure(options: list[str], out: Path) -> tuple[float, float]:
    """CPU seconds and peak memory (MB) of a command in a process of its own."""
    command = [sys.executable, "-m", "caloforge", "generate", "alice_zn", *options]
    command += ["--engine", "onnxruntime", "--out", str(out), "--force", "--quiet", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def main() -> None:
    """Print a row a kind of table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--turns", type=int, default=1, help="measurements of each, in turns")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        kinds = write_tables(Path(scratch), arguments.rows)
        turns = [
            {name: measure(line, Path(scratch) / "out.h5") for name, line in kinds.items()}
            for _ in range(arguments.turns)
        ]
    print(f"{processor()}, one thread, {arguments.rows} particles, {arguments.turns} turns\n")
    print("| particles from | CPU s | over --like | peak memory (MB) |\n| --- | --- | --- | --- |")
    like = median(turn["like"][0] for turn in turns)
    for name in kinds:
        seconds = median(turn[name][0] for turn in turns)
        memory = max(turn[name][1] for turn in turns)
        print(f"| {name} | {seconds:.1f} | {seconds / like:.3f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
