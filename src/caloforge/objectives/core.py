"""Term, Objective, Round: the whole theory of a training objective.

``objective = NonSaturating() + 0.1 * SelectiveDiversity()`` reads as the paper's equation. A Term
gives each player one value per row; a Round is one play of the game; the Objective reduces,
weighs and names.

Shapes: N rows = P particles x R rows of each (rows of one particle adjacent), C conditions,
K cells, Z latents, F critic features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from caloforge.errors import CaloforgeError, UsageError
from caloforge.networks.critics import Verdict
from caloforge.networks.views import Views

Player = Literal["generator", "critic", "helper"]


class NonFinite(CaloforgeError):
    """A term became NaN or infinite; training stops rather than hide it."""


@dataclass(frozen=True)
class Rows:
    """The tensors of one batch, row for row.  N = particles x repeats"""

    conditions: Tensor
    real: Tensor
    particles: int
    repeats: int
    twin: Tensor | None = None
    spread: Tensor | None = None
    peak: Tensor | None = None


class Term(BaseModel):
    """A frozen record of numbers with at most one method per player; None: no share in its game."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    needs: ClassVar[frozenset[str]] = frozenset()
    """Derived columns (spread, twin, peak) that the data layer must add to each row."""

    def generator(self, play: Round) -> Tensor | None:
        """The generator's share.  (N,)"""
        return None

    def critic(self, play: Round) -> Tensor | None:
        """The critic's share.  (N,)"""
        return None

    def helper(self, play: Round) -> Tensor | None:
        """The share of the term's own helper network.  (N,)"""
        return None

    def network(self, num_conditions: int) -> nn.Module | None:
        """A helper network that this term owns, if any; stored and trained beside the others."""
        return None

    def __add__(self, other: Term | Objective) -> Objective:
        return Objective.of(self) + other

    def __rmul__(self, weight: float) -> Objective:
        return Objective(terms=((float(weight), self),))


class Objective(BaseModel):
    """A weighted sum of terms of different names."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    terms: tuple[tuple[float, Term], ...]

    @classmethod
    def of(cls, item: Term | Objective) -> Objective:
        """The item as an objective; a bare term has weight 1."""
        return item if isinstance(item, Objective) else cls(terms=((1.0, item),))

    def __add__(self, other: Term | Objective) -> Objective:
        terms = self.terms + Objective.of(other).terms
        names = [type(term).__name__ for _, term in terms]
        if len(set(names)) < len(names):
            raise UsageError(f"an objective holds each term once, not {sorted(names)}")
        return Objective(terms=terms)

    def __rmul__(self, weight: float) -> Objective:
        return Objective(terms=tuple((weight * w, term) for w, term in self.terms))

    @property
    def needs(self) -> frozenset[str]:
        """Derived columns that the terms ask for."""
        return frozenset().union(*(term.needs for weight, term in self.terms if weight))

    def helpers(self, num_conditions: int) -> dict[str, nn.Module]:
        """Helper networks by the name of the term that owns them."""
        owned = {type(term).__name__: term.network(num_conditions) for _, term in self.terms}
        return {name: network for name, network in owned.items() if network is not None}

    def __call__(self, play: Round) -> tuple[Tensor, dict[str, float]]:
        """Weighted mean over rows for the playing player, and the mean of each term.  ()

        A weight of 0 costs nothing: the term is not computed.
        Raises NonFinite, which names the term.
        """
        loss = play.rows.real.new_zeros(())
        parts = {}
        for weight, term in self.terms:
            share = getattr(term, play.player)(play) if weight else None
            if share is None:
                continue
            name = type(term).__name__
            value = _mean_of_rows(name, share, len(play.rows.real))
            parts[name] = value.item()
            loss = loss + weight * value
        return loss, parts


def _mean_of_rows(name: str, share: Tensor, rows: int) -> Tensor:
    """Mean of one value per row, after a check of shape and finiteness.  ()"""
    if share.shape != (rows,):
        raise CaloforgeError(f"term {name} returned shape {tuple(share.shape)}, not ({rows},)")
    value = share.mean()
    if not torch.isfinite(value):
        raise NonFinite(f"term {name} is {value.item()}: training stopped")
    return value


class Round:
    """One play of the game for one player: the rows, the networks, and lazy cached passes.

    A term touches what it needs; the first touch pays, nothing else is computed. The rules that
    every term relies on stand here and nowhere else: fakes use the conditions of their own row;
    opponents are frozen; the critic's round sends no gradient into the generator; all passes of
    a network in a round see one dropout state; running statistics are updated once.
    """

    def __init__(
        self,
        player: Player,
        rows: Rows,
        networks: Mapping[str, nn.Module],
        *,
        views: Views,
        latent_size: int,
        random: torch.Generator,
    ) -> None:
        self.player = player
        self.rows = rows
        self.networks = networks
        self.views = views
        self.latent_size = latent_size
        self._random = random
        self._dropout_seed = int(torch.randint(2**31, (), generator=random))
        self._updated: set[str] = set()

    @property
    def spread(self) -> Tensor:
        """Spread of the real showers of each row's particle, in [0, 1].  (N,)"""
        return _present("spread", self.rows.spread)

    @property
    def twin(self) -> Tensor:
        """Another real shower of each row's particle, in the detector's unit.  (N, K)"""
        return _present("twin", self.rows.twin)

    @property
    def peak(self) -> Tensor:
        """Position of the hottest cell of each real row.  (N, 2)"""
        return _present("peak", self.rows.peak)

    @cached_property
    def z1(self) -> Tensor:
        """Latents of the fakes.  (N, Z)"""
        return self._latents()

    @cached_property
    def z2(self) -> Tensor:
        """A second, independent draw of latents.  (N, Z)"""
        return self._latents()

    @cached_property
    def fake(self) -> Tensor:
        """Generated showers for the conditions of the rows, in the detector's unit.  (N, K)"""
        return self._generate(self.z1)

    @cached_property
    def fake2(self) -> Tensor:
        """Generated showers of the same rows from the other latents.  (N, K)"""
        return self._generate(self.z2)

    @cached_property
    def on_real(self) -> Verdict:
        """The critic on the real rows.  (N,)"""
        return self.judge(self.rows.real)

    @cached_property
    def on_twin(self) -> Verdict:
        """The critic on the twins.  (N,)"""
        return self.judge(self.twin)

    @cached_property
    def on_fake(self) -> Verdict:
        """The critic on the fakes.  (N,)"""
        return self.judge(self.fake)

    @cached_property
    def on_fake2(self) -> Verdict:
        """The critic on the second fakes.  (N,)"""
        return self.judge(self.fake2)

    def judge(self, showers: Tensor) -> Verdict:
        """The critic on showers of the rows' particles.  (N, K) -> (N,)"""
        verdict: Verdict = self._pass("critic", showers, self.rows.conditions)
        return verdict

    def encode(self, showers: Tensor) -> Tensor:
        """Showers as the networks see them (log scale for counts).  (N, K)"""
        return self.views.scale.encode(showers)

    def by_particle(self, values: Tensor) -> Tensor:
        """Rows grouped by particle.  (N, ...) -> (P, R, ...)"""
        return values.reshape(self.rows.particles, self.rows.repeats, *values.shape[1:])

    def condition_mean(self, values: Tensor) -> Tensor:
        """Each value replaced by the mean over its particle's rows.  (N,) -> (N,)"""
        mean = self.by_particle(values).mean(dim=1, keepdim=True)
        return mean.expand(-1, self.rows.repeats).reshape(-1)

    def _latents(self) -> Tensor:
        size = (len(self.rows.real), self.latent_size)
        return torch.randn(size, generator=self._random).to(self.rows.real.device)

    def _generate(self, latent: Tensor) -> Tensor:
        trains = self.player == "generator"
        with nullcontext() if trains else torch.no_grad():
            showers: Tensor = self._pass("generator", latent, self.rows.conditions)
        return showers

    def _pass(self, name: str, *inputs: Tensor) -> Tensor | Verdict:  # type: ignore[return]
        """One forward pass under the rules of the round."""
        updates = name == self.player and name not in self._updated
        self._updated.add(name)
        network = self.networks[name]
        with same_dropout(self._dropout_seed), running_statistics(network, update=updates):
            return network(*inputs)


def _present(name: str, column: Tensor | None) -> Tensor:
    if column is None:
        raise UsageError(f"the batch has no {name}: declare it in the term's `needs`")
    return column


@contextmanager
def same_dropout(seed: int) -> Iterator[None]:
    """Random state of dropout fixed inside, untouched outside."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def running_statistics(network: nn.Module, *, update: bool) -> Iterator[None]:
    """Batch normalisation updates its running statistics inside only if asked to."""
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers if not update else ():
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


@contextmanager
def training_only(networks: Mapping[str, nn.Module], player: str) -> Iterator[None]:
    """Only the named player's parameters take gradients inside."""
    for name, network in networks.items():
        network.requires_grad_(name == player)
    try:
        yield
    finally:
        for network in networks.values():
            network.requires_grad_(True)
