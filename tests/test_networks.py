"""Networks: sizes from the detector, physical units outside, published layer tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.detectors import DETECTORS, detector_of_name
from caloforge.errors import UsageError
from caloforge.networks.critic import compares_rows
from caloforge.networks.critics import CRITICS, CriticConfig
from caloforge.networks.generators import DCGAN_TABLES, GENERATORS, GeneratorConfig, cosines
from caloforge.networks.scaling import ConditionScale, ResponseScale
from caloforge.networks.shower_inputs import Views
from caloforge.objectives.gan_step import same_dropout
from small_game import TINY

FITS = {
    "reference": lambda detector: detector.name in DCGAN_TABLES,
    "profile": lambda detector: not detector.signed,
    "layered": lambda detector: not detector.signed,
    "calogan": lambda detector: detector.energy is not None,
    "conditional-calogan": lambda detector: detector.energy is not None,
}
"""Kinds that are not made for every detector."""
CRITIC_FITS = {
    **FITS,
    "counts": lambda detector: not detector.signed,
    "standardised": lambda detector: not detector.signed,
    "reference": lambda detector: len(detector.layers) == 1,
}
WIDE = ("calogan", "conditional-calogan")
"""Published critics, whose last layer is as wide as what it sees."""
KINDS = [
    (kind, name)
    for kind in sorted(GENERATORS)
    for name in sorted(DETECTORS)
    if FITS.get(kind, lambda _: True)(DETECTORS[name])
]


def conditions_of(detector: Detector, number: int = 6) -> np.ndarray:
    """Conditions that differ between rows: near one hundred, but forward and about once charged."""
    conditions = np.random.default_rng(3).uniform(50, 150, (number, len(detector.columns)))
    sideways = np.array([c.vector is not None and c.axis is not None for c in detector.conditions])
    charge = np.array(detector.columns) == "charge"
    conditions = np.where(sideways, 1e-4, np.where(charge, 1e-2, 1.0)) * conditions
    angle = [condition.unit == "rad" for condition in detector.conditions]
    return np.where(
        angle, [c.mirror_at for c in detector.conditions] + 1e-3 * conditions, conditions
    )


def scaling_of(detector: Detector, kind: Any = "features") -> FeatureScaling:
    return FeatureScaling.fit(detector, conditions_of(detector, 32), kind)


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def sizes_of_convolutions(
    network: torch.nn.Module, first: torch.Tensor, detector: Detector
) -> list[tuple[int, ...]]:
    """Sizes of what convolutions give for two rows, (channels, nx, ny)."""
    sizes: list[tuple[int, ...]] = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    network(first, torch.tensor(conditions_of(detector, 2), dtype=torch.float32))
    return sizes


def build(kind: str, detector: Detector) -> torch.nn.Module:
    torch.manual_seed(1)
    return GeneratorConfig(kind=kind).build(detector, scaling_of(detector))


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_generator_makes_showers_of_its_detector(kind: str, name: str) -> None:
    detector = detector_of_name(name)
    network = build(kind, detector)
    conditions = torch.tensor(conditions_of(detector), dtype=torch.float32)
    showers = network(torch.randn(len(conditions), 10), conditions)
    assert showers.shape == (len(conditions), detector.cells)
    assert torch.isfinite(showers).all()
    assert detector.signed or (showers >= 0).all()
    showers.sum().backward()
    for parameter, value in network.named_parameters():
        assert value.grad is not None, parameter


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_conditions_and_latents_reach_the_showers(kind: str, name: str) -> None:
    detector = detector_of_name(name)
    network = build(kind, detector).eval()
    conditions = torch.tensor(conditions_of(detector, 2), dtype=torch.float32)
    z = torch.randn(2, 10)
    with torch.no_grad():
        first = network(z, conditions)
        assert not torch.allclose(first, network(z.flip(0), conditions))
        assert not torch.allclose(first, network(z, conditions.flip(0)))


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_rows_are_independent(kind: str, name: str) -> None:
    """A shower is what it would be alone."""
    detector = detector_of_name(name)
    network = build(kind, detector).eval()
    conditions = torch.tensor(conditions_of(detector, 3), dtype=torch.float32)
    z = torch.randn(3, 10)
    with torch.no_grad():
        alone = torch.cat([network(z[i : i + 1], conditions[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(network(z, conditions), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", sorted(CRITICS))
@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_critic_gives_a_verdict_per_row(kind: str, name: str) -> None:
    detector = detector_of_name(name)
    if not CRITIC_FITS.get(kind, lambda _: True)(detector):
        pytest.skip("not made for this detector")
    critic = CriticConfig(kind=kind).build(detector, scaling_of(detector))
    conditions = torch.tensor(conditions_of(detector), dtype=torch.float32)
    showers = torch.rand(len(conditions), detector.cells) * 9
    verdict = critic(showers, conditions)
    assert verdict.logit.shape == (len(conditions),)
    widths = {"counts": 128, "standardised": 128} | dict.fromkeys(WIDE, verdict.features.shape[1])
    assert verdict.features.shape == (len(conditions), widths.get(kind, 64))
    assert not torch.allclose(verdict.logit, critic(showers, conditions.flip(0)).logit)


COMPARING = {"reference", "calogan", "conditional-calogan"}
"""Critics with statistics of a batch, with minibatch discrimination or without."""


@pytest.mark.parametrize("kind", sorted(CRITICS))
def test_critics_that_compare_rows_are_known_by_their_layers(kind: str) -> None:
    """A row is judged otherwise beside others."""
    detector = detector_of_name("alice_zn" if kind == "reference" else "atlas_em")
    for minibatch in (True, False):
        torch.manual_seed(0)
        critic = CriticConfig(kind=kind, minibatch=minibatch).build(detector, scaling_of(detector))
        showers = torch.rand(6, detector.cells) * 0.1
        conditions = torch.tensor(conditions_of(detector), dtype=torch.float32)
        with torch.no_grad(), same_dropout(critic, 0, conditions.device):
            beside = critic(showers, conditions).logit[:2]
            apart = critic(showers[:2], conditions[:2]).logit
        if compares := kind in COMPARING or (minibatch and kind in ("layered", "standardised")):
            assert (beside - apart).abs().max() > 1e-4
        assert compares_rows(critic) is compares


def test_reference_critic_of_several_layers_is_refused_in_one_line() -> None:
    several = [d for d in map(detector_of_name, DETECTORS) if len(d.layers) > 1]
    for detector in several:
        with pytest.raises(UsageError, match=r"critic\.kind=light"):
            CriticConfig(kind="reference").build(detector, scaling_of(detector))


def test_unpublished_reference_generator_is_refused() -> None:
    with pytest.raises(UsageError, match=r"generator\.kind=light"):
        GeneratorConfig(kind="reference").build(TINY, scaling_of(TINY))


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_o2_generator_is_small(name: str) -> None:
    assert parameters(build("o2", detector_of_name(name))) <= 300_000 or name != "alice_zn"


def test_reference_generator_is_the_published_one() -> None:
    """19 -> 256 -> 128 x 13 x 13, up, 3x3 128, up, 3x3 64, 3x3 1: 44 x 44, 5.83 M weights."""
    detector = detector_of_name("alice_zn")
    network = GeneratorConfig(kind="reference", features="plain").build(
        detector, scaling_of(detector, "plain")
    )
    assert parameters(network) == pytest.approx(5.83e6, rel=0.01)
    # By hand: weights and biases, and two numbers per channel of each normalisation.
    dense = (19 * 256 + 256 + 2 * 256) + (256 * 21632 + 21632 + 2 * 21632)
    first = 128 * 128 * 9 + 128 + 2 * 128
    second = 128 * 64 * 9 + 64 + 2 * 64
    last = 64 * 9 + 1
    assert parameters(network) == dense + first + second + last


def test_reference_generator_goes_through_the_published_sizes() -> None:
    detector = detector_of_name("alice_zn")
    sizes = sizes_of_convolutions(build("reference", detector), torch.randn(2, 10), detector)
    assert sizes == [(128, 24, 24), (64, 46, 46), (1, 44, 44)]


def test_reference_generator_of_protons_is_the_published_one() -> None:
    """19 -> 256 -> 128 x 20 x 10, up 3x2, 2x2 256, up 1x2, 2x2 128, 2x2 64, 2x7 1: 56 x 30."""
    detector = detector_of_name("alice_zp")
    network = GeneratorConfig(kind="reference", features="plain").build(
        detector, scaling_of(detector, "plain")
    )
    assert parameters(network) == pytest.approx(7.0e6, rel=0.02)
    dense = (19 * 256 + 256 + 2 * 256) + (256 * 25600 + 25600 + 2 * 25600)
    first = 128 * 256 * 4 + 256 + 2 * 256
    second = 256 * 128 * 4 + 128 + 2 * 128
    third = 128 * 64 * 4 + 64 + 2 * 64
    last = 64 * 14 + 1
    assert parameters(network) == dense + first + second + third + last == 6_933_185
    sizes = sizes_of_convolutions(network, torch.randn(2, 10), detector)
    assert sizes == [(256, 59, 19), (128, 58, 37), (64, 57, 36), (1, 56, 30)]


def test_reference_critic_of_protons_is_the_published_one() -> None:
    """3x3 32, pool 2x2, 3x3 16, pool 2x1: 2304 numbers, 9 conditions, dense 128, 64, 1."""
    detector = detector_of_name("alice_zp")
    critic = CriticConfig(kind="reference").build(detector, scaling_of(detector, "plain"))
    convolutions = (9 * 32 + 32 + 2 * 32) + (9 * 32 * 16 + 16 + 2 * 16)
    dense = (2313 * 128 + 128 + 2 * 128) + (128 * 64 + 64 + 2 * 64) + (64 + 1)
    assert parameters(critic) == convolutions + dense
    sizes = sizes_of_convolutions(critic, torch.rand(2, detector.cells), detector)
    assert sizes == [(32, 54, 28), (16, 25, 12)]


@pytest.mark.parametrize("kind", ["features", "plain"])
@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_condition_scale_is_that_of_the_data_layer(name: str, kind: Any) -> None:
    detector = detector_of_name(name)
    scaling, conditions = scaling_of(detector, kind), conditions_of(detector)
    inside = ConditionScale(detector, scaling)(torch.tensor(conditions, dtype=torch.float32))
    np.testing.assert_allclose(inside.numpy(), scaling.encode(conditions), rtol=2e-3, atol=2e-4)
    double = ConditionScale(detector, scaling).double()(torch.tensor(conditions))
    np.testing.assert_allclose(double.numpy(), scaling.encode(conditions), rtol=1e-4, atol=1e-5)


def test_remembered_features_are_those_of_the_batch() -> None:
    detector = detector_of_name("alice_zn")
    rows = conditions_of(detector)
    scale = ConditionScale(detector, FeatureScaling.fit(detector, rows))
    first, second = torch.tensor(rows).float(), torch.tensor(rows[::-1].copy()).float()
    expected = [scale.eval()(batch).clone() for batch in (first, second)]
    scale.train()
    for batch, features in zip((first, first, second, first), (0, 0, 1, 0), strict=True):
        torch.testing.assert_close(scale(batch), expected[features], rtol=0, atol=0)
    asked = first.clone().requires_grad_()
    assert scale(asked).requires_grad


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_response_scale_goes_there_and_back(name: str) -> None:
    detector = detector_of_name(name)
    scale = ResponseScale(detector)
    cells = torch.rand(3, detector.cells, dtype=torch.float64) * 50 * detector.quantum
    torch.testing.assert_close(scale.decode(scale.encode(cells)), cells)
    if not detector.signed:
        torch.testing.assert_close(scale.encode(cells), torch.log1p(cells / detector.quantum))


@pytest.mark.parametrize(("cells", "waves"), [(44, 16), (5, 5), (56, 16)])
def test_cosines_are_orthonormal(cells: int, waves: int) -> None:
    basis = cosines(cells, waves).double()
    torch.testing.assert_close(basis.T @ basis, torch.eye(waves).double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_views_sum_what_they_say(name: str) -> None:
    detector = detector_of_name(name)
    if detector.signed:
        pytest.skip("coordinates are seen as they are")
    cells = torch.rand(2, detector.cells) * 9 * detector.quantum
    views = Views(detector)(cells)
    for layer in detector.layers:
        image = detector.split(cells)[layer.name] / detector.quantum
        # The largest blocks hold the whole layer, the projections its rows and columns.
        size = 2
        while size < max(layer.shape):
            size *= 2
        whole = views[f"{layer.name}/blocks_{size}"].square() - 3 / 8
        torch.testing.assert_close(whole.sum(1), image.sum((1, 2)), rtol=1e-4, atol=1e-3)
        along = views[f"{layer.name}/along_x"].square() - 3 / 8
        torch.testing.assert_close(along, image.sum(2), rtol=1e-3, atol=1e-3)
        for key, view in views.items():
            if key.startswith(f"{layer.name}/"):
                total = (view.square() - 3 / 8).sum(1)
                torch.testing.assert_close(total, image.sum((1, 2)), rtol=1e-3, atol=1e-2)
