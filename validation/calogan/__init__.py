"""The Conditional CaloGAN on the layered calorimeter, its parts one at a time, and the score."""

from validation.calogan import measures, page, plan
from validation.runner import Study

STUDY = Study("calogan", plan.plan, page.write, page.summary, measures.references)
