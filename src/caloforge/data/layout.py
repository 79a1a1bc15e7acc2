"""How showers lie in an HDF5 file: names, attributes, and what is refused before it is read.

/showers/<layer> (N, nx, ny)   uint16 counts, or float32 in the detector's unit
/conditions (N, C) float64     /particle (N,) int64, rows of one particle adjacent
/pdg (N,) int32   /cpu_seconds (N,) float32   /channels (N, channels) {scheme, labels}
/overflow (N, layers) float32, deposits beside the cells of each layer
root attributes: format, version, detector (JSON), detector_hash, columns, units, and the
provenance (engine, seed, source, licence ...) as plain strings
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from caloforge.data.filters import filter_numbers, require_filters
from caloforge.detector import Detector
from caloforge.detectors import DETECTORS
from caloforge.errors import CaloforgeError, DataError

FORMAT = "caloforge-showers"
VERSION = 1
DESCRIPTION = ("format", "version", "detector", "detector_hash", "columns", "units")
LARGEST_CHUNK_BYTES = 2**28
BUILT_IN_FILTERS = {1: 1100, 2: 1, 3: 1, 6: 1}
"""deflate, shuffle, fletcher32, scale-offset: the most that each can shrink (zlib: 1032)."""
UNKNOWN_FILTER = 70_000


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes HDF5 say into one line that names the file."""
    try:
        yield
    except CaloforgeError as error:
        text = str(error)
        raise type(error)(text if text.startswith(str(path)) else f"{path}: {text}") from None
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{path}: truncated or damaged ({reason[0][:120]})") from error
    except MemoryError:
        raise DataError(f"{path}: claims more rows than fit into memory") from None


def open_hdf5(path: Path) -> h5py.File:
    """An HDF5 file opened for reading; DataError when it is none."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    with reading(path):
        if not h5py.is_hdf5(path):
            raise DataError("not an HDF5 file")
        return h5py.File(path, "r")


def member(group: h5py.Group, name: str) -> Any:
    """The object of that name; DataError when missing, or a link to somewhere else."""
    if name not in group:
        raise DataError(f"{group.name.rstrip('/')}/{name} is missing")
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise DataError(f"{group.name.rstrip('/')}/{name} is a link; links are not followed")
    return group[name]


def dataset(group: h5py.Group, name: str, kinds: str, rank: int) -> h5py.Dataset:
    """A plain array of numbers whose stored size is credible; DataError otherwise."""
    found = member(group, name)
    if not isinstance(found, h5py.Dataset):
        raise DataError(f"{found.name} is not a dataset")
    if found.dtype.kind not in kinds or found.dtype.itemsize > 8:
        raise DataError(f"{found.name} has type {found.dtype}, not {kind_names(kinds)}")
    if found.ndim != rank:
        raise DataError(f"{found.name} has {found.ndim} axes, not {rank}")
    if found.is_virtual or found.external:
        raise DataError(f"{found.name} keeps its values in another file; that is refused")
    require_filters(found)
    check_size(found)
    return found


def kind_names(kinds: str) -> str:
    """Type letters in words."""
    return " or ".join({"i": "integer", "u": "unsigned integer", "f": "float"}[k] for k in kinds)


def check_size(found: h5py.Dataset) -> None:
    """Raise DataError when a dataset claims more than its stored bytes can hold."""
    chunk = int(np.prod(found.chunks or (1,), dtype=object)) * found.dtype.itemsize
    claimed = int(np.prod(found.shape, dtype=object)) * found.dtype.itemsize
    ratio = 1
    for number in filter_numbers(found):
        ratio *= BUILT_IN_FILTERS.get(number, UNKNOWN_FILTER)
    stored = found.id.get_storage_size()
    if chunk > LARGEST_CHUNK_BYTES or claimed > stored * ratio:
        raise DataError(f"{found.name} claims {claimed} bytes of values but stores {stored}")


def text(group: h5py.HLObject, name: str) -> str:
    """A string attribute; DataError when missing or of another type."""
    values = _strings(group, name)
    if isinstance(values, list):
        raise DataError(f"attribute {name} is a list, not one text")
    return values


def texts(group: h5py.HLObject, name: str) -> tuple[str, ...]:
    """A list-of-strings attribute; DataError when missing or of another type."""
    values = _strings(group, name)
    return tuple(values) if isinstance(values, list) else (values,)


def _strings(group: h5py.HLObject, name: str) -> str | list[str]:
    if name not in group.attrs:
        raise DataError(f"attribute {name} is missing")
    stored = group.attrs.get_id(name)
    if not isinstance(stored.get_type(), h5py.h5t.TypeStringID) or len(stored.shape) > 1:
        raise DataError(f"attribute {name} is not text")
    values = np.asarray(group.attrs[name]).tolist()
    return [_decode(value) for value in values] if isinstance(values, list) else _decode(values)


def _decode(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def put_text(group: h5py.HLObject, name: str, value: str) -> None:
    """Write a string of fixed length: it lies in the checksummed header.

    Strings of variable length lie in a heap without checksum, and HDF5 crashes on a damaged one.
    """
    encoded = value.encode()
    dtype = h5py.string_dtype("utf-8", max(len(encoded), 1))
    group.attrs.create(name, np.array(encoded, dtype=dtype))


def put_texts(group: h5py.HLObject, name: str, values: Sequence[str]) -> None:
    """Write a list of strings of fixed length."""
    encoded = [value.encode() for value in values]
    dtype = h5py.string_dtype("utf-8", max(1, *map(len, encoded)))
    group.attrs.create(name, np.array(encoded, dtype=dtype))


def describe(file: h5py.File, detector: Detector, provenance: Mapping[str, str]) -> None:
    """Write the root attributes."""
    put_text(file, "format", FORMAT)
    file.attrs["version"] = VERSION
    put_text(file, "detector", detector.model_dump_json())
    put_text(file, "detector_hash", detector.fingerprint)
    put_texts(file, "columns", detector.columns)
    put_texts(file, "units", [condition.unit for condition in detector.conditions])
    for name, value in provenance.items():
        if name in DESCRIPTION:
            raise DataError(f"provenance may not be called {name}: the format uses that name")
        put_text(file, name, str(value))


def check_format(file: h5py.File) -> int:
    """The format version; DataError when foreign or newer than this program."""
    if "format" not in file.attrs or text(file, "format") != FORMAT:
        raise DataError("not a caloforge showers file; `caloforge data convert` reads foreign ones")
    version = _whole_number(file, "version")
    if version > VERSION:
        raise DataError(
            f"{FORMAT} version {version} is newer than version {VERSION}, the last that this "
            "caloforge reads: update caloforge"
        )
    if version < 1:
        raise DataError(f"{FORMAT} version {version} does not exist")
    return version


def _whole_number(group: h5py.HLObject, name: str) -> int:
    stored = group.attrs.get_id(name) if name in group.attrs else None
    if stored is None or stored.shape != () or stored.dtype.kind not in "iu":
        raise DataError(f"attribute {name} is not a whole number")
    return int(group.attrs[name])


def described_detector(file: h5py.File) -> Detector:
    """The detector that the file describes: the built-in one where they agree.

    Raises DataError when a built-in detector of that name has other cells, columns or units.
    """
    record = text(file, "detector")
    fingerprint = text(file, "detector_hash")
    fields = json.loads(record)
    if not isinstance(fields, dict):
        raise DataError("attribute detector describes no detector")
    name = str(fields.get("name"))
    # A built-in detector is not parsed: a later version may know more of it, with the same hash.
    known = DETECTORS.get(name)
    if known is None:
        known = Detector.model_validate_json(record)
    if known.fingerprint != fingerprint:
        raise DataError(
            f"holds showers of a {name} with other cells, columns or units (hash {fingerprint}) "
            f"than the {name} known here (hash {known.fingerprint})"
        )
    return known


def check_columns(file: h5py.HLObject, detector: Detector) -> None:
    """Raise DataError unless columns and units are the detector's, in its order."""
    units = tuple(condition.unit for condition in detector.conditions)
    for name, expected in (("columns", detector.columns), ("units", units)):
        found = texts(file, name)
        if found != expected:
            raise DataError(
                f"{name} are {', '.join(found)}; {detector.name} has {', '.join(expected)}"
            )


def provenance_of(file: h5py.File) -> dict[str, str]:
    """All other text attributes of the root."""
    names = [name for name in file.attrs if name not in DESCRIPTION]
    return {name: text(file, name) for name in names}
