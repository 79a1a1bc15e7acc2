"""The players and how they play one step: a round each, an Adam each.

The running average of the generator's weights: the generator that is evaluated and shipped.

A run in phases: the start, if the recipe has one, then the game.

What the training log says is wrong, with the setting to change.

Which generator is the best: one number on the validation particles, never on the test ones.

Shapes: N validation rows, Z latents, K cells.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caloforge.data.batches import Batch
from caloforge.data.derive import FeatureScaling
from caloforge.data.showers import Showers
from caloforge.detector import Detector
from caloforge.evaluate.metrics.wasserstein import fast_score
from caloforge.networks.shower_inputs import Views
from caloforge.objectives import GanStep, NonFinite, Objective, Rows, Term
from caloforge.objectives.gan_step import PLAYERS, Player, belongs_to, training_only
from caloforge.recipe import Adam, Optimisers, Recipe, Training, start_steps
from caloforge.simulator.sampling import LARGEST_COUNT, Sampling, draw_counts, draw_latents
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

        ``begun`` are the states of the random streams before the round of this step, which failed.
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


def batches_of_step(recipe: Recipe) -> int:
    """Batches that one step consumes: a fresh one for each round of the critic."""
    return batches_of(recipe.objective, recipe.training)


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


class Average:
    r"""Exponential moving average, corrected at the start so that short runs work too.

    .. math:: a_t = d_t a_{t-1} + (1 - d_t) w_t, \quad d_t = \min(d, (1 + t) / (10 + t))

    Without a decay the average is the generator as it stands. Running statistics are copied.
    """

    def __init__(self, network: nn.Module, decay: float | None) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take the weights after a step (counted from 0)."""
        decay = min(self._decay or 0.0, (1 + step) / (10 + step))
        averages: list[Tensor] = list(self.network.parameters())
        weights: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for average, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            average.copy_(buffer)


@dataclass(frozen=True)
class Phase:
    """A game from a step of the run on, which counts its own steps from 0."""

    game: Game
    first: int

    def batches(self, steps: int) -> int:
        """Batches that so many of its steps consume."""
        return steps * batches_of(self.game.objective, self.game.training)


def phases_of(recipe: Recipe, game: Game) -> tuple[Phase, ...]:
    """The phases of a run, in order; the same networks are trained in all of them."""
    steps = start_steps(recipe)
    game_training = game.training.model_copy(update={"steps": recipe.training.steps - steps})
    phases = [Phase(replace(game, training=game_training), steps)]
    if recipe.start is not None and steps:
        optimisers = Optimisers(generator=recipe.start.generator)
        training = game.training.model_copy(update={"steps": steps, **ALONE})
        generator = game.networks["generator"]
        start = replace(
            game,
            optimisers={"generator": adam("generator", generator, optimisers)},
            objective=recipe.start.objective,
            settings=optimisers,
            training=training,
        )
        phases.insert(0, Phase(start, 0))
    return tuple(phases)


ALONE: dict[str, Any] = {"decay_from": 0.5, "pretraining": 0, "warm_up": 0, "generator_steps": 1}
"""How the generator is trained before its opponents."""


def current(phases: Sequence[Phase], step: int) -> Phase:
    """The phase that a step of the run belongs to."""
    return [phase for phase in phases if phase.first <= step][-1]


def batches_before(phases: Sequence[Phase], step: int) -> int:
    """Batches that all steps before this one consume."""
    ends = [phase.first for phase in phases[1:]] + [step]
    return sum(
        phase.batches(min(end, step) - phase.first)
        for phase, end in zip(phases, ends, strict=True)
        if phase.first < step
    )


EMPTY = 0.5
"""Part of the generated showers that may be empty, beside those that real ones are."""
TIMES_THE_GAME = 100.0
LEAST_GAME = 0.1
"""A game below it, such as a Wasserstein distance near 0, is no measure of other terms."""
LEAD = 0.02
"""Mean share of the critic below which it tells nearly every row: its gradient fades."""

Losses = Mapping[str, Mapping[str, float]]
"""Mean of each term, by player and term."""


def warnings_of(
    objective: Objective, losses: Losses, *, empty: float, really_empty: float
) -> Iterator[tuple[str, str]]:
    """What to warn of, as a key (one warning of a kind is enough) and a line.

    Args:
        objective: What is trained.
        losses: Means since the last line of the log.
        empty: Part of the generated validation showers without any light.
        really_empty: The same of the real ones.
    """
    game = game_of(objective)
    if empty > EMPTY + really_empty / 2:
        yield "empty", empty_line(objective, game, empty, really_empty)
    if game is None:
        return
    yield from too_large(objective, game, losses.get("generator", {}))
    lead = losses.get("critic", {}).get(game)
    if lead is not None and 0 <= lead < LEAD:
        yield (
            "lead",
            f"{game}: the critic tells nearly every row (its share is {lead:.2g}) and teaches "
            f"little: {more_penalty(objective)}, or lower optimisers.critic.learning_rate",
        )


def game_of(objective: Objective) -> str | None:
    """The term that generator and critic play against each other for, if any."""
    for weight, term in objective.terms:
        if weight and term.plays("critic") and term.plays("generator"):
            return name_of(term)
    return None


def too_large(
    objective: Objective, game: str, shares: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Terms of the generator that leave nothing of the game."""
    weights = {name_of(term): weight for weight, term in objective.terms}
    game_share = max(abs(weights[game] * shares.get(game, 0.0)), LEAST_GAME)
    for name, share in shares.items():
        if name not in weights:  # of the start, which plays no game
            continue
        times = abs(weights[name] * share) / game_share
        if name != game and times > TIMES_THE_GAME:
            yield (
                name,
                f"{name} is {times:.0f} times the game ({game}): lower objective.{name}.weight "
                f"(now {weights[name]:g})",
            )


def empty_line(objective: Objective, game: str | None, empty: float, really_empty: float) -> str:
    """A generator without light hardly gets a gradient."""
    cure = more_penalty(objective) if game else "lower optimisers.generator.learning_rate"
    return (
        f"{game or 'the objective'}: {empty:.0%} of the generated showers are empty "
        f"({really_empty:.0%} of the real ones): {cure}"
    )


def more_penalty(objective: Objective) -> str:
    """How to keep the critic smooth."""
    names = [name_of(term) for weight, term in objective.terms if weight]
    present = [name for name in ("R1", "R2", "GradientPenalty") if name in names]
    if present:
        return "raise " + " and ".join(f"objective.{name}.weight" for name in present)
    return "add the penalties R1 and R2 to the objective, as dcgan has them"


def name_of(term: Term) -> str:
    """As recipes and logs call a term."""
    return type(term).__name__


ROWS = 1024


@dataclass(frozen=True)
class Validation:
    """The real showers to come near to, with latents that stay the same through a run."""

    real: Showers
    latents: Tensor
    sampling: Sampling
    seed: int

    @classmethod
    def of(cls, real: Showers, latent_size: int, sampling: Sampling, seed: int) -> Validation:
        """Latents for every row, from the seed of the run."""
        latents = draw_latents(np.random.default_rng(seed), len(real), latent_size)
        return cls(real, torch.from_numpy(latents), sampling, seed)

    def score(self, generator: nn.Module, device: torch.device) -> Score:
        """Distance of one generated shower per row, drawn as ``generate`` draws, from the real.

        Raises NonFinite where the generator gives NaN.
        """
        rates = self._rates(generator, device)
        if np.isnan(rates).any():
            raise NonFinite("the generator's showers are NaN: training stopped")
        if self.real.detector.counts:
            # A generator that still explodes gets a bad score, not an error.
            rates = np.clip(rates, 0, np.nextafter(np.float32(LARGEST_COUNT), np.float32(0)))
        cells = draw_counts(rates, self.sampling, np.random.default_rng([self.seed, 1]))
        generated = replace(self.real, cells=cells)
        return Score(fast_score(self.real, generated, seed=self.seed), empty=empty_part(generated))

    @cached_property
    def really_empty(self) -> float:
        """Part of the real showers without any light."""
        return empty_part(self.real)

    @torch.no_grad()
    def _rates(self, generator: nn.Module, device: torch.device) -> NDArray[np.float32]:
        conditions = torch.from_numpy(self.real.conditions.astype(np.float32))
        parts = [
            generator(latents.to(device), batch.to(device)).float().cpu()
            for latents, batch in zip(
                torch.split(self.latents, ROWS), torch.split(conditions, ROWS), strict=True
            )
        ]
        return torch.cat(parts).numpy()


@dataclass(frozen=True)
class Score:
    """How good a generator is, and whether it gives light at all."""

    distance: float
    empty: float
    """Part of the generated showers that are empty."""


def empty_part(showers: Showers) -> float:
    """Part of showers without any light; 0 for coordinates."""
    return 0.0 if showers.detector.signed else float((~showers.cells.any(axis=1)).mean())


@dataclass
class Best:
    """The generator with the lowest score so far."""

    score: float = float("inf")
    step: int = -1
    weights: dict[str, Tensor] | None = None

    def offer(self, score: float, step: int, generator: nn.Module) -> bool:
        """Keep the generator if its score is the lowest; True if it is."""
        if not score < self.score:
            return False
        self.score, self.step = score, step
        self.weights = {name: value.clone() for name, value in generator.state_dict().items()}
        return True
