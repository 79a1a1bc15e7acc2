"""Intensity and shower centre: naive twins of every option, sharp answers, bad input."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import gamma, log, sqrt
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.data.batches import Batches
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, Showers
from caloforge.detectors import ALICE_ZP, ATLAS_EM
from caloforge.errors import UsageError
from caloforge.evaluate import observe
from caloforge.networks.regressors import regressor
from caloforge.networks.shower_inputs import Views
from caloforge.objectives import GanStep, Intensity, NonSaturating, ShowerCentre
from caloforge.objectives.gan_step import training_only
from caloforge.objectives.physics import Numbers, c4, moments
from caloforge.training.game import rows_of_batch
from small_game import TINY, latents_of, networks, round_of, rows

CHECKED = {"Intensity", "ShowerCentre"}
"""Terms that have their twin here."""

Points = list[tuple[float, ...] | None]
"""The numbers of each row, None where it has none."""


def nets_of(term: Any) -> dict[str, Any]:
    torch.manual_seed(1)
    helpers = (1.0 * term).helpers(TINY)
    return networks() | {name: net.double() for name, net in helpers.items()}


def batch_with_empties() -> Any:
    """Twelve rows of three particles; one real shower of the first, all of the third, are dark."""
    batch = rows()
    batch.real[1] = 0
    batch.real[8:] = 0
    return batch


def paired(fake: Points, real: Points, power: int) -> list[float]:
    actual = []
    for a, b in zip(fake, real, strict=True):
        gap = 0.0
        if a is not None and b is not None:
            for x, y in zip(a, b, strict=True):
                gap += abs(x - y) ** power
        actual.append(gap)
    return actual


def by_hand(values: list[float]) -> tuple[float, float, int]:
    """Mean, unbiased variance (0 for one) and number."""
    number = len(values)
    mean = sum(values) / number
    scatter = sum((value - mean) ** 2 for value in values)
    return mean, scatter / (number - 1) if number > 1 else 0.0, number


def unbias(number: int) -> float:
    return sqrt(2 / (number - 1)) * gamma(number / 2) / gamma((number - 1) / 2)


def by_moments(fake: Points, real: Points, repeats: int) -> list[float]:
    actual = []
    for start in range(0, len(fake), repeats):
        sides = [
            [v for v in side[start : start + repeats] if v is not None] for side in (fake, real)
        ]
        value = 0.0
        for axis in range(len((sides[0] or sides[1] or [()])[0])):
            if not sides[0] or not sides[1]:
                continue
            (m, v, n), (k, w, o) = (by_hand([point[axis] for point in side]) for side in sides)
            value += (m - k) ** 2 - v / n - w / o
            if n > 1 and o > 1:
                value += v + w - 2 * sqrt(v * w + 1e-12) / (unbias(n) * unbias(o))
        actual += [value] * repeats
    return actual


def naive(distance: str, fake: Points, real: Points, repeats: int) -> list[float]:
    if distance == "moments":
        return by_moments(fake, real, repeats)
    return paired(fake, real, {"absolute": 1, "squared": 2}[distance])


@pytest.mark.parametrize("scale", ["counts", "log"])
@pytest.mark.parametrize("distance", ["absolute", "squared", "moments"])
def test_intensity(distance: Any, scale: Any) -> None:
    term, batch, nets = Intensity(distance=distance, scale=scale), batch_with_empties(), networks()
    fakes = nets["generator"](latents_of(12)[0], batch.conditions).detach().numpy()
    totals = []
    for showers in (fakes, batch.real.numpy()):
        sums = [sum(float(x) for x in shower) for shower in showers]
        totals.append([(log(1 + total) if scale == "log" else total,) for total in sums])
    actual = term.generator(round_of("generator", batch, nets)).detach().numpy()
    np.testing.assert_allclose(actual, naive(distance, *totals, 4), rtol=1e-9)


def mass_by_hand(shower: np.ndarray, pitch: float) -> tuple[float, float] | None:
    total = sum(float(x) for x in shower)
    if total == 0:
        return None
    x = sum(float(v) * (cell // 4) for cell, v in enumerate(shower)) / total
    y = sum(float(v) * (cell % 4) for cell, v in enumerate(shower)) / total
    return pitch * x, pitch * y


WIDE = TINY.model_copy(
    update={"layers": (TINY.layers[0].model_copy(update={"cell_mm": (4.0, 4.0)}),)}
)


def play_of(player: str, batch: Any, nets: Any) -> GanStep:
    play = round_of(player, batch, nets)
    play.views = Views(WIDE).double()
    return play


@pytest.mark.parametrize("unit", ["cells", "mm"])
@pytest.mark.parametrize("distance", ["absolute", "squared", "moments"])
def test_centre_of_mass(distance: Any, unit: Any) -> None:
    term, batch = ShowerCentre(of="mass", distance=distance, unit=unit), batch_with_empties()
    nets = networks()
    fakes = nets["generator"](latents_of(12)[0], batch.conditions).detach().numpy()
    pitch = {"cells": 1.0, "mm": 4.0}[unit]
    points = [[mass_by_hand(s, pitch) for s in showers] for showers in (fakes, batch.real.numpy())]
    actual = term.generator(play_of("generator", batch, nets)).detach().numpy()
    np.testing.assert_allclose(actual, naive(distance, *points, 4), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("unit", ["cells", "mm"])
@pytest.mark.parametrize("learns", ["real", "fake"])
@pytest.mark.parametrize("distance", ["absolute", "squared", "moments"])
def test_centre_by_a_regressor(distance: Any, learns: Any, unit: Any) -> None:
    term, batch = ShowerCentre(distance=distance, learns=learns, unit=unit), batch_with_empties()
    nets, pitch = nets_of(term), {"cells": 1.0, "mm": 4.0}[unit]
    reads = nets["ShowerCentre"]

    def read(showers: torch.Tensor) -> Points:
        readings = reads(showers).detach().numpy() * pitch
        return [tuple(p) if s.any() else None for p, s in zip(readings, showers, strict=True)]

    fake = nets["generator"](latents_of(12)[0], batch.conditions)
    hottest: Points = [
        tuple(pitch * float(x) for x in place) if shower.any() else None
        for place, shower in zip(batch.peak, batch.real, strict=True)
    ]
    expected = hottest if learns == "fake" else read(batch.real)
    actual = term.generator(play_of("generator", batch, nets)).detach().numpy()
    np.testing.assert_allclose(
        actual, naive(distance, read(fake), expected, 4), rtol=1e-8, atol=1e-12
    )
    output = read(fake) if learns == "fake" else read(batch.real)
    helper_loss = term.helper(play_of("helper", batch, nets))
    assert helper_loss is not None
    np.testing.assert_allclose(helper_loss.detach().numpy(), paired(output, hottest, 2), rtol=1e-8)


def test_the_regressor_is_trained_on_what_it_is_said_to_learn() -> None:
    """The helper's share of the default does not touch fakes; that of the paper nothing else."""
    for learns, depends in (("real", False), ("fake", True)):
        term = ShowerCentre(learns=learns)
        nets, batch = nets_of(term), rows()
        before, after = (
            term.helper(round_of("helper", batch, nets, latents=latents_of(12, seed=seed)))
            for seed in (1, 2)
        )
        assert torch.equal(before, after) is not depends


def test_centre_of_mass_is_that_of_the_measures() -> None:
    batch = rows(particles=6, repeats=2)
    term, play = ShowerCentre(of="mass", unit="mm"), play_of("generator", batch, networks())
    actual = term.numbers(play, batch.real).values.numpy()
    counts = batch.real.numpy().astype(np.uint16)
    showers = Showers(WIDE, counts, np.ones((12, 3)), np.arange(12))
    values = observe(showers).values
    # From the first cell, and from the middle of the face.
    np.testing.assert_allclose(actual[:, 0] - 6, values["centre_x"])
    np.testing.assert_allclose(actual[:, 1] - 6, values["centre_y"])


class Still(torch.nn.Module):
    """A generator whose showers are its weights."""

    def __init__(self, showers: torch.Tensor) -> None:
        super().__init__()
        self.logs = torch.nn.Parameter(showers.clamp(min=1e-3).log())

    def forward(self, latent: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        return self.logs.exp()


def test_intensity_is_zero_when_totals_agree_and_linear_in_the_difference() -> None:
    batch = rows()
    moved = Still(batch.real.flip(1) + 1e-3)  # other cells, the same total
    same = Intensity().generator(round_of("generator", batch, {"generator": moved}))
    assert same.abs().max() < 0.05
    for extra in (1.0, 2.0, -0.5):
        fake = Still(batch.real.clamp(min=1e-3) + extra / TINY.cells + 0.1)
        share = Intensity().generator(round_of("generator", batch, {"generator": fake}))
        gap = fake.logs.exp().sum(dim=1) - batch.real.sum(dim=1)
        torch.testing.assert_close(share, gap.abs())
    target = batch.real[0].sum()
    brighter = [
        float(
            Intensity()
            .generator(
                round_of(
                    "generator",
                    batch,
                    {"generator": Still(batch.real * 0 + (target + d) / TINY.cells)},
                )
            )[0]
            .detach()
        )
        for d in (0.0, 3.0, 6.0, 9.0)
    ]
    assert brighter[0] == pytest.approx(0, abs=1e-9)
    assert [b - a for a, b in pairwise(brighter)] == pytest.approx([3.0, 3.0, 3.0])


def test_intensity_ignores_where_the_light_is() -> None:
    batch = rows()
    fake = Still(batch.real + 0.5)
    Intensity().generator(round_of("generator", batch, {"generator": fake})).sum().backward()
    assert fake.logs.grad is not None
    per_photon = fake.logs.grad / fake.logs.detach().exp()
    torch.testing.assert_close(per_photon, torch.ones_like(per_photon))


@pytest.fixture(scope="module")
def taught() -> Any:
    """The light regressor after 150 steps on real ZP showers, and a batch of them."""
    with ShowerFile(sample_path("alice_zp")) as file:
        showers = file.rows(0, 800)
    needs = (1.0 * ShowerCentre()).needs
    batches = Batches(showers, showers.groups().ids, seed=0, particles=4, repeats=4, needs=needs)
    torch.manual_seed(0)
    network = regressor("light", ALICE_ZP)
    adam = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(150):
        batch = rows_of_batch(batches.at(step), torch.device("cpu"))
        adam.zero_grad()
        play = zp_round("helper", batch, {"ShowerCentre": network})
        loss, _ = (1.0 * ShowerCentre())(play)
        loss.backward()
        adam.step()
    return network, rows_of_batch(batches.at(1000), torch.device("cpu")), loss.item()


def zp_round(player: Any, batch: Any, nets: Any) -> GanStep:
    random = torch.Generator().manual_seed(0)
    return GanStep(player, batch, nets, views=Views(ALICE_ZP), latent_size=10, random=random)


def test_the_light_regressor_learns_where_showers_are(taught: Any) -> None:
    """Half a cell in the mean; the middle of the face is five cells off."""
    network, batch, _ = taught
    with torch.no_grad():
        error = (network(batch.real) - batch.peak).square().sum(dim=1)
    middle = (batch.peak - torch.tensor([27.5, 14.5])).square().sum(dim=1)
    lit = batch.real.sum(dim=1) > 50
    assert error[lit].mean() < 1 < middle[lit].mean() / 10


@pytest.mark.parametrize("of", ["peak", "mass"])
def test_gradient_moves_mass_towards_the_target(of: Any, taught: Any) -> None:
    """Fakes are the real showers ten cells to the right; descent on the term brings them back."""
    network, batch, _ = taught
    term, nets = ShowerCentre(of=of), {"ShowerCentre": network}
    lit = batch.real.sum(dim=1) > 50
    images = batch.real.reshape(-1, 56, 30)
    shifted = torch.roll(images, 10, dims=1) + 0.01
    fake = Still(shifted.flatten(1))
    adam = torch.optim.Adam(fake.parameters(), lr=0.05)
    offsets = []
    for step in range(121):
        adam.zero_grad()
        with training_only(nets, "generator"):
            play = zp_round("generator", batch, nets | {"generator": fake})
            term.generator(play).mean().backward()
        assert fake.logs.grad is not None
        if step == 0:  # a step against the gradient moves the centre of every shower to the left
            assert (centre_change(fake, -fake.logs.grad)[lit] < 0).all()
        offsets.append(mean_offset(fake.logs.detach().exp(), batch.real, lit))
        adam.step()
    assert offsets[0] > 6
    assert offsets[-1] < 0.6 * offsets[0]


def centre_change(fake: Still, step: torch.Tensor) -> torch.Tensor:
    """How the x of the centre of mass of each shower changes with a small step of the weights."""
    light, column = fake.logs.detach().exp(), torch.arange(56.0).repeat_interleave(30)
    total = light.sum(dim=1)
    away = column - (light @ column / total)[:, None]
    return (step * light * away).sum(dim=1) / total


def mean_offset(fake: torch.Tensor, real: torch.Tensor, lit: torch.Tensor) -> float:
    """How far centres of mass are to the right of the real ones, in cells."""
    column = torch.arange(56.0)
    centres = [
        (x.reshape(-1, 56, 30).sum(dim=2) @ column / x.sum(dim=1))[lit] for x in (fake, real)
    ]
    return float((centres[0] - centres[1]).mean())


class Dial(torch.nn.Module):
    """Totals of 100 + width * latent, in cells of equal light; its width is its one number."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.width = torch.nn.Parameter(torch.tensor(width, dtype=torch.float64))

    def forward(self, latent: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        total = 100 + self.width * latent[:, :1]
        return total.expand(-1, TINY.cells) / TINY.cells


def push(term: Any, width: float, repeats: int = 8) -> float:
    """Gradient of a term by the width where real totals have a width of 10."""
    particles = 4000
    number = particles * repeats
    normal = torch.randn(
        (2, number, 3), generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    blank = torch.ones((number, 3), dtype=torch.float64)
    real = Dial(10.0)(normal[0], blank).detach()
    batch = replace(rows(1, 1), particles=particles, repeats=repeats, real=real, conditions=blank)
    dial = Dial(width)
    play = round_of("generator", batch, {"generator": dial}, latents=(normal[1], normal[1]))
    term.generator(play).mean().backward()
    assert dial.width.grad is not None
    return float(dial.width.grad)


@pytest.mark.parametrize("distance", ["absolute", "squared"])
def test_one_paired_shower_shrinks_fluctuations_without_end(distance: Any) -> None:
    term = Intensity(distance=distance)
    assert all(push(term, width) > 0.05 for width in (1.0, 5.0, 10.0, 20.0))


@pytest.mark.parametrize("repeats", [2, 4, 8])
def test_moments_hold_the_width_of_the_real_showers(repeats: int) -> None:
    """Zero at 10, whatever the number of rows; its neighbours are pulled there."""
    term = Intensity(distance="moments")
    at = {width: push(term, width, repeats) for width in (5.0, 10.0, 20.0)}
    assert at[5.0] < -8
    assert at[20.0] > 16
    assert abs(at[10.0]) < 1.0


def test_moments_estimate_the_distance_of_normal_laws() -> None:
    """(3 - 1)^2 + (2 - 0.5)^2 = 6.25, without bias at five rows."""
    random = torch.Generator().manual_seed(0)
    first, second = torch.randn((2, 100_000, 1), generator=random, dtype=torch.float64)
    there = torch.ones(100_000, dtype=torch.bool)
    batch = replace(rows(1, 1), particles=20_000, repeats=5, real=first)
    play = round_of("generator", batch, {}, latents=(first, first))
    value = moments(play, Numbers(3 + 2 * first, there), Numbers(1 + 0.5 * second, there))
    error = float(value[::5].std()) / 20_000**0.5
    assert value[::5].mean().item() == pytest.approx(6.25, abs=4 * error)


def test_c4_is_known() -> None:
    actual = c4(torch.tensor([2.0, 3.0, 8.0], dtype=torch.float64)).tolist()
    assert actual == pytest.approx([0.797885, 0.886227, 0.965030], abs=1e-6)


def test_repeated_showers_count_once() -> None:
    """Two real showers that fill four rows have the variance of two; one has none."""
    term, nets, batch = Intensity(distance="moments"), networks(), rows()
    batch.real[2:4] = batch.real[:2]
    fakes = nets["generator"](latents_of(12)[0], batch.conditions).detach().sum(dim=1)[:4].tolist()
    totals = batch.real.sum(dim=1)[:2].tolist()
    for distinct in (2, 1):
        batch = replace(batch, distinct=torch.full((12,), float(distinct), dtype=torch.float64))
        if distinct == 1:
            batch.real[:4] = batch.real[:1]
        (m, v, n), (k, w, o) = by_hand(fakes), by_hand(totals[:distinct])
        expected = (m - k) ** 2 - v / n - w / o
        if distinct > 1:
            expected += v + w - 2 * sqrt(v * w) / (unbias(n) * unbias(o))
        share = term.generator(round_of("generator", batch, nets))
        assert share[0].item() == pytest.approx(expected)


def test_batches_tell_how_many_real_showers_differ() -> None:
    particle = np.array([0, 0, 1, 2, 2, 2, 2, 2])
    cells = np.arange(8 * 16, dtype=np.uint16).reshape(8, 16)
    conditions = np.array([[10.0, 0, 9]] * 8) + particle[:, None]
    batches = Batches(
        Showers(TINY, cells, conditions, particle), np.arange(3), seed=0, particles=3, repeats=4
    )
    batch = batches.at(0)
    distinct = dict(zip(batch.particle.tolist(), batch.distinct.tolist(), strict=True))
    assert distinct == {0: 2, 1: 1, 2: 4}
    for name, number in distinct.items():
        assert len(np.unique(batch.real[batch.particle == name], axis=0)) == number


@pytest.mark.parametrize("of", ["peak", "mass"])
def test_empty_showers_have_no_centre_and_pull_nowhere(of: Any) -> None:
    term, batch = ShowerCentre(of=of), batch_with_empties()
    nets = nets_of(term)
    share = term.generator(round_of("generator", batch, nets))
    assert share[1] == 0
    assert (share[8:] == 0).all()
    assert (share[[0, 2, 3, 4, 5, 6, 7]] > 0).all()
    nets["generator"] = Still(batch.real * 0)
    with torch.no_grad():
        nets["generator"].logs.fill_(-float("inf"))  # fakes without light
        assert not term.generator(round_of("generator", batch, nets)).any()


def test_a_centre_of_mass_trains_no_helper() -> None:
    objective = NonSaturating() + ShowerCentre(of="mass")
    assert not objective.plays("helper")
    assert objective.helpers(ALICE_ZP) == {}
    assert (NonSaturating() + ShowerCentre()).plays("helper")
    assert (NonSaturating() + 0.0 * ShowerCentre()).helpers(ALICE_ZP) == {}


def test_centre_of_a_layered_detector_is_refused() -> None:
    for of in ("peak", "mass"):
        with pytest.raises(UsageError, match="ShowerCentre reads one layer of cells; atlas_em"):
            (1.0 * ShowerCentre(of=of)).helpers(ATLAS_EM)


def test_reference_regressor_is_the_published_one() -> None:
    """32, 64, 128, 256 channels of 3x3, pools 2x2, 2x1, 2x1, dense 2: by hand for 56 x 30."""
    network = regressor("reference", ALICE_ZP)
    sizes = [9 * a * b + b + 2 * b for a, b in pairwise((1, 32, 64, 128, 256))]
    dense = 256 * 3 * 8 * 2 + 2
    assert sum(p.numel() for p in network.parameters()) == sum(sizes) + dense
    assert network(torch.rand(3, 56 * 30)).shape == (3, 2)
