"""What is trained: one recipe on parts of the training particles of three detectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from validation.metrics import table_of
from validation.runner import Records
from validation.training_runs import TrainingRun

METHOD = "calibrated"
PARTS = (0.25, 0.5, 1.0)
SEEDS = 3
QUICK_STEPS = 30


@dataclass(frozen=True)
class Sample:
    """Showers of a detector, all of them, and how long one trains on any part of them."""

    training_particles: int
    training_files: tuple[str, ...]
    steps: int
    settings: tuple[str, ...] = ()


SAMPLES = {
    "alice_zn": Sample(1879, ("alice_zn/part-2",), 6000),
    "alice_zp": Sample(627, ("alice_zp/part-2",), 3000),
    "atlas_em": Sample(22_400, ("atlas_em/part-2",), 3000, ("data.test=0.2",)),
}
"""By detector. The e+ keep a fifth for the test: a classifier of fewer has a larger error."""


def plan(quick: bool, seed: int, records: Records) -> Iterator[TrainingRun]:
    """All runs, one seed of everything first."""
    for number in range(1 if quick else SEEDS):
        for detector, sample in SAMPLES.items():
            for part in PARTS:
                steps = QUICK_STEPS if quick else sample.steps
                yield training_run(detector, sample, part, seed + number, steps)


def training_run(detector: str, sample: Sample, part: float, seed: int, steps: int) -> TrainingRun:
    """A run on so large a part of the training particles."""
    return TrainingRun(
        study="data",
        detector=detector,
        part="final",
        label=label(detector, part),
        method=METHOD,
        seed=seed,
        evaluate=table_of,
        settings=(
            f"data.training_files={json.dumps(sample.training_files)}",
            f"data.training_particles={number_of(sample, part)}",
            f"training.steps={steps}",
            *sample.settings,
        ),
    )


def label(detector: str, part: float) -> str:
    """Name of the runs of a part."""
    return f"{detector}, {part:g}"


def number_of(sample: Sample, part: float) -> int:
    """Training particles of a part."""
    return round(part * sample.training_particles)
