"""Every term against a naive twin: loops over rows in numpy, float64, as the papers write it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import test_layered_terms
import test_methods
import test_physics
from caloforge.objectives import (
    R1,
    R2,
    TERMS,
    BalancedDiversity,
    DiversitySensitive,
    EnergyScore,
    Minimax,
    ModeSeeking,
    NonSaturating,
    Paired,
    SelectiveDiversity,
)
from small_game import latents_of, networks, round_of, rows


@pytest.fixture(scope="module")
def forward() -> dict[str, Any]:
    """What the networks say of a batch, by plain calls, as numpy arrays."""
    nets, batch = networks(), rows()
    z1, z2 = latents_of(len(batch.real))
    with torch.no_grad():
        fakes = [nets["generator"](z, batch.conditions) for z in (z1, z2)]
        showers = {"fake": fakes[0], "fake2": fakes[1], "real": batch.real}
        verdicts = {name: nets["critic"](x, batch.conditions) for name, x in showers.items()}
    arrays = {name: x.numpy() for name, x in showers.items()}
    logits = {name: verdict.logit.numpy() for name, verdict in verdicts.items()}
    features = {name: verdict.features.numpy() for name, verdict in verdicts.items()}
    return {
        "nets": nets,
        "batch": batch,
        "z": (z1.numpy(), z2.numpy()),
        "showers": arrays,
        "logits": logits,
        "features": features,
    }


def share(term: Any, player: str, forward: dict[str, Any]) -> np.ndarray:
    play = round_of(player, forward["batch"], forward["nets"])
    return getattr(term, player)(play).detach().numpy()


def sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-logit))


def mean_gap(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += abs(x - y)
    return total / len(a)


@pytest.mark.parametrize("term", [Minimax(), NonSaturating()])
def test_critic_is_cross_entropy(term: Any, forward: dict[str, Any]) -> None:
    expected = [
        -log(sigmoid(real)) - log(1 - sigmoid(fake))
        for real, fake in zip(forward["logits"]["real"], forward["logits"]["fake"], strict=True)
    ]
    np.testing.assert_allclose(share(term, "critic", forward), expected, rtol=1e-10)


def test_minimax_generator(forward: dict[str, Any]) -> None:
    expected = [log(1 - sigmoid(fake)) for fake in forward["logits"]["fake"]]
    np.testing.assert_allclose(share(Minimax(), "generator", forward), expected, rtol=1e-10)


def test_non_saturating_generator(forward: dict[str, Any]) -> None:
    expected = [-log(sigmoid(fake)) for fake in forward["logits"]["fake"]]
    np.testing.assert_allclose(share(NonSaturating(), "generator", forward), expected, rtol=1e-10)


@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize("average", ["condition", "pair"])
@pytest.mark.parametrize("kind", [ModeSeeking, SelectiveDiversity])
def test_diversity(kind: Any, average: str, space: str, forward: dict[str, Any]) -> None:
    term = kind(space=space, average=average, epsilon=1e-3, unit="none")
    batch, (z1, z2) = forward["batch"], forward["z"]
    if space == "features":
        first, second = forward["features"]["fake"], forward["features"]["fake2"]
    else:
        first, second = np.log1p(forward["showers"]["fake"]), np.log1p(forward["showers"]["fake2"])
    latents = [mean_gap(a, b) for a, b in zip(z1, z2, strict=True)]
    showers = [mean_gap(a, b) for a, b in zip(first, second, strict=True)]
    expected = []
    for row in range(len(latents)):
        start = row - row % batch.repeats
        members = range(start, start + batch.repeats) if average == "condition" else [row]
        latent = sum(latents[i] for i in members) / len(members)
        shower = sum(showers[i] for i in members) / len(members)
        weight = float(batch.spread[row]) if kind is SelectiveDiversity else 1.0
        expected.append(weight * latent / (shower + 1e-3))
    np.testing.assert_allclose(share(term, "generator", forward), expected, rtol=1e-9)


def distances_of_fakes(space: str, forward: dict[str, Any]) -> np.ndarray:
    """Of the two fakes of each row.  (N,)"""
    first, second = (
        np.log1p(forward["showers"][name]) if space == "pixels" else forward["features"][name]
        for name in ("fake", "fake2")
    )
    return np.array([mean_gap(a, b) for a, b in zip(first, second, strict=True)])


def distances_of_reals(space: str, forward: dict[str, Any]) -> np.ndarray:
    """Of each real shower and its twin.  (N,)"""
    batch = forward["batch"]
    if space == "pixels":
        pair = np.log1p(batch.real.numpy()), np.log1p(batch.twin.numpy())
    else:
        with torch.no_grad():
            twin = forward["nets"]["critic"](batch.twin, batch.conditions).features.numpy()
        pair = forward["features"]["real"], twin
    return np.array([mean_gap(a, b) for a, b in zip(*pair, strict=True)])


@pytest.mark.parametrize("space", ["pixels", "features"])
@pytest.mark.parametrize(
    "kind", [ModeSeeking, SelectiveDiversity, BalancedDiversity, DiversitySensitive]
)
def test_units_of_real_distances(kind: Any, space: str, forward: dict[str, Any]) -> None:
    """Distances times 1 / unit: the literal term on showers in that unit, epsilon as given."""
    unit = distances_of_reals(space, forward).mean()
    plain = kind(space=space, unit="none", epsilon=0.1 * unit)
    shares, literal = (
        share(kind(space=space), "generator", forward),
        share(plain, "generator", forward),
    )
    if kind in (ModeSeeking, SelectiveDiversity):
        np.testing.assert_allclose(shares, unit * literal, rtol=1e-9)
        assert (
            shares <= 10 * max(mean_gap(a, b) for a, b in zip(*forward["z"], strict=True))
        ).all()
        return
    moved = distances_of_fakes(space, forward) / unit
    latents = np.array([mean_gap(a, b) for a, b in zip(*forward["z"], strict=True)])
    if kind is DiversitySensitive:
        np.testing.assert_allclose(shares, -np.minimum(moved / (latents + 0.1), 0.9), rtol=1e-9)
        return
    reals = distances_of_reals(space, forward) / unit
    for row in range(len(shares)):
        start = row - row % forward["batch"].repeats
        own = slice(start, start + forward["batch"].repeats)
        sign = np.tanh(reals[own].mean() - moved[own].mean())
        expected = sign * latents[own].mean() / (moved[own].mean() + 0.1)
        assert shares[row] == pytest.approx(expected, rel=1e-9)


def test_paired_is_cross_entropy_of_a_difference(forward: dict[str, Any]) -> None:
    pairs = list(zip(forward["logits"]["real"], forward["logits"]["fake"], strict=True))
    critic = [-log(sigmoid(real - fake)) for real, fake in pairs]
    generator = [-log(sigmoid(fake - real)) for real, fake in pairs]
    np.testing.assert_allclose(share(Paired(), "critic", forward), critic, rtol=1e-10)
    np.testing.assert_allclose(share(Paired(), "generator", forward), generator, rtol=1e-10)


@pytest.mark.parametrize(("kind", "name"), [(R1, "real"), (R2, "fake")])
def test_penalties_by_finite_differences(kind: Any, name: str, forward: dict[str, Any]) -> None:
    """In coded cells by whole showers; in the critic's view by the view alone."""
    critic, batch, showers = forward["nets"]["critic"], forward["batch"], forward["showers"][name]
    cells, views = [], []
    for row in range(len(batch.real)):
        conditions = batch.conditions[row : row + 1]

        def of_cells(encoded: np.ndarray, conditions: Any = conditions) -> float:
            return float(critic(torch.from_numpy(np.expm1(encoded))[None], conditions).logit)

        def of_view(view: np.ndarray, conditions: Any = conditions) -> float:
            return float(
                critic.judge(torch.from_numpy(view)[None], critic.condition(conditions)).logit
            )

        shower = torch.from_numpy(showers[row])[None]
        cells.append(squared_gradient(of_cells, np.log1p(showers[row])))
        views.append(squared_gradient(of_view, critic.view(shower, conditions)[0].numpy()))
    np.testing.assert_allclose(share(kind(space="cells"), "critic", forward), cells, rtol=1e-4)
    np.testing.assert_allclose(share(kind(), "critic", forward), views, rtol=1e-4)


def squared_gradient(function: Callable[[np.ndarray], float], at: np.ndarray) -> float:
    """By central differences."""
    total, step = 0.0, 1e-6
    with torch.no_grad():
        for number in range(len(at)):
            values = []
            for sign in (1, -1):
                moved = at.copy()
                moved[number] += sign * step
                values.append(function(moved))
            total += ((values[0] - values[1]) / (2 * step)) ** 2
    return total


def test_weight_of_a_penalty_falls_over_the_run(forward: dict[str, Any]) -> None:
    for kind in (R1, R2):
        values = []
        for progress in (0.0, 0.5, 1.0):
            play = round_of("critic", forward["batch"], forward["nets"], progress=progress)
            values.append(kind(falls_to=0.01).critic(play).detach().numpy())
        np.testing.assert_allclose(values[1], 0.1 * values[0], rtol=1e-9)
        np.testing.assert_allclose(values[2], 0.01 * values[0], rtol=1e-9)


def test_energy_score(forward: dict[str, Any]) -> None:
    batch = forward["batch"]
    for normalise in ("particle", "batch"):
        shares = share(EnergyScore(normalise=normalise), "generator", forward)
        expected = naive_score(forward["showers"]["fake"], batch.real.numpy(), batch, normalise)
        np.testing.assert_allclose(shares, np.repeat(expected, batch.repeats), rtol=1e-4)


def naive_score(fake: np.ndarray, real: np.ndarray, batch: Any, normalise: str) -> list[float]:
    """Score of each particle: mean over the views, each in units of its real-to-fake distance."""
    fakes, reals = [naive_views(x) for x in fake], [naive_views(y) for y in real]
    repeats = batch.repeats
    scores = np.zeros(batch.particles)
    for view in fakes[0]:
        across, within = np.zeros(batch.particles), np.zeros(batch.particles)
        for particle in range(batch.particles):
            members = range(particle * repeats, (particle + 1) * repeats)
            across[particle] = (
                sum(length(fakes[i][view], reals[j][view]) for i in members for j in members)
                / repeats**2
            )
            within[particle] = sum(
                length(fakes[i][view], fakes[j][view]) for i in members for j in members if i != j
            ) / (repeats * (repeats - 1))
        scale = across if normalise == "particle" else across.mean()
        scores += (across - within / 2) / (scale + 1e-6)
    return list(scores / len(fakes[0]))


def length(a: list[float], b: list[float]) -> float:
    return sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def naive_views(shower: np.ndarray) -> dict[str, list[float]]:
    """Cells, channels, projections and block sums of one shower of 4 x 4 cells."""
    image = shower.reshape(4, 4)

    def root(total: float) -> float:
        return sqrt(total + 3 / 8)

    return {
        "cells": [log(1 + x) for x in shower],
        "channels": [root(sum(shower[:8])), root(sum(shower[8:]))],
        "along_x": [root(sum(image[i, j] for j in range(4))) for i in range(4)],
        "along_y": [root(sum(image[i, j] for i in range(4))) for j in range(4)],
        "blocks_2": [
            root(sum(image[2 * i + a, 2 * j + b] for a in (0, 1) for b in (0, 1)))
            for i in (0, 1)
            for j in (0, 1)
        ],
        "blocks_4": [root(sum(shower))],
    }


TWINS: dict[str, Callable[..., None]] = {
    "AttributeRegression": test_layered_terms.test_attribute_regression_is_its_loops,
    "BalancedDiversity": test_methods.test_balanced_diversity,
    "ConditionalMean": test_layered_terms.test_conditional_mean_is_its_loops,
    "DiversitySensitive": test_methods.test_diversity_sensitive,
    "EnergyConditioning": test_layered_terms.test_energy_conditioning_is_its_loop,
    "EnergyScore": test_energy_score,
    "FlippedLabels": test_layered_terms.test_flipped_labels_are_their_loop,
    "GradientPenalty": test_methods.test_gradient_penalty_by_finite_differences,
    "Hinge": test_methods.test_hinge,
    "Intensity": test_physics.test_intensity,
    "LatentContrast": test_methods.test_latent_contrast,
    "LocalScore": test_layered_terms.test_local_score_is_its_loops,
    "LogRatio": test_methods.test_log_ratio,
    "Minimax": test_minimax_generator,
    "ModeSeeking": test_diversity,
    "NonSaturating": test_non_saturating_generator,
    "Paired": test_paired_is_cross_entropy_of_a_difference,
    "R1": test_penalties_by_finite_differences,
    "R2": test_penalties_by_finite_differences,
    "SelectiveDiversity": test_diversity,
    "ShowerCentre": test_physics.test_centre_by_a_regressor,
    "SoftSparsity": test_layered_terms.test_soft_sparsity_is_its_loops,
    "Wasserstein": test_methods.test_wasserstein,
}
"""The test of each term that computes it again, row by row."""
COMPARES = {"assert_allclose", "approx"}
LOOPS = (ast.For, ast.ListComp, ast.GeneratorExp)


def is_twin(test: Callable[..., None], term: str) -> bool:
    """True if a test names the term and compares numbers with others that it made by itself.

    By loops, its own or those of its module, or of plain numpy arrays (``forward``).
    """
    tree = ast.parse(Path(inspect.getfile(test)).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    own = functions[test.__name__]
    helpers = [functions[name] for name in sorted(words_of(own) & functions.keys())]
    has_loop = any(isinstance(node, LOOPS) for one in (own, *helpers) for node in ast.walk(one))
    has_loop |= "forward" in {argument.arg for argument in own.args.args}
    return term in words_of(own) and bool(words_of(own) & COMPARES) and has_loop


def words_of(node: ast.AST) -> set[str]:
    """All names in a piece of code."""
    names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return names | {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}


@pytest.mark.parametrize("term", sorted(TERMS))
def test_every_term_has_a_twin(term: str) -> None:
    assert is_twin(TWINS[term], term)


def test_twins_are_of_terms_that_there_are() -> None:
    assert TWINS.keys() == TERMS.keys()
    for module in (test_layered_terms, test_methods, test_physics):
        here = {term for term, test in TWINS.items() if test.__module__ == module.__name__}
        assert here == module.CHECKED


@pytest.mark.parametrize(
    ("test", "term"),
    [
        (test_layered_terms.test_patches_have_cells, "LocalScore"),
        (test_physics.test_intensity, "ShowerCentre"),
        (test_methods.test_bounded_diversity_stops_at_its_bound, "DiversitySensitive"),
    ],
)
def test_another_test_is_no_twin(test: Callable[..., None], term: str) -> None:
    assert not is_twin(test, term)


def test_every_term_has_a_row_in_the_benchmark() -> None:
    text = (Path(__file__).parents[1] / "benchmarks" / "terms.py").read_text(encoding="utf-8")
    assert TERMS.keys() <= words_of(ast.parse(text))
