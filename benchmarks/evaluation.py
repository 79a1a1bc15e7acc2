"""CPU seconds and memory to judge 20 000 showers of the neutron calorimeter against 20 000.

``python -m benchmarks.evaluation [--classifiers]``. Generated showers are Poisson counts around the
shipped ones, 2 500 particles with 8 showers each; one thread.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable

import numpy as np

from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers, read
from caloforge.evaluate import apply_gate, evaluate, memorisation, two_sample_metrics
from caloforge.evaluate.metrics.networks import CLASSIFIER_CONFIGS
from caloforge.evaluate.paired import regions
from caloforge.machine import peak_memory_mb, processor
from caloforge.report.pages import report

PARTICLES, REPEATS = 2500, 8


def many(showers: Showers) -> Showers:
    """The shipped showers again and again, every time as other particles."""
    names, counts = np.unique(showers.particle, return_counts=True)
    rows = np.concatenate(
        [np.flatnonzero(showers.particle == n)[:REPEATS] for n in names[counts >= REPEATS]]
    )
    number = np.repeat(np.arange(PARTICLES), REPEATS)
    sample = showers.rows(np.resize(rows, PARTICLES * REPEATS))
    conditions = sample.conditions.copy()
    conditions[:, 1] += 1e-9 * number
    return dataclasses.replace(sample, particle=number, conditions=conditions)


def timed(what: str, work: Callable[[], object]) -> object:
    start = time.process_time()
    result = work()
    print(f"{what:24} {time.process_time() - start:7.1f} s CPU  {peak_memory_mb():6.0f} MB peak")
    return result


def main() -> None:
    shipped = read(sample_path("alice_zn"))
    real = many(shipped)
    rng = np.random.default_rng(0)
    generated = dataclasses.replace(real, cells=rng.poisson(real.cells * 1.01).astype(np.uint16))
    print(processor())
    result = timed("table", lambda: evaluate(real, generated))
    timed("gate", lambda: apply_gate(real, generated))
    timed("regions", lambda: regions(real, generated))
    timed("two-sample", lambda: two_sample_metrics(real, generated))
    timed("memory", lambda: memorisation(real, generated, shipped, rng=rng))
    timed("report", lambda: report(result, real, generated, shipped))  # type: ignore[arg-type]
    if "--classifiers" in sys.argv:
        config = CLASSIFIER_CONFIGS["default"]
        timed("with classifiers", lambda: two_sample_metrics(real, generated, config=config))


if __name__ == "__main__":
    main()
