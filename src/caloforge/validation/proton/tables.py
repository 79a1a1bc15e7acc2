"""Rows of the tables: the published protocol, measures per particle, differences, tails, scans."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, pstdev, stdev
from typing import Any

from caloforge.compare.pooling import Contrast, contrast, pool
from caloforge.evaluate.measured import Measured
from caloforge.validation.campaign.group import Group, replicates
from caloforge.validation.proton.judging import CUTS, QUANTILES, TAILS
from caloforge.validation.proton.plan import METHODS, OURS, PLAIN, WHOLE

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
COMPARED = {"conditional W1": "by_particle", "centre error [mm]": "centre_by_particle"}
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
    return str(Measured(fmean(means), error)), f"{channels:.1f}"


def beyond_row(one: Group) -> list[str]:
    """What a marginal distance does not see, of runs that differ in their seed only."""
    return [one.label, *measured_cells(one), str(len(one.whole)), one.steps, one.cpu_seconds]


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
    numbers = [Measured(**one[table][name]) for name, table, _ in BEYOND]
    return [f"*{one['title']}*", *("-" if n.value is None else str(n) for n in numbers), "", "", ""]


def contrasts(found: Sequence[Group], references: Record) -> Iterator[tuple[str, Contrast]]:
    """What is compared, and the difference of each pair of which both are there."""
    for title, name in COMPARED.items():
        known = {one.label: one.pooled(name) for one in found if one.having(name)}
        for reference, record in references["references"].items():
            if name in record:
                known[reference] = pool([replicates(record[name])])
        for pair in PAIRS:
            if set(pair) <= known.keys():
                yield title, contrast(*pair, known)


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
