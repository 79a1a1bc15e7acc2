"""The published comparison on the proton calorimeter as a campaign."""

from __future__ import annotations

from functools import partial

from validation.campaign.campaign import Campaign
from validation.campaign.carry_out import carry_out
from validation.proton.judging import judged, references
from validation.proton.plan import DETECTOR, FULL, QUICK, upcoming
from validation.proton.report import terminal, write_report

CAMPAIGN = Campaign(
    claim="proton",
    detector=DETECTOR,
    full=partial(upcoming, FULL),
    quick=partial(upcoming, QUICK),
    judge=judged,
    references=references,
    report=write_report,
    terminal=terminal,
)
validate = partial(carry_out, CAMPAIGN)
