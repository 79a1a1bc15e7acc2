"""Terms for showers in layers against naive twins: loops over rows and cells in numpy."""

from __future__ import annotations

from math import erf, exp, log, sqrt
from typing import Any

import numpy as np
import pytest
import torch

from caloforge.errors import UsageError
from caloforge.objectives import (
    R1,
    R2,
    AttributeRegression,
    ConditionalMean,
    EnergyConditioning,
    FlippedLabels,
    LocalScore,
    NonSaturating,
    SoftSparsity,
)
from caloforge.recipe import override
from caloforge.recipes import recipe_of_name
from caloforge.training.game import batches_of, players
from small_game import TINY, latents_of, networks, round_of, rows

CHECKED = {
    "AttributeRegression",
    "ConditionalMean",
    "EnergyConditioning",
    "FlippedLabels",
    "LocalScore",
    "SoftSparsity",
}


def encoded(showers: torch.Tensor) -> np.ndarray:
    """The one layer of the tiny detector on the network scale.  (N, 4, 4)"""
    return np.array([[log(1 + cell) for cell in shower] for shower in showers]).reshape(-1, 4, 4)


def patch_distance(x: np.ndarray, y: np.ndarray, size: int) -> float:
    """Mean over all patches of the root mean square difference of their cells."""
    actual = []
    for i in range(4 - size + 1):
        for j in range(4 - size + 1):
            cells = [(i + a, j + b) for a in range(size) for b in range(size)]
            mean = sum((x[cell] - y[cell]) ** 2 for cell in cells) / len(cells)
            actual.append(sqrt(mean + 1e-6))
    return sum(actual) / len(actual)


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
    """Refused where a recipe is read, before anything is written."""
    with pytest.raises(UsageError, match=r"sizes.*greater than or equal to 1"):
        override(recipe_of_name("calibrated"), ["objective.LocalScore.sizes=[0]"])


@pytest.mark.parametrize("response", [1.0, 0.3])
def test_energy_conditioning_is_its_loop(response: float) -> None:
    batch = rows()
    play = round_of("generator", batch, networks())
    shares = EnergyConditioning(response=response).generator(play)
    for row, shower in enumerate(play.fake.detach().tolist()):
        total = 0.0
        for cell in shower:
            total += cell
        expected = abs(total - response * batch.conditions[row, 0].item())
        assert shares[row].item() == pytest.approx(expected)


def test_energy_conditioning_wants_what_is_read_out() -> None:
    play = round_of("generator", rows(), networks())
    play.views.detector = TINY.model_copy(update={"sampling_fraction": 0.2})
    sampled = EnergyConditioning().generator(play)
    play.views.detector = TINY
    torch.testing.assert_close(sampled, EnergyConditioning(response=0.2).generator(play))
    play.views.detector = TINY.model_copy(update={"energy": None})
    with pytest.raises(UsageError, match="EnergyConditioning: tiny names no energy"):
        EnergyConditioning().generator(play)


@pytest.mark.parametrize("response", [None, 0.5])
@pytest.mark.parametrize("tolerance", [0.0, 1.5])
def test_energy_within_the_tolerance_of_real_showers_is_free(
    response: float | None, tolerance: float
) -> None:
    batch = rows(particles=6)
    play = round_of("generator", batch, networks())
    shares = EnergyConditioning(response=response, tolerance=tolerance).generator(play)
    energies = batch.conditions[:, 0].tolist()
    real = [sum(s) / e for s, e in zip(batch.real.tolist(), energies, strict=True)]
    mean = sum(real) / len(real)
    deviation = sqrt(sum((one - mean) ** 2 for one in real) / len(real))
    for row, (shower, energy) in enumerate(zip(play.fake.tolist(), energies, strict=True)):
        off = abs(sum(shower) - (response or mean) * energy) - tolerance * deviation * energy
        assert shares[row].item() == pytest.approx(max(0.0, off))


def test_a_tolerance_leaves_the_resolution() -> None:
    """Without one the term pulls showers within it to the mean."""
    batch = rows(particles=50, repeats=1)
    play = round_of("generator", batch, {})
    wide = batch.real.clone().requires_grad_()
    play.__dict__["fake"] = wide
    EnergyConditioning(response=None, tolerance=10.0).generator(play).sum().backward()
    assert not wide.grad.any()
    EnergyConditioning(response=None).generator(play).sum().backward()
    assert wide.grad.any(dim=1).sum() >= 49


def test_conditional_mean_is_its_loops() -> None:
    batch, nets = rows(), networks()
    nets["critic"].blocks = (5, 13)
    play = round_of("generator", batch, nets)
    views = [
        [shower.tolist() for shower in nets["critic"].view(showers, batch.conditions)]
        for showers in (play.fake.detach(), play.fake2.detach(), batch.real)
    ]
    assert len(views[0][0]) == 18
    shares = ConditionalMean().generator(play)
    for row, (first, second, real) in enumerate(zip(*views, strict=True)):
        expected = 0.0
        for block in (range(5), range(5, 18)):
            products = [(first[k] - real[k]) * (second[k] - real[k]) for k in block]
            expected += sum(products) / len(products)
        assert shares[row].item() == pytest.approx(expected)


def test_conditional_mean_does_not_shrink_fluctuations() -> None:
    """Its expectation is least at the real mean whatever the spread, where a square is not."""
    rng = np.random.default_rng(0)
    batch = rows(particles=4000, repeats=1)
    batch.real[:] = torch.tensor(rng.normal(size=(4000, 16)))
    slopes = {}
    for together in (False, True):
        width = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        first, second = (torch.tensor(rng.normal(size=(4000, 16))) for _ in range(2))
        play = round_of("generator", batch, {"critic": torch.nn.Identity()})
        play.view = lambda showers: showers
        play.__dict__["fake"] = width * first
        play.__dict__["fake2"] = width * (first if together else second)
        ConditionalMean().generator(play).mean().backward()
        slopes[together] = float(width.grad)
    assert abs(slopes[False]) < 0.05
    assert slopes[True] == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("kind", [R1, R2])
def test_a_penalty_on_some_steps_has_the_same_mean(kind: Any) -> None:
    batch, nets = rows(), networks()
    every = kind().critic(round_of("critic", batch, nets, one_pass=True))
    shares = [
        kind(every=4).critic(round_of("critic", batch, nets, one_pass=True, step=step))
        for step in range(4)
    ]
    assert [share is None for share in shares] == [False, True, True, True]
    torch.testing.assert_close(shares[0] / 4, every)


def nets_of(term: Any) -> dict[str, Any]:
    torch.manual_seed(2)
    return networks() | {n: net.double() for n, net in (1.0 * term).helpers(TINY).items()}


@pytest.mark.parametrize("distance", ["absolute", "squared"])
@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 0.0)])
@pytest.mark.parametrize("learns", ["real", "both"])
def test_attribute_regression_is_its_loops(distance: Any, weights: Any, learns: Any) -> None:
    term = AttributeRegression(distance=distance, weights=weights, learns=learns)
    nets, batch = nets_of(term), rows()
    play = round_of("generator", batch, nets)
    output = {"fake": play.fake.detach(), "real": batch.real}

    def naive(name: str) -> list[float]:
        readings = nets["AttributeRegression"](output[name]).detach().tolist()
        errors = []
        for row, numbers in enumerate(readings):
            error = 0.0
            for k, weight in enumerate(weights or (0, 1, 1)):
                gap = abs(numbers[k] - batch.attributes[row, k].item())
                error += weight * gap ** (1 if distance == "absolute" else 2)
            errors.append(error)
        return errors

    assert term.generator(play).tolist() == pytest.approx(naive("fake"))
    losses = term.helper(round_of("helper", batch, nets)).tolist()
    both = [a + b for a, b in zip(naive("real"), naive("fake"), strict=True)]
    assert losses == pytest.approx(both if learns == "both" else naive("real"))


def test_the_generator_gets_a_gradient_from_attributes() -> None:
    """Eq. 3 as printed, real showers only, would give it none."""
    term = AttributeRegression()
    nets = nets_of(term)
    term.generator(round_of("generator", rows(), nets)).mean().backward()
    assert sum(float(p.grad.abs().sum()) for p in nets["generator"].parameters()) > 0


@pytest.mark.parametrize("setting", ["objective", "start.objective"])
def test_a_negative_weight_of_an_attribute_is_refused(setting: str) -> None:
    recipe = recipe_of_name("conditional-calogan", "atlas_em")
    terms = '{"AttributeRegression": {"weights": [0, -3, 1, 1, 1]}}'
    message = r"AttributeRegression\.weights\.1 is -3: 0 turns an attribute off"
    with pytest.raises(UsageError, match=message):
        override(recipe, [f"{setting}={terms}"])
    assert AttributeRegression(weights=(0.0, 1.0)).weights == (0.0, 1.0)


def test_weights_are_one_for_each_condition() -> None:
    with pytest.raises(UsageError, match="tiny has the conditions Energy, Px, Pz; give a weight"):
        (1.0 * AttributeRegression(weights=(1.0, 2.0))).helpers(TINY)


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_flipped_labels_are_their_loop(probability: float) -> None:
    batch, nets = rows(particles=20), networks()
    z1, z2 = latents_of(len(batch.real))
    play = round_of("critic", batch, nets, latents=(z1, z2))
    shares = FlippedLabels(probability=probability).critic(play)
    flipped = 0
    for row in range(len(batch.real)):
        chance = (1 + erf(z2[row, 0].item() / sqrt(2))) / 2
        real, fake = play.on_real.logit[row].item(), play.on_fake.logit[row].item()
        real = -real if chance < probability else real
        fake = -fake if chance > 1 - probability else fake
        flipped += chance < probability or chance > 1 - probability
        assert shares[row].item() == pytest.approx(log(1 + exp(-real)) + log(1 + exp(fake)))
    assert flipped / len(batch.real) == pytest.approx(2 * probability, abs=0.15)
    game = NonSaturating().generator(round_of("generator", batch, nets))
    losses = FlippedLabels(probability=probability).generator(round_of("generator", batch, nets))
    torch.testing.assert_close(losses, game)


def lit(cells: list[float], form: str, scale: float, epsilon: float) -> float:
    def root(value: float, power: float) -> float:
        return ((value + epsilon) ** power - epsilon**power) / (
            (1 + epsilon) ** power - epsilon**power
        )

    actual = 0.0
    for cell in cells:
        x = cell / scale
        if form == "hard":
            actual += x > 0
        elif form == "sum":
            inner = x**6 + root(x, 1 / 1.2)
            actual += inner / (1 + inner)
        else:
            inner = x**5 + root(x, 0.2)
            actual += root(inner / (1 + inner), 0.2)
    return actual / len(cells)


@pytest.mark.parametrize("form", ["root", "sum", "hard"])
@pytest.mark.parametrize("scale", [None, 3.0])
def test_soft_sparsity_is_its_loops(form: Any, scale: float | None) -> None:
    batch, nets = rows(), networks()
    batch.real[0] = 0
    play = round_of("generator", batch, nets)
    shares = SoftSparsity(form=form, scale=scale, epsilon=1e-3).generator(play)
    for row, (fake, real) in enumerate(zip(play.fake.tolist(), batch.real.tolist(), strict=True)):
        occupancies = [lit(cells, form, scale or 1.0, 1e-3) for cells in (fake, real)]
        assert shares[row].item() == pytest.approx(abs(occupancies[0] - occupancies[1]), abs=1e-9)


def test_soft_sparsity_has_a_gradient_where_cells_are_dark() -> None:
    batch, nets = rows(), networks()
    play = round_of("generator", batch, nets)
    dark = torch.zeros_like(batch.real, requires_grad=True)
    play.__dict__["fake"] = dark
    SoftSparsity().generator(play).sum().backward()
    assert torch.isfinite(dark.grad).all()
    assert (dark.grad < 0).all()
    assert not SoftSparsity(form="hard").plays("generator")


def test_helpers_may_be_trained_before_and_frozen() -> None:
    settings = ["training.pretraining=3", "training.generator_steps=2"]
    recipe = override(recipe_of_name("conditional-calogan"), settings)
    assert [players(recipe.training, step) for step in (0, 2, 3)] == [
        ("helper",),
        ("helper",),
        ("critic", "generator"),
    ]
    assert players(recipe_of_name("calogan").training, 0) == ("critic", "helper", "generator")
    assert batches_of(recipe.objective, recipe.training) == 1


@pytest.mark.parametrize("name", ["calogan", "conditional-calogan"])
def test_published_settings_are_recipes(name: str) -> None:
    recipe = recipe_of_name(f"{name}-published")
    assert recipe.generator.kind == recipe.critic.kind == name
    assert recipe.optimisers.critic.learning_rate == 2e-5
    assert recipe.training.generator_steps == 2
    assert recipe.data.particles == 256
    assert recipe.start is None


@pytest.mark.parametrize("detector", ["atlas_em", "atlas_em_polar"])
def test_deposits_share_their_settings(detector: str) -> None:
    for name in ("calibrated", "calogan", "conditional-calogan"):
        recipe = recipe_of_name(name, detector)
        assert recipe.generator.kind == "layered"
        assert recipe.detector == recipe.resolve().name == detector
        assert recipe.training.precision == "float32"
