"""A run under way: what one step does, and what is kept of it.

Seconds spent on a run, those before a resumption included.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from caloforge import checkpoint
from caloforge.data.batches import Batch, Batches
from caloforge.errors import DataError, UsageError
from caloforge.export.onnx_builder import export_simulator
from caloforge.io.files import remove_unfinished
from caloforge.objectives import NonFinite
from caloforge.objectives.gan_step import PLAYERS
from caloforge.recipe import Recipe, Training
from caloforge.reporter import Reporter
from caloforge.training import metrics
from caloforge.training.average import Average
from caloforge.training.callbacks import Callback
from caloforge.training.dataset import Dataset
from caloforge.training.distributed import DistributedContext
from caloforge.training.folder import RunFolder
from caloforge.training.game import Game
from caloforge.training.phases import Phase, current
from caloforge.training.validation import Best, Validation
from caloforge.training.warnings import Losses, warnings_of


@dataclass
class Clock:
    """Wall-clock and processor seconds of this process since the run began."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    _wall: float = field(default_factory=time.perf_counter)
    _processor: float = field(default_factory=time.process_time)

    def read(self) -> dict[str, float]:
        """Seconds up to now, by name."""
        return {
            "seconds": self.seconds + time.perf_counter() - self._wall,
            "cpu_seconds": self.cpu_seconds + time.process_time() - self._processor,
        }


MOST_LINES = 10
"""Lines of metrics up to a score, that one included."""
FEWEST_STEPS = 20
"""Between two lines without a score."""


def line_interval(training: Training) -> int:
    """Steps between two lines of metrics."""
    return max(FEWEST_STEPS, training.validation_interval // MOST_LINES)


def columns_of(recipe: Recipe, game: Game) -> list[str]:
    """Names of all numbers of the lines of a run."""
    objectives = [recipe.start.objective] if recipe.start else []
    losses = [
        f"losses/{player}/{name}"
        for player in PLAYERS
        for objective in (*objectives, recipe.objective)
        for weight, term in objective.terms
        if weight and term.plays(player)
        for name in term.logged(player)
    ]
    rates = [f"learning_rate/{name}" for name in game.networks]
    scores = ["score", "best_score", "best_step", "empty"]
    times = ["seconds", "cpu_seconds"]
    return list(dict.fromkeys(["step", *losses, *scores, *rates, *times]))


@dataclass
class Run:
    """A run under way, at ``step`` of its recipe's steps."""

    recipe: Recipe
    dataset: Dataset
    folder: RunFolder
    context: DistributedContext
    reporter: Reporter
    game: Game
    phases: tuple[Phase, ...]
    batches: Batches
    average: Average
    validation: Validation
    best: Best = field(default_factory=Best)
    means: metrics.Means = field(default_factory=metrics.Means)
    """Since the last score."""
    recent: metrics.Means = field(default_factory=metrics.Means)
    """Since the last line of metrics."""
    callbacks: Sequence[Callback] = ()
    clock: Clock = field(default_factory=Clock)
    step: int = 0
    warned: set[str] = field(default_factory=set)
    """Kinds of warnings that were given."""
    saved: int = -1
    """Step of the last checkpoint."""

    def begin(self, facts: Mapping[str, Any]) -> None:
        """A fresh folder, with a checkpoint of step 0."""
        if self.context.leads:
            # Whether it may be replaced was checked before the showers were read.
            self.folder.create(self.recipe, facts, overwrite=True)
        self.context.wait()
        self.begin_callbacks()
        self.save()

    def resume(self) -> None:
        """Go back to where the last checkpoint was written, the lines of metrics included."""
        self.restore(checkpoint.load(self.folder.checkpoint))
        self.context.wait()
        if self.context.leads:
            remove_unfinished(self.folder.path)
            self.folder.go_on(self.recipe)
            metrics.truncate(self.folder.metrics, self.step)
        self.begin_callbacks()

    def begin_callbacks(self) -> None:
        """Tell them what the run will log, and what it has logged."""
        lines = metrics.read(self.folder.metrics) if self.callbacks else []
        columns = columns_of(self.recipe, self.game)
        for one in self.callbacks:
            one.begin(self.folder.path, columns, lines, self.step)

    def play(self, stream: Iterator[Batch]) -> metrics.Parts:
        """One step."""
        phase = current(self.phases, self.step)
        number = self.step - phase.first
        try:
            parts = phase.game.step(stream, number)
        except NonFinite as error:
            checkpoint = (
                f"{self.folder.checkpoint} holds step {self.saved}" if self.saved >= 0 else ""
            )
            raise NonFinite(
                f"{error} in step {self.step + 1}; {checkpoint}".rstrip("; ")
            ) from error
        # Counted in the phase: the average of a game forgets its start.
        self.average.update(self.game.networks["generator"], number)
        self.means.add(parts)
        self.recent.add(parts)
        self.step += 1
        for one in self.callbacks:
            one.step(self.step, parts)
        return parts

    def log_and_checkpoint(self, leave: bool) -> None:
        """Score and checkpoint when they are due; the line of a step precedes its checkpoint."""
        training, last = self.recipe.training, self.step == self.recipe.training.steps
        if last or self.step % training.validation_interval == 0:
            self.judge()
        elif self.step % line_interval(training) == 0:
            self.write_line({})
        if last or leave or self.step % training.checkpoint_interval == 0:
            self.save()

    def judge(self) -> None:
        """Score the averaged generator, keep it if it is the best, write a line of metrics."""
        losses = self.means.take()
        if not self.context.leads:
            return
        score = self.validation.score(self.average.network, self.context.device)
        self.warn(losses, score.empty)
        self.best.offer(score.distance, self.step, self.average.network)
        best = {"best_score": self.best.score, "best_step": self.best.step}
        self.write_line({"score": score.distance, **best, "empty": score.empty})

    def write_line(self, scored: Mapping[str, Any]) -> None:
        """A line of metrics: losses since the line before it, and what was scored."""
        losses = self.recent.take()
        if not self.context.leads:
            return
        optimisers = current(self.phases, self.step - 1).game.optimisers
        rates = {name: o.param_groups[0]["lr"] for name, o in optimisers.items()}
        record = {"step": self.step, "losses": losses, **scored, "learning_rate": rates}
        record |= self.clock.read()
        metrics.append(self.folder.metrics, record)
        for one in self.callbacks:
            one.line(record)

    def warn(self, losses: Losses, empty: float) -> None:
        """Say what is wrong, each kind of thing once."""
        there = self.validation.really_empty
        lines = warnings_of(self.recipe.objective, losses, empty=empty, really_empty=there)
        for kind, line in lines:
            if kind not in self.warned:
                self.warned.add(kind)
                self.reporter.warn(f"step {self.step}: {line}")

    def note(self, parts: metrics.Parts) -> str:
        """Losses and scores for the progress line."""
        losses = [
            f"{player} " + " ".join(f"{value:.3g}" for value in terms.values())
            for player, terms in parts.items()
        ]
        best = [f"best score {self.best.score:.4g}"] if self.best.weights else []
        return ", ".join(losses + best)

    def save(self) -> None:
        """Write a checkpoint; every process of the context takes part."""
        random = self.context.gather(self.game.random.get_state())
        self.saved = self.step
        if self.context.leads:
            checkpoint.save(self.folder.checkpoint, self.state() | {"random": random})
            for one in self.callbacks:
                one.checkpoint(self.step, self.folder.checkpoint)

    def state(self) -> dict[str, Any]:
        """Everything that changes during a run but the random numbers of the processes."""
        return {
            "step": self.step,
            "networks": {name: net.state_dict() for name, net in self.game.networks.items()},
            "optimisers": {name: o.state_dict() for name, o in self.game.optimisers.items()},
            "start": self.start.state_dict() if self.start else None,
            "average": self.average.network.state_dict(),
            "best": vars(self.best),
            "means": vars(self.means),
            "recent": vars(self.recent),
            "clock": self.clock.read(),
        }

    @property
    def start(self) -> torch.optim.Optimizer | None:
        """The generator's optimiser before the game, while that is to come."""
        phase = current(self.phases, self.step)
        return None if phase is self.phases[-1] else phase.game.optimisers["generator"]

    def restore(self, state: dict[str, Any]) -> None:
        """Take all that ``state`` and ``save`` put into a checkpoint."""
        try:
            random = state["random"]
            if len(random) != self.context.world:
                raise UsageError(f"{self.folder.path} was trained by {len(random)} processes")
            for name, network in self.game.networks.items():
                network.load_state_dict(state["networks"][name])
                self.game.optimisers[name].load_state_dict(state["optimisers"][name])
            self.average.network.load_state_dict(state["average"])
            self.best = Best(**state["best"])
            self.means = metrics.Means(**state["means"])
            self.recent = metrics.Means(**state.get("recent", {}))
            self.clock = Clock(**state["clock"])
            self.step = self.saved = int(state["step"])
            if self.start:
                self.start.load_state_dict(state["start"])
            self.game.random.set_state(random[self.context.rank])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            flaw = " ".join(str(error).split())[:200]
            raise DataError(f"{self.folder.checkpoint}: does not fit the recipe: {flaw}") from error

    def write_simulator(self) -> None:
        """The best generator as simulator/, if any was scored."""
        if not self.context.leads or self.best.weights is None:
            return
        self.average.network.load_state_dict(self.best.weights)
        export_simulator(
            self.average.network,
            self.dataset.detector(self.recipe),
            self.folder.record(),
            self.dataset.conditions,
            self.folder.simulator,
            latent_size=self.game.latent_size,
            sampling=self.game.sampling,
            provenance=self.dataset.provenance,
            species=self.dataset.species,
            cpu_seconds=float(self.clock.read()["cpu_seconds"]),
            overwrite=True,
        )
