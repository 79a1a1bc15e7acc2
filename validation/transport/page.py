"""``results.json``, the pictures and ``README.md`` of a validation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.errors import DataError
from caloforge.io.files import write_aside
from caloforge.machine import processor
from caloforge.report.canvas import save
from caloforge.reporter import to_json
from validation.transport import fibre_pictures, pictures
from validation.transport.checks import (
    Check,
    checks_of,
    em_resolution,
    em_series,
    figures_of,
)
from validation.transport.figures import Value
from validation.transport.measuring import Measured, Series
from validation.transport.samples import compare

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OTHER_KIND = {"formula": "official", "official": "formula"}
FORMAT = "caloforge-transport-validation"
Found = Mapping[str, tuple[Series, Measured]]


def results_of(found: Found, samples: Sequence[Path], *, seed: int, command: str) -> dict[str, Any]:
    """Everything that the validation says, for JSON."""
    showers = {name: measured for name, (_, measured) in found.items()}
    figures = figures_of(showers, seed)
    series, _ = next(iter(found.values()))
    return {
        "format": FORMAT,
        "version": 1,
        "command": command,
        "seed": seed,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "hardware": f"{processor()}, {os.cpu_count()} cores",
        "tables": series.tables.describe(),
        "tables_kind": series.tables.kind,
        "cpu_seconds": {n: float(m.cpu_seconds.sum()) for n, (_, m) in found.items()},
        "checks": [check.record() for check in checks_of(figures)],
        "resolution": {
            name: em_resolution(figures, name)
            for name in ("eplus", "gamma")
            if len(em_series(figures, name)) > 1
        },
        "points": figures,
        "samples": comparisons(found, samples),
    }


def results_path(folder: Path, kind: str) -> Path:
    """Results with one kind of data tables."""
    return folder / f"results-{kind}.json"


def read_results(path: Path) -> dict[str, Any]:
    """Results of an earlier validation; DataError when it is none."""
    try:
        results: dict[str, Any] = json.loads(path.read_bytes())
        known = results["format"] == FORMAT and results["version"] == 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the results of a transport validation: {error}") from None
    if not known:
        raise DataError(f"{path}: not {FORMAT} version 1")
    return {name: results[name] for name in ("tables", "checks", "date", "hardware")}


def comparisons(found: Found, samples: Sequence[Path]) -> dict[str, Any]:
    """Ours beside the other engine's, by detector and particle."""
    compared = {}
    for path in samples:
        for name, (series, measured) in found.items():
            if name.startswith("sample-") and series.request.particles.source == path.name:
                compared[series.request.detector.name] = compare(series, measured, path)
    return compared


def write_page(folder: Path, results: Mapping[str, Any], found: Found, seed: int) -> list[Check]:
    """Write JSON, pictures and README; returns the checks."""
    folder.mkdir(parents=True, exist_ok=True)
    showers = {name: measured for name, (_, measured) in found.items()}
    figures = figures_of(showers, seed)
    drawn: dict[str, Callable[[], Figure]] = {
        "em_response.png": lambda: pictures.em_response(figures),
        "em_depth.png": lambda: pictures.em_depth(figures, showers),
        "zn_response.png": lambda: fibre_pictures.zn_response(figures, showers),
        "zn_gallery.png": lambda: fibre_pictures.zn_gallery(showers),
        "interactions.png": lambda: fibre_pictures.interactions(figures, showers),
        "samples.png": lambda: fibre_pictures.against_samples(results["samples"]),
    }
    if not results["samples"]:
        del drawn["samples.png"]
    for name, draw in drawn.items():
        with write_aside(folder / name, overwrite=True) as aside:
            save(draw(), aside)
    checks = checks_of(figures)
    _write(results_path(folder, results["tables_kind"]), to_json(results) + "\n")
    other = results_path(folder, OTHER_KIND[results["tables_kind"]])
    beside = read_results(other) if other.exists() else None
    _write(folder / "README.md", readme(results, checks, list(drawn), beside))
    return checks


def _write(path: Path, text: str) -> None:
    with write_aside(path, overwrite=True) as aside:
        aside.write_text(text, encoding="utf-8")


def readme(
    results: Mapping[str, Any],
    checks: Sequence[Check],
    images: Sequence[str],
    beside: Mapping[str, Any] | None,
) -> str:
    """The page for people."""
    total = sum(results["cpu_seconds"].values()) / 60
    lines = [
        "# Geant4 transport against PDG and against GEANT 3.21",
        "",
        f"Command: `{results['command']}`, seed {results['seed']}, {results['date']}, "
        f"{results['hardware']}, {total:.0f} CPU minutes of transport. Tables: "
        f"{results['tables']}. All numbers are in `results-{results['tables_kind']}.json`; errors "
        "are standard errors. Run again where `GEANT4_DATA_DIR` points to official tables, they "
        "give a second column.",
        "",
        *_check_table(checks, beside),
        "",
        *(
            f"Resolution of the argon signal, {name}: ({fit['a']}) % / sqrt(E / GeV) + "
            f"({fit['b']}) %."
            for name, fit in results["resolution"].items()
        ),
        "",
    ]
    lines += [*_point_tables(results["points"]), *_sample_tables(results["samples"])]
    lines += [f"![{name}]({name})\n" for name in images]
    return "\n".join(lines)


def _check_table(checks: Sequence[Check], beside: Mapping[str, Any] | None) -> list[str]:
    """Statements with verdicts, and what an earlier run with other tables found."""
    head = ["statement", "measured", "allowed", "showers", "met"]
    earlier = {}
    if beside:
        head.append(f"beside: {beside['tables']}")
        earlier = {entry["statement"]: Value(**entry["found"]) for entry in beside["checks"]}
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for check in checks:
        allowed, verdict = f"{check.low:g} to {check.high:g}", "yes" if check.met else "**no**"
        cells = [check.statement, str(check.found), allowed, str(check.showers), verdict]
        cells += [str(earlier.get(check.statement, ""))] if beside else []
        lines.append(f"| {' | '.join(cells)} |")
    return lines


EM_COLUMNS = (
    "deposit_over_energy", "argon_over_energy", "sampling_fraction", "e_over_mip",
    "resolution_percent", "peak_x0", "mean_depth_x0", "cpu_seconds",
)  # fmt: skip
FIBRE_COLUMNS = (
    "counts_per_gev", "resolution_percent", "counts_per_gev_metal", "resolution_percent_metal",
    "empty_percent", "mean_depth_percent", "depth_of_95_percent", "cpu_seconds",
)  # fmt: skip
SAMPLE_COLUMNS = (
    "mean_energy_gev", "response_per_gev", "other_response_per_gev", "ratio_of_responses",
    "empty_percent", "other_empty_percent", "width_mm", "other_width_mm", "ratio_of_widths",
    "response", "width",
)  # fmt: skip


def _point_tables(points: Mapping[str, dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for heading, prefix, columns in (
        ("EM calorimeter", "em-", EM_COLUMNS),
        ("ZN (`metal`: particles that do not start in a groove)", "zn-", FIBRE_COLUMNS),
    ):
        rows = {n: e for n, e in points.items() if n.startswith(prefix) and columns[0] in e}
        lines += [f"## {heading}", "", *_table(rows, columns), ""]
    return lines


def _sample_tables(samples: Mapping[str, Mapping[str, dict[str, Any]]]) -> list[str]:
    lines: list[str] = []
    for name, types in samples.items():
        heading = f"## {fibre_pictures.title(name)}: the same particles in GEANT 3.21 (`other`)"
        lines += [heading, "", *_table(types, SAMPLE_COLUMNS), ""]
    return lines


def _table(rows: Mapping[str, dict[str, Any]], columns: Sequence[str]) -> list[str]:
    head = ["point", "n", *(column.replace("_", " ") for column in columns)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for name, entry in rows.items():
        cells = [name, str(entry["n"]), *(_cell(entry.get(column)) for column in columns)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, Value):
        return str(value)
    if isinstance(value, str):
        return value
    return "" if value is None else f"{value:.4g}"
