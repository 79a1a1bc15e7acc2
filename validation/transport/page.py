"""README.md of the transport study, from the records alone; pictures need the showers, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caloforge.report.pictures import save
from validation.page import distinct, render, table, write_page
from validation.runner import WORK, Records, read_records
from validation.transport import fibre_pictures, pictures
from validation.transport.checks import Check, checks_of, em_resolution, em_series
from validation.transport.figures import Value
from validation.transport.measuring import Measured, load
from validation.transport.plan import series_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = Mapping[str, dict[str, Any]]
KINDS = ("official", "formula")
"""Of the engine's data tables; the first that was measured is shown, the other beside it."""
PICTURES = (
    "em_response.png", "em_depth.png", "zn_response.png", "zn_gallery.png", "interactions.png",
    "samples.png",
)  # fmt: skip
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


def write(folder: Path) -> None:
    """README.md, and the pictures if the showers of all series are there."""
    records = of_kind(read_records(folder))
    results = {name: load(folder / WORK / f"{name}.npz") for name in records}
    showers = {name: measured for name, measured in results.items() if measured is not None}
    if records and len(showers) == len(records):
        draw(folder, records, showers)
    write_page(folder, page(folder))


def draw(folder: Path, records: Records, showers: Mapping[str, Measured]) -> None:
    """Every picture for which there are series."""
    figures, samples = figures_of(records), samples_of(records)
    plots: tuple[Figure, ...] = (
        pictures.em_response(figures),
        pictures.em_depth(figures, showers),
        fibre_pictures.zn_response(figures, showers),
        fibre_pictures.zn_gallery(showers),
        fibre_pictures.interactions(figures, showers),
        fibre_pictures.against_samples(samples),
    )
    for name, figure in zip(PICTURES, plots, strict=True):
        save(figure, folder / name)


def page(folder: Path) -> str:
    """The page of a folder's records and pictures."""
    names = [name for name in PICTURES if (folder / name).is_file()]
    return render("transport", facts(read_records(folder), names))


def summary(folder: Path) -> str:
    """What the terminal shows."""
    checks = checks_of(figures_of(of_kind(read_records(folder))))
    is_met = sum(check.met for check in checks)
    return f"{is_met} of {len(checks)} statements are met; see {folder / 'README.md'}"


def unmet(folder: Path) -> list[str]:
    """Statements that the records do not meet."""
    checks = checks_of(figures_of(of_kind(read_records(folder))))
    return [f"{check.statement}: {check.found}" for check in checks if not check.met]


def of_kind(records: Records, kind: str | None = None) -> dict[str, Mapping[str, Any]]:
    """Records in the order of the plan: of one kind of tables, by default the first measured."""
    there = {one["tables_kind"] for one in records.values()}
    best_kind = kind or next((name for name in KINDS if name in there), None)
    by_series = {one["series"]: one for one in records.values() if one["tables_kind"] == best_kind}
    return {name: by_series[name] for name in series_names() if name in by_series}


def figures_of(records: Records) -> dict[str, dict[str, Any]]:
    """Figures of every measured point; pairs of numbers are values with errors."""
    return {
        name: values_of(one["figures"])
        for name, one in records.items()
        if not name.startswith("sample-")
    }


def samples_of(records: Records) -> dict[str, dict[str, dict[str, Any]]]:
    """Comparisons with the samples, by detector and particle."""
    return {
        name.removeprefix("sample-"): {key: values_of(of) for key, of in one["figures"].items()}
        for name, one in records.items()
        if name.startswith("sample-")
    }


def values_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Pairs of a record as values with errors."""
    return {key: Value(*one) if isinstance(one, list) else one for key, one in record.items()}


def facts(records: Records, picture_names: Sequence[str]) -> dict[str, Any]:
    """All that the template fills in."""
    of_one_kind = of_kind(records)
    kind = next((one["tables_kind"] for one in of_one_kind.values()), None)
    other = {} if kind is None else of_kind(records, next(k for k in KINDS if k != kind))
    figures = figures_of(of_one_kind)
    return {
        "seeds": distinct(one["seed"] for one in of_one_kind.values()),
        "dates": distinct(one["date"] for one in of_one_kind.values()),
        "hardware": distinct(one["hardware"] for one in of_one_kind.values()),
        "tables": distinct(one["tables"] for one in of_one_kind.values()),
        "minutes": f"{sum(one['cpu_seconds'] for one in of_one_kind.values()) / 60:.0f}",
        "checks": check_table(checks_of(figures), checks_of(figures_of(other)), other),
        "resolution": {
            name: em_resolution(figures, name)
            for name in ("eplus", "gamma")
            if len(em_series(figures, name)) > 1
        },
        "em": point_table(figures, "em-", EM_COLUMNS),
        "zn": point_table(figures, "zn-", FIBRE_COLUMNS),
        "samples": {
            fibre_pictures.title(name): rows_table(types, SAMPLE_COLUMNS)
            for name, types in samples_of(of_one_kind).items()
        },
        "pictures": picture_names,
    }


def check_table(checks: Sequence[Check], beside: Sequence[Check], other: Records) -> str:
    """Statements, whether they are met, and what was found with other tables."""
    titles = ["statement", "measured", "allowed", "showers", "met"]
    earlier = {check.statement: check.found for check in beside}
    if beside:
        titles.append(f"beside: {distinct(one['tables'] for one in other.values())}")
    rows = []
    for check in checks:
        interval, is_met = f"{check.low:g} to {check.high:g}", "yes" if check.met else "**no**"
        cells = [check.statement, str(check.found), interval, str(check.showers), is_met]
        rows.append([*cells, *([str(earlier.get(check.statement, ""))] if beside else [])])
    return table(titles, rows)


def point_table(figures: Figures, prefix: str, columns: Sequence[str]) -> str:
    """Points of one calorimeter."""
    rows = {n: e for n, e in figures.items() if n.startswith(prefix) and columns[0] in e}
    return rows_table(rows, columns)


def rows_table(rows: Figures, columns: Sequence[str]) -> str:
    """A row an entry, a column a figure."""
    titles = ["point", "n", *(column.replace("_", " ") for column in columns)]
    return table(
        titles,
        ([name, str(one["n"]), *(cell(one.get(c)) for c in columns)] for name, one in rows.items()),
    )


def cell(value: Any) -> str:
    """A figure as text."""
    if isinstance(value, Value | str):
        return str(value)
    return "" if value is None else f"{value:.4g}"
