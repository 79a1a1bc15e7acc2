"""Every run before the same court: one set of halves and resamplings for all of them.

Shapes: N real rows, P particles, B resamplings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.showers import Showers
from caloforge.errors import DataError, UsageError
from caloforge.evaluate import repeats
from caloforge.evaluate.baselines import BASELINES, as_showers
from caloforge.evaluate.case import Case, Part, assemble
from caloforge.evaluate.court import Court, Replicates, convene
from caloforge.evaluate.judge import RESAMPLINGS
from caloforge.evaluate.judgement import REAL
from caloforge.evaluate.measures import measures
from caloforge.evaluate.observables import observe

FEWEST = 2
"""Particles that a baseline needs."""


@dataclass(frozen=True)
class Sitting:
    """The court and how it was convened; equal arguments, equal numbers as ``evaluate`` gives."""

    real: Showers
    train: Showers | None
    court: Court
    scheme: str | None
    seed: int

    @classmethod
    def of(cls, case: Case, scheme: str | None, seed: int) -> Sitting:
        """The sitting that a case calls for."""
        real = case.real
        table = measures(real.detector, real.detector.scheme(scheme))
        names, slot = repeats.slots(real.particle)
        numbers = repeats.equal_numbers(slot, slot, len(names))
        seen = observe(real, scheme)
        court = convene(seen, slot, numbers, table, RESAMPLINGS, _streams(seed)[0])
        return cls(real, case.train, court, scheme, seed)

    @property
    def numbers(self) -> str:
        """Showers a side at equal numbers, in words."""
        counts = self.court.halves[0].numbers if self.court.repeated else np.zeros(0, np.int64)
        return repeats.describe(counts, self.court.particles)

    def hear(self, generated: Showers) -> Replicates:
        """All measures of showers of the same rows under all resamplings.  (1 + B,) each"""
        return self.court.hear(
            observe(generated, self.scheme), self.court.slot, _streams(self.seed)[1]
        )

    def references(self) -> Iterator[tuple[str, str, Replicates]]:
        """Name, title and measures of real showers and of what needs no network."""
        yield REAL, "real against real (floor)", self.court.hear_real()
        for number, baseline in enumerate(BASELINES):
            if (baseline.needs_training and self.train is None) or self.court.particles < FEWEST:
                continue
            rng = np.random.default_rng([self.seed, number])
            train = self.real if self.train is None else self.train
            made = as_showers(self.real, baseline.of(self.real, train, rng))
            heard = self.court.hear(observe(made, self.scheme), self.court.slot, rng)
            yield baseline.name, baseline.title, heard


def _streams(seed: int) -> list[np.random.Generator]:
    """Random numbers of the court and of a candidate, fresh for each of them."""
    return [np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2)]


def case_of(path: str, against: Path, part: Part | None, seed: int, first: Case | None) -> Case:
    """Real and generated showers of a run; UsageError when others are judged by other showers."""
    case = assemble(path, against, part=part, seed=seed)
    if first is None:
        return case
    if case.real.detector.fingerprint != first.real.detector.fingerprint:
        raise DataError(f"{path} is a simulator of {case.real.detector.name}; the others are not")
    if not _same(case.real.particle, first.real.particle):
        raise UsageError(
            f"{path} keeps other particles for the test than {first.about['judged']}: "
            "compare runs of one split, or judge them by a file that none has seen"
        )
    return case


def _same(first: NDArray[Any], second: NDArray[Any]) -> bool:
    return first.shape == second.shape and bool((first == second).all())
