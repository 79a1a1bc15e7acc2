"""HDF5 files as strangers write them: what is refused before it is read, and how text is kept."""

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.io.files import HDF5_ENDINGS, require_ending, write_aside
from caloforge.io.reading import reading, refuse_joined, require_regular_file
from caloforge.machine import NO_LOCKS, install, signals_held

Compression = Literal["portable", "smallest", "none", "fast"]
BUILT_IN: dict[Compression, dict[str, Any]] = {
    "portable": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "smallest": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
    "none": {},
}
"""Filters that every HDF5 library has."""
PLUGINS = {32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle", 32015: "Zstandard", 32026: "Blosc2"}
"""Filters of hdf5plugin by their registered numbers."""


def filters_of(compression: Compression) -> dict[str, Any]:
    """What h5py's ``create_dataset`` takes; ModuleNotFoundError where the plugin is missing."""
    if compression != "fast":
        return dict(BUILT_IN[compression])
    import hdf5plugin

    # A third of gzip's time; zstd would save a third of the bytes for twice the time.
    return dict(hdf5plugin.Bitshuffle(cname="lz4"))


def filter_numbers(data: h5py.Dataset) -> list[int]:
    """Registered numbers of the filters that a dataset passes through."""
    properties = data.id.get_create_plist()
    return [properties.get_filter(place)[0] for place in range(properties.get_nfilters())]


def require_filters(data: h5py.Dataset) -> None:
    """Raise DataError when a dataset is packed by a plugin that is not installed here."""
    for number in filter_numbers(data):
        if number not in PLUGINS or h5py.h5z.filter_avail(number):
            continue
        try:
            import hdf5plugin  # noqa: F401 - it registers its filters
        except ModuleNotFoundError:
            raise DataError(
                f"{data.name} is packed with {PLUGINS[number]}: {install('fast')}"
            ) from None


LARGEST_CHUNK_BYTES = 2**28
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
LARGEST_BYTES = 2**33
"""Of an array that is read as a whole."""
BUILT_IN_FILTERS = {1: 1100, 2: 1, 3: 1}
"""deflate, shuffle, fletcher32: the most that each can shrink (zlib: 1032)."""
ANY_FILTER = 70_000
"""Scale-offset and plugins: a chunk of one value takes some twenty bytes."""
ZEROS = 2**26
"""Bytes that a dataset may claim beyond what a file of its size can hold: nothing was written."""
MOST_TEXTS = 1000
MOST_NAMES = 10_000


def open_hdf5(path: Path) -> h5py.File:
    """An HDF5 file opened for reading; DataError when it is none.

    A file system that keeps no locks is read without one.
    """
    require_regular_file(path)
    with reading(path):
        with path.open("rb"):
            pass  # says what the system says where h5py would say that it is no HDF5 file
        if not h5py.is_hdf5(path):
            raise DataError("not an HDF5 file")
        _refuse_joined(path)
        try:
            return h5py.File(path, "r")
        except OSError as error:
            if not any(f"errno = {number}," in str(error) for number in NO_LOCKS):
                raise
            return h5py.File(path, "r", locking=False)


def _refuse_joined(path: Path) -> None:
    """DataError where another HDF5 file follows: nobody would read its rows."""
    with path.open("rb") as file:
        head = file.read(52)
    if not head.startswith(HDF5_MAGIC) or len(head) < 52:
        return
    version = head[8]
    place = {0: 40, 1: 44, 2: 28, 3: 28}.get(version)
    if place and head[13 if version < 2 else 9] == 8:  # bytes of an address
        refuse_joined(path, HDF5_MAGIC, int.from_bytes(head[place : place + 8], "little"))


def looks_like_hdf5(path: Path) -> bool:
    """Whether a file can be opened as HDF5; what the system refuses is raised."""
    with reading(path), path.open("rb"):
        return bool(h5py.is_hdf5(path))


def has(group: h5py.Group, name: str) -> bool:
    """Whether the group has a member of that name; links are not followed, not even to look."""
    return _link(group, name) is not None


def _link(group: h5py.Group, name: str) -> Any:
    try:
        return group.get(name, getlink=True)
    except KeyError:
        return None


def member(group: h5py.Group, name: str) -> Any:
    """The object of that name; DataError when missing, or a link to somewhere else."""
    link = _link(group, name)
    if link is None:
        raise DataError(f"{group.name.rstrip('/')}/{name} is missing")
    if not isinstance(link, h5py.HardLink):
        raise DataError(f"{group.name.rstrip('/')}/{name} is a link; links are not followed")
    return group[name]


def dataset_names(group: h5py.Group, prefix: str = "", depth: int = 4) -> Iterator[str]:
    """Names of datasets, those in groups as ``group/name``; links are named, not followed."""
    for name in group:
        inside = group[name] if isinstance(_link(group, name), h5py.HardLink) else None
        if isinstance(inside, h5py.Group) and depth > 1:
            yield from dataset_names(inside, f"{prefix}{name}/", depth - 1)
        else:
            yield prefix + name


def place_of(file: h5py.Group, path: str) -> tuple[h5py.Group, str]:
    """The group that holds ``group/name``, and the name; DataError at a link on the way."""
    *groups, name = path.strip("/").split("/")
    for part in groups:
        file = member(file, part)
        if not isinstance(file, h5py.Group):
            raise DataError(f"{file.name} is not a group")
    return file, name


def dataset(
    group: h5py.Group, name: str, kinds: str, rank: int | None, *, unwritten: bool = False
) -> h5py.Dataset:
    """A plain array of numbers whose stored size is credible; DataError otherwise.

    ``unwritten``: chunks that nobody wrote are zeros, as HDF5 means it. The caller compares the
    number of rows with an array that is stored.
    """
    data = member(group, name)
    if not isinstance(data, h5py.Dataset):
        raise DataError(f"{data.name} is not a dataset")
    if data.dtype.kind not in kinds or data.dtype.itemsize > 8:
        raise DataError(f"{data.name} has type {data.dtype}, not {kind_names(kinds)}")
    if data.shape is None or rank not in (None, data.ndim):
        axes = "no" if data.shape is None else data.ndim
        raise DataError(f"{data.name} has {axes} axes, not {rank}")
    if data.is_virtual or data.external:
        raise DataError(f"{data.name} keeps its values in another file; that is refused")
    require_filters(data)
    check_size(data, unwritten=unwritten)
    return data


def kind_names(kinds: str) -> str:
    """Type letters in words."""
    return " or ".join({"i": "integer", "u": "unsigned integer", "f": "float"}[k] for k in kinds)


def check_size(data: h5py.Dataset, *, unwritten: bool = False) -> None:
    """Raise DataError when a dataset claims more than its stored bytes can hold."""
    chunk = int(np.prod(data.chunks or (1,), dtype=object)) * data.dtype.itemsize
    n_bytes = int(np.prod(data.shape, dtype=object)) * data.dtype.itemsize
    ratio = 1
    for number in filter_numbers(data):
        ratio = min(ratio * BUILT_IN_FILTERS.get(number, ANY_FILTER), ANY_FILTER)
    file_bytes = data.id.get_storage_size()
    possible = file_bytes * ratio
    if unwritten:
        possible = max(possible, data.file.id.get_filesize() * BUILT_IN_FILTERS[1] + ZEROS)
    if chunk > LARGEST_CHUNK_BYTES or n_bytes > possible:
        raise DataError(f"{data.name} claims {n_bytes} bytes of values but stores {file_bytes}")


def whole(data: h5py.Dataset) -> NDArray[Any]:
    """All values of a dataset that is credible; DataError where they are too many."""
    if (size := int(np.prod(data.shape, dtype=object)) * data.dtype.itemsize) > LARGEST_BYTES:
        raise DataError(f"{data.name} holds {size} bytes, more than {LARGEST_BYTES}")
    return np.asarray(data[()])


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
    attribute = group.attrs.get_id(name)
    kind = attribute.get_type()
    if (
        not isinstance(kind, h5py.h5t.TypeStringID)
        or attribute.shape is None
        or len(attribute.shape) > 1
    ):
        raise DataError(f"attribute {name} is not text")
    values = np.asarray(group.attrs[name]).tolist()
    return [_decode(value) for value in values] if isinstance(values, list) else _decode(values)


def _decode(value: bytes | str) -> str:
    """Text as its writer meant it: UTF-8, or Latin-1 as older programs write it."""
    if isinstance(value, str):
        # h5py hands on the bytes that are no UTF-8 as lone surrogates.
        value = value.encode("utf-8", "surrogateescape")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def is_text(group: h5py.HLObject, name: str) -> bool:
    """Whether an attribute is one text."""
    attribute = group.attrs.get_id(name)
    return isinstance(attribute.get_type(), h5py.h5t.TypeStringID) and attribute.shape == ()


def described(group: h5py.HLObject, name: str) -> str | None:
    """An attribute in words: text, numbers and lists of them; None for anything else."""
    attribute = group.attrs.get_id(name)
    if attribute.shape is None or int(np.prod(attribute.shape, dtype=object)) > MOST_TEXTS:
        return None
    kind = attribute.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID):
        if len(attribute.shape) > 1:
            return None
        values = _strings(group, name)
        return values if isinstance(values, str) else ", ".join(values)
    if not isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID | h5py.h5t.TypeEnumID):
        return None
    return str(np.asarray(group.attrs[name]).tolist())


def put_text(group: h5py.HLObject, name: str, value: str) -> None:
    """Write a string of fixed length: it lies in the checksummed header.

    Strings of variable length lie in a heap without checksum, and HDF5 crashes on a damaged one.
    """
    encoded = value.encode("utf-8", "backslashreplace")
    dtype = h5py.string_dtype("utf-8", max(len(encoded), 1))
    group.attrs.create(name, np.array(encoded, dtype=dtype))


def put_texts(group: h5py.HLObject, name: str, values: Sequence[str]) -> None:
    """Write a list of strings of fixed length."""
    encoded = [value.encode("utf-8", "backslashreplace") for value in values]
    dtype = h5py.string_dtype("utf-8", max(1, *map(len, encoded)))
    group.attrs.create(name, np.array(encoded, dtype=dtype))


def whole_number(group: h5py.HLObject, name: str) -> int:
    attribute = group.attrs.get_id(name) if name in group.attrs else None
    if attribute is None or attribute.shape != () or attribute.dtype.kind not in "iu":
        raise DataError(f"attribute {name} is not a whole number")
    return int(group.attrs[name])


OLDEST_AND_NEWEST = ("v110", "v110")
"""HDF5 1.10 keeps a checksum of all metadata, so that damage is noticed."""


class Sink(io.FileIO):
    """A raw file for reading and writing that keeps the first failed write until asked.

    HDF5 meets a failed write again at every later flush and close, and prints each time. Here
    later writes are dropped, and ``check`` raises the first failure where it can be handled.
    """

    failure: OSError | None = None

    def write(self, content: Any) -> int:
        """Write all of it, unless writing has failed before."""
        rest = memoryview(content).cast("B")
        size = len(rest)
        while len(rest) and self.failure is None:
            try:
                rest = rest[super().write(rest) or 0 :]
            except OSError as error:
                self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the size, unless writing has failed."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self.failure is not None:
            raise self.failure


def extend(data: h5py.Dataset, rows: NDArray[Any]) -> None:
    """Add rows to a dataset that may grow."""
    start = len(data)
    data.resize(start + len(rows), axis=0)
    data[start:] = rows


class FileAside:
    """An HDF5 file that is written aside and takes its name when the block ends well.

    A full disk is met by ``check``, and at the end: HDF5 itself would print, or crash. So would
    it when a signal raised while it opens or closes: that waits.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        libver: str | tuple[str, str] = OLDEST_AND_NEWEST,
    ) -> None:
        self._path, self._overwrite, self._libver = Path(path), overwrite, libver
        require_ending(self._path, *HDF5_ENDINGS)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            with signals_held():
                self._open(self._stack)
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        return self

    def _open(self, stack: ExitStack) -> None:
        aside = stack.enter_context(write_aside(self._path, overwrite=self._overwrite))
        self._sink = stack.enter_context(Sink(aside, "w+"))
        stack.callback(self._sink.check)
        self.file = stack.enter_context(h5py.File(self._sink, "w", libver=self._libver))

    def check(self) -> None:
        """Raise what writing has failed with, if it has."""
        self._sink.check()

    def __exit__(self, *problem: Any) -> None:
        try:
            with signals_held():
                self._stack.__exit__(*problem)
        except BaseException:
            self._stack.__exit__(*sys.exc_info())  # where a signal came before the block above
            raise
