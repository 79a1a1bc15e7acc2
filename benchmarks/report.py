"""What a benchmark found: rows of ratios, the machine, and the comparison with an older one."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from caloforge.errors import DataError, GateFailed
from caloforge.machine import cpu_flags, processor

if TYPE_CHECKING:
    from rich.table import Table

FORMAT: Literal["caloforge-bench"] = "caloforge-bench"
VERSION: Literal[1] = 1
LOST = 0.8
"""A ratio below this part of the older one fails; between runs they repeat to about 15 %."""
PACKAGES = ("caloforge", "numpy", "torch", "onnxruntime", "openvino", "h5py", "hdf5plugin")


@dataclass(frozen=True)
class Row:
    """A contender at a batch size, against the reference of the same rounds."""

    name: str
    batch: int
    microseconds: float
    """CPU time of a shower (of a row, in training)."""
    ratio: float | None = None
    """How many times faster than the reference at this batch size; median of paired rounds."""
    ratio_low: float | None = None
    ratio_high: float | None = None
    """Quartiles."""
    sgemm_share: float | None = None
    """Of the core's own sgemm in the same rounds, on the contender's own operations."""
    error: float | None = None
    """Largest deviation from the reference's answers, as a share of the largest cell."""
    quality: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """What two benchmarks match rows by."""
        return self.name, self.batch


@dataclass(frozen=True)
class Benchmark:
    """Rows of one run, and other figures of it by name."""

    what: str
    rows: list[Row]
    figures: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "what": self.what,
            "machine": machine(),
            "rows": [asdict(row) for row in self.rows],
            "figures": self.figures,
            "remarks": self.remarks,
        }

    def table(self) -> Table:
        """For people."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, caption="\n".join(self._notes()))
        table.caption_justify = "left"
        for column in ("contender", "batch", "us", "ratio", "quartiles", "of sgemm", "error"):
            table.add_column(column, justify="left" if column == "contender" else "right")
        table.add_column("quality")
        for row in self.rows:
            table.add_row(*cells(row))
        return table

    def _notes(self) -> list[str]:
        figures = [f"{name}: {value:.4g}" for name, value in self.figures.items()]
        return [*figures, *self.remarks, f"{processor()}, one thread, CPU time"]


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    spread = "" if row.ratio_low is None else f"{row.ratio_low:.3g} - {row.ratio_high:.3g}"
    return (
        row.name,
        str(row.batch),
        f"{row.microseconds:.4g}",
        "" if row.ratio is None else f"{row.ratio:.3g}",
        spread,
        "" if row.sgemm_share is None else f"{100 * row.sgemm_share:.0f} %",
        "" if row.error is None else f"{row.error:.0e}",
        row.quality,
    )


def machine() -> dict[str, Any]:
    """Where and when this was measured."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "cpu_flags": cpu_flags(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "packages": {name: version for name in PACKAGES if (version := installed(name))},
    }


def installed(name: str) -> str | None:
    """Version of a package, if it is there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def read_benchmark(path: Path) -> dict[str, Any]:
    """The record of an older run; DataError when it is none, or newer than this program."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a benchmark: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DataError(f"{path} is no benchmark (format is not {FORMAT})")
    if record.get("version") != VERSION:
        raise DataError(f"{path} has version {record.get('version')!r}: update caloforge")
    return record


def require_no_loss(now: Benchmark, path: Path) -> list[str]:
    """One line a row that both runs have; only ratios are compared, never times.

    Raises GateFailed naming the rows whose ratio fell below 0.8 of the older one, DataError when
    the runs have no row in common.
    """
    old = read_benchmark(path)
    before = {(row["name"], row["batch"]): row["ratio"] for row in old["rows"] if row["ratio"]}
    both = [row for row in now.rows if row.ratio and row.key in before]
    if old["what"] != now.what or not both:
        raise DataError(f"{path} has no ratio in common with this benchmark of {now.what}")
    lines, losses = [], []
    for row in both:
        change = (row.ratio or 0.0) / before[row.key]
        lines.append(f"{row.name}, batch {row.batch}: {change:.2f} of the ratio in {path.name}")
        if change < LOST:
            losses.append(lines[-1])
    if losses:
        raise GateFailed(f"slower than before: {'; '.join(losses)}")
    return lines


__all__ = ["Benchmark", "Row", "machine", "read_benchmark", "require_no_loss"]
