"""What a term gets in one update of one player.

Shapes: N rows = P particles x R rows of each (rows of one particle adjacent), C conditions,
K cells, Z latents, F critic features, V numbers of the critic's view of a shower.

Rules of the game that a GanStep keeps: who is trained, dropout, running statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from caloforge.errors import CaloforgeError, UsageError
from caloforge.networks.critic import Critic, CriticOutput, compares_rows
from caloforge.networks.shower_inputs import Views
from caloforge.objectives.drawn_counts import drawn
from caloforge.simulator.sampling import Sampling

if TYPE_CHECKING:
    from caloforge.objectives.core import Term


Player = Literal["generator", "critic", "helper"]
PLAYERS: tuple[Player, ...] = ("critic", "helper", "generator")
"""In the order in which they play a step."""


class NonFinite(CaloforgeError):  # noqa: N818 - reads as what happened
    """A term, a shower or a gradient became NaN or infinite; training stops, nothing is hidden."""


def belongs_to(network: str, player: Player) -> bool:
    """True where the player trains the network; helper networks carry the name of their term."""
    return network == player or (player == "helper" and network not in ("generator", "critic"))


@contextmanager
def same_dropout(network: nn.Module, seed: int, device: torch.device) -> Iterator[None]:
    """Random state of dropout fixed inside, untouched outside; free for a network without it."""
    if not any(isinstance(m, nn.modules.dropout._DropoutNd) for m in network.modules()):
        yield
        return
    others = [device] if device.type != "cpu" else []
    with torch.random.fork_rng(devices=others, device_type=device.type):
        torch.manual_seed(seed)
        yield


@contextmanager
def running_statistics(network: nn.Module, *, update: bool) -> Iterator[None]:
    """Batch normalisation updates its running statistics inside only if asked to."""
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    silent = [layer for layer in layers if layer.track_running_stats and not update]
    for layer in silent:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in silent:
            layer.track_running_stats = True


@contextmanager
def training_only(networks: Mapping[str, nn.Module], player: Player) -> Iterator[None]:
    """Only the named player's parameters take gradients inside."""
    opponents = [network for name, network in networks.items() if not belongs_to(name, player)]
    for network in opponents:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in opponents:
            network.requires_grad_(True)


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
    attributes: Tensor | None = None
    distinct: Tensor | None = None
    """How many different real showers the particle of each row has in the batch; None: all."""


class GanStep:
    """One update of one player: the rows, the networks, and lazy cached passes.

    A term touches what it needs; the first touch pays, nothing else is computed. The rules that
    every term relies on stand here and nowhere else: fakes use the conditions of their own row;
    opponents are frozen; the critic's update sends no gradient into the generator; all passes of
    a network in an update see one dropout state; running statistics are updated once.
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
        sampling: Sampling = "continuous",
        precision: torch.dtype = torch.float32,
        step: int = 0,
        progress: float = 0.0,
        one_pass: bool = False,
    ) -> None:
        self.player = player
        self.rows = rows
        self.networks = networks
        self.views = views
        self.latent_size = latent_size
        self.sampling: Sampling = sampling
        self.precision = precision
        self.step = step
        """Number of the step, for terms that are not taken on every one."""
        self.progress = progress
        """Part of the run that is done, for weights that change over it."""
        self.one_pass = one_pass and player == "critic"
        """Whether the critic judges real and fake rows together, as a penalty on both wants it."""
        self.random = random
        self._dropout_seed = int(torch.randint(2**31, (), generator=random, device=random.device))
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

    @property
    def attributes(self) -> Tensor:
        """Conditions of each row with mean 0 and deviation 1 over the training part.  (N, C)"""
        return _present("attributes", self.rows.attributes)

    @property
    def distinct(self) -> Tensor:
        """Different real showers among the rows of each row's particle.  (N,)"""
        if self.rows.distinct is not None:
            return self.rows.distinct
        return self.rows.real.new_full((len(self.rows.real),), self.rows.repeats)

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
        """Generated showers for the conditions of the rows, in the detector's unit.  (N, K)

        Where the recipe draws counts these are drawn ones, as ``generate`` writes them; the
        gradient is that of the expected counts.
        """
        return self.generate(self.z1)

    @cached_property
    def fake2(self) -> Tensor:
        """Generated showers of the same rows from the other latents.  (N, K)"""
        return self.generate(self.z2)

    @cached_property
    def on_real(self) -> CriticOutput:
        """The critic on the real rows.  (N,)"""
        return self._both.real if self.one_pass else self.judge(self.rows.real)

    @cached_property
    def on_twin(self) -> CriticOutput:
        """The critic on the twins.  (N,)"""
        return self.judge(self.twin)

    @cached_property
    def on_fake(self) -> CriticOutput:
        """The critic on the fakes.  (N,)"""
        return self._both.fake if self.one_pass else self.judge(self.fake)

    @cached_property
    def on_fake2(self) -> CriticOutput:
        """The critic on the second fakes.  (N,)"""
        return self.judge(self.fake2)

    def judge(self, showers: Tensor) -> CriticOutput:
        """The critic on showers of the rows' particles.  (N, K) -> (N,)"""
        if not isinstance(self._critic, Critic):
            return CriticOutput(*self._pass("critic", showers, self.rows.conditions))
        return self.judge_view(self.view(showers))

    def view(self, showers: Tensor) -> Tensor:
        """What the critic sees of showers; of a critic that does not tell, coded cells.

        (N, K) -> (N, V)
        """
        critic = self._critic
        if isinstance(critic, Critic):
            return critic.view(showers, self.rows.conditions)
        return self.encode(showers)

    def parts_of(self, view: Tensor) -> tuple[Tensor, ...]:
        """Parts of a view that weigh alike: statistics and cells, or the whole.  (N, V)"""
        critic = self._critic
        blocks = critic.blocks if isinstance(critic, Critic) else ()
        return torch.split(view, list(blocks) or view.shape[1], dim=1)

    def judge_view(self, view: Tensor) -> CriticOutput:
        """The critic on views of the rows, once or several times over.  (M N, V) -> (M N,)"""
        critic, times = self._critic, len(view) // len(self.rows.real)
        if isinstance(critic, Critic):
            condition = self._condition.repeat(times, 1)
            return CriticOutput(*self._pass("critic", view, condition, call=critic.judge))
        showers = self.views.scale.decode(view)
        return CriticOutput(*self._pass("critic", showers, self.rows.conditions.repeat(times, 1)))

    @cached_property
    def slopes(self) -> tuple[Tensor, Tensor]:
        """Gradient of the critic's logit in what it sees, at the real rows and at the fakes.

        (N, V), (N, V). Raises UsageError for a critic that has none.
        """
        both = self._both
        real, fake = slope_in(both.view, both.logit).chunk(2)
        return real, fake

    @cached_property
    def _both(self) -> JointPass:
        view = torch.cat([self.view(self.rows.real), self.view(self.fake)])
        view = view.detach().requires_grad_()
        if compares_rows(self._critic):
            real, fake = (self.judge_view(part) for part in view.chunk(2))
            return JointPass(view, torch.cat([real.logit, fake.logit]), real, fake)
        logit, features = self.judge_view(view)
        outputs = zip(logit.chunk(2), features.chunk(2), strict=True)
        real, fake = (CriticOutput(*output) for output in outputs)
        return JointPass(view, logit, real, fake)

    @cached_property
    def _condition(self) -> Tensor:
        """What the critic makes of the conditions, once an update.  (N, M)"""
        call: Any = self._critic.condition
        return self._pass("critic", self.rows.conditions, call=call)

    @property
    def _critic(self) -> nn.Module:
        return self._network("critic")

    def ask(self, term: Term, *inputs: Tensor) -> Tensor:
        """Answer of the helper network that the term owns."""
        return self._pass(type(term).__name__, *inputs)

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

    def batch_mean(self, values: Tensor) -> Tensor:
        """Each value replaced by the mean over the batch.  (N,) -> (N,)"""
        return values.mean().expand_as(values)

    def _latents(self) -> Tensor:
        size = (len(self.rows.real), self.latent_size)
        return torch.randn(size, generator=self.random, device=self.rows.real.device)

    def generate(self, latent: Tensor) -> Tensor:
        """Showers of these latents for the conditions of the rows, drawn.  (N, Z) -> (N, K)"""
        trains = self.player == "generator"
        with nullcontext() if trains else torch.no_grad():
            rates: Tensor = self._pass("generator", latent, self.rows.conditions)
            if not torch.isfinite(rates).all():
                raise NonFinite("the generator's showers are NaN or infinite: training stopped")
            return drawn(rates, self.sampling, self.random)

    def _network(self, name: str) -> nn.Module:
        if name not in self.networks:
            raise UsageError(f"a term asks the {name}, but no term of the objective trains one")
        return self.networks[name]

    def _pass(self, name: str, *inputs: Tensor, call: Callable[..., Any] | None = None) -> Any:
        """One forward pass, or one step of it, under the rules of the update."""
        network = self._network(name)
        updates = belongs_to(name, self.player) and name not in self._updated
        self._updated.add(name)
        device = inputs[0].device
        with (
            same_dropout(network, self._dropout_seed, device),
            running_statistics(network, update=updates),
            torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32),
        ):
            return wide((call or network)(*inputs))


class JointPass(NamedTuple):
    """One pass of the critic on the real rows and on the fakes of their conditions."""

    view: Tensor
    """(2 N, V), with a gradient of its own"""
    logit: Tensor
    """(2 N,)"""
    real: CriticOutput
    fake: CriticOutput


def slope_in(view: Tensor, logit: Tensor) -> Tensor:
    """Gradient of each logit in what was seen of its row.  (N, V), (N,) -> (N, V)"""
    if logit.requires_grad:
        (slope,) = torch.autograd.grad(logit.sum(), view, create_graph=True, allow_unused=True)
        if slope is not None:
            return slope
    raise UsageError(
        "a gradient penalty needs a critic whose logit has a gradient in what it sees: "
        "set critic.kind=counts, or the weight of the penalty to 0"
    )


def wide(answer: Any) -> Any:
    """What a network answers in bfloat16 (a tensor or several), in float32: terms take means."""
    if not isinstance(answer, Tensor):
        return tuple(wide(part) for part in answer)
    return answer.float() if answer.dtype == torch.bfloat16 else answer


def _present(name: str, column: Tensor | None) -> Tensor:
    if column is None:
        raise UsageError(f"the batch has no {name}: declare it in the term's `needs`")
    return column
