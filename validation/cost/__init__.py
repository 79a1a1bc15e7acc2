"""What quality costs: generators of several kinds and sizes, trained alike, judged and timed."""

from validation.cost import page, plan
from validation.runner import Study

STUDY = Study("cost", plan.plan, page.write, page.summary)
