"""The layered calorimeter as a campaign, and which parts of the published recipe are left out."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from caloforge.errors import UsageError
from caloforge.reporter import Reporter
from validation.calogan.judging import judged, references
from validation.calogan.plan import ABLATIONS, DETECTOR, FULL, QUICK, upcoming
from validation.calogan.report import terminal, write_report
from validation.campaign.campaign import Campaign
from validation.campaign.carry_out import carry_out

CAMPAIGN = Campaign(
    claim="calogan",
    detector=DETECTOR,
    full=partial(upcoming, FULL),
    quick=partial(upcoming, QUICK),
    judge=judged,
    references=references,
    report=write_report,
    terminal=terminal,
)


def validate(
    out: Path,
    *,
    quick: bool,
    seed: int,
    workers: int,
    reporter: Reporter,
    minutes: float | None = None,
    ablate: str | None = None,
) -> dict[str, Any]:
    """The campaign; ``ablate`` names the parts that are left out one by one, all without it.

    Raises UsageError for a part that there is none of.
    """
    wanted = tuple(ABLATIONS) if ablate is None else tuple(ablate.split(","))
    if unknown := [name for name in wanted if name not in ABLATIONS]:
        raise UsageError(f"--ablate: no part {unknown[0]}; there are {', '.join(ABLATIONS)}")
    campaign = dataclasses.replace(CAMPAIGN, full=partial(upcoming, FULL, ablate=wanted))
    return carry_out(
        campaign,
        out,
        quick=quick,
        seed=seed,
        workers=workers,
        reporter=reporter,
        minutes=minutes,
    )
