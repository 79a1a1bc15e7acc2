"""Networks of layers: published sizes, layer to layer, energies, and the graph of each."""

from __future__ import annotations

import json
from math import exp, tanh
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from caloforge.data.derive import FeatureScaling
from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from caloforge.detectors import ALICE_ZN, ATLAS_EM, POINTS
from caloforge.errors import UsageError
from caloforge.export.onnx_builder import export_simulator
from caloforge.networks.calogan import LocallyConnected
from caloforge.networks.critic import MinibatchDiscrimination
from caloforge.networks.critics import CriticConfig
from caloforge.networks.generators import GeneratorConfig
from caloforge.networks.impact_profile import log_part
from caloforge.networks.layer_images import Blur, InPainting, resampling
from caloforge.networks.response_law import ResponseLaw
from caloforge.networks.shower_inputs import StandardisedInputs
from caloforge.networks.sparsity import EPSILON, FORMS, occupancy
from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.simulator import Simulator
from test_networks import conditions_of, parameters, scaling_of

LAYERED = ("layered", "calogan", "conditional-calogan")
CRITICS = (*LAYERED, "standardised")


def built(kind: str, **options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    config = GeneratorConfig(kind=kind, **{"latent": 12} | options)
    return config.build(ATLAS_EM, scaling_of(ATLAS_EM, config.features)).eval()


def condition_rows(rows: int = 4) -> torch.Tensor:
    return torch.tensor(conditions_of(ATLAS_EM, rows), dtype=torch.float32)


def test_calogan_has_the_published_parameters() -> None:
    """Counted in the public code: 29.7 M, of which the dense layers have 18.1, 7.2 and 4.1 M."""
    network = built("calogan", latent=1024, features="plain")
    dense = [(nx + 2) * (ny + 2) * 36 * 1025 for nx, ny in ((3, 96), (12, 12), (12, 6))]
    assert [round(n / 1e6, 1) for n in dense] == [18.1, 7.2, 4.1]
    rest = 0
    for nx, ny in ((3, 96), (12, 12), (12, 6)):
        rest += (36 * 16 * 4 + 16) + 2 * 16
        rest += (nx + 1) * (ny + 1) * (4 * 16 * 6 + 6) + nx * ny * 4 * 6
    rest += (12 * 12 + 12 * 6) * (9 * 2 * 2 + 2)
    assert parameters(network) == sum(dense) + rest
    assert parameters(network) == pytest.approx(29.7e6, rel=0.002)


def test_the_light_generator_is_two_hundred_times_smaller() -> None:
    light = GeneratorConfig(kind="layered", latent=64).build(ATLAS_EM, scaling_of(ATLAS_EM))
    assert parameters(light) < 29.7e6 / 150


def test_locally_connected_is_its_loops() -> None:
    torch.manual_seed(1)
    layer = LocallyConnected((3, 5), 2, 4, (2, 3), stride=(1, 2), padding=1)
    torch.nn.init.normal_(layer.get_parameter("bias"))
    images = torch.randn(2, 2, 3, 5)
    actual = layer(images).detach().numpy()
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    assert actual.shape == (2, 4, 4, 3) == (2, 4, *layer.shape)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    for row in range(2):
        for x in range(4):
            for y in range(3):
                patch = padded[row, :, x : x + 2, 2 * y : 2 * y + 3].ravel()
                expected = patch @ weight[3 * x + y] + bias[:, 3 * x + y]
                np.testing.assert_allclose(actual[row, :, x, y], expected, rtol=1e-4, atol=1e-5)


def test_resampling_is_the_authors_upsampling_and_pooling() -> None:
    first, second = torch.rand(2, 3, 96), torch.rand(2, 12, 12)
    up = interpolate(first[:, None], scale_factor=(4, 1))
    torch.testing.assert_close(
        resampling(3, 12) @ first @ resampling(96, 12).T, avg_pool2d(up, (1, 8))[:, 0]
    )
    torch.testing.assert_close(
        resampling(12, 12) @ second @ resampling(12, 6).T, avg_pool2d(second[:, None], (1, 2))[:, 0]
    )
    torch.testing.assert_close(resampling(5, 7).sum(dim=1), torch.ones(7))


def test_in_painting_starts_with_the_own_image() -> None:
    torch.manual_seed(0)
    painter = InPainting((3, 96), (12, 12))
    own, before = torch.rand(2, 12, 12), torch.rand(2, 3, 96)
    torch.testing.assert_close(painter(own, before), own, rtol=0, atol=1e-3)
    with torch.no_grad():
        painter.weigh.bias[1] = 30.0
    carried = resampling(3, 12) @ before @ resampling(96, 12).T
    torch.testing.assert_close(painter(own, before), carried, rtol=0, atol=1e-3)


def test_blur_is_a_fixed_mean() -> None:
    blur, image = Blur((4, 5)), torch.rand(1, 4, 5)
    actual, padded = blur(image)[0], np.pad(image[0].numpy(), 1)
    assert not list(blur.parameters())
    for x in range(4):
        for y in range(5):
            assert actual[x, y] == pytest.approx(padded[x : x + 3, y : y + 3].sum() / 9, rel=1e-5)


@pytest.mark.parametrize("kind", LAYERED)
@pytest.mark.parametrize("options", [{}, {"attention": False}, {"blur": (0, 2)}], ids=str)
def test_generators_give_deposits(kind: str, options: Any) -> None:
    network, latents = built(kind, **options), torch.randn(4, 12)
    with torch.no_grad():
        showers = network(latents, condition_rows())
    assert showers.shape == (4, 504)
    assert torch.isfinite(showers).all()
    assert (showers >= 0).all()


def test_totals_follow_the_energy() -> None:
    with torch.no_grad():
        showers = built("layered")(torch.randn(64, 12), condition_rows(64))
    ratio = showers.sum(dim=1) / condition_rows(64)[:, 0]
    assert (ratio - 1).abs().max() < 0.1
    assert (showers == 0).any()
    least = showers[showers > 0].min() / ATLAS_EM.quantum
    assert least > 0.005


def test_a_generator_of_counts_needs_no_energy() -> None:
    network = GeneratorConfig(kind="layered").build(ALICE_ZN, scaling_of(ALICE_ZN))
    assert (
        network(torch.randn(2, 10), torch.tensor(conditions_of(ALICE_ZN, 2)).float()) >= 0
    ).all()


@pytest.mark.parametrize("kind", LAYERED)
def test_points_are_refused(kind: str) -> None:
    with pytest.raises(UsageError, match=r"points .*set generator\.kind="):
        GeneratorConfig(kind=kind).build(POINTS, scaling_of(POINTS))


def test_a_layer_that_is_not_there_cannot_be_blurred() -> None:
    with pytest.raises(UsageError, match=r"generator\.blur: atlas_em has no layer 3"):
        built("layered", blur=(3,))


def test_parts_of_profiles_sum_to_one() -> None:
    """Cells from minus to plus infinity hold a whole logistic distribution."""
    middle = (torch.arange(400, dtype=torch.float64) - 199.5) / 10
    axis, width = torch.tensor([[0.03]]).double(), torch.tensor([[0.004, 0.2, 1.5]]).double()
    part = log_part(middle, axis, width, half=0.05)
    torch.testing.assert_close(part.exp().sum(dim=2), torch.ones(1, 3).double(), atol=2e-5, rtol=0)
    assert torch.isfinite(log_part(middle.float(), axis.float(), width.float(), 0.05)).all()


@pytest.mark.parametrize("kind", LAYERED)
def test_each_exports_and_answers_alike(kind: str, tmp_path: Path) -> None:
    network = built(kind, blur=(1,))
    conditions = conditions_of(ATLAS_EM, 16)
    export_simulator(network, ATLAS_EM, {}, conditions, tmp_path / "sim", latent_size=12)
    assert Simulator.load(tmp_path / "sim").check() < 1e-4


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("root", [0, 0.73, 0.83, 0.92, 1]),
        ("sum", [0, 0.003, 0.13, 0.67, 1]),
        ("hard", [0, 1, 1, 1, 1]),
    ],
)
def test_lit_cells_are_counted_as_by_the_authors(form: Any, expected: list[float]) -> None:
    """Numbers of both public codes."""
    cells = torch.tensor([0, 1e-3, 0.1, 1, 10], dtype=torch.float64)
    actual = FORMS[form](cells, 1e-15)
    assert actual[0] == 0
    assert actual.tolist() == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize("form", ["root", "sum"])
def test_soft_sparsity_rises_from_nothing_to_one(form: Any) -> None:
    cells = torch.logspace(-6, 4, 200, dtype=torch.float64)
    lit = FORMS[form](cells, EPSILON)
    assert abs(FORMS[form](torch.zeros(1), EPSILON)) < 1e-8
    assert (lit.diff() >= 0).all()
    assert lit[-1] == pytest.approx(1, abs=1e-3)
    dark = torch.zeros(3, requires_grad=True)
    FORMS[form](dark, EPSILON).sum().backward()
    assert ((dark.grad > 0) & (dark.grad < 1e4)).all()


def test_occupancy_is_by_layer_and_scale() -> None:
    cells = torch.zeros(2, ATLAS_EM.cells)
    cells[0, :72] = 1.0
    assert occupancy(ATLAS_EM, cells, "hard").tolist() == [[0.25, 0, 0], [0, 0, 0]]
    small, large = (occupancy(ATLAS_EM, cells, "root", scale=scale)[0, 0] for scale in (1e-3, 1e3))
    assert small > 0.249 > large


@pytest.mark.parametrize("mean", [False, True])
def test_minibatch_discrimination_is_its_loops(mean: bool) -> None:
    torch.manual_seed(0)
    layer = MinibatchDiscrimination(4, kernels=3, mean=mean)
    rows = torch.randn(5, 4)
    weight = layer.project.weight.detach().numpy()
    actual = layer(rows).detach().numpy()
    places = (rows.numpy() @ weight.T).reshape(5, 3, 10)
    for i in range(5):
        for kernel in range(3):
            near = 0.0
            for j in range(5):
                if j != i:
                    near += exp(-abs(places[i, kernel] - places[j, kernel]).sum())
            expected = near / 4 if mean else tanh(near)
            assert actual[i, kernel] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert (layer(rows[:1]).abs() < 1e-6).all()


@pytest.mark.parametrize("kind", CRITICS)
def test_a_critic_sees_copies_only_with_minibatch_discrimination(kind: str) -> None:
    torch.manual_seed(0)
    rows = torch.rand(6, ATLAS_EM.cells) * 0.1
    copies = rows[:1].expand(6, -1)
    for minibatch in (True, False):
        config = CriticConfig(kind=kind, minibatch=minibatch)
        critic = config.build(ATLAS_EM, scaling_of(ATLAS_EM)).eval()
        with_copies = critic(copies, condition_rows(1).expand(6, -1)).logit[0]
        alone = critic(rows[:1], condition_rows(1)).logit[0]
        assert bool((with_copies - alone).abs() > 1e-5) is minibatch


@pytest.mark.parametrize("kind", LAYERED)
def test_a_critic_sees_energy_that_is_missing(kind: str) -> None:
    critic = CriticConfig(kind=kind).build(ATLAS_EM, scaling_of(ATLAS_EM)).eval()
    energies = condition_rows(2)
    layers = torch.tensor([[5.0, 40.0, 1.0], [5.0, 40.0, 1.0]])
    critic_energies = torch.cat(critic.energies(layers, energies), dim=1)
    off = abs(46.0 - energies[:, 0])
    assert critic_energies[:, -1].tolist() == [10.0 if gap > 5 else 0.0 for gap in off]
    scale = 100 / energies[:, 0] if kind == "layered" else torch.ones(2)
    torch.testing.assert_close(critic_energies[:, -2], off * scale)


def test_gradients_of_narrow_layers_are_numbers() -> None:
    """Strides of 2 over an image one cell wide gave NaN about every other time."""
    torch.manual_seed(0)
    critic = CriticConfig(kind="light").build(ATLAS_EM, scaling_of(ATLAS_EM))
    critic.to(memory_format=torch.channels_last)
    for _ in range(6):
        showers = torch.rand(64, ATLAS_EM.cells)
        critic(showers, condition_rows(64)).logit.mean().backward()
        assert all(torch.isfinite(p.grad).all() for p in critic.parameters())


def naive_statistics(shower: np.ndarray) -> tuple[list[float], list[float]]:
    """Energy and centre of each layer, then shapes, cell by cell; energies in quanta."""
    related, shapes = [], []
    start = 0
    for layer in ATLAS_EM.layers:
        image = shower[start : start + layer.cells].reshape(layer.shape) / ATLAS_EM.quantum
        start += layer.cells
        related.append(np.log1p(image.sum()))
        widths = []
        for axis in range(2):
            profile = image.sum(axis=1 - axis)
            cells = len(profile)
            places = [(2 * i + 1) / cells - 1 for i in range(cells)]
            total = sum(profile) + 0.1
            centre = sum(p * x for p, x in zip(profile, places, strict=True)) / total
            second = sum(p * x**2 for p, x in zip(profile, places, strict=True)) / total
            related.append(centre)
            widths.append(np.sqrt(max(second - centre**2, 0) + 1e-4))
        shapes += widths
        shapes += [np.log1p(x) for x in sorted(image.ravel(), reverse=True)[:6]]
        shapes.append(np.mean([x / (x + 0.03) for x in image.ravel()]))
        shapes += [np.log1p(x) for x in (*image.sum(axis=1), *image.sum(axis=0))]
    return related, shapes


def fitted_inputs(rows: int = 64) -> tuple[StandardisedInputs, torch.Tensor, torch.Tensor]:
    """Inputs in units of some showers, which come along with their conditions."""
    real, conditions = (x.double() for x in some_deposits(rows))
    inputs = StandardisedInputs(ATLAS_EM, scaling_of(ATLAS_EM, "plain"), "hard").double()
    inputs.fit(real, conditions)
    return inputs, real, conditions


def test_inputs_are_statistics_in_units_of_real_showers() -> None:
    inputs, real, conditions = fitted_inputs()
    actual = inputs(real, conditions)
    assert actual.shape == (64, sum(inputs.sizes))
    both = [naive_statistics(shower) for shower in real.numpy()]
    related = np.array([one[0] for one in both])
    condition_rows = np.column_stack([inputs.conditions(conditions).numpy(), np.ones(64)])
    ridge = np.diag([10.0] * 5 + [0.0])
    expected = condition_rows @ np.linalg.solve(
        condition_rows.T @ condition_rows + ridge, condition_rows.T @ related
    )
    total = torch.log((real.sum(dim=1) + 1e-5) / conditions[:, 0]).numpy()
    hard = occupancy(ATLAS_EM, real, "hard").numpy()
    values = np.column_stack([total, related - expected, [one[1] for one in both], hard])
    off = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 0.02)
    target = np.sign(off) * np.log1p(abs(off))
    np.testing.assert_allclose(actual[:, : inputs.statistics].numpy(), target, atol=1e-6)


def test_inputs_hold_each_cell_twice() -> None:
    inputs, real, conditions = fitted_inputs()
    _, *images = inputs.split(inputs(real, conditions))
    for image, layer in zip(images, ATLAS_EM.split(real / ATLAS_EM.quantum).values(), strict=True):
        logs = torch.log1p(layer)
        torch.testing.assert_close(image[:, 0], logs - logs.mean())
        torch.testing.assert_close(image[:, 1], 2 * layer / (layer + 0.03) - 1)


def test_inputs_know_no_energy_that_the_critic_does_not_receive() -> None:
    names = (("E",), ("theta", "phi"))
    scalings = [
        FeatureScaling.fit(ATLAS_EM, conditions_of(ATLAS_EM, 50), attributes=n) for n in names
    ]
    first, second = (StandardisedInputs(ATLAS_EM, scaling, None) for scaling in scalings)
    assert first.statistics == second.statistics + 1


def test_minibatch_discrimination_of_real_showers_is_not_saturated() -> None:
    """The tanh of a sum over the batch is: a batch looks like copies of one shower."""
    some = read(sample_path("atlas_em")).rows(np.arange(64))
    cells = torch.from_numpy(some.cells.astype(np.float32))
    conditions = torch.from_numpy(some.conditions.astype(np.float32))
    torch.manual_seed(0)
    critic = CriticConfig(kind="standardised").build(ATLAS_EM, scaling_of(ATLAS_EM))
    critic.begin(cells, conditions)
    statistics = critic.inputs.split(critic.view(cells, conditions))[0]
    with torch.no_grad():
        inputs = critic.narrow(statistics)
        near = critic.batch(inputs)
        critic.batch.mean = False
        published = critic.batch(inputs)
    assert published.median() > 0.99
    assert 0.05 < near.median() < 0.8
    assert near.std(dim=0).min() > 0.02


@pytest.mark.parametrize("blurred", ["deposits", "logarithms"])
def test_a_blur_of_logarithms_leaves_the_core(blurred: Any) -> None:
    """Of blurred deposits no cell inside holds more than a ninth of its layer."""
    network = built("layered", latent=12, blur=(1,), blurred=blurred)
    image = torch.full((1, 12, 12), -3.0)
    image[0, 5:8, 5:8] = 12.0
    image[0, 6, 6] = 20.0
    sharp = [torch.zeros(1, 3, 96), image, torch.zeros(1, 12, 6)]
    if blurred == "logarithms":
        sharp = [blur(one) for blur, one in zip(network.blurs, sharp, strict=True)]
    amounts = network.amounts(sharp)[1]
    share = (amounts.max() / amounts.sum()).item()
    assert (share < 1 / 9 + 1e-3) is (blurred == "deposits")


def some_deposits(rows: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    """Showers whose last layer holds a thousandth, of a response of 0.3 that fluctuates."""
    draw = torch.Generator().manual_seed(3)
    conditions = condition_rows(rows)
    cells = torch.rand((rows, ATLAS_EM.cells), generator=draw)
    parts = ATLAS_EM.split(cells)
    scaled = [
        part.flatten(1) / part.flatten(1).sum(dim=1, keepdim=True) * share
        for part, share in zip(parts.values(), (0.2, 0.799, 0.001), strict=True)
    ]
    response = 0.3 * torch.exp(0.5 * torch.randn((rows, 1), generator=draw))
    energy = conditions[:, [ATLAS_EM.column("E")]]
    return torch.cat(scaled, dim=1) * response * energy, conditions


def test_a_generator_begins_with_the_shares_and_the_response_of_real_showers() -> None:
    network = built("layered", latent=64)
    real, conditions = some_deposits()
    network.begin(real, conditions)
    with torch.no_grad():
        generated = network(torch.randn(len(real), 64), conditions)
    energy = conditions[:, ATLAS_EM.column("E")]
    layers = torch.stack(
        [x.flatten(1).sum(dim=1) for x in ATLAS_EM.split(generated).values()], dim=1
    )
    shares = (layers / layers.sum(dim=1, keepdim=True)).mean(dim=0)
    assert shares.tolist() == pytest.approx([0.2, 0.799, 0.001], rel=0.5)
    response = (generated.sum(dim=1) / energy).log()
    assert float(response.mean()) == pytest.approx(float(np.log(0.3)), abs=0.15)
    assert float(network.scale) == pytest.approx(0.5, rel=0.1)
    before = {name: x.clone() for name, x in network.state_dict().items()}
    network.begin(torch.zeros_like(real), conditions)
    assert all((x == before[name]).all() for name, x in network.state_dict().items())


def two_peaks(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logarithms of responses of muon-like and of showering particles, and energies.  (n,), (n,)"""
    draw = torch.Generator().manual_seed(2)
    energies = torch.exp(torch.rand(rows, generator=draw) * 4.6)
    showering = torch.rand(rows, generator=draw) < 0.4
    width = 0.1 * torch.randn(rows, generator=draw)
    return torch.where(showering, -0.7 + width, np.log(0.3) - energies.log() + width), energies


def test_responses_are_quantiles_of_real_showers_at_their_energy() -> None:
    law, (logs, energies) = ResponseLaw(), two_peaks(20_000)
    law.fit(logs, energies)
    drawn = law(torch.randn(len(energies), 1), energies[:, None])[:, 0]
    for low, high in ((1, 5), (5, 20), (20, 100)):
        here = (energies > low) & (energies <= high)
        levels = torch.tensor([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
        expected, actual = logs[here].quantile(levels), drawn[here].quantile(levels)
        torch.testing.assert_close(actual, expected, atol=0.12, rtol=0)
    assert logs.min() <= drawn.min()
    assert drawn.max() <= logs.max()


def test_the_law_of_responses_is_numpys_interpolation() -> None:
    law = ResponseLaw()
    law.fit(*two_peaks(2000))
    normal, energy = torch.linspace(-4, 4, 50), torch.exp(torch.linspace(-1, 6, 50))
    of_level = [np.interp(normal, law.levels, quantiles) for quantiles in law.quantiles.T]
    expected = [
        np.interp(log, law.logs, [quantiles[row] for quantiles in of_level])
        for row, log in enumerate(energy.log())
    ]
    actual = law(normal[:, None], energy[:, None])[:, 0]
    np.testing.assert_allclose(actual, expected, atol=2e-4)


def test_one_energy_has_a_law_of_responses_and_so_has_one_shower() -> None:
    law, logs = ResponseLaw(), torch.linspace(-1, 0, 101)
    law.fit(logs, torch.full((101,), 50.0))
    at = torch.tensor([[50.0], [1.0], [0.0]])
    assert law(torch.zeros(3, 1), at)[:, 0].tolist() == pytest.approx([-0.5] * 3, abs=0.02)
    law.fit(logs[:1], torch.tensor([50.0]))
    assert law(torch.randn(3, 1), at)[:, 0].tolist() == pytest.approx([-1.0] * 3, rel=1e-5)


def test_a_generator_begins_with_the_law_of_responses(tmp_path: Path) -> None:
    network = built("layered", latent=64, options={"response": "empirical"})
    real, conditions = some_deposits(4096)
    energy = conditions[:, ATLAS_EM.column("E")]
    peaks = torch.where(torch.arange(len(real)) % 2 == 0, 0.01, 0.8) * energy
    network.begin(real * (peaks / real.sum(dim=1))[:, None], conditions)
    with torch.no_grad():
        response = network(torch.randn(len(real), 64), conditions).sum(dim=1) / energy
    assert float((response < 0.05).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float((response > 0.5).float().mean()) == pytest.approx(0.5, abs=0.05)
    export_simulator(network, ATLAS_EM, {}, conditions.numpy(), tmp_path / "sim", latent_size=64)
    assert Simulator.load(tmp_path / "sim").check() < 1e-4


def test_a_detector_without_energy_has_no_law_of_responses() -> None:
    config = GeneratorConfig(kind="layered", options={"response": "empirical"})
    with pytest.raises(UsageError, match="alice_zn has no energy"):
        config.build(ALICE_ZN, scaling_of(ALICE_ZN))


def test_a_generator_of_counts_begins_with_their_total() -> None:
    network = GeneratorConfig(kind="layered").build(ALICE_ZN, scaling_of(ALICE_ZN))
    conditions = torch.tensor(conditions_of(ALICE_ZN, 64), dtype=torch.float32)
    network.begin(torch.full((64, ALICE_ZN.cells), 2.0), conditions)
    with torch.no_grad():
        generated = network(torch.randn(64, 10), conditions).sum(dim=1)
    assert float(generated.mean()) == pytest.approx(2 * ALICE_ZN.cells, rel=0.3)


def test_networks_see_only_what_they_are_told() -> None:
    scaling = FeatureScaling.fit(ATLAS_EM, conditions_of(ATLAS_EM, 50), attributes=("E",))
    assert {name for feature in scaling.features for name in feature.of} == {"E"}
    torch.manual_seed(0)
    generator = GeneratorConfig(kind="layered", latent=12).build(ATLAS_EM, scaling).eval()
    critic = CriticConfig(kind="layered").build(ATLAS_EM, scaling).eval()
    one = condition_rows(6)
    other = condition_rows(12)[6:].clone()
    other[:, ATLAS_EM.column("E")] = one[:, ATLAS_EM.column("E")]
    latent = torch.randn(6, 12)
    showers = generator(latent, one)
    torch.testing.assert_close(generator(latent, other), showers)
    torch.testing.assert_close(critic(showers, other).logit, critic(showers, one).logit)
    with pytest.raises(UsageError, match="has no Pt; it has E, theta"):
        FeatureScaling.fit(ATLAS_EM, conditions_of(ATLAS_EM, 50), attributes=("Pt",))
    with pytest.raises(UsageError, match="no feature of atlas_em"):
        FeatureScaling.fit(ATLAS_EM, conditions_of(ATLAS_EM, 50), attributes=("x0",))


def test_the_former_name_of_a_setting_still_loads() -> None:
    recipe = recipe_of_name("calogan", "atlas_em")
    record = json.loads(recipe.to_json())
    record["generator"]["told"] = record["generator"].pop("attributes")
    assert record["generator"]["told"] == ["E"]
    assert Recipe.from_json(json.dumps(record)) == recipe
    assert override(recipe, ['generator.told=["E"]']) == recipe


def test_a_blur_is_that_of_logarithms_unless_a_recipe_says_otherwise() -> None:
    recipe = recipe_of_name("calogan", "atlas_em")
    assert override(recipe, ["generator.blur=[1]"]).generator.blurred == "logarithms"
    deposits = override(recipe, ["generator.blur=[1]", "generator.blurred=deposits"])
    assert Recipe.from_json(deposits.to_json()) == deposits
    assert deposits.generator.blurred == "deposits"
    published = recipe_of_name("conditional-calogan-published", "atlas_em").generator
    assert (published.blur, published.blurred) == ((1,), "deposits")


def test_recipes_without_blur_are_equal_whatever_they_would_blur() -> None:
    """Recorded ones name deposits, which were the default."""
    recipe = recipe_of_name("calogan", "atlas_em")
    record = json.loads(recipe.to_json())
    assert record["generator"]["blur"] == []
    record["generator"]["blurred"] = "deposits"
    assert Recipe.from_json(json.dumps(record)) == recipe
    with pytest.raises(UsageError, match=r"generator\.blurred"):
        override(recipe, ["generator.blurred=photons"])


def test_blurs_of_recipes_of_version_1_are_those_of_deposits() -> None:
    record = json.loads(override(recipe_of_name("calogan"), ["generator.blur=[1]"]).to_json())
    del record["generator"]["blurred"]
    old = Recipe.from_json(json.dumps(record | {"version": 1}))
    assert (old.generator.blur, old.generator.blurred) == ((1,), "deposits")
