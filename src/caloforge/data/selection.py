"""Some showers of a file as a file of their own: by particle type, by condition, with fewer bits.

Shapes: N rows.
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.errors import DataError, UsageError
from caloforge.io.hdf5 import Compression
from caloforge.io.showers import COLUMN_TYPES, ShowerFile, ShowerWriter
from caloforge.reporter import SILENT, Reporter

COMPARISONS = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
MANTISSA_BITS = 23


@dataclass(frozen=True)
class Choice:
    """Which rows to keep, and how precisely."""

    pdg: tuple[int, ...] = ()
    """Any of these types; all where empty."""
    where: tuple[str, ...] = ()
    """Comparisons with a condition, as ``E>50``; all of them hold."""
    bits: int | None = None
    """Bits of the mantissa that deposits keep; all where None. Counts have none."""


def select(
    source: str | Path,
    choice: Choice,
    out: str | Path,
    *,
    notes: Mapping[str, str] | None = None,
    overwrite: bool = False,
    compression: Compression = "portable",
    reporter: Reporter = SILENT,
) -> int:
    """Write the chosen rows as one of our files; the number of rows.

    Raises UsageError for a comparison that says nothing and for bits of counts, DataError when no
    row is left.
    """
    with ShowerFile(source) as file:
        _require_deposits(file, choice.bits)
        keep = selection(file, choice)
        present = tuple(name for name in COLUMN_TYPES if getattr(file, name) is not None)
        provenance = {**file.provenance, **_rounding(choice), **(notes or {})}
        writer = ShowerWriter(
            out,
            file.detector,
            provenance,
            columns=present,
            channels_scheme=file.channels_scheme,
            overwrite=overwrite,
            compression=compression,
        )
        with writer, reporter.progress("select", len(file)) as advance:
            start = 0
            for chunk in file.chunks():
                part = keep[start : start + len(chunk)]
                writer.extend(_rounded(chunk.rows(part), choice.bits))
                start += len(chunk)
                advance(len(chunk))
        return int(keep.sum())


def selection(file: ShowerFile, choice: Choice) -> NDArray[np.bool_]:
    """Whether each row is kept; DataError where none is.  (N,)"""
    keep = np.ones(len(file), dtype=bool)
    if choice.pdg:
        if file.pdg is None:
            raise DataError(f"{file.path} does not tell which particles its rows are of")
        keep &= np.isin(file.pdg, choice.pdg)
    for text in choice.where:
        keep &= _holds(file, text)
    if not keep.any():
        raise DataError(f"{file.path}: no row is of that kind")
    return keep


def _holds(file: ShowerFile, text: str) -> NDArray[np.bool_]:
    """Rows of which a comparison is true.  (N,)"""
    parts = re.fullmatch(r"\s*(\w+)\s*(<=|>=|!=|<|>|=)\s*(\S+)\s*", text)
    try:
        name, sign, number = parts.groups() if parts else ("", "", "")
        limit = float(number)
    except ValueError:
        raise UsageError(f"--where {text}: write CONDITION<NUMBER, for example 'E>50'") from None
    values = file.conditions[:, file.detector.column(name)]
    return np.asarray(COMPARISONS[sign](values, limit))


def _require_deposits(file: ShowerFile, bits: int | None) -> None:
    if bits is not None and file.detector.counts:
        raise UsageError(f"{file.path} holds counts, and --bits rounds deposits: leave it out")


def _rounding(choice: Choice) -> dict[str, str]:
    if choice.bits is None:
        return {}
    worst = 100 * 2.0 ** -(choice.bits + 1)
    return {
        "rounding": f"deposits are rounded to {choice.bits} bits of mantissa (within {worst:.2g} %)"
    }


def _rounded(showers: Showers, bits: int | None) -> Showers:
    """Deposits that pack better: the last bits of their mantissa are 0."""
    if bits is None:
        return showers
    return Showers(
        showers.detector,
        with_bits(showers.cells, bits),
        showers.conditions,
        showers.particle,
        showers.pdg,
        showers.cpu_seconds,
        showers.provenance,
        None if showers.overflow is None else with_bits(showers.overflow, bits),
    )


def with_bits(values: NDArray[Any], bits: int) -> NDArray[np.float32]:
    """The nearest numbers with so many bits of mantissa; ties go up.  Same shape."""
    if not 1 <= bits <= MANTISSA_BITS:
        raise UsageError(f"--bits {bits}: a mantissa has 1 to {MANTISSA_BITS}")
    dropped = MANTISSA_BITS - bits
    if not dropped:
        return values.astype(np.float32)
    whole = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    half, mask = np.uint32(1 << (dropped - 1)), np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    return ((whole + half) & mask).view(np.float32)
