"""What every term, recipe, detector and network must keep, whoever adds one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from torch import Tensor

from caloforge.detector import Detector
from caloforge.detectors import DETECTORS, detector_of_name
from caloforge.errors import DataError, UsageError
from caloforge.objectives import (
    R1,
    R2,
    TERMS,
    BalancedDiversity,
    DiversitySensitive,
    EnergyScore,
    GradientPenalty,
    Intensity,
    LocalScore,
    LogRatio,
    ModeSeeking,
    Objective,
    SelectiveDiversity,
    ShowerCentre,
    Term,
    objective_from_record,
    objective_record,
)
from caloforge.objectives.gan_step import PLAYERS
from caloforge.recipe import Recipe, override
from caloforge.recipes import DETECTORS_OF, RECIPES, recipe_of_name
from caloforge.recipes.find import find_recipe
from small_game import TINY, latents_of, networks, round_of, rows, take

LITERAL: list[Term] = [
    ModeSeeking(unit="none", epsilon=1e-5),
    ModeSeeking(unit="none", epsilon=1e-5, average="pair"),
    ModeSeeking(unit="none", epsilon=1e-5, space="features"),
    SelectiveDiversity(unit="none", epsilon=1e-5),
    SelectiveDiversity(unit="none", epsilon=1e-5, average="pair"),
    BalancedDiversity(unit="none", epsilon=1e-5),
    DiversitySensitive(unit="none", epsilon=1e-5),
]
"""Distances without a unit, as the papers write them."""
VARIANTS: list[Term] = [
    *(term() for term in TERMS.values()),
    *LITERAL,
    ModeSeeking(average="pair"),
    SelectiveDiversity(space="pixels"),
    R1(space="cells"),
    R2(space="cells"),
    GradientPenalty(space="cells"),
    EnergyScore(normalise="batch"),
    EnergyScore(normalise="neighbours"),
    LocalScore(normalise="batch"),
    LocalScore(normalise="neighbours"),
    LogRatio(space="pixels"),
    Intensity(distance="squared", scale="log"),
    Intensity(distance="moments"),
    ShowerCentre(learns="fake", distance="absolute"),
    ShowerCentre(of="mass", distance="moments", unit="mm"),
]
SCALED_BY_BATCH = {
    *(
        score(normalise=unit)
        for score in (EnergyScore, LocalScore)
        for unit in ("batch", "neighbours")
    ),
    *(term for term in VARIANTS if getattr(term, "unit", "none") == "real"),
}
"""Shares that are, by definition, in units of a mean over other particles of the batch."""


def players(term: Term, dtype: Any = torch.float64) -> dict[str, Any]:
    """All networks of a game with the term."""
    torch.manual_seed(0)
    helpers = (1.0 * term).helpers(TINY)
    return networks(dtype=dtype) | {name: net.to(dtype) for name, net in helpers.items()}


def shares(term: Term, **changes: Any) -> dict[str, Tensor]:
    """Share of each player that has one.  {player: (N,)}"""
    arguments, actual = {"batch": rows(), "nets": players(term)} | changes, {}
    for player in PLAYERS:
        play = round_of(player, **arguments)
        share = getattr(term, player)(play)
        if share is not None:
            actual[player] = share
    return actual


@pytest.fixture(params=VARIANTS, ids=repr)
def term(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def rowwise(term: Term) -> Term:
    if term in SCALED_BY_BATCH:
        pytest.skip("in units of the batch by definition")
    return term


def test_one_finite_value_per_row(term: Term) -> None:
    actual = shares(term)
    assert actual
    for share in actual.values():
        assert share.shape == (12,)
        assert torch.isfinite(share).all()


def test_batch_size_does_not_matter(rowwise: Term) -> None:
    """A particle's share is what it would be alone in the batch."""
    batch, (z1, z2) = rows(), latents_of(12)
    together = shares(rowwise)
    for particle in range(batch.particles):
        own = slice(particle * batch.repeats, (particle + 1) * batch.repeats)
        alone = shares(rowwise, batch=take(batch, own, 1), latents=(z1[own], z2[own]))
        for player, share in alone.items():
            torch.testing.assert_close(share, together[player][own])


def test_particles_may_be_permuted(term: Term) -> None:
    batch, (z1, z2) = rows(), latents_of(12)
    order = torch.arange(12).reshape(3, 4)[torch.tensor([2, 0, 1])].reshape(-1)
    moved = shares(term, batch=take(batch, order, 3), latents=(z1[order], z2[order]))
    for player, share in shares(term).items():
        torch.testing.assert_close(moved[player], share[order])


def mixes_rows(term: Term) -> bool:
    """True if the share of the first particle changes with columns of the others."""
    batch, latents = rows(), latents_of(12)
    first = slice(0, batch.repeats)
    before = shares(term)
    other_batch = take(batch, torch.arange(12), 3)
    others = rows(seed=7)
    for name in ("conditions", "real", "twin", "spread", "peak", "attributes"):
        getattr(other_batch, name)[batch.repeats :] = getattr(others, name)[batch.repeats :]
    after = shares(term, batch=other_batch, latents=latents)
    return any(not torch.allclose(after[p][first], before[p][first]) for p in before)


def test_no_term_mixes_rows(rowwise: Term) -> None:
    assert not mixes_rows(rowwise)


class SpreadOfAnother(SelectiveDiversity):
    """The mistake of a public code: spread and fakes of different rows."""

    def generator(self, play: Any) -> Tensor:
        return play.spread.flip(0) * ModeSeeking.generator(self, play)


class RealOfAnother(ModeSeeking):
    """The other one: the real showers were shuffled, the conditions were not."""

    def generator(self, play: Any) -> Tensor:
        return (play.fake - play.rows.real.roll(1, dims=0)).abs().mean(dim=1)


@pytest.mark.parametrize("kind", [SpreadOfAnother, RealOfAnother])
def test_the_guard_catches_a_term_that_mixes_rows(kind: type[ModeSeeking]) -> None:
    assert mixes_rows(kind(unit="none"))


def test_linear_in_its_weight(term: Term) -> None:
    for player in shares(term):
        losses = [
            (weight * term)(round_of(player, rows(), players(term)))[0].item() for weight in (1, 3)
        ]
        assert losses[1] == pytest.approx(3 * losses[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("repeats", [4, 32])
def test_finite_where_all_distances_are_zero(term: Term, repeats: int, dtype: Any) -> None:
    """Fakes equal to each other and to the real showers: value and gradient stay finite."""
    nets = players(term, dtype)
    batch = rows(particles=2, repeats=repeats, dtype=dtype)
    for column in (batch.conditions, batch.spread):
        column[:] = column[:1]
    z1 = latents_of(1, dtype)[0].expand(2 * repeats, -1)
    batch.real[:] = nets["generator"](z1, batch.conditions).detach()
    for player in PLAYERS:
        play = round_of(player, batch, nets, latents=(z1, z1))
        share = getattr(term, player)(play)
        if share is None:
            continue
        assert torch.isfinite(share).all()
        share.mean().backward()
        for name, network in nets.items():
            assert all(
                torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None
            ), name


def test_finite_for_empty_showers(term: Term) -> None:
    batch = rows()
    batch.real[:] = 0
    assert all(torch.isfinite(share).all() for share in shares(term, batch=batch).values())


def test_a_single_shower_per_particle_is_finite(term: Term) -> None:
    batch = rows(particles=4, repeats=1)
    actual = shares(term, batch=batch, latents=latents_of(4))
    assert all(torch.isfinite(share).all() for share in actual.values())


def test_term_survives_json(term: Term) -> None:
    objective = 0.3 * term
    assert objective_from_record(objective_record(objective)) == objective


def test_needs_are_columns_of_a_batch(term: Term) -> None:
    from caloforge.data.batches import NEEDS

    assert term.columns <= set(NEEDS)


MADE_FOR = [
    (name, detector)
    for name in sorted(RECIPES)
    for detector in DETECTORS_OF.get(name, sorted(DETECTORS))
]


@pytest.mark.parametrize(("name", "detector"), MADE_FOR)
def test_recipe_survives_json(name: str, detector: str) -> None:
    recipe = recipe_of_name(name, detector)
    assert recipe.name == name
    assert recipe.citation
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert isinstance(recipe.objective, Objective)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("training.steps=17", 17),
        ("training.average=null", None),
        ("objective.SelectiveDiversity.weight=0.25", 0.25),
        ("data.spread_scale=counts", "counts"),
        ("optimisers.critic.beta1=0", 0.0),
        ("generator.kind=o2", "o2"),
    ],
)
def test_setting_changes_one_value(setting: str, expected: Any) -> None:
    before = recipe_of_name("sdi-gan", "alice_zn").model_dump(mode="json")
    after = override(recipe_of_name("sdi-gan", "alice_zn"), [setting]).model_dump(mode="json")
    *parents, last = setting.partition("=")[0].split(".")
    places = [before, after]
    for parent in parents:
        places = [place[parent] for place in places]
    assert places[1][last] == expected
    places[0][last] = expected
    assert before == after


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.step=5", "training has no step; valid: average, checkpoint_interval"),
        ("training.steps=many", "training.steps: Input should be a valid integer"),
        ("training.steps=0", "training.steps: Input should be greater than or equal to 1"),
        ("training.steps", "write path=value"),
        ("critics.kind=light", "the recipe has no critics; valid: citation, critic"),
        ("objective.Hinges.weight=1", "objective has no Hinges"),
        ("objective.Paired.gamma=1", "objective.Paired has no gamma; valid: weight"),
        ("objective.SelectiveDiversity.space=volts", "objective.SelectiveDiversity.space"),
        ("objective.SelectiveDiversity.weight=much", "objective.SelectiveDiversity.weight"),
        ("objective.SelectiveDiversity=3", "objective.SelectiveDiversity"),
        ("objective.Paired.weight=NaN", "objective.Paired.weight: a finite number"),
        ("objective=3", "objective: name terms"),
        ("optimisers.critic.learning_rate=Infinity", "learning_rate: Input should be a valid"),
        ("detector=alice_zq", "alice_zq"),
        ("seed.low=1", "seed has no low; valid: nothing below it"),
        ("generator.kind=big", "generator.kind: no generator big; there are calogan"),
    ],
)
def test_bad_setting_is_told_with_what_is_valid(setting: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_recipe("sdi-gan", "alice_zn", [setting], None)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no caloforge-recipe document"),
        ('{"format": "caloforge-recipe", "version": 99}', "version 99 is newer than 2: update"),
        ('{"format": "caloforge-recipe", "version": 1}', "name: Field required"),
    ],
)
def test_bad_recipe_file_is_told(text: str, message: str, tmp_path: Any) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        find_recipe(str(path), None, [], None)
    assert str(path) in str(caught.value)


def numbers_without_end(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Whole numbers of a model, and of the models below it, that have no largest value."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        bounds = {type(bound).__name__ for bound in field.metadata}
        if int in kinds and not bounds & {"Le", "Lt"}:
            yield f"{path}{name}"
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Detector:
                yield from numbers_without_end(kind, f"{path}{name}.")


def test_whole_numbers_of_recipes_and_terms_have_bounds() -> None:
    assert list(numbers_without_end(Recipe)) == []
    assert [name for term in TERMS.values() for name in numbers_without_end(term)] == []


def test_unknown_recipe_is_told_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"no recipe sdi_gan; there are .*sdi-gan"):
        find_recipe("sdi_gan", None, [], None)


@pytest.mark.parametrize("name", sorted(DETECTORS_OF))
def test_recipe_of_another_detector_is_refused(name: str, tmp_path: Any) -> None:
    own, *_ = DETECTORS_OF[name]
    assert find_recipe(name, None, [], None).detector == own
    path = tmp_path / "recipe.json"
    path.write_text(recipe_of_name(name).to_json())
    for recipe, detector, settings in (
        (name, "points", []),
        (name, None, ["detector=points"]),
        (str(path), "points", []),
    ):
        with pytest.raises(DataError, match=f"recipe {name} is made for {own}"):
            find_recipe(recipe, detector, settings, None)


def test_detectors_carry_their_names() -> None:
    for name in DETECTORS:
        assert detector_of_name(name).name == name


@pytest.fixture(params=sorted(DETECTORS))
def detector(request: pytest.FixtureRequest) -> Detector:
    return detector_of_name(request.param)


def test_detector_survives_json(detector: Detector) -> None:
    again = Detector.model_validate_json(detector.model_dump_json())
    assert again == detector
    assert again.fingerprint == detector.fingerprint


def test_split_and_join_are_inverse(detector: Detector, rng: np.random.Generator) -> None:
    cells = rng.random((3, detector.cells))
    assert np.array_equal(detector.join(detector.split(cells)), cells)


def test_each_scheme_reads_what_it_names(detector: Detector, rng: np.random.Generator) -> None:
    cells = rng.integers(0, 9, (3, detector.cells)).astype(np.uint16)
    for name in detector.schemes:
        scheme = detector.scheme(name)
        expected = np.zeros((3, len(scheme.labels)))
        for cell, channel in enumerate(scheme.of_cell):
            if channel >= 0:
                expected[:, channel] += cells[:, cell]
        assert np.array_equal(detector.read_out(cells, name), expected)
        assert (scheme.matrix.sum(axis=0) > 0).all()


def test_symmetries_are_one_to_one(detector: Detector, rng: np.random.Generator) -> None:
    conditions = rng.normal(size=(4, len(detector.columns)))
    images = set()
    for symmetry in detector.symmetries:
        order = detector.cell_order(symmetry)
        assert np.array_equal(np.sort(order), np.arange(detector.cells))
        moved = detector.transform_conditions(conditions, symmetry)
        assert moved.shape == conditions.shape
        images.add(order.tobytes())
        if not symmetry.transpose:
            twice = detector.transform_conditions(moved, symmetry)
            np.testing.assert_allclose(twice, conditions, atol=1e-12)
            assert np.array_equal(order[order], np.arange(detector.cells))
    assert len(images) == len(detector.symmetries)
