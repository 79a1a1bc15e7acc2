"""Methods x seeds against real showers: numbers with errors, and who is better than whom."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from caloforge.compare.hearing import Sitting, case_of
from caloforge.compare.pooling import Contrast, Pooled, contrast, pool
from caloforge.compare.subjects import Subject, differences
from caloforge.data.showers import Showers
from caloforge.errors import UsageError
from caloforge.evaluate.case import Case, Part
from caloforge.evaluate.court import Replicates
from caloforge.evaluate.judgement import REAL
from caloforge.evaluate.measures import Row
from caloforge.reporter import SILENT, Reporter

FORMAT, VERSION = "caloforge-comparison", 1
RIVAL = "nearest"
"""The baseline that every method is held against."""
FEW_SEEDS = 3
UNEQUAL_LENGTH = 1.25
"""Ratio of CPU seconds beyond which trainings were not equally long."""


@dataclass(frozen=True)
class Method:
    """A recipe with its seeds, or a baseline: its numbers."""

    label: str
    title: str
    numbers: Mapping[str, Pooled]
    seeds: tuple[int, ...] = ()
    cpu_seconds: float | None = None
    """Mean over its runs."""
    settings: str = ""
    """What distinguishes it from the other recipes of its name."""

    @property
    def record(self) -> dict[str, Any]:
        """For JSON."""
        measured = {name: number.record for name, number in self.numbers.items()}
        known: dict[str, Any] = {
            "title": self.title,
            "settings": self.settings,
            "seeds": list(self.seeds),
        }
        known["cpu_seconds"] = self.cpu_seconds
        return known | {"measures": measured}


@dataclass(frozen=True)
class Comparison:
    """All numbers of a comparison, and one generated sample of each method for pictures."""

    case: Case
    """Real showers, and the generated ones of the first run."""
    sitting: Sitting
    methods: tuple[Method, ...]
    references: tuple[Method, ...]
    contrasts: tuple[Contrast, ...]
    measure: str
    """What the contrasts are of."""
    shown: Mapping[str, Showers]
    """Generated showers of the first seed of each method."""
    warnings: tuple[str, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """What was measured."""
        return self.sitting.court.rows

    @property
    def scheme(self) -> str:
        """Read-out scheme of the channel sums."""
        return self.case.real.detector.scheme(self.sitting.scheme).scheme

    @property
    def record(self) -> dict[str, Any]:
        """For JSON, format and version first."""
        real = self.case.real
        return {
            "format": FORMAT,
            "version": VERSION,
            "detector": real.detector.name,
            "unit": real.detector.unit,
            "scheme": self.scheme,
            "against": self.case.about["against"],
            "particles": self.sitting.court.particles,
            "rows": len(real),
            "numbers": self.sitting.numbers,
            "seed": self.sitting.seed,
            "resamplings": len(self.sitting.court.weights) - 1,
            "measures": [
                {"name": row.name, "title": row.title, "unit": row.unit, "ideal": row.ideal}
                for row in self.rows
            ],
            "methods": {method.label: method.record for method in self.methods},
            "references": {one.label: one.record for one in self.references},
            "contrasts": {"measure": self.measure, "pairs": [c.record for c in self.contrasts]},
            "warnings": list(self.warnings),
        }


def compare(
    groups: Mapping[str, list[Subject]],
    against: Path,
    *,
    part: Part | None = None,
    scheme: str | None = None,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> Comparison:
    """Judge every run by the same real showers.

    Raises UsageError for runs that keep other particles for the test, DataError for showers that
    do not fit.
    """
    first: Case | None = None
    sitting: Sitting | None = None
    heard: dict[str, list[Replicates]] = {label: [] for label in groups}
    shown: dict[str, Showers] = {}
    with reporter.progress("judging", sum(map(len, groups.values())), "runs") as advance:
        for label, subject in ((label, one) for label, group in groups.items() for one in group):
            case = case_of(subject.path, against, part, seed, first)
            if first is None or sitting is None:
                first, sitting = case, Sitting.of(case, scheme, seed)
            heard[label].append(sitting.hear(case.generated))
            shown.setdefault(label, case.generated)
            advance(1, subject.path)
    if first is None or sitting is None:
        raise UsageError("name at least one run")
    methods = tuple(_method(label, groups, heard[label]) for label in groups)
    return conclude(first, sitting, methods, shown)


def conclude(
    case: Case, sitting: Sitting, methods: tuple[Method, ...], shown: Mapping[str, Showers]
) -> Comparison:
    """References, contrasts and warnings for the methods that were heard."""
    references = tuple(
        Method(name, title, _numbers([found])) for name, title, found in sitting.references()
    )
    measure = "conditional_w1" if sitting.court.repeated else "w1"
    return Comparison(
        case=case,
        sitting=sitting,
        methods=methods,
        references=references,
        contrasts=tuple(contrasts(methods, references, measure)),
        measure=measure,
        shown=shown,
        warnings=(*case.warnings, *remarks(methods)),
    )


def contrasts(
    methods: tuple[Method, ...], references: tuple[Method, ...], measure: str
) -> list[Contrast]:
    """Every pair of methods, the better one first, then every method and the baseline."""
    found = {m.label: m.numbers[measure] for m in (*methods, *references) if m.label != REAL}
    ranked = sorted((m.label for m in methods), key=lambda label: _value(found[label]))
    pairs = [*itertools.combinations(ranked, 2)]
    pairs += [(label, RIVAL) for label in ranked if RIVAL in found]
    return [contrast(a, b, found) for a, b in pairs]


def remarks(methods: tuple[Method, ...]) -> list[str]:
    """What a reader should know before trusting the numbers."""
    told = []
    if few := [m.label for m in methods if len(m.seeds) < FEW_SEEDS]:
        told.append(f"fewer than {FEW_SEEDS} seeds: {', '.join(few)}; one seed has no seed error")
    spent = [m.cpu_seconds for m in methods if m.cpu_seconds is not None]
    if spent and max(spent) > UNEQUAL_LENGTH * min(spent):
        told.append(f"unequal training: {min(spent):.0f} to {max(spent):.0f} CPU s a run")
    return told


def _method(label: str, groups: Mapping[str, list[Subject]], heard: list[Replicates]) -> Method:
    group = groups[label]
    spent = [one.cpu_seconds for one in group]
    known = [seconds for seconds in spent if seconds is not None]
    return Method(
        label,
        label,
        _numbers(heard),
        tuple(one.seed for one in group),
        float(np.mean(known)) if len(known) == len(spent) else None,
        differences(label, groups),
    )


def _numbers(heard: list[Replicates]) -> dict[str, Pooled]:
    return {name: pool([one[name] for one in heard]) for name in heard[0]}


def _value(number: Pooled) -> float:
    value = number.measured.value
    return float("inf") if value is None else value
