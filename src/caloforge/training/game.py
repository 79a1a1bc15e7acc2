"""The players and how they play one step: a round each, an Adam each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caloforge.data.batches import Batch
from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.networks.shower_inputs import Views
from caloforge.objectives import GanStep, NonFinite, Objective, Rows
from caloforge.objectives.gan_step import PLAYERS, Player, belongs_to, training_only
from caloforge.recipe import Adam, Optimisers, Recipe, Training
from caloforge.simulator.sampling import Sampling
from caloforge.training.distributed import DistributedContext, precision_of, without_denormals


@dataclass(frozen=True)
class Game:
    """Networks with their optimisers, and what a round needs beside rows."""

    networks: dict[str, nn.Module]
    """``generator``, ``critic`` if a term trains one, helper networks by the name of their term."""
    optimisers: dict[str, torch.optim.Adam]
    objective: Objective
    settings: Optimisers
    training: Training
    views: Views
    latent_size: int
    sampling: Sampling
    precision: torch.dtype
    random: torch.Generator
    context: DistributedContext

    def step(self, batches: Iterator[Batch], number: int) -> dict[str, dict[str, float]]:
        """One round of each player (several of the critic), and the value of each term."""
        parts: dict[str, dict[str, float]] = {}
        rows = None
        remaining = batches_of(self.objective, self.training)
        for player in players(self.training, number):
            for _ in range(rounds(player, self.objective, self.training)):
                if player == "critic" or rows is None:
                    rows = rows_of_batch(next(batches), self.context.device)
                    remaining -= 1
                with without_denormals():
                    parts[player] = self.play(player, rows, number)
        # Every step takes as many batches, so that its number tells where the stream is.
        for _ in range(remaining):
            next(batches)
        return parts

    def play(self, player: Player, rows: Rows, number: int) -> dict[str, float]:
        """One update of one player.

        Raises NonFinite when a term or the gradient is; then no weight of the player has changed.
        """
        names = [name for name in self.networks if belongs_to(name, player)]
        states = [stream.get_state() for stream in self.random_streams]
        for name in names:
            self.optimisers[name].zero_grad()
        with training_only(self.networks, player):
            loss, parts = self.objective(self.round(player, rows, number))
            loss.backward()  # type: ignore[no-untyped-call]
        for name in names:
            self.context.average(self.networks[name])
            if not has_finite_gradient(self.networks[name]):
                whose = (
                    f"the gradient of the {name}{self.blame(player, rows, name, states, number)}"
                )
                raise NonFinite(f"{whose} is NaN or infinite: training stopped")
            self._update(name, getattr(self.settings, player), number)
        return parts

    @property
    def random_streams(self) -> tuple[torch.Generator, ...]:
        """All that a round draws from."""
        return (self.random,)

    def blame(
        self, player: Player, rows: Rows, name: str, states: Sequence[Tensor], step: int
    ) -> str:
        """The first term that makes the gradient of a network not finite by itself, in words.

        ``states``: of the random streams before the round of this step, which failed.
        """
        for number, (_, term) in enumerate(self.objective.terms):
            for stream, state in zip(self.random_streams, states, strict=True):
                stream.set_state(state)
            self.networks[name].zero_grad()
            with training_only(self.networks, player):
                share = self.share_of(number, self.round(player, rows, step))
                if share is not None and share.requires_grad:
                    share.backward()  # type: ignore[no-untyped-call]
            if not has_finite_gradient(self.networks[name]):
                return f" by term {type(term).__name__}"
        return ""

    def share_of(self, number: int, play: GanStep) -> Tensor | None:
        """Weighted mean share of a term, None without one.  ()

        The terms before it are asked, too: a round draws its latents when they are first touched.
        """
        mean = None
        for weight, term in self.objective.terms[: number + 1]:
            share = getattr(term, play.player)(play) if weight else None
            mean = None if share is None else weight * share.mean()
        return mean

    def round(self, player: Player, rows: Rows, step: int) -> GanStep:
        """A round with fresh latents."""
        return GanStep(
            player,
            rows,
            self.networks,
            views=self.views,
            latent_size=self.latent_size,
            random=self.random,
            sampling=self.sampling if self.training.drawn else "continuous",
            precision=self.precision,
            step=step,
            progress=min(step / self.training.steps, 1.0),
            one_pass=self.objective.one_pass,
        )

    def _update(self, name: str, settings: Adam, number: int) -> None:
        optimiser = self.optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * decay(number, self.training)
            if name == "generator":
                group["lr"] *= min(1.0, (number + 1) / max(self.training.warm_up, 1))
        optimiser.step()


def build_game(
    recipe: Recipe,
    scaling: FeatureScaling,
    context: DistributedContext,
    detector: Detector | None = None,
    sampling: Sampling | None = None,
) -> Game:
    """Fresh networks, equal in all processes of the context, and optimisers for them.

    ``sampling`` is the law of counts, where the recipe leaves its numbers to the training showers.
    """
    detector = detector or recipe.resolve()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        networks = {"generator": recipe.generator.build(detector, scaling)}
        if recipe.objective.plays("critic"):
            networks["critic"] = recipe.critic.build(detector, scaling)
        networks |= recipe.objective.helpers(detector)
    for network in networks.values():
        # Channels last is a fifth faster for these convolutions, on processors and CUDA alike.
        network.to(device=context.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    return Game(
        networks=networks,
        optimisers={name: adam(name, net, recipe.optimisers) for name, net in networks.items()},
        objective=recipe.objective,
        settings=recipe.optimisers,
        training=recipe.training,
        views=Views(detector).to(context.device),
        latent_size=recipe.generator.latent,
        sampling=sampling or law_of(recipe, detector),
        precision=precision_of(recipe.training.precision, context.device),
        random=stream(recipe.seed, context),
        context=context,
    )


def law_of(recipe: Recipe, detector: Detector) -> Sampling:
    """How cells are drawn from expected cells; Poisson's law where a law lacks its numbers."""
    if not detector.counts:
        return "continuous"
    return "poisson" if recipe.sampling == "negative-binomial" else recipe.sampling


def stream(seed: int, context: DistributedContext) -> torch.Generator:
    """Random numbers of this process on its device: latents, drawn counts, dropout."""
    state = np.random.SeedSequence(seed, spawn_key=(context.rank,)).generate_state(1, np.uint64)
    return torch.Generator(context.device).manual_seed(int(state[0] >> 1))


def adam(name: str, network: nn.Module, settings: Optimisers) -> torch.optim.Adam:
    """The optimiser of a network, with the settings of the player that trains it."""
    player = name if name in ("generator", "critic") else "helper"
    own: Adam = getattr(settings, player)
    return torch.optim.AdamW(
        network.parameters(),
        lr=own.learning_rate,
        betas=(own.beta1, own.beta2),
        weight_decay=own.weight_decay,
        fused=True,
    )


def rounds(player: Player, objective: Objective, training: Training) -> int:
    """Rounds of a player in one step: none where no term has a share for it."""
    if not objective.plays(player):
        return 0
    steps = {"critic": training.critic_steps, "generator": training.generator_steps}
    return steps.get(player, 1)


def players(training: Training, step: int) -> tuple[Player, ...]:
    """Who plays a step: all, or helpers first and alone where they are trained before."""
    if not training.pretraining:
        return PLAYERS
    return ("helper",) if step < training.pretraining else ("critic", "generator")


def batches_of(objective: Objective, training: Training) -> int:
    """A fresh batch for each round of the critic, one where there is none."""
    return max(1, rounds("critic", objective, training))


def decay(step: int, training: Training) -> float:
    """Learning rate over its start: 1, then linearly to 0 from ``decay_from`` on."""
    start = training.decay_from * training.steps
    return min(1.0, (training.steps - step) / max(training.steps - start, 1.0))


def has_finite_gradient(network: nn.Module) -> bool:
    """False when a gradient of the network is NaN or infinite."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return bool(torch.isfinite(nn.utils.get_total_norm(gradients)))


def rows_of_batch(batch: Batch, device: torch.device) -> Rows:
    """A batch as tensors on a device, row for row."""
    names = ("twin", "spread", "peak", "attributes", "distinct")
    derived = {name: getattr(batch, name) for name in names}
    return Rows(
        conditions=_tensor(batch.conditions, device),
        real=_tensor(batch.real, device),
        particles=batch.particles,
        repeats=batch.repeats,
        **{name: None if x is None else _tensor(x, device) for name, x in derived.items()},
    )


def _tensor(values: NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device)
