"""Joins finished shards into the showers file, and counts what became of the particles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from caloforge import __version__
from caloforge.data.record import cell_type
from caloforge.errors import CaloforgeError, DataError
from caloforge.io.files import write_aside
from caloforge.io.showers import Column, ShowerWriter
from caloforge.machine import processor
from caloforge.transport.request import LOST, MISSED, MISSING, TRANSPORTED, Request
from caloforge.transport.shards import Parts, Shard

ENGINE = "Geant4 {version} (geant4-pybind)"


@dataclass(frozen=True)
class Summary:
    """What a run made."""

    path: str
    transported: int
    missed: int
    lost: int
    missing: tuple[int, ...]
    cpu_seconds: float
    """Sum over all showers; NaN where another engine did not say."""
    provenance: dict[str, str]

    def record(self) -> dict[str, Any]:
        """For ``--json``."""
        return vars(self)

    def __str__(self) -> str:
        rate = self.cpu_seconds / max(self.transported, 1)
        return (
            f"{self.path}: {self.transported} showers transported, {self.missed} miss the "
            f"calorimeter and {self.lost} were stopped upstream (kept as empty showers), "
            f"{len(self.missing)} missing; {rate:.3g} CPU s a shower; "
            f"{self.provenance['engine']}, {self.provenance['tables']}"
        )

    def raise_if_missing(self, out: Path) -> None:
        """CaloforgeError when showers could not be made; a file beside the output lists them."""
        if self.missing:
            raise CaloforgeError(
                f"{len(self.missing)} showers are missing from {out} (two workers died at each): "
                f"listed in {missing_path(out)}"
            )


def missing_path(out: Path) -> Path:
    """Where missing showers are listed."""
    return out.with_name(f"{out.name}.missing.json")


def assemble(request: Request, parts: Parts, out: Path, *, overwrite: bool) -> Summary:
    """Write the showers file from all shards, and the list of missing showers if there are any.

    Raises DataError for damaged shards and for counts that do not fit 16 bits.
    """
    fates, seconds = _overview(request, parts)
    provenance = provenance_of(request, parts, fates)
    present: dict[Column, bool] = {
        "pdg": True,
        "cpu_seconds": not np.isnan(seconds),
        "overflow": request.overflow_layers > 0,
    }
    columns = tuple(name for name, there in present.items() if there)
    with (
        write_aside(out, overwrite=overwrite) as aside,
        ShowerWriter(aside, request.detector, provenance, columns=columns) as writer,
    ):
        for number, rows in enumerate(parts.ranges):
            _append(writer, request, rows, parts.load(number))
    missing = np.flatnonzero(fates == MISSING)
    _list_missing(request, out, missing.tolist())
    counts = {fate: int((fates == fate).sum()) for fate in (TRANSPORTED, MISSED, LOST)}
    return Summary(
        str(out), counts[TRANSPORTED], counts[MISSED], counts[LOST],
        tuple(missing.tolist()), seconds, provenance,
    )  # fmt: skip


def _overview(request: Request, parts: Parts) -> tuple[np.ndarray[Any, np.dtype[np.int8]], float]:
    """Fates of all showers, and the CPU seconds of all."""
    shards = [parts.load(number) for number in range(len(parts.ranges))]
    fates = np.concatenate([shard.fate for shard in shards])
    return fates, float(sum(shard.cpu_seconds.sum(dtype=np.float64) for shard in shards))


def _append(writer: ShowerWriter, request: Request, rows: range, shard: Shard) -> None:
    kept = shard.fate != MISSING
    index = np.arange(rows.start, rows.stop)[kept]
    place = index // request.repeats
    cells = shard.cells[kept]
    if request.detector.counts and cells.size and cells.max() > np.iinfo(np.uint16).max:
        raise DataError(f"a fibre counts {cells.max():.0f} photons, more than 65535")
    writer.append(
        cells.astype(cell_type(request.detector)),
        request.conditions(index),
        request.particles.number[place],
        pdg=request.particles.pdg[place],
        cpu_seconds=shard.cpu_seconds[kept],
        overflow=shard.overflow[kept] if request.overflow_layers else None,
    )


def _list_missing(request: Request, out: Path, missing: list[int]) -> None:
    path = missing_path(out)
    path.unlink(missing_ok=True)
    if missing:
        shots = [request.shot(row) for row in missing]
        record = [
            {
                "particle": int(request.particles.number[shot.index // request.repeats]),
                "repeat": shot.index % request.repeats,
                "pdg": shot.pdg,
                "kinetic_gev": shot.kinetic_gev,
                "engine_seed": shot.seed,
            }
            for shot in shots
        ]
        with write_aside(path) as aside:
            aside.write_text(json.dumps(record, indent=1), encoding="utf-8")


def provenance_of(
    request: Request, parts: Parts, fates: np.ndarray[Any, np.dtype[np.int8]]
) -> dict[str, str]:
    """What the file says of its origin, as plain strings."""
    setup = request.setup
    counts = {fate: str(int((fates == fate).sum())) for fate in (MISSED, LOST, MISSING)}
    origin = {
        "source": request.particles.source,
        "seed": str(request.seed),
        "repeats": str(request.repeats),
        "upstream": request.upstream.model_dump_json(),
        "missed_showers": counts[MISSED],
        "lost_showers": counts[LOST],
        "missing_showers": counts[MISSING],
        "software": f"caloforge {__version__}",
        "processor": processor(),
    }
    if request.command is not None:
        return {"engine": request.command, "tables": "of that engine", **origin}
    return {
        "engine": ENGINE.format(version=parts.noted("engine")),
        "tables": setup.tables_kind,
        "physics": " ".join(setup.physics),
        "cut_mm": str(setup.cut_mm),
        "scoring": setup.scoring,
        "light": f"{setup.light_table or 'formula'}, {setup.light_scale} counts a trapped photon",
        "geometry": setup.geometry,
        **origin,
    }
