"""Where the energy score is least, and what a logarithm makes of showers that are all alike."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.objectives import EnergyScore, LocalScore, LogRatio
from caloforge.objectives.diversity import l1
from caloforge.objectives.score import NEIGHBOURS, of_neighbours
from small_game import latents_of, networks, round_of, rows

PARTICLES = 1500


def widening(normalise: Any, *, repeats: int, distinct: int, width: float, batches: int) -> float:
    """Gradient of the mean score by the width of fakes, where real numbers have a width of one.

    One view of one number, N(0, 1) for every particle, of which ``distinct`` are different.
    """
    draw = torch.Generator().manual_seed(repeats + 10 * distinct)
    actual = 0.0
    for _ in range(batches):
        sigma = torch.tensor(width, dtype=torch.float64, requires_grad=True)
        noise = torch.randn((PARTICLES * repeats, 1), generator=draw, dtype=torch.float64)
        some = torch.randn((PARTICLES, distinct), generator=draw, dtype=torch.float64)
        real = some.repeat(1, -(-repeats // distinct))[:, :repeats].reshape(-1, 1)
        conditions = torch.rand((PARTICLES, 2), generator=draw, dtype=torch.float64)
        play: Any = SimpleNamespace(
            rows=SimpleNamespace(
                repeats=repeats, conditions=conditions.repeat_interleave(repeats, dim=0)
            ),
            by_particle=lambda x: x.reshape(PARTICLES, repeats, *x.shape[1:]),
        )
        EnergyScore(normalise=normalise).of_view(sigma * noise, real, play).mean().backward()
        assert sigma.grad is not None
        actual += float(sigma.grad) / batches
    return actual


@pytest.mark.parametrize(
    ("normalise", "repeats", "distinct"),
    [
        ("particle", 8, 8),
        ("batch", 8, 1),
        ("neighbours", 8, 8),
        ("neighbours", 8, 1),
        ("neighbours", 2, 1),
        ("neighbours", 2, 2),
    ],
)
def test_least_at_the_real_width(normalise: Any, repeats: int, distinct: int) -> None:
    """Too narrow is widened, too wide is narrowed: descent ends within a tenth of the truth."""
    how = {"repeats": repeats, "distinct": distinct, "batches": 24 // repeats}
    assert widening(normalise, width=0.9, **how) < 0
    assert widening(normalise, width=1.1, **how) > 0


@pytest.mark.parametrize(("repeats", "width"), [(8, 0.9), (2, 1.1)])
def test_own_distance_of_a_single_shower_is_no_unit(repeats: int, width: float) -> None:
    """Why ``neighbours`` exists: a unit made of the one shower that it divides is biased.

    Eight fakes of one real shower end more than a tenth too narrow, two of them too wide.
    """
    wrong = widening("particle", repeats=repeats, distinct=1, width=width, batches=6)
    assert (wrong > 0) == (width < 1)


def test_neighbours_by_loops() -> None:
    batch = rows(particles=12, repeats=2)
    play = round_of("generator", batch, networks())
    across = torch.rand(12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    conditions = batch.conditions.numpy()[::2]
    scaled = conditions / conditions.std(axis=0)
    for particle, unit in enumerate(of_neighbours(across, play).tolist()):
        others = [other for other in range(12) if other != particle]
        others.sort(key=lambda other: np.linalg.norm(scaled[other] - scaled[particle]))
        assert unit == pytest.approx(across.numpy()[others[:NEIGHBOURS]].mean())


@pytest.mark.parametrize(
    "term", [EnergyScore(normalise="neighbours"), LocalScore(normalise="neighbours")]
)
def test_a_lone_particle_is_its_own_neighbour(term: Any) -> None:
    alone = rows(particles=1)
    own = type(term)(normalise="particle")
    actual, expected = (
        one.generator(round_of("generator", alone, networks())) for one in (term, own)
    )
    torch.testing.assert_close(actual, expected)


def test_showers_that_are_all_alike_have_a_floor() -> None:
    """Dark particles: no real distance. A floor bounds what the logarithm makes of a fake's."""
    batch = rows()
    assert batch.twin is not None
    batch.real[: batch.repeats] = batch.twin[: batch.repeats] = 0
    play = round_of("generator", batch, networks(head="steep"), latents=latents_of(12))
    shares = {
        floor: LogRatio(space="pixels", floor=floor).generator(play).detach()
        for floor in (0.0, 0.01)
    }
    assert all(torch.isfinite(share).all() for share in shares.values())
    apart = l1(play.encode(play.fake), play.encode(play.fake2))[: batch.repeats].mean().item()
    assert shares[0.0][0].item() == pytest.approx(math.log(1 + apart / 1e-5) ** 2)
    assert shares[0.01][0] < shares[0.0][0] / 3
    # Where real showers differ it hardly matters.
    torch.testing.assert_close(
        shares[0.01][batch.repeats :], shares[0.0][batch.repeats :], rtol=0.1, atol=0.01
    )


def log_ratio(monkeypatch: pytest.MonkeyPatch, *, distinct: int, width: float) -> float:
    """Gradient of the mean log-ratio by the width of fakes; real numbers have a width of one.

    Pairs as ``Batches`` draws them: real ones share the few showers of a particle.
    """
    repeats, rng = 8, np.random.default_rng(distinct)
    real = rng.normal(size=(PARTICLES * 8, distinct))
    order = rng.permuted(np.tile(np.arange(distinct), (len(real), 1)), axis=1)
    rows = np.resize(np.arange(distinct), repeats)
    first = order[:, rows]
    other = (first + 1 + rng.integers(0, distinct - 1 or 1, first.shape)) % distinct
    apart = np.abs(np.take_along_axis(real, first, 1) - np.take_along_axis(real, other, 1))
    fakes = np.abs(rng.normal(size=apart.shape) - rng.normal(size=apart.shape))
    sigma = torch.tensor(width, dtype=torch.float64, requires_grad=True)
    monkeypatch.setattr(LogRatio, "between_reals", lambda self, play: torch.from_numpy(apart))
    monkeypatch.setattr(LogRatio, "between_fakes", lambda self, play: sigma * torch.tensor(fakes))
    play: Any = SimpleNamespace(condition_mean=lambda x: x.mean(1), batch_mean=lambda x: x.mean())
    LogRatio().generator(play).mean().backward()
    assert sigma.grad is not None
    return float(sigma.grad)


@pytest.mark.parametrize(
    ("distinct", "low", "high"), [(8, 0.93, 1.02), (4, 0.87, 0.97), (2, 0.63, 0.73)]
)
def test_log_ratio_is_least_too_narrow_where_real_pairs_share_showers(
    monkeypatch: pytest.MonkeyPatch, distinct: int, low: float, high: float
) -> None:
    assert log_ratio(monkeypatch, distinct=distinct, width=low) < 0
    assert log_ratio(monkeypatch, distinct=distinct, width=high) > 0


@pytest.mark.parametrize("term", [EnergyScore, LocalScore])
def test_scores_doubt_batches_that_they_are_not_least_at_the_truth_of(term: Any) -> None:
    plain, fair = 1.0 * term(), 1.0 * term(normalise="neighbours")
    (biased,) = plain.warnings(8, 0.0)
    assert f"objective.{term.__name__}.normalise=neighbours" in biased
    assert "data.repeats=2" in plain.warnings(1, 0.0)[0]
    assert plain.warnings(8, 28.0) == fair.warnings(8, 0.0) == (0 * term()).warnings(1, 0.0) == []


def test_conditions_that_do_not_vary_do_not_say_who_is_near() -> None:
    energy = torch.linspace(1, 300, 160)
    constant = torch.tensor([0.1, 939.565]).expand(160, 2)

    def by_particle(values: torch.Tensor) -> torch.Tensor:
        return values[:, None]

    def unit(*others: torch.Tensor) -> torch.Tensor:
        conditions = torch.cat([energy[:, None], *others], dim=1)
        step = SimpleNamespace(rows=SimpleNamespace(conditions=conditions), by_particle=by_particle)
        return of_neighbours(energy, step)  # type: ignore[arg-type]

    torch.testing.assert_close(unit(constant), unit())
