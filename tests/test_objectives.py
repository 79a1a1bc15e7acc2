"""The rules that every term relies on: who is trained, on what, and what a loss is."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from caloforge.errors import CaloforgeError, UsageError
from caloforge.objectives import (
    R1,
    EnergyScore,
    GanStep,
    ModeSeeking,
    NonFinite,
    NonSaturating,
    Objective,
    SelectiveDiversity,
    Term,
)
from caloforge.objectives.drawn_counts import drawn
from caloforge.objectives.gan_step import training_only
from caloforge.simulator.sampling import NegativeBinomial, variance_of
from small_game import TINY, latents_of, networks, round_of, rows


class Broken(Term):
    """A term whose generator share is NaN."""

    def generator(self, play: Any) -> Tensor:
        return play.fake.sum(dim=1) * float("nan")


class Misshapen(Term):
    """A term that returns a number in place of one per row."""

    def generator(self, play: Any) -> Tensor:
        return play.fake.mean()


class Costly(Term):
    """A term that must not be computed."""

    def generator(self, play: Any) -> Tensor:
        raise AssertionError


class Centre(Term):
    """A term that owns a helper network."""

    needs: ClassVar[frozenset[str]] = frozenset({"peak"})

    def network(self, detector: Any) -> nn.Module:
        return nn.Sequential(nn.Linear(TINY.cells, 2), nn.BatchNorm1d(2)).double()

    def generator(self, play: Any) -> Tensor:
        return (play.ask(self, play.fake) - play.peak).square().sum(1)

    def helper(self, play: Any) -> Tensor:
        return (play.ask(self, play.rows.real) - play.peak).square().sum(1)


@pytest.fixture
def nets() -> dict[str, nn.Module]:
    return networks()


def gradients(player: Any, objective: Objective, nets: dict[str, nn.Module]) -> set[str]:
    """Networks that a round of the player sends a gradient into."""
    for network in nets.values():
        network.zero_grad()
    with training_only(nets, player):
        loss, _ = objective(round_of(player, rows(), nets))
        loss.backward()
    return {
        name
        for name, network in nets.items()
        if any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    }


def test_objective_reads_as_the_equation() -> None:
    objective = NonSaturating() + 0.1 * (SelectiveDiversity() + 2 * R1())
    assert [(w, type(t).__name__) for w, t in objective.terms] == [
        (1.0, "NonSaturating"),
        (0.1, "SelectiveDiversity"),
        (0.2, "R1"),
    ]
    assert objective.needs == {"spread", "twin"}


def test_objective_holds_each_term_once() -> None:
    with pytest.raises(UsageError, match="each term once"):
        NonSaturating() + 0.5 * NonSaturating()


def test_loss_is_the_weighted_sum_of_means(nets: Any) -> None:
    objective = 2.0 * NonSaturating() + 0.5 * ModeSeeking()
    loss, parts = objective(round_of("generator", rows(), nets))
    expected = 2 * parts["NonSaturating"] + 0.5 * parts["ModeSeeking"]
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_weight_of_zero_costs_nothing(nets: Any) -> None:
    objective = NonSaturating() + 0.0 * Costly() + 0.0 * SelectiveDiversity()
    _, parts = objective(round_of("generator", rows(), nets))
    assert set(parts) == {"NonSaturating"}
    assert objective.needs == frozenset()


@pytest.mark.parametrize(
    ("objective", "players"),
    [
        (1.0 * EnergyScore(), {"generator"}),
        (EnergyScore() + 0.0 * NonSaturating(), {"generator"}),
        (1.0 * NonSaturating(), {"generator", "critic"}),
        (EnergyScore() + R1(), {"generator", "critic"}),
        (1.0 * Centre(), {"generator", "helper"}),
    ],
)
def test_only_players_with_a_share_play(objective: Objective, players: set[str]) -> None:
    assert {p for p in ("generator", "critic", "helper") if objective.plays(p)} == players


def test_non_finite_term_is_named(nets: Any) -> None:
    with pytest.raises(NonFinite, match="term Broken is nan"):
        (NonSaturating() + Broken())(round_of("generator", rows(), nets))


def test_share_must_be_one_value_per_row(nets: Any) -> None:
    with pytest.raises(CaloforgeError, match=r"Misshapen returned shape \(\), not \(12,\)"):
        (1.0 * Misshapen())(round_of("generator", rows(), nets))


def test_exploded_showers_stop_the_round(nets: Any) -> None:
    with torch.no_grad():
        next(nets["generator"].parameters()).fill_(float("inf"))
    with pytest.raises(NonFinite, match="the generator's showers"):
        (1.0 * NonSaturating())(round_of("critic", rows(), nets))


def test_term_without_its_column_is_told(nets: Any) -> None:
    from dataclasses import replace

    play = round_of("generator", replace(rows(), spread=None), nets)
    with pytest.raises(UsageError, match="no spread"):
        (1.0 * SelectiveDiversity())(play)


def test_features_without_a_critic_are_told(nets: Any) -> None:
    play = round_of("generator", rows(), {"generator": nets["generator"]})
    with pytest.raises(UsageError, match="asks the critic"):
        (1.0 * SelectiveDiversity())(play)


@pytest.mark.parametrize("player", ["generator", "critic"])
def test_only_the_player_gets_gradients(player: str, nets: Any) -> None:
    objective = NonSaturating() + SelectiveDiversity() + R1() + ModeSeeking() + EnergyScore()
    assert gradients(player, objective, nets) == {player}


def test_helper_network_is_trained_by_its_term_alone(nets: Any) -> None:
    objective = NonSaturating() + Centre()
    nets = nets | objective.helpers(TINY)
    assert set(nets) == {"generator", "critic", "Centre"}
    assert gradients("helper", objective, nets) == {"Centre"}
    assert gradients("generator", objective, nets) == {"generator"}
    assert gradients("critic", objective, nets) == {"critic"}


def test_parameters_take_gradients_again_afterwards(nets: Any) -> None:
    with training_only(nets, "critic"):
        assert not any(p.requires_grad for p in nets["generator"].parameters())
    assert all(p.requires_grad for net in nets.values() for p in net.parameters())


def test_passes_are_lazy_and_cached(nets: Any) -> None:
    play = round_of("generator", rows(), nets)
    assert "fake" not in vars(play)
    assert play.on_fake is play.on_fake
    assert "fake2" not in vars(play)


def test_fakes_see_the_conditions_of_their_own_row(nets: Any) -> None:
    batch = rows()
    play = round_of("generator", batch, nets)
    z1, _ = latents_of(len(batch.real))
    for row in range(len(batch.real)):
        one = nets["generator"](z1[row : row + 1], batch.conditions[row : row + 1])
        torch.testing.assert_close(play.fake[row : row + 1], one)


class Noisy(nn.Module):
    """A critic with dropout and running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(TINY.cells)
        self.drop = nn.Dropout(0.5)
        self.logit = nn.Linear(TINY.cells, 1)

    def forward(self, showers: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        features = self.drop(self.norm(showers))
        return self.logit(features)[:, 0], features


def test_both_fakes_see_one_dropout_state(nets: Any) -> None:
    play = round_of("generator", rows(), nets | {"critic": Noisy().double()})
    dropout_mask = play.on_fake.features != 0
    assert torch.equal(dropout_mask, play.on_fake2.features != 0)
    assert 0.3 < dropout_mask.double().mean() < 0.7


def test_rounds_see_other_dropout_states(nets: Any) -> None:
    nets = nets | {"critic": Noisy().double()}
    dropout_mask = [
        round_of("generator", rows(), nets, seed=s).on_fake.features != 0 for s in (0, 1)
    ]
    assert not torch.equal(*dropout_mask)


def test_dropout_leaves_the_global_random_state_alone(nets: Any) -> None:
    play = round_of("generator", rows(), nets | {"critic": Noisy().double()})
    before = torch.get_rng_state()
    _ = play.on_fake
    assert torch.equal(before, torch.get_rng_state())


def test_opponents_keep_their_running_statistics(nets: Any) -> None:
    critic = Noisy().double()
    before = {name: value.clone() for name, value in critic.named_buffers()}
    play = round_of("generator", rows(), nets | {"critic": critic})
    _ = play.on_fake, play.on_fake2, play.on_real
    for name, value in critic.named_buffers():
        assert torch.equal(value, before[name]), name
    assert critic.norm.track_running_stats


def test_own_running_statistics_update_once(nets: Any) -> None:
    critic = Noisy().double()
    play = round_of("critic", rows(), nets | {"critic": critic})
    _ = play.on_real, play.on_fake
    assert critic.norm.num_batches_tracked == 1
    torch.testing.assert_close(critic.norm.running_mean, 0.1 * play.rows.real.mean(dim=0))


def test_selective_diversity_ignores_particles_without_spread(nets: Any) -> None:
    batch = rows()
    assert batch.spread is not None
    batch.spread[: batch.repeats] = 0
    shares = SelectiveDiversity().generator(round_of("generator", batch, nets))
    assert torch.equal(shares[: batch.repeats], torch.zeros(batch.repeats, dtype=shares.dtype))
    assert (shares[batch.repeats :] > 0).all()


def test_pair_form_is_larger_where_two_fakes_meet(nets: Any) -> None:
    """Why distances are averaged before inverting: one close pair takes over the literal form."""
    batch = rows()
    z1, z2 = latents_of(len(batch.real))
    z2[0] = z1[0] + 1e-4 * (z2[0] - z1[0])
    shares = {
        average: ModeSeeking(average=average).generator(
            round_of("generator", batch, nets, latents=(z1, z2))
        )
        for average in ("condition", "pair")
    }

    slope = [torch.autograd.grad(s.sum(), nets["generator"].parameters()) for s in shares.values()]
    size = [sum(float(g.square().sum()) for g in grads) for grads in slope]
    assert size[1] > size[0]


CLUMPS = NegativeBinomial(excess=0.4, slope=0.05)


@pytest.mark.parametrize("sampling", ["rounding", "poisson", CLUMPS])
def test_drawn_counts_are_whole_and_unbiased(sampling: Any) -> None:
    random = torch.Generator().manual_seed(0)
    rates = torch.tensor([0.0, 0.2, 1.5, 40.3]).repeat(40_000, 1).requires_grad_()
    counts = drawn(rates, sampling, random)
    assert torch.equal(counts, counts.round())
    assert (counts >= 0).all()
    errors = counts.std(dim=0) / 200
    assert ((counts.mean(dim=0) - rates[0]).abs() <= 4.5 * errors).all()
    counts.square().sum().backward()
    assert rates.grad is not None
    torch.testing.assert_close(rates.grad, 2 * counts.detach())  # straight through


def test_clumps_in_training_have_the_variance_of_the_law() -> None:
    means = np.array([0.05, 0.6, 3.0, 20.0, 50.0, 300.0])
    rates = torch.tensor(means, dtype=torch.float32).repeat(60_000, 1)
    counts = drawn(rates, CLUMPS, torch.Generator().manual_seed(1)).double().numpy()
    excess = 0.4 + 0.05 * means
    expected = variance_of(means, CLUMPS)
    fourth = expected * (1 + 6 * excess + 6 * excess**2)
    error = np.sqrt((fourth + 2 * expected**2) / len(counts))
    assert np.all(np.abs(counts.var(axis=0) - expected) < 4.5 * error)
    p_zero = (counts == 0).mean(axis=0)
    np.testing.assert_allclose(p_zero, (1 + excess) ** (-means / excess), atol=0.01)


def test_continuous_showers_are_not_drawn() -> None:
    rates = torch.tensor([[0.25, 3.5]])
    assert torch.equal(drawn(rates, "continuous", torch.Generator()), rates)


def test_continuous_showers_have_the_gradient_of_the_rates_once() -> None:
    rates = torch.tensor([[0.25, 3.5]], requires_grad=True)
    drawn(rates, "continuous", torch.Generator()).sum().backward()
    assert torch.equal(rates.grad, torch.ones(1, 2))


def test_terms_see_drawn_counts(nets: Any) -> None:
    play = round_of("generator", rows(), nets, sampling="rounding")
    assert torch.equal(play.fake, play.fake.round())
    loss, _ = (1.0 * EnergyScore())(play)
    loss.backward()
    assert any(p.grad is not None and p.grad.any() for p in nets["generator"].parameters())


def test_bfloat16_passes_give_float32_terms() -> None:
    nets = networks(dtype=torch.float32)
    play = round_of("generator", rows(dtype=torch.float32), nets, precision=torch.bfloat16)
    assert play.on_fake.features.dtype == play.fake.dtype == torch.float32
    full = round_of("generator", rows(dtype=torch.float32), nets)
    torch.testing.assert_close(play.fake, full.fake, rtol=0.05, atol=0.05)
    assert not torch.equal(play.fake, full.fake)


@pytest.mark.parametrize("module", ["caloforge.objectives", "caloforge.objectives.core"])
def test_old_name_of_the_step_works_with_a_warning(module: str) -> None:
    actual = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=r"Round is GanStep now"):
        assert actual.Round is GanStep
    with pytest.raises(AttributeError, match="no attribute 'Rounds'"):
        _ = actual.Rounds


@pytest.mark.parametrize("sampling", ["rounding", "poisson", CLUMPS])
def test_a_rate_below_0_draws_nothing_as_in_generation(sampling: Any) -> None:
    rates = torch.full((20, 3), -1.5)
    assert (drawn(rates, sampling, torch.Generator().manual_seed(0)) == 0).all()
