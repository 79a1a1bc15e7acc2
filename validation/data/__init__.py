"""What more showers buy: the same recipe on a quarter, a half and all of the training particles."""

from validation.data import page, plan
from validation.runner import Study

STUDY = Study("data", plan.plan, page.write, page.summary)
