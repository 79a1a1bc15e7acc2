"""What is trained: recipes with the papers' networks and settings, as long as the device allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from validation import calogan, proton, zn
from validation.plans import QUICK_STEPS, Plan
from validation.runner import Records
from validation.training_runs import TrainingRun

METHODS: dict[str, Plan] = {
    "sdi-gan-published": zn.plan.PLAN,
    "proton-sdi-intensity-aux-published": proton.plan.PLAN,
    "conditional-calogan-published": calogan.plan.PLAN,
    "calogan-published": calogan.plan.PLAN,
    "dcgan-published": zn.plan.PLAN,
    "proton-gan-published": proton.plan.PLAN,
}
"""By recipe, the study that it is evaluated as; the most telling first."""
DEVICES = ("cuda", "cpu")
GPU_STEPS = 6000
CPU_STEPS = {"alice_zn": 3750, "alice_zp": 1250, "atlas_em": 2500}
"""By the detector: about two hours of one core of a Xeon with AVX-512 and AMX."""


def plan(quick: bool, seed: int, records: Records) -> Iterator[TrainingRun]:
    """One run of each recipe on the device that is here."""
    del records
    yield from runs(device_here(), seed, QUICK_STEPS if quick else None)


def runs(device: str, seed: int, steps: int | None = None) -> Iterator[TrainingRun]:
    """One run of each recipe on a device."""
    for method, of in METHODS.items():
        default = CPU_STEPS[of.detector] if device == "cpu" else GPU_STEPS
        run = of.run(device, method, seed, f"training.steps={steps or default}")
        yield replace(run, study="gpu", device=device)


def device_here() -> str:
    """A GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
