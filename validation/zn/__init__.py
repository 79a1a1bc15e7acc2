"""The papers' comparison on the neutron calorimeter: every method by its default recipe."""

from validation.runner import Study
from validation.zn import measures, page, plan

STUDY = Study("zn", plan.plan, page.write, page.summary, measures.references)
