"""The diversity methods and the other games: naive twins, sharp answers, bad input."""

from __future__ import annotations

from math import log, sqrt, tanh
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from small_game import TINY, latents_of, networks, round_of, rows

from caloforge.objectives import (
    BalancedDiversity,
    DiversitySensitive,
    GradientPenalty,
    Hinge,
    LatentContrast,
    LogRatio,
    Wasserstein,
)

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


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
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


def share(term: Any, player: str, seen: dict[str, Any]) -> np.ndarray:
    play = round_of(player, seen["batch"], seen["nets"])
    return getattr(term, player)(play).detach().numpy()


def gap(a: np.ndarray, b: np.ndarray) -> float:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


def gaps(a: np.ndarray, b: np.ndarray) -> list[float]:
    return [gap(x, y) for x, y in zip(a, b, strict=True)]


def averaged(values: list[float], repeats: int, average: str) -> list[float]:
    if average == "pair":
        return values
    starts = [row - row % repeats for row in range(len(values))]
    return [sum(values[start : start + repeats]) / repeats for start in starts]


def distances(seen: dict[str, Any], space: str, average: str) -> tuple[list[float], ...]:
    """Of latents, of fakes, of real showers: one number a row."""
    shown, repeats = seen[space], seen["batch"].repeats
    return tuple(
        averaged(values, repeats, average)
        for values in (
            gaps(*seen["z"]),
            gaps(shown["fake"], shown["fake2"]),
            gaps(shown["real"], shown["twin"]),
        )
    )


@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize("average", ["condition", "pair"])
@pytest.mark.parametrize("balance", ["detached", "literal"])
def test_balanced_diversity(balance: str, average: str, space: str, seen: Any) -> None:
    term = BalancedDiversity(space=space, average=average, balance=balance, epsilon=1e-3)
    wanted = [
        tanh(real - fake) * latent / (fake + 1e-3)
        for latent, fake, real in zip(*distances(seen, space, average), strict=True)
    ]
    np.testing.assert_allclose(share(term, "generator", seen), wanted, rtol=1e-9)


@pytest.mark.parametrize("space", ["pixels", "features"])
def test_log_ratio(space: str, seen: Any) -> None:
    _, fakes, reals = distances(seen, space, "condition")
    wanted = [
        log((fake + 1e-4) / (real + 1e-4)) ** 2 for fake, real in zip(fakes, reals, strict=True)
    ]
    term = LogRatio(space=space, epsilon=1e-4)
    np.testing.assert_allclose(share(term, "generator", seen), wanted, rtol=1e-9)


@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize("bound", [0.02, 0.5])
def test_diversity_sensitive(bound: float, space: str, seen: Any) -> None:
    latents, fakes, _ = distances(seen, space, "pair")
    wanted = [-min(f / (z + 1e-5), bound) for z, f in zip(latents, fakes, strict=True)]
    term = DiversitySensitive(space=space, bound=bound)
    np.testing.assert_allclose(share(term, "generator", seen), wanted, rtol=1e-9)


def test_latent_contrast(seen: Any) -> None:
    nets, batch, (z1, z2) = seen["nets"], seen["batch"], seen["z"]
    shift = np.vectorize(lambda z: 0.3 * (2 * NormalDist().cdf(z) - 1))(z2)
    near = nets["generator"](torch.from_numpy(z1 + shift), batch.conditions)
    features = {"near": nets["critic"](near, batch.conditions).features.detach().numpy()}
    features |= seen["features"]
    unit = {
        name: [x / sqrt(sum(v * v for v in x)) for x in features[name]]
        for name in ("near", "fake", "fake2")
    }
    wanted = []
    for row in range(len(z1)):
        start = row - row % batch.repeats
        members = range(start, start + batch.repeats)
        far = [unit["fake"][i] for i in members if i != row] + [unit["fake2"][i] for i in members]
        cosines = [float(np.dot(unit["fake"][row], x)) / 0.5 for x in [unit["near"][row], *far]]
        wanted.append(-log(np.exp(cosines[0]) / sum(np.exp(c) for c in cosines)))
    term = LatentContrast(temperature=0.5, radius=0.3)
    np.testing.assert_allclose(share(term, "generator", seen), wanted, rtol=1e-9)


def test_wasserstein(seen: Any) -> None:
    real, fake = seen["logits"]["real"], seen["logits"]["fake"]
    np.testing.assert_allclose(share(Wasserstein(), "critic", seen), fake - real, rtol=1e-10)
    np.testing.assert_allclose(share(Wasserstein(), "generator", seen), -fake, rtol=1e-10)


def test_hinge(seen: Any) -> None:
    wanted = [
        max(0.0, 1 - real) + max(0.0, 1 + fake)
        for real, fake in zip(seen["logits"]["real"], seen["logits"]["fake"], strict=True)
    ]
    np.testing.assert_allclose(share(Hinge(), "critic", seen), wanted, rtol=1e-10)
    np.testing.assert_allclose(share(Hinge(), "generator", seen), -seen["logits"]["fake"])


def test_gradient_penalty_by_finite_differences(seen: Any) -> None:
    critic, batch, step = seen["nets"]["critic"], seen["batch"], 1e-6
    wanted = []
    for row in range(len(batch.real)):
        u = NormalDist().cdf(seen["z"][1][row, 0])
        middle = u * seen["pixels"]["real"][row] + (1 - u) * seen["pixels"]["fake"][row]
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
        wanted.append((sqrt(total) - 1) ** 2)
    np.testing.assert_allclose(share(GradientPenalty(), "critic", seen), wanted, rtol=1e-4)
