"""Everything beyond the table: the gate, two-sample metrics, regions, memory, events.

Shapes: as in ``judge``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from caloforge.errors import UsageError
from caloforge.evaluate.events import events
from caloforge.evaluate.floors import NOTHING_KEPT, Floors
from caloforge.evaluate.gate import DEFAULT, read_gate
from caloforge.evaluate.inspection import inspect
from caloforge.evaluate.judgement import Judgement
from caloforge.evaluate.layered_checks import layered_checks
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.memorisation import memorisation
from caloforge.evaluate.regions import regions
from caloforge.evaluate.schooling import SCHOOLINGS
from caloforge.evaluate.two_sample import Compared, compare

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

NO_CLASSIFIER = "none"
CLASSIFIERS = (*SCHOOLINGS, NO_CLASSIFIER)


def examine(
    judgement: Judgement,
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    *,
    gate: str = DEFAULT,
    classifier: str = "default",
    floors: Floors = NOTHING_KEPT,
) -> Judgement:
    """The judgement with the verdict of a gate, two-sample metrics and regions.

    Raises UsageError for a gate or a classifier that there is none of.
    """
    if classifier not in CLASSIFIERS:
        raise UsageError(f"no classifier {classifier}; there are {', '.join(CLASSIFIERS)}")
    read_gate(gate, real.detector)
    scheme, seed = judgement.scheme, judgement.seed
    school = SCHOOLINGS.get(classifier)
    compared = compare(real, generated, scheme=scheme, schooling=school, seed=seed, floors=floors)
    verdict = inspect(
        real, generated, train, gate=gate, scheme=scheme, seed=seed, judgement=judgement
    )
    rest = np.random.default_rng([seed, 0xE7])
    return dataclasses.replace(
        judgement,
        gate=verdict,
        compared=(
            *compared,
            *layered_checks(real, generated, train, schooling=school, seed=seed),
            *_memory(real, generated, train, rest),
            *_events(real, generated, rest),
        ),
        regions=regions(real, generated, scheme=scheme, seed=seed),
    )


def _memory(
    real: Showers, generated: Showers, train: Showers | None, rng: np.random.Generator
) -> Iterator[Compared]:
    if train is None or not len(train):
        return
    memory = memorisation(real, generated, train, rng=rng)
    yield Compared("copies", "copies of training showers", memory.copies, memory.natural, "floor")
    yield Compared(
        "nearest_training",
        "distance to the nearest training shower, over that of real showers",
        memory.ratio,
        Measured(1.0, None),
        "floor",
    )


def _events(real: Showers, generated: Showers, rng: np.random.Generator) -> Iterator[Compared]:
    for event in events(real, generated, rng=rng):
        title = f"W1 of the sum of {event.number} spectators over their number, side {event.side}"
        yield Compared(f"event_{event.side}_{event.number}", title, event.w1, event.floor, "low")
