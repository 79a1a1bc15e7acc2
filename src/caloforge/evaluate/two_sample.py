"""Two-sample metrics of whole samples, each beside the same metric of real against real.

Shapes: n real and m generated showers, d features.

Both are taken at equal numbers: half of the real showers of each particle against as many
generated ones, and against the other half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from caloforge.evaluate import repeats
from caloforge.evaluate.floors import NOTHING_KEPT, Floors
from caloforge.evaluate.measured import Measured
from caloforge.evaluate.sample_metrics import (
    Numbers,
    Sample,
    metrics,
    named_columns,
    sample_of,
)
from caloforge.evaluate.schooling import Schooling

if TYPE_CHECKING:
    from caloforge.data.showers import Showers


@dataclass(frozen=True)
class Compared:
    """One metric of generated against real, and of real against real."""

    name: str
    title: str
    value: Measured
    floor: Measured
    best: str
    """What is better: ``low``, ``high`` or ``floor`` (as real against real)."""

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        numbers = {"value": self.value.record, "floor": self.floor.record}
        return {"name": self.name, "title": self.title, "best": self.best, **numbers}


def compare(
    real: Showers,
    generated: Showers,
    *,
    scheme: str | None = None,
    schooling: Schooling | None = None,
    seed: int = 0,
    floors: Floors = NOTHING_KEPT,
) -> tuple[Compared, ...]:
    """All metrics with their floors; classifiers where ``schooling`` is given."""
    first, second, other = (
        sample_of(part, scheme) for part in _parts(real, generated, np.random.default_rng(seed))
    )
    titles = dict(_titles(first))
    value = metrics(first, other, schooling, seed)
    floor = _floor(first, second, schooling, (scheme, seed), floors)
    undefined = Measured(None, None, "undefined")
    return tuple(
        Compared(name, title, value.get(name, undefined), floor.get(name, undefined), best)
        for name, (title, best) in titles.items()
        if name in value or name in floor
    )


def _floor(
    a: Sample, b: Sample, schooling: Schooling | None, settings: tuple[Any, ...], floors: Floors
) -> Numbers:
    """Real against real, remembered where a folder is given."""
    known = None if schooling is None or find_spec("torch") is None else schooling.name
    found = floors.remembered(
        (a.showers.cells, b.showers.cells, a.showers.particle, b.showers.particle),
        ("two-sample", a.showers.detector.fingerprint, known, schooling is None, *settings),
        lambda: {
            name: number.record for name, number in metrics(a, b, schooling, settings[1]).items()
        },
    )
    return {name: Measured(**record) for name, record in found.items()}


def _parts(
    real: Showers, generated: Showers, rng: np.random.Generator
) -> tuple[Showers, Showers, Showers]:
    """Two halves of the real showers, and as many generated ones as a half."""
    names, slot, other = repeats.shared_slots(real.particle, generated.particle)
    numbers = repeats.equal_numbers(slot, other, len(names))
    if numbers.any():
        halves = repeats.halve(slot, numbers, rng)
    else:
        halves = repeats.halve_particles(slot, len(names), rng)
    chosen = repeats.draw(other, halves.numbers, rng)
    return real.rows(halves.first), real.rows(halves.second), generated.rows(chosen)


def _titles(sample: Sample) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names of all metrics with title and what is better."""
    yield "fpd", ("FPD (Fréchet distance of observables)", "low")
    yield "kpd", ("KPD (kernel distance of observables)", "low")
    for name in ("precision", "density", "recall", "coverage"):
        yield name, (name, "floor")
    for level in ("low", "high"):
        for metric in ("auc", "jsd"):
            yield f"{metric}_{level}", (f"classifier {metric.upper()}, {level}-level", "low")
    for trained in ("real", "generated"):
        for tested in ("real", "generated"):
            title = f"kinds told apart: trained on {trained}, tested on {tested}"
            yield f"transfer_{trained}_{tested}", (title, "floor")
    for name, _, _ in named_columns(sample):
        yield f"separation_{name}", (f"separation power of {name}", "low")
        yield f"separation10_{name}", (f"separation power of {name}, ten equal bins", "low")
        yield f"ks_{name}", (f"Kolmogorov-Smirnov of {name}", "low")
        yield f"mann_whitney_{name}", (f"Mann-Whitney of {name}", "floor")
