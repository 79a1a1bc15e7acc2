"""What is trained on the layered calorimeter: three recipes, the parts of one, longer runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from caloforge.recipe import override, start_steps
from caloforge.recipes import recipe_of_name
from validation.calogan.measures import evaluated
from validation.plans import Plan, recipe_terms
from validation.runner import Records
from validation.training_runs import TrainingRun

METHODS = ("conditional-calogan", "calogan", "calibrated")
"""In the order of the page."""
WHOLE = METHODS[0]
PART_STEPS = 800
LONG = 3.0
"""Length of a long run, in parts of the recipe's own."""
UNCHANGED = "whole"
NO_ENERGY = "no energy term"
NON_SATURATING, LAYERED = "non-saturating game", "critic of kind layered"
FLIPPED, LAYERED_ALONE = "flipped labels", f"{LAYERED}, no soft sparsity"
REFERENCE_OF = {FLIPPED: NON_SATURATING, LAYERED_ALONE: LAYERED}
"""Parts that change two things in the whole recipe, and the part that differs in one of them."""
ADVERSARIES = frozenset({"Paired", "NonSaturating", "FlippedLabels"})
PENALTIES = frozenset({"R1", "R2", "GradientPenalty"})
HEAD, ENERGY = "AttributeRegression", "EnergyConditioning"


PLAN = Plan(
    study="calogan",
    detector="atlas_em",
    methods=METHODS,
    baseline=WHOLE,
    evaluate=evaluated,
    common=("data.test=0.2", 'data.training_files=["atlas_em/part-2"]'),
    seeds=3,
)


def plan(quick: bool, seed: int, records: Records) -> Iterator[TrainingRun]:
    """All runs that the records let one know."""
    yield from PLAN.finals(seed, quick=quick)
    if quick:
        return
    for number in range(PLAN.seeds):
        for label, changes in parts().items():
            steps = f"training.steps={PART_STEPS}"
            yield replace(PLAN.run("part", WHOLE, seed + number, steps, *changes), label=label)
    yield from PLAN.equal_cpu(seed, records)
    yield from PLAN.shortened("long", LONG, METHODS, seed, seeds=1)


def parts() -> dict[str, tuple[str, ...]]:
    """What is changed in the whole recipe, one part at a time; nothing that it does not have."""
    recipe = recipe_of_name(WHOLE, "atlas_em")
    record, terms = recipe.model_dump(mode="json"), recipe_terms(WHOLE)
    attention, minibatch = recipe.generator.attention, recipe.critic.minibatch
    changes: dict[str, tuple[str, ...]] = {
        UNCHANGED: (),
        "no statistic of soft sparsity": ("critic.occupancy=null",),
        LAYERED: ("critic.kind=layered",),
        LAYERED_ALONE: ("critic.kind=layered", "critic.occupancy=null"),
        with_or_without(minibatch, "minibatch discrimination"): (
            f"critic.minibatch={json.dumps(not minibatch)}",
        ),
        with_or_without(attention, "attention"): (
            f"generator.attention={json.dumps(not attention)}",
        ),
        "with blur after the exponential": ("generator.blur=[1]", "generator.blurred=deposits"),
        "with blur before the exponential": ("generator.blur=[1]", "generator.blurred=logarithms"),
        "energy term as printed": tuple(
            f"objective.{ENERGY}.{name}={value}"
            for name, value in (("response", 1.0), ("tolerance", 0.0))
        ),
        NO_ENERGY: (objective(without=frozenset({ENERGY})),),
        "angles x 3": (f"objective.{HEAD}.weights=[0, 3, 3, 1, 1]",),
        "no attribute head": (objective(without=frozenset({HEAD})),),
        "attribute head x 0.1": (head(0.1),),
        "attribute head x 10": (head(10.0),),
        **learning_from_others(terms[HEAD]["learns"]),
    }
    for label, game in {NON_SATURATING: "NonSaturating", FLIPPED: "FlippedLabels"}.items():
        if game not in terms:
            changes[label] = (objective(replaced=game),)
    if PENALTIES & terms.keys():
        changes["no penalty"] = (objective(without=PENALTIES),)
    if "start" in record:
        changes["no start"] = ("start=null",)
    return changes


def learning_from_others(showers: str) -> dict[str, tuple[str, ...]]:
    """The attribute head learns from real showers alone, or from generated ones, too."""
    other = "real" if showers == "both" else "both"
    words = {"real": "real showers alone", "both": "real and generated showers"}
    return {f"attribute head learns from {words[other]}": (f"objective.{HEAD}.learns={other}",)}


def steps_of_start(steps: int) -> int:
    """Steps of the start in a run of the whole recipe of so many steps."""
    return start_steps(override(recipe_of_name(WHOLE), [f"training.steps={steps}"]))


def with_or_without(there: bool, part: str) -> str:
    """A label for the other choice."""
    return f"no {part}" if there else f"with {part}"


def objective(*, without: frozenset[str] = frozenset(), replaced: str | None = None) -> str:
    """The objective of the whole recipe without some terms, or with another game."""
    terms = recipe_terms(WHOLE)
    rest = {name: fields for name, fields in terms.items() if name not in without}
    if replaced is not None:
        game = next(name for name in rest if name in ADVERSARIES)
        rest = {replaced: {"weight": rest.pop(game)["weight"]}} | rest
    return f"objective={json.dumps(rest)}"


def head(factor: float) -> str:
    """The weight of the attribute head, in parts of the recipe's own."""
    return f"objective.{HEAD}.weight={factor * recipe_terms(WHOLE)[HEAD]['weight']:g}"
