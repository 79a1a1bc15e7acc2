"""The gate applied to showers, and which impostor rejected showers look like.

Shapes: k checks.

An impostor is made of one half of the real showers and meets the same checks against the other.
Its answers are compared with those that the generated showers got by the cosine of both.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate import repeats
from caloforge.evaluate.checks import Evidence, checks, evidence_of, known_showers
from caloforge.evaluate.gate import DEFAULT, apply, read_gate
from caloforge.evaluate.impostors import IMPOSTORS
from caloforge.evaluate.judgement import Judgement
from caloforge.evaluate.pool import Pool, pooled
from caloforge.evaluate.verdict import Answer, Likeness, Verdict

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

Values = NDArray[np.float64]
CHANCE_SIGMA = 1.5
"""So much of every answer may be chance and says nothing of what showers look like."""
PARTICLES_FOR_LIKENESS = 500
LEAST_SIMILARITY = 0.5


def inspect(
    real: Showers,
    generated: Showers,
    train: Showers | None = None,
    *,
    gate: str = DEFAULT,
    scheme: str | None = None,
    seed: int = 0,
    judgement: Judgement | None = None,
) -> Verdict:
    """The verdict of a gate (a file, or the default one of the detector).

    ``train`` holds training showers, to find copies of them; ``judgement`` is needed by gates that
    limit measures of the table. Raises DataError for showers that cannot be compared, UsageError
    for a gate that does not fit.
    """
    name, limits = read_gate(gate, real.detector)
    pool = pooled(real, generated, scheme)
    rng = np.random.default_rng([seed, 0x6A7E])
    known = None if train is None else known_showers(train.cells)
    answers = answers_of(evidence_of(pool, known, rng))
    verdict = apply(limits, answers, judgement)
    like = None if verdict.accepted else _likeness(answers, pool, real, train, known, scheme, rng)
    return dataclasses.replace(verdict, gate=name, strata=_described(pool), likeness=like)


def answers_of(evidence: Evidence) -> tuple[Answer, ...]:
    """Every check answered."""
    found = []
    for check in checks(evidence.pool):
        outcome = check.of(evidence)
        found.append(Answer(check.name, check.title, outcome.value, outcome.error, outcome.sigma))
    return tuple(found)


def _described(pool: Pool) -> str:
    what = "particles" if pool.repeated and pool.shared else "bands of conditions"
    made = int(pool.generated.sum())
    return f"{made} generated and {len(pool.generated) - made} real in {pool.strata} {what}"


def _likeness(
    answers: tuple[Answer, ...],
    pool: Pool,
    real: Showers,
    train: Showers | None,
    known: frozenset[bytes] | None,
    scheme: str | None,
    rng: np.random.Generator,
) -> Likeness | None:
    """The impostor whose answers are most like these, None where none is."""
    ours = _signature(answers)
    real = _some_particles(real, rng)
    first, second = _halves(real, rng) if pool.repeated and pool.shared else (real, real)
    found = []
    for impostor in IMPOSTORS:
        if not impostor.applies(real.detector, train):
            continue
        made = dataclasses.replace(
            second, cells=impostor.of(second, train, rng), cpu_seconds=None, overflow=None
        )
        theirs = _signature(answers_of(evidence_of(pooled(first, made, scheme), known, rng)))
        size = math.sqrt((ours @ ours) * (theirs @ theirs))
        similarity = float(ours @ theirs) / size if size > 0 else 0.0
        found.append(Likeness(impostor.name, impostor.title, similarity))
    best = max(found, key=lambda like: like.similarity, default=None)
    return best if best is not None and best.similarity >= LEAST_SIMILARITY else None


def _some_particles(real: Showers, rng: np.random.Generator) -> Showers:
    """The showers of at most so many particles: a likeness needs no more."""
    names = np.unique(real.particle)
    if len(names) <= PARTICLES_FOR_LIKENESS:
        return real
    return real.of_particles(rng.permutation(names)[:PARTICLES_FOR_LIKENESS])


def _halves(real: Showers, rng: np.random.Generator) -> tuple[Showers, Showers]:
    """Two halves of the showers of each particle; all on both sides where none has two."""
    _, slot = repeats.slots(real.particle)
    numbers = np.bincount(slot) // 2
    if not numbers.any():
        return real, real
    halves = repeats.halve(slot, numbers, rng)
    return real.rows(halves.first), real.rows(halves.second)


def _signature(answers: tuple[Answer, ...]) -> Values:
    """Answers beyond chance, large ones compressed.  (k,)"""
    sigma = np.array([a.sigma if math.isfinite(a.sigma) else 0.0 for a in answers])
    beyond = np.sign(sigma) * np.maximum(np.abs(sigma) - CHANCE_SIGMA, 0)
    signature: Values = np.arcsinh(beyond)
    return signature
