"""What is in a file of showers, and whether it can test a claim about diversity.

Shapes: N rows, P particles.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.derive import spread
from caloforge.data.energy import EnergyBalance
from caloforge.data.kinematics import PhysicsCheck
from caloforge.detector import Detector
from caloforge.io.productions import open_showers
from caloforge.io.showers import ShowerFile
from caloforge.reporter import SILENT, Reporter

QUANTILES = (0.1, 0.5, 0.9)
TOTAL_BINS = 5
SAME_SPREAD = 0.1
"""Spreads that vary by less, relative to their mean, are one spread as far as R ~ 8 can tell."""
NO_DIVERSITY = "no claim about diversity can be tested with this file"


@dataclass(frozen=True)
class SpreadAtTotal:
    """Spread of the particles whose mean total is between two values."""

    total: tuple[float, float]
    particles: int
    quantiles: tuple[float, ...]
    """Of the spread, in the detector's unit, at QUANTILES."""


@dataclass(frozen=True)
class Summary:
    """What ``caloforge data info`` tells."""

    file: str
    detector: str
    quantity: str
    unit: str
    rows: int
    particles: int
    repeats: dict[int, int]
    """Particles for each number of repeats."""
    conditions: list[dict[str, Any]]
    empty_fraction: float
    largest_cell: float
    total_quantiles: tuple[float, ...]
    spread_at_total: list[SpreadAtTotal]
    spread_variation: float | None
    """Standard deviation of the spread over particles, divided by its mean."""
    cpu_seconds_mean: float | None
    pdg: dict[int, int]
    """Rows for each PDG id."""
    channels_scheme: str | None
    provenance: dict[str, str]
    warnings: list[str] = field(default_factory=list)
    energy: EnergyBalance | None = None
    """Where the energy goes; None where cells hold none."""

    def record(self) -> dict[str, Any]:
        """Plain numbers and names for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Totals:
    """What one walk through the cells gives."""

    total: NDArray[np.float64]
    empty: int
    largest: float
    energy: EnergyBalance | None
    doubts: list[str]


def summarise(
    path: str | Path, detector: Detector | None = None, *, reporter: Reporter = SILENT
) -> Summary:
    """Walk through a file, larger than memory or not; DataError when anything in it is odd."""
    with open_showers(path, detector) as file:
        walked = _walk(file, reporter)
        spreads = spread(file, scale="counts", reporter=reporter)
        groups = file.groups()
        variation = _variation(spreads)
        return Summary(
            file=str(path),
            detector=file.detector.name,
            quantity=file.detector.quantity,
            unit=file.detector.unit,
            rows=len(file),
            particles=len(groups),
            repeats=_counts(groups.counts),
            conditions=_ranges(file),
            empty_fraction=walked.empty / len(file),
            largest_cell=walked.largest,
            total_quantiles=_quantiles(walked.total),
            spread_at_total=_spread_at_total(
                np.add.reduceat(walked.total, groups.starts) / groups.counts, spreads
            ),
            spread_variation=variation,
            cpu_seconds_mean=None if file.cpu_seconds is None else float(file.cpu_seconds.mean()),
            pdg={} if file.pdg is None else _counts(file.pdg),
            channels_scheme=file.channels_scheme,
            provenance=dict(file.provenance),
            warnings=[
                *_warnings(variation, file.provenance),
                *walked.doubts,
            ],
            energy=walked.energy,
        )


def _walk(file: ShowerFile, reporter: Reporter) -> _Totals:
    totals, empty, largest = [], 0, -np.inf
    check = PhysicsCheck(file.detector)
    with reporter.progress("read", len(file)) as advance:
        for chunk in file.chunks():
            totals.append(chunk.total())
            empty += int((~chunk.cells.any(axis=1)).sum())
            largest = max(largest, float(chunk.cells.max()))
            check.add(chunk)
            advance(len(chunk))
    balance = check.energy_sums.balance() if check.energy_sums else None
    return _Totals(np.concatenate(totals), empty, largest, balance, check.warnings())


def _counts(values: NDArray[Any]) -> dict[int, int]:
    distinct, counts = np.unique(values, return_counts=True)
    return {int(value): int(count) for value, count in zip(distinct, counts, strict=True)}


def _ranges(file: ShowerFile) -> list[dict[str, Any]]:
    low, high = file.conditions.min(axis=0), file.conditions.max(axis=0)
    return [
        {"name": c.name, "unit": c.unit, "min": float(low[number]), "max": float(high[number])}
        for number, c in enumerate(file.detector.conditions)
    ]


def _quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(np.quantile(values, QUANTILES).tolist())


def _variation(spreads: NDArray[np.float64]) -> float | None:
    defined = spreads[np.isfinite(spreads)]
    if len(defined) < 2:
        return None
    mean = float(defined.mean())
    return float(defined.std()) / mean if mean > 0 else 0.0


def _spread_at_total(
    total: NDArray[np.float64], spreads: NDArray[np.float64]
) -> list[SpreadAtTotal]:
    """Quantiles of the spread in bins with equal numbers of particles, by mean total (P,)."""
    defined = np.flatnonzero(np.isfinite(spreads))
    order = defined[np.argsort(total[defined], kind="stable")]
    bins = np.array_split(order, min(TOTAL_BINS, len(order))) if len(order) else []
    return [
        SpreadAtTotal(
            (float(total[bin_].min()), float(total[bin_].max())),
            len(bin_),
            _quantiles(spreads[bin_]),
        )
        for bin_ in bins
    ]


def _warnings(variation: float | None, provenance: Mapping[str, str]) -> list[str]:
    warnings = []
    if variation is None:
        warnings.append(f"fewer than two particles have two showers or more: {NO_DIVERSITY}")
    elif variation < SAME_SPREAD:
        warnings.append(
            f"all conditions have the same spread (it varies by {variation:.1%}): {NO_DIVERSITY}"
        )
    if "engine" not in provenance:
        warnings.append("the file does not say which engine made its showers")
    return warnings


def describe(summary: Summary) -> str:
    """The summary as lines for people."""
    repeats = ", ".join(f"{count} x {n}" for n, count in summary.repeats.items())
    low, middle, high = summary.total_quantiles
    lines = [
        f"file            {summary.file}",
        f"detector        {summary.detector}, {summary.quantity} in {summary.unit}",
        f"rows            {summary.rows}",
        f"particles       {summary.particles} (particles x repeats: {repeats})",
        f"empty fraction  {summary.empty_fraction:.4f}",
        f"total           {low:.4g} / {middle:.4g} / {high:.4g} {summary.unit} (10, 50, 90 %)",
        f"largest cell    {summary.largest_cell:.4g} {summary.unit}",
        f"cpu seconds     {_number(summary.cpu_seconds_mean)} a shower, by the engine",
        f"channel sums    {summary.channels_scheme or 'none stored'}",
        *[f"{name:15s} {value}" for name, value in summary.provenance.items()],
        "",
        *_condition_lines(summary),
        "",
        *([*summary.energy.lines(), ""] if summary.energy else ()),
        *_spread_lines(summary),
        *_pdg_lines(summary),
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _condition_lines(summary: Summary) -> list[str]:
    head = f"{'condition':12s} {'unit':8s} {'least':>12s} {'greatest':>12s}"
    rows = [
        f"{c['name']:12s} {c['unit']:8s} {c['min']:12.5g} {c['max']:12.5g}"
        for c in summary.conditions
    ]
    return [head, *rows]


def _spread_lines(summary: Summary) -> list[str]:
    unit, varies = summary.unit, summary.spread_variation
    if not summary.spread_at_total:
        return ["spread          unknown: no particle has two showers"]
    head = [
        f"spread: standard deviation over the showers of a particle, summed over cells, in {unit}",
        f"it varies by {'unknown' if varies is None else f'{varies:.1%}'} over particles",
        f"{'mean total':>21s} {'particles':>10s} {'10 %':>10s} {'50 %':>10s} {'90 %':>10s}",
    ]
    rows = [
        f"{at.total[0]:9.4g} - {at.total[1]:9.4g} {at.particles:10d} "
        + " ".join(f"{value:10.4g}" for value in at.quantiles)
        for at in summary.spread_at_total
    ]
    return [*head, *rows]


def _pdg_lines(summary: Summary) -> list[str]:
    if not summary.pdg:
        return []
    rows = sorted(summary.pdg.items(), key=lambda item: -item[1])
    return ["", f"{'pdg':>12s} {'rows':>10s}", *[f"{pdg:12d} {count:10d}" for pdg, count in rows]]
