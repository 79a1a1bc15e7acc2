"""The public flow-matching simulator of the ZDC on our showers, judged by our metrics."""

from validation.rival import page, plan
from validation.runner import Study

STUDY = Study("rival", plan.plan, page.write, page.summary, plan.references)
