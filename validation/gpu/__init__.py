"""The published networks at full size, on one GPU or for hours on a processor."""

from validation.gpu import page, plan
from validation.runner import Study

STUDY = Study("gpu", plan.plan, page.write, page.summary)
