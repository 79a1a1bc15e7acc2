"""The comparison of all methods on the neutron calorimeter as a campaign."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from caloforge.evaluate.inputs import EvaluationInputs
from caloforge.recipes import recipe_of_name
from validation.campaign import judging
from validation.campaign.campaign import Campaign
from validation.campaign.carry_out import carry_out
from validation.campaign.record import Record
from validation.zn.plan import DETECTOR, FULL, QUICK, READING, upcoming
from validation.zn.report import terminal, write_report
from validation.zn.summary import KEPT_MEASURES


def judged(case: EvaluationInputs) -> Record:
    """What the test particles say, and the conditional W1 of each of them."""
    judgement = case.evaluate(seed=judging.JUDGE_SEED)
    numbers = judging.numbers_of(judgement, KEPT_MEASURES)
    return {"test": numbers, "by_particle": judging.by_particle(case)}


def references(data: Path) -> Record:
    """Floor, baselines and empty showers on the test particles of all runs."""
    return judging.references(data, recipe_of_name("dcgan", DETECTOR).data, KEPT_MEASURES)


CAMPAIGN = Campaign(
    claim="zn",
    detector=DETECTOR,
    full=partial(upcoming, FULL),
    quick=partial(upcoming, QUICK),
    judge=judged,
    references=references,
    report=write_report,
    terminal=terminal,
    unjudged=frozenset({"trial", READING}),
)
validate = partial(carry_out, CAMPAIGN)
