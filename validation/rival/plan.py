"""One long training of the flow, judged whenever it has used so many CPU seconds, and its speed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, write
from caloforge.evaluate.inputs import load
from caloforge.export.onnx_builder import export_simulator
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import draw_counts, draw_latents
from caloforge.training.dataset import Dataset, divide
from validation.metrics import SEED, case_of_run, conditional_by_particle
from validation.rival.training import FlowTraining, Settings, train
from validation.runner import WORK, Record, Records
from validation.training_runs import FORMAT, VERSION, circumstances_of_run, last_third
from validation.zn.measures import SETTINGS, evaluated, shown_particles_of

DETECTOR, SHIPPED_NAME, LABEL = "alice_zn", "alice_zn", "flow matching"
CHECKPOINT = "checkpoint.pt"
CPU_SECONDS = (300, 530, 634, 1800, 5400, 9000, 14_400)
"""When the training is judged; 634 is what the shipped simulator took."""
BATCHES, ROUNDS = (1, 256), 3


def plan(quick: bool, seed: int, records: Records) -> Iterator[FlowRun | TimingRun]:
    """The training as far as each number of CPU seconds; speed after the first of them."""
    del records
    seconds = (5,) if quick else CPU_SECONDS
    yield FlowRun(seconds[0], Settings(seed))
    yield TimingRun(Settings(seed))
    for one in seconds[1:]:
        yield FlowRun(one, Settings(seed))


def references() -> Record:
    """Real showers for the picture, and the shipped simulator on the same test particles."""
    case = load(SHIPPED_NAME, sample_path(DETECTOR), seed=SEED)
    particles = shown_particles_of(case.real, case.real)
    return {"by_particle": conditional_by_particle(case), "shown": particles}


@dataclass(frozen=True)
class FlowRun:
    """The one training as far as a number of CPU seconds, judged on the test particles."""

    cpu_seconds: int
    settings: Settings
    part = "final"

    @property
    def name(self) -> str:
        """File name of the record."""
        return f"final-{self.cpu_seconds}-cpu-seconds-seed{self.settings.seed}"

    def is_record_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of these settings."""
        return record.get("settings") == asdict(self.settings)

    def execute(self, folder: Path) -> Record:
        """Train on, export, generate, judge; Terminated after SIGTERM."""
        torch.set_num_threads(1)
        training, path = training_of(folder, self.settings), folder / CHECKPOINT
        train(training, lambda one: one.cpu_seconds >= self.cpu_seconds, path)
        if training.step not in training.curve["step"]:
            training.score()
            training.save(path)
        record = header(self.name, self.settings) | {
            "part": self.part,
            "label": LABEL,
            "method": LABEL,
            "weight": None,
            "steps": training.step,
            "cpu_seconds": round(training.cpu_seconds, 1),
            "learning_curve": training.curve,
            "last_third": last_third(training.curve["score"]),
            "rounding": "nearest" if training.trained().whole else "stochastic",
            "validation_score": min(
                training.curve[name][-1] for name in ("score", "score_nearest")
            ),
        }
        case = case_of_run(
            exported(training, folder), sample_path(DETECTOR), SETTINGS.training_files
        )
        write(folder / WORK / f"{self.name}.h5", case.generated, overwrite=True)
        record |= evaluated(case)
        score = record["test"]["conditional_w1"]["value"]
        return record | {"outcome": f"{training.step} steps, conditional W1 {score:.2f}"}


@dataclass(frozen=True)
class TimingRun:
    """CPU time of a shower beside that of the shipped simulator, in turn, on one core."""

    settings: Settings
    part = "timing"
    name = "timing"

    def is_record_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of these settings."""
        return record.get("settings") == asdict(self.settings)

    def execute(self, folder: Path) -> Record:
        """Noise, network and counts of batches of real particles; Terminated never."""
        from benchmarks.timing import take_turns

        folder_of_flow = exported(training_of(folder, self.settings), folder)
        simulators = {
            LABEL: Simulator.load(folder_of_flow),
            SHIPPED_NAME: Simulator.load(SHIPPED_NAME),
        }
        with ShowerFile(sample_path(DETECTOR)) as file:
            conditions = file.conditions[:: len(file) // max(BATCHES)].astype(np.float32)
        microseconds: Record = {}
        for batch in BATCHES:
            work = {
                name: partial(generate, one, conditions, batch) for name, one in simulators.items()
            }
            timings = take_turns(work, ROUNDS)
            microseconds[str(batch)] = {
                name: round(timings.median(name) / showers_of(batch) * 1e6, 1) for name in work
            } | {"ratio": asdict(timings.ratio(LABEL, SHIPPED_NAME))}
        record = header(self.name, self.settings) | {"part": self.part, "label": LABEL}
        return record | {"microseconds": microseconds, "seed": self.settings.seed}


def generate(simulator: Simulator, conditions: NDArray[np.float32], batch: int) -> None:
    """Showers of so many particles at once."""
    rng = np.random.default_rng(SEED)
    for start in range(0, showers_of(batch), batch):
        latents = draw_latents(rng, batch, simulator.latent_size)
        rates = simulator.engine.run(latents, conditions[start : start + batch])
        draw_counts(rates, simulator.sampling, rng)


def showers_of(batch: int) -> int:
    """Showers of one timing."""
    return max(batch, 32)


def dataset() -> Dataset:
    """Training and validation particles of all recipes on the neutron calorimeter."""
    with ShowerFile(sample_path(DETECTOR)) as file:
        return divide(file, SETTINGS)


def training_of(folder: Path, settings: Settings) -> FlowTraining:
    """The training where its checkpoint stands, or at its beginning."""
    training = FlowTraining(dataset(), settings)
    if (folder / CHECKPOINT).is_file():
        training.restore(folder / CHECKPOINT)
    return training


def exported(training: FlowTraining, folder: Path) -> Path:
    """A simulator folder of the averaged network, so that the same engine judges and times it."""
    out = folder / WORK / "simulator"
    network = training.trained()
    export_simulator(
        network,
        training.validation.detector,
        {"data": SETTINGS.model_dump(mode="json")},
        training.conditions,
        out,
        latent_size=training.validation.cells.shape[1],
        sampling="rounding",
        cpu_seconds=training.cpu_seconds,
        overwrite=True,
    )
    return out


def header(name: str, settings: Settings) -> Record:
    """What a record says of its making."""
    data, values = sample_path(DETECTOR), asdict(settings)
    return {
        "format": FORMAT,
        "version": VERSION,
        "study": "rival",
        "seed": settings.seed,
        "command": f"python -m validation rival --only {name}",
        "settings": values,
        "recipe_sha256": hashlib.sha256(json.dumps([name, values]).encode()).hexdigest(),
        **circumstances_of_run(data, "cpu", SETTINGS.training_files),
    }
