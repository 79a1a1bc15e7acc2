"""The diversity methods and the other games: naive twins, sharp answers, bad input."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt, tanh
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.data.batches import Batches
from caloforge.data.showers import Showers
from caloforge.errors import DataError, UsageError
from caloforge.objectives import (
    TERMS,
    BalancedDiversity,
    DiversitySensitive,
    GradientPenalty,
    Hinge,
    LatentContrast,
    LogRatio,
    NonSaturating,
    Wasserstein,
)
from small_game import TINY, latents_of, networks, round_of, rows

CHECKED = {
    "BalancedDiversity",
    "DiversitySensitive",
    "GradientPenalty",
    "Hinge",
    "LatentContrast",
    "LogRatio",
    "Wasserstein",
}
"""Terms that have their twin here."""
LITERAL: dict[str, Any] = {"unit": "none", "epsilon": 1e-5}
"""Distances as the papers take them."""


@pytest.fixture(scope="module")
def forward() -> dict[str, Any]:
    """What the networks say of a batch, by plain calls, as numpy arrays."""
    nets, batch = networks(), rows()
    z1, z2 = latents_of(len(batch.real))
    showers = {
        "fake": nets["generator"](z1, batch.conditions),
        "fake2": nets["generator"](z2, batch.conditions),
        "real": batch.real,
        "twin": batch.twin,
    }
    verdicts = {name: nets["critic"](x, batch.conditions) for name, x in showers.items()}
    return {
        "nets": nets,
        "batch": batch,
        "z": (z1.numpy(), z2.numpy()),
        "pixels": {name: np.log1p(x.detach().numpy()) for name, x in showers.items()},
        "features": {name: v.features.detach().numpy() for name, v in verdicts.items()},
        "logits": {name: v.logit.detach().numpy() for name, v in verdicts.items()},
    }


def share(term: Any, player: str, forward: dict[str, Any]) -> np.ndarray:
    play = round_of(player, forward["batch"], forward["nets"])
    return getattr(term, player)(play).detach().numpy()


def gap(a: np.ndarray, b: np.ndarray) -> float:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


def gaps(a: np.ndarray, b: np.ndarray) -> list[float]:
    return [gap(x, y) for x, y in zip(a, b, strict=True)]


def averaged(values: list[float], repeats: int, average: str) -> list[float]:
    if average == "pair":
        return values
    if average == "batch":
        return [sum(values) / len(values)] * len(values)
    starts = [row - row % repeats for row in range(len(values))]
    return [sum(values[start : start + repeats]) / repeats for start in starts]


def distances(forward: dict[str, Any], space: str, average: str) -> tuple[list[float], ...]:
    """Of latents, of fakes, of real showers: one number a row."""
    output, repeats = forward[space], forward["batch"].repeats
    return tuple(
        averaged(values, repeats, average)
        for values in (
            gaps(*forward["z"]),
            gaps(output["fake"], output["fake2"]),
            gaps(output["real"], output["twin"]),
        )
    )


@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize("average", ["condition", "pair", "batch"])
@pytest.mark.parametrize("balance", ["detached", "literal"])
def test_balanced_diversity(balance: str, average: str, space: str, forward: Any) -> None:
    term = BalancedDiversity(
        space=space, average=average, balance=balance, **LITERAL | {"epsilon": 1e-3}
    )
    expected = [
        tanh(real - fake) * latent / (fake + 1e-3)
        for latent, fake, real in zip(*distances(forward, space, average), strict=True)
    ]
    np.testing.assert_allclose(share(term, "generator", forward), expected, rtol=1e-9)


@pytest.mark.parametrize("space", ["pixels", "features"])
def test_log_ratio(space: str, forward: Any) -> None:
    _, fakes, reals = distances(forward, space, "condition")
    expected = [
        log((fake + 1e-4) / (real + 1e-4)) ** 2 for fake, real in zip(fakes, reals, strict=True)
    ]
    term = LogRatio(space=space, epsilon=1e-4)
    np.testing.assert_allclose(share(term, "generator", forward), expected, rtol=1e-9)


@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize("bound", [0.02, 0.5])
def test_diversity_sensitive(bound: float, space: str, forward: Any) -> None:
    latents, fakes, _ = distances(forward, space, "pair")
    expected = [-min(f / (z + 1e-5), bound) for z, f in zip(latents, fakes, strict=True)]
    term = DiversitySensitive(space=space, bound=bound, **LITERAL)
    np.testing.assert_allclose(share(term, "generator", forward), expected, rtol=1e-9)


def test_latent_contrast(forward: Any) -> None:
    nets, batch, (z1, z2) = forward["nets"], forward["batch"], forward["z"]
    shift = np.vectorize(lambda z: 0.3 * (2 * NormalDist().cdf(z) - 1))(z2)
    near = nets["generator"](torch.from_numpy(z1 + shift), batch.conditions)
    features = {"near": nets["critic"](near, batch.conditions).features.detach().numpy()}
    features |= forward["features"]
    unit = {
        name: [x / sqrt(sum(v * v for v in x)) for x in features[name]]
        for name in ("near", "fake", "fake2")
    }
    expected = []
    for row in range(len(z1)):
        start = row - row % batch.repeats
        members = range(start, start + batch.repeats)
        far = [unit["fake"][i] for i in members if i != row] + [unit["fake2"][i] for i in members]
        cosines = [float(np.dot(unit["fake"][row], x)) / 0.5 for x in [unit["near"][row], *far]]
        expected.append(-log(np.exp(cosines[0]) / sum(np.exp(c) for c in cosines)))
    term = LatentContrast(temperature=0.5, radius=0.3)
    np.testing.assert_allclose(share(term, "generator", forward), expected, rtol=1e-9)


def test_wasserstein(forward: Any) -> None:
    real, fake = forward["logits"]["real"], forward["logits"]["fake"]
    np.testing.assert_allclose(share(Wasserstein(), "critic", forward), fake - real, rtol=1e-10)
    np.testing.assert_allclose(share(Wasserstein(), "generator", forward), -fake, rtol=1e-10)


def test_hinge(forward: Any) -> None:
    expected = [
        max(0.0, 1 - real) + max(0.0, 1 + fake)
        for real, fake in zip(forward["logits"]["real"], forward["logits"]["fake"], strict=True)
    ]
    np.testing.assert_allclose(share(Hinge(), "critic", forward), expected, rtol=1e-10)
    np.testing.assert_allclose(share(Hinge(), "generator", forward), -forward["logits"]["fake"])


def test_gradient_penalty_by_finite_differences(forward: Any) -> None:
    critic, batch, step = forward["nets"]["critic"], forward["batch"], 1e-6
    expected = []
    for row in range(len(batch.real)):
        u = NormalDist().cdf(forward["z"][1][row, 0])
        middle = u * forward["pixels"]["real"][row] + (1 - u) * forward["pixels"]["fake"][row]
        total = 0.0
        for cell in range(TINY.cells):
            logits = []
            for sign in (1, -1):
                moved = middle.copy()
                moved[cell] += sign * step
                shower = torch.from_numpy(np.expm1(moved))[None]
                with torch.no_grad():
                    logits.append(float(critic(shower, batch.conditions[row : row + 1]).logit))
            total += ((logits[0] - logits[1]) / (2 * step)) ** 2
        expected.append((sqrt(total) - 1) ** 2)
    np.testing.assert_allclose(
        share(GradientPenalty(space="cells"), "critic", forward), expected, rtol=1e-4
    )


class Dial(torch.nn.Module):
    """A generator whose width is its one number: shower = middle + width * latents."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.width = torch.nn.Parameter(torch.tensor(width, dtype=torch.float64))

    def forward(self, latent: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        first = latent.repeat(1, TINY.cells)[:, : TINY.cells]
        return torch.expm1(1 + self.width * first)


def push(term: Any, width: float, real_width: float) -> float:
    """Gradient of a term by the width: positive makes descent narrow the showers."""
    batch = rows(particles=8, repeats=8)
    for name, seed in (("real", 1), ("twin", 2)):
        conditions = torch.randn(
            (64, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        getattr(batch, name)[:] = Dial(real_width)(conditions, batch.conditions).detach()
    dial = Dial(width)
    nets = {"generator": dial, "critic": networks()["critic"]}
    play = round_of("generator", batch, nets, latents=latents_of(64))
    term.generator(play).mean().backward()
    assert dial.width.grad is not None
    return float(dial.width.grad)


@pytest.mark.parametrize("real_width", [0.003, 0.03, 0.3])
@pytest.mark.parametrize(
    "term", [BalancedDiversity(space="pixels", **LITERAL), LogRatio(space="pixels")]
)
def test_width_is_pulled_to_that_of_real_showers(term: Any, real_width: float) -> None:
    assert push(term, 2 * real_width, real_width) > 0
    assert push(term, real_width / 2, real_width) < 0


def test_gradient_through_tanh_never_narrows() -> None:
    """Why it is detached: where distances are small the literal form widens without end."""
    literal = BalancedDiversity(space="pixels", balance="literal", **LITERAL)
    assert all(push(literal, times * 0.003, 0.003) < 0 for times in (0.5, 1, 2, 10))


def test_log_ratio_has_no_scale() -> None:
    """Twice too wide is as bad at any spread; the pull of an inverse distance depends on it."""
    pulls = [push(LogRatio(space="pixels", epsilon=1e-12), 2 * s, s) * s for s in (0.003, 0.3)]
    assert pulls[0] == pytest.approx(pulls[1], rel=1e-6)


def test_bounded_diversity_stops_at_its_bound() -> None:
    term = DiversitySensitive(space="pixels", bound=0.1, **LITERAL)
    assert push(term, 0.05, 1.0) < 0
    assert push(term, 0.5, 1.0) == 0


def test_contrast_widens_collapsed_features() -> None:
    """All fakes alike cost log of their number; contrast can only fall from there."""
    batch = rows()
    nets = networks()
    same = latents_of(1)[0].expand(12, -1)
    shares = LatentContrast().generator(round_of("generator", batch, nets, latents=(same, same)))
    assert shares.tolist() == pytest.approx([log(2 * batch.repeats)] * 12, rel=1e-4)


def test_gradient_penalty_is_zero_for_a_linear_critic_of_slope_one(forward: Any) -> None:
    class Linear(torch.nn.Module):
        def forward(self, showers: torch.Tensor, conditions: torch.Tensor) -> Any:
            logit = torch.log1p(showers).sum(dim=1) / TINY.cells**0.5
            return logit, showers

    nets = {"generator": forward["nets"]["generator"], "critic": Linear()}
    shares = GradientPenalty().critic(round_of("critic", forward["batch"], nets))
    assert shares.detach().abs().max() < 1e-12


ALL = [term() for term in TERMS.values()]


@pytest.mark.parametrize("term", ALL, ids=repr)
def test_batch_of_one_row(term: Any) -> None:
    nets = networks() | {n: net.double() for n, net in (1.0 * term).helpers(TINY).items()}
    for player in ("generator", "critic", "helper"):
        play = round_of(player, rows(particles=1, repeats=1), nets, latents=latents_of(1))
        share = getattr(term, player)(play)
        assert share is None or (share.shape == (1,) and torch.isfinite(share).all())


@pytest.mark.parametrize("term", ALL, ids=repr)
def test_negative_weight_is_refused_and_zero_is_off(term: Any) -> None:
    with pytest.raises(UsageError, match=f"objective.{type(term).__name__}.weight is -0.1: 0 "):
        -0.1 * term
    assert not any((0.0 * term).plays(player) for player in ("generator", "critic", "helper"))


def test_balance_without_a_twin_is_told() -> None:
    play = round_of("generator", replace(rows(), twin=None), networks())
    for term in (BalancedDiversity(), LogRatio()):
        with pytest.raises(UsageError, match="no twin"):
            term.generator(play)


def test_conditions_with_a_single_real_shower_are_never_served() -> None:
    particle = np.array([0, 0, 1, 2, 2], dtype=np.int64)
    conditions = np.array([[10.0, 0, 9]] * 5) + particle[:, None]
    cells = np.arange(80, dtype=np.uint16).reshape(5, 16)
    showers = Showers(TINY, cells, conditions, particle)
    needs = (NonSaturating() + BalancedDiversity()).needs
    batches = Batches(showers, np.arange(3), seed=0, particles=2, repeats=2, needs=needs)
    assert batches.left_out == 1
    assert all(set(batches.at(step).particle.tolist()) <= {0, 2} for step in range(4))
    with pytest.raises(DataError, match="no particle has a twin"):
        Batches(showers, np.array([1]), seed=0, needs=needs)
