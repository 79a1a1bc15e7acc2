"""What is trained on the neutron calorimeter, the most telling first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from validation.plans import FEW_SEEDS, Plan, Scan, recipe_terms, steps
from validation.runner import Records
from validation.training_runs import TrainingRun
from validation.zn.measures import evaluated

BASELINE, SCORE = "dcgan", "calibrated"
TERMS = {
    "sdi-gan": "SelectiveDiversity",
    "divbal-gan": "BalancedDiversity",
    "ms-gan": "ModeSeeking",
    "ds-gan": "DiversitySensitive",
    "divco": "LatentContrast",
}
"""Methods with a term for diversity, and the term."""
METHODS = (BASELINE, *TERMS, SCORE)
OTHER_GAMES = ("wgan-gp", "hinge-gan")
LITERAL = ("sdi-gan", "divbal-gan")
"""Methods that are also trained by the letter of their papers."""
GAME, LITERAL_GAME = "Paired", "Minimax"
PENALTIES = ("R1", "R2")
LITERAL_WEIGHTS = {
    method: recipe_terms(f"{method}-published")[TERMS[method]]["weight"] for method in LITERAL
}
"""The weight of the proton paper for SDI-GAN, for both: their own papers give none that we know."""
FACTORS = (0.3, 1.0, 3.0)
"""Weights that are tried, in parts of the recipe's own; one at an edge is marked."""
EARLY, LONG = 0.1, 3.0
"""Lengths of short and long runs, in parts of the recipe's own."""
TRAINED_LONG = (BASELINE, *LITERAL, "ms-gan", "ds-gan")
"""Methods of the long runs: the game, the papers' terms, and those whose score still falls."""
SCORED = f"{BASELINE} and {SCORE}"
SCORED_STEPS = 6000
"""Steps of the game with the score beside it that take about the CPU seconds of the game."""
PLAN = Plan(
    study="zn",
    detector="alice_zn",
    methods=METHODS,
    baseline=BASELINE,
    evaluate=evaluated,
    common=('data.training_files=["alice_zn/part-2"]',),
)


def plan(quick: bool, seed: int, records: Records) -> Iterator[TrainingRun]:
    """All runs that the records let one know."""
    yield from PLAN.finals(seed, quick=quick)
    if quick:
        return
    yield from PLAN.equal_cpu(seed, records)
    yield from scored(seed)
    yield from PLAN.single("games", OTHER_GAMES, seed)
    yield from literal(seed)
    yield from readings(seed)
    for scan in scans():
        yield from PLAN.trials(scan, seed)
    yield from reweighted(seed, records)
    yield from PLAN.shortened("early", EARLY, (BASELINE, *TERMS), seed)
    yield from PLAN.shortened("long", LONG, TRAINED_LONG, seed, seeds=1)


def scans() -> list[Scan]:
    """The weight of each term for diversity around that of its recipe."""
    scans = []
    for method, term in TERMS.items():
        own = float(recipe_terms(method)[term]["weight"])
        weights = tuple(float(f"{own * factor:.3g}") for factor in FACTORS)
        scans.append(Scan(method, method, term, weights))
    return scans


def reweighted(seed: int, records: Records) -> Iterator[TrainingRun]:
    """Runs of full length at the chosen weight, where that is not the recipe's own."""
    best = PLAN.best_weights(scans(), seed, records)
    changed = [scan for scan in scans() if best.get(scan.label, scan.own) != scan.own]
    for number in range(PLAN.seeds):
        for scan in changed:
            weight = best[scan.label]
            run = PLAN.run("reweighted", scan.method, seed + number, scan.setting(weight))
            yield replace(run, weight=weight)


def scored(seed: int) -> Iterator[TrainingRun]:
    """The game with the energy score beside it: the third of game, score, game and score."""
    objective = json.dumps(recipe_terms(BASELINE) | recipe_terms(SCORE))
    settings = (f"objective={objective}", f"training.steps={SCORED_STEPS}")
    for number in range(FEW_SEEDS):
        yield PLAN.run("equal", BASELINE, seed + number, *settings, label=SCORED)


def literal(seed: int) -> Iterator[TrainingRun]:
    """The papers' equations by the letter: pairs alone, then game, term and expected counts."""
    for number in range(FEW_SEEDS):
        for method in LITERAL:
            pairs = f"objective.{TERMS[method]}.average=pair"
            whole = f"objective={json.dumps(literal_objective(method))}"
            yield PLAN.run("literal", method, seed + number, pairs, label=f"{method}, pairs")
            yield PLAN.run(
                "literal", method, seed + number, whole, "training.drawn=false",
                label=f"{method}, by the letter",
            )  # fmt: skip


def readings(seed: int) -> Iterator[TrainingRun]:
    """Short runs by the letter with one thing as in the recipe: which of them keeps the game."""
    for method in LITERAL:
        for change, (objective, drawn) in one_as_in_recipe(method).items():
            yield PLAN.run(
                "reading", method, seed, f"objective={json.dumps(objective)}",
                f"training.drawn={json.dumps(drawn)}", steps(method, EARLY),
                label=f"{method}, {change}",
            )  # fmt: skip


def one_as_in_recipe(method: str) -> dict[str, tuple[dict[str, dict[str, Any]], bool]]:
    """Objective by the letter with a part of the recipe's, and whether counts are drawn."""
    letter, own, name = literal_objective(method), recipe_terms(method), TERMS[method]
    term = letter[name]
    others = {one: value for one, value in letter.items() if one != LITERAL_GAME}
    fields = {
        "distances in real units": ("unit", "epsilon"),
        "ratios of means": ("average",),
        "no gradient through the tanh": ("balance",),
    }
    parts = {
        title: letter | {name: term | {field: own[name][field] for field in some}}
        for title, some in fields.items()
        if some[0] in term
    }
    return {
        "all by the letter": (letter, False),
        "the paired game": ({GAME: own[GAME]} | others, False),
        **{title: (objective, False) for title, objective in parts.items()},
        "drawn counts": (letter, True),
    }


def literal_objective(method: str) -> dict[str, dict[str, Any]]:
    """Game, term and weight as printed; the penalties stay, without which the game goes dark."""
    terms, published = recipe_terms(method), recipe_terms(f"{method}-published")
    return published | {name: terms[name] for name in PENALTIES}
