"""Rows of the tables: the published protocol, measures per particle, differences, tails, scans.

Shapes: P test particles, S runs of a method that differ in their seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.evaluate.comparison import Contrast, combine_seeds, contrast
from caloforge.evaluate.resampling import Measured
from validation.campaign.group import Group, contrast_cells, replicates
from validation.proton.judging import CUTS, QUANTILES, TAILS
from validation.proton.plan import METHODS, OURS, PLAIN, WHOLE

Record = Mapping[str, Any]
PUBLISHED = dict(zip(METHODS, ("2.48", "2.36", "2.29", "2.08"), strict=False))
"""Table 1 of arXiv:2406.03263, at least one photon."""
BEYOND = (
    ("conditional_w1", "test", "cond. W1"),
    ("conditional_w1", "o2", "cond. W1, o2"),
    ("centre_error", "test", "centre error [mm]"),
    ("sigma_total", "test", "σ(total)"),
    ("sigma_centre", "test", "σ(centre)"),
    ("mean_total", "test", "mean total"),
    ("empty", "test", "empty"),
    ("w1", "test", "W1"),
)
CENTRE = "centre error [mm]"
COMPARED = {"conditional W1": "by_particle", CENTRE: "centre_by_particle"}
"""What differences are told of, and the numbers of each particle in records."""
PAIRS = (
    (WHOLE, "shuffled"),
    (WHOLE, "replayed"),
    (WHOLE, PLAIN),
    ("proton-sdi", PLAIN),
    ("proton-sdi-intensity", PLAIN),
    (WHOLE, "proton-sdi-intensity"),
    (OURS, PLAIN),
    (OURS, WHOLE),
    (WHOLE, "nearest"),
    (OURS, "nearest"),
)


def protocol_head() -> list[str]:
    """Titles of the published protocol."""
    cuts = [text for cut in CUTS for text in (f"≥ {cut}", "channels")]
    return ["", *cuts, "runs", "the paper, ≥ 1"]


def protocol_row(label: str, runs: Sequence[Record], scheme: str, paper: str) -> list[str]:
    """W1 at the cuts with both deviations; ``runs`` are what records publish."""
    cells = [cell for cut in CUTS for cell in _over_runs(runs, scheme, str(cut))]
    return [label, *cells, str(len(runs)), paper]


def _over_runs(runs: Sequence[Record], scheme: str, cut: str) -> tuple[str, str]:
    """Mean and deviation over runs, and deviation over channels of the mean over runs."""
    found = [values for one in runs if (values := one[scheme][cut]["w1"]) is not None]
    if not found:
        return "no shower passes", ""
    means = [fmean(values) for values in found]
    error = stdev(means) if len(means) > 1 else None
    channels = pstdev(map(fmean, zip(*found, strict=True)))
    note = f" ({len(found)} of {len(runs)})" if len(found) < len(runs) else ""
    return f"{Measured(fmean(means), error)}{note}", f"{channels:.1f}"


def beyond_row(one: Group, note: str = "") -> list[str]:
    """What a marginal distance does not see, of runs that differ in their seed only."""
    whole, runs = len(one.whole), len(one.records)
    seeds = str(runs) if whole == runs else f"{whole} of {runs}"
    return [f"{one.label}{note}", *measured_cells(one), seeds, one.steps, one.cpu_seconds]


def measured_cells(one: Group) -> list[str]:
    """The measures of a row, and how many seeds have them where it is not all."""
    cells = []
    for name, table, _ in BEYOND:
        there = sum(run[table][name]["value"] is not None for run in one.whole)
        note = f" ({there} of {len(one.whole)})" if 0 < there < len(one.whole) else ""
        cells.append(f"{one.measured(name, table)}{note}")
    return cells


def reference_row(one: Record) -> list[str]:
    """The same of what needs no network."""
    return floor_row(one["title"], {table: one[table] for _, table, _ in BEYOND})


def floor_row(title: str, known: Record) -> list[str]:
    """The measures of tables that are known; a dash for those of others and for undefined ones."""
    found = [known[table][name] if table in known else {"value": None} for name, table, _ in BEYOND]
    numbers = [Measured(**one) for one in found]
    return [f"*{title}*", *("-" if n.value is None else str(n) for n in numbers), "", "", ""]


@dataclass(frozen=True)
class Side:
    """A number of each particle, of the runs of a method that have it, or of a reference."""

    label: str
    each: NDArray[np.float64]
    """NaN for a particle that has none: dark showers have no centre.  (S, P)"""
    runs: int | None = None
    """All runs, also those without the number; None: a reference needs no run."""

    @property
    def having(self) -> str:
        """How many of the seeds have the number."""
        return "" if self.runs is None else f"{len(self.each)} of {self.runs}"

    @property
    def whole(self) -> bool:
        """False if some seed, or all, are without."""
        return self.runs in (None, len(self.each))


@dataclass(frozen=True)
class Difference:
    """How two sides differ in a number, and what that stands on."""

    title: str
    first: Side
    second: Side
    common: int
    """Particles that every run of both sides has the number of: those that are compared."""
    particles: int
    contrast: Contrast | None
    """None where a side has the number of no particle, or no particle is common."""

    @property
    def seeds(self) -> str:
        """How many seeds of both sides have the number."""
        return " / ".join(side.having for side in (self.first, self.second) if side.having)

    @property
    def shared(self) -> str:
        """How many of the particles are compared."""
        return f"{self.common} of {self.particles}"

    @property
    def missing(self) -> str:
        """Why there is no difference, in words; empty where there is one."""
        if self.contrast is not None:
            return ""
        without = [side.label for side in (self.first, self.second) if not len(side.each)]
        if not without:
            return "no particle has it on both sides"
        return f"no run of {' or '.join(without)} has it (dark or failed)"

    @property
    def row(self) -> list[str]:
        """Cells of the table of differences."""
        known = (self.first.label, self.second.label, self.missing, "", "")
        cells = known if self.contrast is None else contrast_cells(self.contrast)
        return [self.title, *cells, self.seeds, self.shared]


def differences(
    found: Sequence[Group], references: Record, titles: Sequence[str] = tuple(COMPARED)
) -> Iterator[Difference]:
    """Differences of all pairs of which both are there, dark or not."""
    for title in titles:
        known = {side.label: side for side in sides(COMPARED[title], found, references)}
        for first, second in PAIRS:
            if {first, second} <= known.keys():
                yield difference(title, known[first], known[second])


def sides(name: str, found: Sequence[Group], references: Record) -> Iterator[Side]:
    """A number of the methods that have run, and of the references that have it."""
    for one in found:
        each = [run[name] for run in one.having(name)]
        yield Side(one.label, np.array(each, dtype=np.float64), len(one.records))
    for label, record in references["references"].items():
        if name in record:
            yield Side(label, np.array([record[name]], dtype=np.float64))


def difference(title: str, first: Side, second: Side) -> Difference:
    """Second minus first over the same particles on both sides.

    A side that is dark for the hard particles would look better by leaving them out.
    """
    particles = max(side.each.shape[-1] for side in (first, second))
    if not (len(first.each) and len(second.each)):
        return Difference(title, first, second, 0, particles, None)
    common = np.isfinite(np.concatenate([first.each, second.each])).all(axis=0)
    known = {
        side.label: combine_seeds(
            [replicates(np.where(common, row, np.nan).tolist()) for row in side.each]
        )
        for side in (first, second)
    }
    paired = contrast(first.label, second.label, known) if common.any() else None
    return Difference(title, first, second, int(common.sum()), particles, paired)


def tail_rows(one: Group) -> Iterator[list[str]]:
    """Tails and dark parts of both channels."""
    for label, title in TAILS.items():
        runs = [run["tails"][label] for run in one.whole]
        above = [[run["above"][n] for run in runs] for n in range(len(QUANTILES))]
        dark = [run["empty"][1] for run in runs]
        real = runs[0]["empty"][0]
        yield [one.label, title, *map(mean_and_error, (*above, dark)), f"{real:.3f}"]


def mean_and_error(values: Sequence[float]) -> str:
    """Mean over seeds ± its standard error."""
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return str(Measured(fmean(values), error))
