"""The 2-D benchmark of arXiv:2207.01561: every method, two optimiser regimes, floors and errors."""

from validation.points import measures, page, plan
from validation.runner import Study

STUDY = Study("points", plan.plan, page.write, page.summary, measures.floors)
