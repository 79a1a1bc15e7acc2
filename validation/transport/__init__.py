"""The transport engine against PDG, and against another engine for the same particles."""

from validation.runner import Study
from validation.transport import page, plan

STUDY = Study("transport", plan.plan, page.write, page.summary, unmet=page.unmet)
