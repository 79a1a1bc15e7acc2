"""The published comparison on the proton calorimeter, beside a split that leaks nothing."""

from validation.proton import measures, page, plan, script_grid
from validation.runner import Study

STUDY = Study("proton", plan.plan, page.write, page.summary, measures.references)
SCRIPT_STUDY = Study(
    "proton-script", script_grid.plan, script_grid.write, script_grid.summary, measures.references
)
