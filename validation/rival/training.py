"""Training of the flow: checkpoints, a learning curve on validation particles, CPU seconds.

Batches, noise and times are functions of seed and step, so that a run that goes on is the same.
Shapes: N rows, K cells.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caloforge import checkpoint
from caloforge.data.batches import Batches
from caloforge.data.derive import FeatureScaling
from caloforge.errors import Terminated, UsageError
from caloforge.evaluate.metrics.wasserstein import fast_score
from caloforge.machine import asked_to_leave
from caloforge.simulator.sampling import draw_counts, draw_latents
from caloforge.training.average import Average
from caloforge.training.dataset import Dataset, rows_of
from validation.rival.network import BASE, FlowGenerator

CHECKPOINT_SECONDS = 120.0
SCORE_CPU_SECONDS = (100.0, 300.0)
"""Between two scores: as much as was trained before, within these bounds."""
ROWS = 64
"""Showers that are generated at once."""


@dataclass(frozen=True)
class Settings:
    """Adam as published; the rest was chosen here."""

    seed: int = 0
    rows: int = 64
    """Of a batch: one shower each of so many particles."""
    learning_rate: float = 4.4e-4
    beta1: float = 0.7
    beta2: float = 0.88
    average: float = 0.999
    """Decay of the running average of the weights, which is what generates."""
    base: int = BASE


class FlowTraining:
    """Network, optimiser and average at a step; only training counts as CPU seconds."""

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        self.settings, self.validation = settings, dataset.validation
        self.conditions = dataset.conditions
        detector = dataset.source.detector
        scaling = FeatureScaling.fit(detector, dataset.conditions)
        rows = dataset.source.groups().select(dataset.train).row_index()
        logs = np.log1p(rows_of(dataset.source, rows).cells, dtype=np.float32)
        torch.manual_seed(settings.seed)
        self.generator = FlowGenerator(
            detector, scaling, float(logs.mean()), float(logs.std()), settings.base
        )
        self.optimiser = torch.optim.Adam(
            self.generator.parameters(),
            settings.learning_rate,
            (settings.beta1, settings.beta2),
            foreach=True,
        )
        self.average = Average(self.generator, settings.average)
        self.batches = Batches(
            dataset.source, dataset.train, seed=settings.seed, particles=settings.rows, repeats=1
        )
        self.step, self.cpu_seconds, self.losses = 0, 0.0, [0.0, 0.0]
        self.curve: dict[str, list[float]] = {
            name: [] for name in ("step", "cpu_seconds", "loss", "score", "score_nearest")
        }

    def take_step(self) -> None:
        """One batch."""
        start = time.process_time()
        batch = self.batches.at(self.step)
        noise = torch.Generator().manual_seed((self.settings.seed << 32) + self.step)
        cells, conditions = torch.from_numpy(batch.real), torch.from_numpy(batch.conditions)
        loss = self.generator.loss(cells, conditions, noise)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.average.update(self.generator, self.step)
        self.step += 1
        self.losses = [self.losses[0] + loss.item(), self.losses[1] + 1]
        self.cpu_seconds += time.process_time() - start

    @property
    def is_score_due(self) -> bool:
        """Whether enough CPU seconds have passed since the last score."""
        last = (self.curve["cpu_seconds"] or [0.0])[-1]
        return self.cpu_seconds >= last + min(max(last, SCORE_CPU_SECONDS[0]), SCORE_CPU_SECONDS[1])

    def score(self) -> None:
        """Conditional W1 of the validation particles by both ways of rounding."""
        rng = np.random.default_rng(self.settings.seed)
        rates = self.expected(
            draw_latents(rng, len(self.validation), self.validation.cells.shape[1])
        )
        by_rounding = {"score": rates, "score_nearest": np.rint(rates)}
        values = {
            "step": self.step,
            "cpu_seconds": round(self.cpu_seconds, 1),
            "loss": round(self.losses[0] / max(1, self.losses[1]), 4),
        }
        for name, counts in by_rounding.items():
            cells = draw_counts(counts, "rounding", rng)
            values[name] = round(
                fast_score(self.validation, replace(self.validation, cells=cells)), 4
            )
        for name, value in values.items():
            self.curve[name].append(value)
        self.losses = [0.0, 0.0]

    @torch.inference_mode()
    def expected(self, latents: NDArray[np.float32]) -> NDArray[np.float32]:
        """Expected counts of the validation particles, not more than a file holds.  (N, K)"""
        conditions = torch.from_numpy(self.validation.conditions.astype(np.float32))
        noise = torch.from_numpy(latents)
        pairs = zip(torch.split(noise, ROWS), torch.split(conditions, ROWS), strict=True)
        parts: list[Tensor] = [self.average.network(*pair) for pair in pairs]
        return torch.cat(parts).clamp(max=65_000).numpy()

    def trained(self) -> FlowGenerator:
        """The averaged network, with the rounding that was better on validation particles."""
        network = self.average.network
        assert isinstance(network, FlowGenerator)
        network.whole = self.curve["score_nearest"][-1] < self.curve["score"][-1]
        return network

    def save(self, path: Path) -> None:
        """Everything that a run needs to go on."""
        state = {name: getattr(self, name) for name in ("step", "cpu_seconds", "losses", "curve")}
        parts = {name: getattr(self, name).state_dict() for name in ("generator", "optimiser")}
        average = self.average.network.state_dict()
        settings = asdict(self.settings)
        checkpoint.save(path, state | parts | {"average": average, "settings": settings})

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint; UsageError for one of other settings."""
        state = checkpoint.load(path)
        if state["settings"] != asdict(self.settings):
            raise UsageError(f"{path}: a checkpoint of other settings; choose another folder")
        for name in ("step", "cpu_seconds", "losses", "curve"):
            setattr(self, name, state[name])
        self.generator.load_state_dict(state["generator"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.network.load_state_dict(state["average"])


def train(training: FlowTraining, until: Callable[[FlowTraining], bool], path: Path) -> None:
    """Steps until it is enough; Terminated after SIGTERM. Both leave a checkpoint."""
    saved = time.monotonic()
    with asked_to_leave() as leaving:
        while not until(training):
            training.take_step()
            if training.is_score_due:
                training.score()
            if leaving() or time.monotonic() - saved >= CHECKPOINT_SECONDS:
                training.save(path)
                saved = time.monotonic()
            if leaving():
                raise Terminated(f"stopped by SIGTERM; {path} can be resumed")
    training.save(path)
