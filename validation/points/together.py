"""Runs that differ in seed and weights only, trained as one: small networks cost mostly overhead.

Each member is what its recipe gives alone, up to rounding: its own initial weights, batches,
latents and updates. Terms, rounds and networks are the ordinary ones; only dense layers are
stacked, and means are taken member by member.
Shapes: E members, N = E x n rows (the rows of a member adjacent).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caloforge.data.batches import Batch
from caloforge.errors import UsageError
from caloforge.objectives import NonFinite, Objective, Round, Rows
from caloforge.objectives.rules import Player
from caloforge.recipe import Recipe
from caloforge.training.game import Game, adam, build_game
from caloforge.training.material import Material
from caloforge.training.team import Team


class StackedLinear(nn.Module):
    """One dense layer for each member.  (N, inputs) -> (N, outputs)"""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in layers]))

    def forward(self, rows: Tensor) -> Tensor:
        members = rows.reshape(len(self.weight), -1, rows.shape[1])
        return torch.baddbmm(self.bias, members, self.weight).flatten(0, 1)


def stack(networks: Sequence[nn.Module]) -> nn.Module:
    """One network that passes the rows of each member through its own dense layers."""
    together = copy.deepcopy(networks[0])
    for name, layer in networks[0].named_modules():
        if isinstance(layer, nn.Linear):
            parent, _, last = name.rpartition(".")
            layers = [network.get_submodule(name) for network in networks]
            setattr(together.get_submodule(parent), last, StackedLinear(layers))  # type: ignore[arg-type]
    return together


def unstack(together: nn.Module, networks: Sequence[nn.Module]) -> None:
    """Give each member's network its weights."""
    with torch.no_grad():
        for name, layer in together.named_modules():
            if isinstance(layer, StackedLinear):
                for member, network in enumerate(networks):
                    own: Any = network.get_submodule(name)
                    own.weight.copy_(layer.weight[member].T)
                    own.bias.copy_(layer.bias[member, 0])


class ObjectiveTogether(Objective):
    """The same terms with weights of each member's own."""

    weights: tuple[tuple[float, ...], ...]
    """By term and member."""
    members: tuple[str, ...]
    """What each is called where it fails."""

    def __call__(self, play: Round) -> tuple[Tensor, dict[str, float]]:
        """Sum over members, so that each has the gradient that it would have alone.  ()

        Raises NonFinite, which names term and member.
        """
        loss = play.rows.real.new_zeros(())
        for (_, term), weights in zip(self.terms, self.weights, strict=True):
            share = getattr(term, play.player)(play) if any(weights) else None
            if share is not None:
                means = share.reshape(len(weights), -1).mean(dim=1)
                self._require_finite(type(term).__name__, means)
                loss = loss + (means * means.new_tensor(weights)).sum()
        return loss, {}

    def _require_finite(self, term: str, means: Tensor) -> None:
        for value, member in zip(means.tolist(), self.members, strict=True):
            if not isfinite(value):
                raise NonFinite(f"term {term} of {member} is {value}: training stopped")


class RoundTogether(Round):
    """A round in which every member draws from its own random numbers."""

    def __init__(self, streams: Sequence[torch.Generator], *args: Any, **settings: Any) -> None:
        self._streams = streams
        super().__init__(*args, random=streams[0], **settings)
        for other in streams[1:]:  # each draws a dropout seed, as the first one has
            torch.randint(2**31, (), generator=other)

    def batch_mean(self, values: Tensor) -> Tensor:
        """Mean over the rows of each member.  (N,) -> (N,)"""
        members = values.reshape(len(self._streams), -1)
        return members.mean(dim=1, keepdim=True).expand_as(members).reshape(-1)

    def _latents(self) -> Tensor:
        size = (len(self.rows.real) // len(self._streams), self.latent_size)
        return torch.cat([torch.randn(size, generator=stream) for stream in self._streams])


@dataclass(frozen=True)
class GameTogether(Game):
    """The players of all members as one."""

    streams: tuple[torch.Generator, ...]
    members: tuple[str, ...]

    @property
    def random_streams(self) -> tuple[torch.Generator, ...]:
        """One of each member."""
        return self.streams

    def blame(
        self, player: Player, rows: Rows, name: str, begun: Sequence[Tensor], step: int
    ) -> str:
        """Whose gradient is not finite, and by which term."""
        guilty = unbounded(self.networks[name], self.members)
        return f" of {', '.join(guilty)}{super().blame(player, rows, name, begun, step)}"

    def round(self, player: Player, rows: Rows, step: int) -> Round:
        """A round of all members."""
        return RoundTogether(
            self.streams,
            player,
            rows,
            self.networks,
            views=self.views,
            latent_size=self.latent_size,
            sampling=self.sampling,
            precision=self.precision,
            progress=step / self.training.steps,
        )


def unbounded(together: nn.Module, members: Sequence[str]) -> list[str]:
    """Members whose gradient is not finite."""
    layers = [layer for layer in together.modules() if isinstance(layer, StackedLinear)]
    gradients = [p.grad for layer in layers for p in layer.parameters() if p.grad is not None]
    finite = [torch.isfinite(gradient).flatten(1).all(dim=1) for gradient in gradients]
    return [member for member, *well in zip(members, *finite, strict=True) if not all(well)]


def train_together(recipes: Sequence[Recipe], material: Material) -> list[nn.Module]:
    """The generator of each recipe after its last step.

    Raises UsageError when recipes differ in more than seed and weights, NonFinite when a member
    does not stay finite: it names its seed and weights, the term, and the step.
    """
    require_alike(recipes)
    team = Team(torch.device("cpu"))
    games = [build_game(recipe, material.scaling(recipe), team) for recipe in recipes]
    game = game_of(games, recipes)
    stream = concatenated([material.batches(recipe, team).iterate() for recipe in recipes])
    for step in range(recipes[0].training.steps):
        try:
            game.step(stream, step)
        except NonFinite as error:
            raise NonFinite(f"{error} in step {step + 1}") from error
    generators = [one.networks["generator"] for one in games]
    unstack(game.networks["generator"], generators)
    return [generator.eval() for generator in generators]


def require_alike(recipes: Sequence[Recipe]) -> None:
    """Raise UsageError for recipes that cannot be trained as one."""
    first = recipes[0]
    for recipe in recipes:
        bare = recipe.model_copy(update={"seed": first.seed, "objective": first.objective})
        terms = [[term for _, term in one.objective.terms] for one in (first, recipe)]
        if bare != first or terms[0] != terms[1] or recipe.training.average is not None:
            raise UsageError("runs trained together differ in seed and weights only, no average")


def game_of(games: Sequence[Game], recipes: Sequence[Recipe]) -> GameTogether:
    """One game of all members, at step 0."""
    first = games[0]
    networks = {name: stack([game.networks[name] for game in games]) for name in first.networks}
    weights = tuple(
        tuple(game.objective.terms[number][0] for game in games)
        for number in range(len(first.objective.terms))
    )
    terms = tuple(
        (max(own), term) for own, (_, term) in zip(weights, first.objective.terms, strict=True)
    )
    members = tuple(named(recipe) for recipe in recipes)
    settings = {field.name: getattr(first, field.name) for field in fields(first)} | {
        "networks": networks,
        "optimisers": {n: adam(n, net, recipes[0].optimisers) for n, net in networks.items()},
        "objective": ObjectiveTogether(terms=terms, weights=weights, members=members),
    }
    streams = tuple(game.random for game in games)
    return GameTogether(**settings, streams=streams, members=members)


def named(recipe: Recipe) -> str:
    """A member among runs of one method: seed and weights."""
    weights = ", ".join(f"{type(term).__name__} {w:g}" for w, term in recipe.objective.terms)
    return f"seed {recipe.seed} ({weights})"


def concatenated(streams: Sequence[Iterator[Batch]]) -> Iterator[Batch]:
    """The batches of all members as one batch."""
    for batches in zip(*streams, strict=True):
        columns = {
            field.name: [getattr(batch, field.name) for batch in batches] for field in fields(Batch)
        }
        joined: dict[str, Any] = {
            name: None if values[0] is None else np.concatenate(values)
            for name, values in columns.items()
            if name not in ("particles", "repeats")
        }
        yield Batch(particles=sum(columns["particles"]), repeats=batches[0].repeats, **joined)
