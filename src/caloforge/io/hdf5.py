"""HDF5 files as strangers write them: what is refused before it is read, and how text is kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from caloforge.errors import CaloforgeError, DataError

Compression = Literal["portable", "smallest", "none", "fast"]
BUILT_IN: dict[Compression, dict[str, Any]] = {
    "portable": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "smallest": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
    "none": {},
}
"""Filters that every HDF5 library has; measured in reference/performance.md."""
PLUGINS = {32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle", 32015: "Zstandard", 32026: "Blosc2"}
"""Filters of hdf5plugin by their registered numbers."""


def filters_of(compression: Compression) -> dict[str, Any]:
    """What h5py's ``create_dataset`` takes; ModuleNotFoundError where the plugin is missing."""
    if compression != "fast":
        return dict(BUILT_IN[compression])
    import hdf5plugin

    # A third of gzip's time; zstd would save a third of the bytes for twice the time.
    return dict(hdf5plugin.Bitshuffle(cname="lz4"))


def filter_numbers(found: h5py.Dataset) -> list[int]:
    """Registered numbers of the filters that a dataset passes through."""
    made = found.id.get_create_plist()
    return [made.get_filter(place)[0] for place in range(made.get_nfilters())]


def require_filters(found: h5py.Dataset) -> None:
    """Raise DataError when a dataset is packed by a plugin that is not installed here."""
    for number in filter_numbers(found):
        if number not in PLUGINS or h5py.h5z.filter_avail(number):
            continue
        try:
            import hdf5plugin  # noqa: F401 - it registers its filters
        except ModuleNotFoundError:
            raise DataError(
                f"{found.name} is packed with {PLUGINS[number]}: pip install 'caloforge[fast]'"
            ) from None


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


def whole_number(group: h5py.HLObject, name: str) -> int:
    stored = group.attrs.get_id(name) if name in group.attrs else None
    if stored is None or stored.shape != () or stored.dtype.kind not in "iu":
        raise DataError(f"attribute {name} is not a whole number")
    return int(group.attrs[name])
