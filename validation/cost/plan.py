"""What is trained: one recipe with generators of several kinds and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from validation.metrics import table_of
from validation.runner import Records
from validation.training_runs import TrainingRun

METHOD, DETECTOR = "calibrated", "alice_zn"
STEPS, QUICK_STEPS, SEEDS = 4000, 30, 2
LARGE, COUNTS, ONE = "network, batch 256", "counts, batch 256", "O2's graph, batch 1"
"""What is timed of each simulator."""
TIMING, TIMINGS = "python -m validation.cost.timing", "timings.json"
COMMON = ('data.training_files=["alice_zn/part-2"]', "training.average=0.998")


@dataclass(frozen=True)
class Network:
    """A generator and what it is called on the page."""

    label: str
    kind: str
    width: int | None = None

    @property
    def settings(self) -> tuple[str, ...]:
        """Settings of the recipe."""
        width = () if self.width is None else (f"generator.options.width={self.width}",)
        return (f"generator.kind={self.kind}", *width)


NETWORKS = (
    Network("profile, 256", "profile", 256),
    Network("profile, 64", "profile", 64),
    Network("light", "light"),
    Network("o2", "o2"),
    Network("mlp", "mlp"),
    Network("profile, 128", "profile", 128),
    Network("profile, 512", "profile", 512),
)
"""The most telling first; ``profile, 256`` is the default of the recipe."""


def plan(quick: bool, seed: int, records: Records) -> Iterator[TrainingRun]:
    """All runs, one seed of everything first."""
    for number in range(1 if quick else SEEDS):
        for network in NETWORKS:
            yield training_run(network, seed + number, QUICK_STEPS if quick else STEPS)


def training_run(network: Network, seed: int, steps: int) -> TrainingRun:
    """A run of the recipe with this generator; its simulator stays, to be timed."""
    return TrainingRun(
        study="cost",
        detector=DETECTOR,
        part="final",
        label=network.label,
        method=METHOD,
        seed=seed,
        evaluate=table_of,
        settings=(*COMMON, *network.settings, f"training.steps={steps}"),
        keep=True,
    )
