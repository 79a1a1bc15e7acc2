"""The critic of counts, its view, and the head that keeps a gradient in the dark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.detectors import detector_of_name
from caloforge.errors import UsageError
from caloforge.networks.critic import CriticOutput
from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig, LeakyTotal, steep_total
from caloforge.objectives import R1, R2, GradientPenalty, Paired
from small_game import TINY, latents_of, networks, round_of, rows


def critic_of(detector: Detector = TINY) -> Any:
    conditions = np.random.default_rng(1).uniform(1, 9, (8, len(detector.columns)))
    torch.manual_seed(0)
    return CriticConfig(kind="counts").build(detector, FeatureScaling.fit(detector, conditions))


def test_view_is_its_loops() -> None:
    """Log cells, steadied channels, projections and blocks of 4, hottest cells, sum of squares."""
    critic, shower = critic_of(), rows().real[:1].float()
    counts = shower[0].numpy()
    image = counts.reshape(4, 4)
    sums = [counts[:8].sum(), counts[8:].sum()]
    sums += [image[i].sum() for i in range(4)] + [image[:, j].sum() for j in range(4)]
    sums += [counts.sum()]
    expected = [np.log1p(x) for x in counts]
    expected += [(np.sqrt(x + 3 / 8) - np.sqrt(3 / 8)) / 5 for x in sums]
    hottest = sorted(counts, reverse=True)[: critic.hottest]
    expected += [np.log1p(x) for x in hottest] + [np.log1p(sum(x * x for x in counts)) / 5]
    np.testing.assert_allclose(
        critic.view(shower, shower)[0].numpy(), expected, rtol=1e-5, atol=1e-6
    )


def test_an_empty_shower_is_seen_as_zero() -> None:
    assert critic_of().view(torch.zeros(1, TINY.cells), torch.zeros(1, 3)).abs().max() < 1e-6


def test_logit_is_a_bilinear_answer_to_the_condition() -> None:
    """Two showers may change places between two conditions: a sum of both parts could not."""
    critic, batch = critic_of(), rows()
    conditions, real = batch.conditions.float(), batch.real.float()
    with torch.no_grad():
        logits = torch.stack([critic(real[row].expand(12, -1), conditions).logit for row in (0, 4)])
    assert (logits[0] - logits[1]).std() > 1e-3 * logits.std()


def test_signed_cells_are_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"signed cells: set critic\.kind=mlp"):
        critic_of(detector_of_name("points"))


class Steps(nn.Module):
    """A critic of steps: no gradient anywhere."""

    def forward(self, showers: Tensor, conditions: Tensor) -> Any:
        del conditions
        return (showers > 1).double().sum(dim=1), showers


@pytest.mark.parametrize("term", [R1(), R2(), GradientPenalty(), R1(space="cells")], ids=repr)
def test_a_critic_without_gradient_is_told_in_one_line(term: Any) -> None:
    nets = networks() | {"critic": Steps()}
    with pytest.raises(UsageError, match=r"gradient penalty needs .*critic\.kind=counts") as caught:
        term.critic(round_of("critic", rows(), nets))
    assert "\n" not in str(caught.value)


def test_negative_weight_is_told_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"objective\.R1\.weight is -1: 0 turns a term off"):
        Paired() + -1.0 * R1()


def test_one_pass_gives_what_two_give() -> None:
    """Logits, penalties and their gradients, judged together or apart."""
    objective = Paired() + 0.5 * R1() + 0.5 * R2()
    losses, gradients = [], []
    for one_pass in (True, False):
        nets, batch = networks(), rows()
        nets["critic"] = critic_of().double()
        play = round_of("critic", batch, nets, latents=latents_of(12), one_pass=one_pass)
        loss, _ = objective(play)
        loss.backward()
        losses.append(loss.item())
        gradients.append([p.grad for p in nets["critic"].parameters()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


class Normalised(nn.Module):
    """Somebody's own critic with statistics of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(TINY.cells, 8), nn.BatchNorm1d(8), nn.Tanh())
        self.logit = nn.Linear(8, 1)

    def forward(self, showers: Tensor, conditions: Tensor) -> CriticOutput:
        del conditions
        features = self.body(showers)
        return CriticOutput(self.logit(features)[:, 0], features)


def test_rows_that_a_critic_compares_are_real_ones_or_fakes() -> None:
    """Beside fakes, real rows would have other statistics, so other logits."""
    torch.manual_seed(0)
    nets, batch = networks() | {"critic": Normalised().double()}, rows()
    alone = round_of("critic", batch, nets).on_real.logit
    joint = round_of("critic", batch, nets, one_pass=True).on_real.logit
    torch.testing.assert_close(joint, alone)


def test_head_keeps_a_gradient_in_the_dark() -> None:
    slopes = {}
    for name, head in (("leaky", LeakyTotal()), ("steep", steep_total)):
        root = torch.tensor([[-4.0]], requires_grad=True)
        head(root).sum().backward()
        assert root.grad is not None
        slopes[name] = root.grad.item()
    assert slopes["leaky"] >= 4
    assert slopes["steep"] < 1e-10


def test_head_gives_the_same_totals_in_training_and_generation() -> None:
    root = torch.linspace(-5, 3, 50)[:, None]
    head = LeakyTotal()
    torch.testing.assert_close(head.train()(root), head.eval()(root))
    torch.testing.assert_close(head(root), torch.nn.functional.softplus(4 * root + 10) ** 2)


def test_head_of_other_bodies_changes_nothing() -> None:
    config = GeneratorConfig(kind="mlp", head="steep")
    assert config.build(TINY, FeatureScaling.fit(TINY, rows().conditions.numpy()))
