"""Foreign files of showers, converted into ours; a new dialect is one file and one line here."""

from collections.abc import Mapping
from pathlib import Path

from caloforge.data import layout
from caloforge.data.dialects.authors_npz import AUTHORS_NPZ
from caloforge.data.dialects.authors_pickle import AUTHORS_PICKLE
from caloforge.data.dialects.calochallenge import CALOCHALLENGE
from caloforge.data.dialects.calogan import CALOGAN
from caloforge.data.dialects.dialect import Dialect, Foreign, Request, Values, check_options
from caloforge.data.dialects.o2_images import O2_IMAGES
from caloforge.data.dialects.transport_zdc import TRANSPORT_ZDC
from caloforge.data.energy import Ledger
from caloforge.data.showers import Compression, ShowerWriter
from caloforge.errors import DataError

DIALECTS = (AUTHORS_NPZ, AUTHORS_PICKLE, O2_IMAGES, TRANSPORT_ZDC, CALOGAN, CALOCHALLENGE)
"""Asked in this order."""


def dialect_of(sources: tuple[Path, ...]) -> Dialect:
    """The dialect of these files; DataError listing what is known when there is none."""
    for source in sources:
        if not source.is_file():
            raise DataError(f"{source}: no such file")
    for dialect in DIALECTS:
        if dialect.accepts(sources):
            return dialect
    names = " ".join(map(str, sources))
    known = "; ".join(dialect.reads for dialect in DIALECTS)
    raise DataError(f"{names}: {_already_ours(sources)}not a known kind of showers: {known}")


def _already_ours(sources: tuple[Path, ...]) -> str:
    try:
        with layout.open_hdf5(sources[0]) as file:
            layout.check_format(file)
    except DataError:
        return ""
    return "already a caloforge showers file, "


def convert(
    request: Request,
    out: Path,
    *,
    overwrite: bool = False,
    compression: Compression = "portable",
    notes: Mapping[str, str] | None = None,
) -> int:
    """Write foreign showers as one of our files; the number of rows.

    ``notes`` go to the provenance. Raises DataError on anything odd in the sources, UsageError
    when ``out`` exists or an option would not be heeded. Deposits that cannot belong to the
    incident energy are a warning.
    """
    dialect = dialect_of(request.sources)
    check_options(dialect, request)
    with dialect.open(request) as foreign:
        ledger = Ledger(foreign.detector) if foreign.detector.energy else None
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
                if ledger:
                    ledger.add(chunk)
            for name, value in foreign.closing().items():
                writer.note(name, value)
                request.reporter.warn(f"{name.replace('_', ' ')}: {value}")
        for warning in ledger.book().warnings() if ledger else ():
            request.reporter.warn(warning)
        return foreign.rows


__all__ = ["DIALECTS", "Dialect", "Foreign", "Request", "Values", "convert", "dialect_of"]
