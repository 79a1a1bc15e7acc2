"""``python -m validation.cost.timing``: what the simulators of the runs cost, timed in turn.

Each round times every simulator once, so that all meet the same disturbances; the least time of
the rounds is what the work costs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import onnxruntime
import typer
from numpy.typing import NDArray

from caloforge import cli
from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.detectors import detector_of_name
from caloforge.export.o2 import generator_graph
from caloforge.generate import Particles, generate
from caloforge.io.files import write_aside
from caloforge.machine import processor
from caloforge.simulator import GRAPH, Simulator
from caloforge.simulator.sampling import draw_counts
from validation.cost.plan import (
    COUNTS,
    DETECTOR,
    LARGE,
    NETWORKS,
    ONE,
    SEEDS,
    STEPS,
    TIMING,
    TIMINGS,
    Network,
    training_run,
)  # fmt: skip
from validation.runner import WORK

ROUNDS, ROWS, CALLS = 60, 256, 32
FILES, SHOWERS_OF_FILE = 3, 20 * 1024
SHOWERS = {LARGE: ROWS, COUNTS: ROWS, ONE: CALLS}
"""What is timed, and its showers in each round."""
Array = NDArray[np.float32]
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Option("--folder", help="Folder of the study.")]


@app.command()
def command(folder: Folder = Path("validation/cost")) -> None:
    """Time the simulators that are there, and write timings.json."""
    conditions = read(sample_path(DETECTOR)).conditions[:: 12_264 // ROWS][:ROWS]
    work = {
        (network.label, what): call
        for network in NETWORKS
        for what, call in timed_calls(folder, network, conditions.astype(np.float32))
    }
    least = dict.fromkeys(work, float("inf"))
    for _ in range(ROUNDS):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - start)
    microseconds: dict[str, dict[str, float]] = {}
    for (label, what), seconds in least.items():
        microseconds.setdefault(label, {})[what] = round(1e6 * seconds / SHOWERS[what], 1)
    record = {
        "command": TIMING,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "onnxruntime": onnxruntime.__version__,
        "microseconds": microseconds,
        "showers_per_second": written_per_second(folder),
    }
    text = json.dumps(record, indent=1) + "\n"
    with write_aside(folder / TIMINGS, overwrite=True) as part:
        part.write_text(text, encoding="utf-8")
    typer.echo(text)


def simulator_folder(folder: Path, network: Network) -> Path | None:
    """What the first run of a network that is there left; None where none is."""
    runs = (training_run(network, seed, STEPS) for seed in range(SEEDS))
    paths = (folder / WORK / run.name / "simulator" for run in runs)
    return next((path for path in paths if path.is_dir()), None)


def written_per_second(folder: Path) -> dict[str, int]:
    """Showers that ``generate`` writes to HDF5 in a CPU second, by network: most of a few files.

    Simulators take turns here, too. Batches are those of the other times.
    """
    particles = Particles.like(sample_path(DETECTOR), detector_of_name(DETECTOR))
    simulators = {
        network.label: Simulator.load(path, engine="onnxruntime")
        for network in NETWORKS
        if (path := simulator_folder(folder, network)) is not None
    }
    rates = dict.fromkeys(simulators, 0)
    with TemporaryDirectory() as out:
        for number in range(FILES):
            for label, simulator in simulators.items():
                path = Path(out) / f"{number}.h5"
                written = generate(
                    simulator, particles, path, showers=SHOWERS_OF_FILE, batch=ROWS, overwrite=True
                )
                rates[label] = max(rates[label], round(written.showers / written.cpu_seconds))
    return rates


def timed_calls(
    folder: Path, network: Network, conditions: Array
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is timed of a network; nothing where no run has left a simulator."""
    path = simulator_folder(folder, network)
    if path is None:
        return
    simulator = Simulator.load(path)
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((ROWS, simulator.latent_size), dtype=np.float32)
    whole = session((path / GRAPH).read_bytes())
    yield LARGE, lambda: whole.run(None, {"latent": latent, "conditions": conditions})
    rates = simulator.expected(latent, conditions)
    yield COUNTS, lambda: draw_counts(rates, simulator.sampling, rng)
    bundle = session(generator_graph(simulator))

    def one_by_one() -> None:
        for row in range(CALLS):
            rows = slice(row, row + 1)
            bundle.run(None, {"noise": latent[rows], "particle": conditions[rows]})

    yield ONE, one_by_one


def session(graph: bytes) -> Any:
    """A graph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options)


if __name__ == "__main__":
    sys.exit(cli.run(app, TIMING))
