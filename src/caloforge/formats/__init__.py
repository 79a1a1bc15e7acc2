"""Showers in file formats of others, converted into ours; a new format is one file and one row."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from caloforge.data.kinematics import PhysicsCheck
from caloforge.data.showers import Compression, ShowerWriter
from caloforge.errors import DataError
from caloforge.formats.alice import AUTHORS_NPZ, AUTHORS_PICKLE
from caloforge.formats.calochallenge import CALOCHALLENGE
from caloforge.formats.calogan import CALOGAN
from caloforge.formats.file_format import (
    ConversionRequest,
    FileFormat,
    ForeignShowers,
    Layout,
    Values,
    check_options,
)
from caloforge.formats.o2 import O2_IMAGES
from caloforge.formats.own_files import OUR_TREES, OWN_FILES
from caloforge.formats.transport_jobs import TRANSPORT_ZDC
from caloforge.io import hdf5
from caloforge.io.reading import require_regular_file
from caloforge.io.showers import check_format

FORMATS = (AUTHORS_NPZ, AUTHORS_PICKLE, OUR_TREES, O2_IMAGES, TRANSPORT_ZDC, CALOGAN, CALOCHALLENGE)
"""Asked in this order."""


def format_of(sources: tuple[Path, ...]) -> FileFormat:
    """The format of these files.

    Args:
        sources: Files that belong together.

    Raises:
        DataError: None accepts them; the message lists those that there are.
    """
    for source in sources:
        require_regular_file(source)
    for file_format in FORMATS:
        if file_format.accepts(sources):
            return file_format
    names = " ".join(map(str, sources))
    formats = "; ".join(file_format.reads for file_format in FORMATS)
    raise DataError(f"{names}: {_already_ours(sources)}not a known kind of showers: {formats}")


def _already_ours(sources: tuple[Path, ...]) -> str:
    try:
        with hdf5.open_hdf5(sources[0]) as file:
            check_format(file)
    except DataError:
        return ""
    return "already a caloforge showers file, "


def convert(
    request: ConversionRequest,
    out: str | Path,
    *,
    overwrite: bool = False,
    compression: Compression = "portable",
    notes: Mapping[str, str] | None = None,
) -> int:
    """Write foreign showers as one of our files.

    Deposits that cannot belong to the incident energy are a warning.

    Args:
        request: Sources and how to read them.
        out: File of the showers, which appears when it is whole.
        overwrite: Replace an older file.
        compression: Of the file.
        notes: For the provenance.

    Returns:
        The number of rows.

    Raises:
        DataError: Anything odd in the sources.
        UsageError: A file that exists, or an option that the format does not heed.
    """
    request = replace(request, sources=tuple(map(Path, request.sources)))
    file_format = OWN_FILES if request.layout else format_of(request.sources)
    check_options(file_format, request)
    with file_format.open(request) as foreign:
        check = PhysicsCheck(foreign.detector)
        writer = ShowerWriter(
            out,
            foreign.detector,
            {**foreign.provenance, **(notes or {})},
            columns=foreign.columns,
            overwrite=overwrite,
            compression=compression,
        )
        with writer, request.reporter.progress("convert", foreign.rows) as advance:
            for chunk in foreign.chunks:
                writer.extend(chunk)
                advance(len(chunk))
                check.add(chunk)
            for name, value in foreign.closing().items():
                writer.note(name, value)
                request.reporter.warn(f"{name.replace('_', ' ')}: {value}")
        for warning in check.warnings():
            request.reporter.warn(warning)
        return foreign.rows


__all__ = [
    "FORMATS",
    "ConversionRequest",
    "FileFormat",
    "ForeignShowers",
    "Layout",
    "Values",
    "convert",
    "format_of",
]
