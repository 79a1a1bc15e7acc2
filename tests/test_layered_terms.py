"""Terms for showers in layers against naive twins: loops over rows and cells in numpy."""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.errors import UsageError
from caloforge.objectives import LocalScore
from small_game import latents_of, networks, round_of, rows

CHECKED = {"LocalScore"}


def encoded(showers: torch.Tensor) -> np.ndarray:
    """The one layer of the tiny detector on the network scale.  (N, 4, 4)"""
    return np.array([[log(1 + cell) for cell in shower] for shower in showers]).reshape(-1, 4, 4)


def patch_distance(x: np.ndarray, y: np.ndarray, size: int) -> float:
    """Mean over all patches of the root mean square difference of their cells."""
    found = []
    for i in range(4 - size + 1):
        for j in range(4 - size + 1):
            cells = [(i + a, j + b) for a in range(size) for b in range(size)]
            mean = sum((x[cell] - y[cell]) ** 2 for cell in cells) / len(cells)
            found.append(sqrt(mean + 1e-6))
    return sum(found) / len(found)


@pytest.mark.parametrize("repeats", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("normalise", ["batch", "particle"])
def test_local_score_is_its_loops(repeats: int, normalise: Any) -> None:
    batch, nets = rows(particles=3, repeats=repeats), networks()
    play = round_of("generator", batch, nets, latents=latents_of(3 * repeats))
    shares = LocalScore(sizes=(1, 3), normalise=normalise).generator(play).detach().numpy()
    fake, real = encoded(play.fake.detach()), encoded(batch.real)
    scores = []
    for size in (1, 3):
        across, within = [], []
        for particle in range(3):
            own = range(particle * repeats, (particle + 1) * repeats)
            pairs = [(i, j) for i in own for j in own]
            across.append(np.mean([patch_distance(fake[i], real[j], size) for i, j in pairs]))
            others = [patch_distance(fake[i], fake[j], size) for i, j in pairs if i != j]
            within.append(np.mean(others) if others else 0.0)
        scale = across if normalise == "particle" else [np.mean(across)] * 3
        scores.append(
            [(a - w / 2) / (s + 1e-3) for a, w, s in zip(across, within, scale, strict=True)]
        )
    np.testing.assert_allclose(shares, np.repeat(np.mean(scores, axis=0), repeats), rtol=1e-4)


def test_local_score_wants_the_width_of_a_cell_right() -> None:
    """Its gradient widens fakes that are too narrow, and narrows those that are too wide."""
    rng = np.random.default_rng(0)
    batch = rows(particles=400, repeats=2)
    batch.real[:] = torch.tensor(rng.exponential(3, (800, 16)))
    slopes = {}
    for factor in (0.7, 1.0, 1.4):
        width = torch.tensor(factor, dtype=torch.float64, requires_grad=True)
        around = torch.tensor(rng.exponential(3, (800, 16)) - 3)
        play = round_of("generator", batch, {})
        play.__dict__["fake"] = torch.relu(3 + width * around)
        LocalScore().generator(play).mean().backward()
        slopes[factor] = float(width.grad)
    assert slopes[0.7] < -0.05 < slopes[1.0] < 0.05 < slopes[1.4]


def test_patches_have_cells() -> None:
    play = round_of("generator", rows(), networks())
    with pytest.raises(UsageError, match=r"LocalScore\.sizes: a patch has one cell or more"):
        LocalScore(sizes=(0,)).generator(play)
