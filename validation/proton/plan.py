"""What is trained on the proton calorimeter: the rows of the paper, weights, a leaky split."""

from __future__ import annotations

from collections.abc import Iterator

from validation.plans import Plan, Scan
from validation.proton.measures import evaluated
from validation.runner import Records
from validation.training_runs import TrainingRun

BASELINE, WHOLE, SCORE = "proton-gan", "proton-sdi-intensity-aux", "calibrated"
PAPER = (BASELINE, "proton-sdi", "proton-sdi-intensity", WHOLE)
"""The rows of Table 1 of arXiv:2406.03263, in its order."""
METHODS = (*PAPER, SCORE)
LEAKY = ("data.split=row", "data.training_files=[]")
SCANS = (
    Scan("lambda_div", "proton-sdi", "SelectiveDiversity", (1e-4, 1e-3, 1e-2, 0.1, 1)),
    Scan("lambda_in", "proton-sdi-intensity", "Intensity", (1e-5, 1e-4, 1e-3, 1e-2, 0.1)),
    Scan("lambda_aux", WHOLE, "ShowerCentre", (1e-3, 1e-2, 0.1, 1, 10)),
)
"""One weight over decades, all others as the recipe says."""
PLAN = Plan(
    study="proton",
    detector="alice_zp",
    methods=METHODS,
    baseline=BASELINE,
    evaluate=evaluated,
    common=("data.test=0.2", 'data.training_files=["alice_zp/part-2"]'),
)


def plan(quick: bool, seed: int, records: Records) -> Iterator[TrainingRun]:
    """All runs that the records let one know."""
    yield from PLAN.finals(seed, quick=quick)
    if quick:
        return
    for scan in SCANS:
        yield from PLAN.trials(scan, seed)
    yield from reweighted(seed, records)
    yield from PLAN.equal_cpu(seed, records)
    for method in METHODS:
        yield PLAN.run("leaky", method, seed, *LEAKY)


def reweighted(seed: int, records: Records) -> Iterator[TrainingRun]:
    """The whole recipe with all three chosen weights, where one is not the recipe's own."""
    best = PLAN.best_weights(SCANS, seed, records)
    if len(best) < len(SCANS) or all(best[scan.label] == scan.own for scan in SCANS):
        return
    changes = [scan.setting(best[scan.label]) for scan in SCANS]
    weights = ", ".join(f"{scan.label} {best[scan.label]:g}" for scan in SCANS)
    for number in range(PLAN.seeds):
        yield PLAN.run("reweighted", WHOLE, seed + number, *changes, label=f"{WHOLE}, {weights}")
