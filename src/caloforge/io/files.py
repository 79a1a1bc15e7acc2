"""Output appears whole or not at all: written aside in the same folder, then renamed.

What stands under the name of the output and is no regular file (a device, a pipe, a link) is
neither replaced nor followed: it is refused.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from caloforge.errors import CaloforgeError, UsageError
from caloforge.jobs import LOCK
from caloforge.machine import is_alive
from caloforge.reporter import Reporter

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_OFFERED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)
NOT_ALLOWED = (errno.EACCES, errno.EPERM)
PART = ".part"
UNFINISHED = re.compile(
    rf"\..*\.([0-9a-f]{{6}})-(\d+)-[0-9a-f]{{16}}{re.escape(PART)}(\..*)?", re.DOTALL
)
"""Names that ``_name_aside`` gives: of which machine, of which process."""
RENAME_EXCHANGE = 2
"""Of linux/fs.h."""
LONGEST_STEM, LONGEST_SUFFIX = 100, 20
"""Bytes of the output's name that the name aside keeps: names end at 255."""
HDF5_ENDINGS = (".h5", ".hdf5", ".hdf", ".he5")


@contextmanager
def write_aside(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a path to write to, which takes the name ``path`` when the block ends well.

    The folder is made if need be. Raises UsageError when ``path`` exists and ``overwrite`` is
    false, CaloforgeError in one line when the disk is full; then nothing is left behind.
    """
    _refuse_other_than_file(path, overwrite)
    with _aside(path, _sync_file) as part:
        yield part
        _refuse_existing(path, overwrite)


def require_possible_file(path: Path, *, overwrite: bool = False) -> None:
    """Raise before hours of work what would stop ``write_aside`` at their end.

    Raises UsageError for a path that exists or that is no place for a file, CaloforgeError where
    the system lets nobody write.
    """
    _refuse_other_than_file(path, overwrite)
    _refuse_file_as_folder(path.parent)
    folder = next(place for place in path.parents if place.is_dir())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CaloforgeError(f"{path}: {error.strerror}") from error


def _refuse_other_than_file(path: Path, overwrite: bool) -> None:
    _refuse_link(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    _refuse_existing(path, overwrite)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is a device or a pipe; name a file")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process is inside this block with the folder, which is made.

    Files that belong together take their names inside. Where there are no locks nothing waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def write_aside_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder to fill, which takes the name ``path`` when the block ends well.

    An old folder is replaced as a whole, if ``overwrite`` allows it and the new one has every
    name that the old one has: files that we did not write are never lost. Raises as
    ``write_aside`` does.
    """
    _refuse_existing(path, overwrite)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file, a device or a pipe; name a folder")
    with _aside(path, _sync_folder, _replace_folder if overwrite else Path.replace) as part:
        part.mkdir()
        yield part
        _refuse_existing(path, overwrite)
        _refuse_losing(path, part)


@contextmanager
def folder_aside(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that is removed in the end.

    That of a killed process goes when the next one writes there.
    """
    folder = _name_aside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_by_the_dead(path.parent, os.getpid())
    try:
        folder.mkdir()
        yield folder
    finally:
        _remove(folder)


def require_ending(path: Path, *endings: str) -> None:
    """Raise UsageError when the name of an output says another format than it gets.

    >>> require_ending(Path("showers.h5"), *HDF5_ENDINGS)
    >>> require_ending(Path("showers.npz"), *HDF5_ENDINGS)
    Traceback (most recent call last):
    caloforge.errors.UsageError: showers.npz: written as .h5, not .npz; name it so
    """
    if path.suffix and path.suffix.lower() not in endings:
        raise UsageError(f"{path}: written as {endings[0]}, not {path.suffix}; name it so")


def new_folder(path: Path, *, overwrite: bool = False) -> Path:
    """Make the folder in which a run writes one file after the other, and return it.

    Raises UsageError when it holds something, unless ``overwrite``: then what is there stays
    until its namesake replaces it.
    """
    require_possible_folder(path)
    if path.is_dir() and any(entry.name != LOCK for entry in path.iterdir()):
        _refuse_existing(path, overwrite)
    path.mkdir(parents=True, exist_ok=True)
    return path


def require_possible_folder(path: Path) -> None:
    """Raise UsageError when it is a link, or it or something above it is a file."""
    _refuse_link(path)
    _refuse_file_as_folder(path)


def _refuse_file_as_folder(path: Path) -> None:
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place} is a file; name a folder")


def append(path: Path, text: str) -> None:
    """Add to a file; CaloforgeError that names it when the system refuses, or the disk is full."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise CaloforgeError(f"{path}: {error.strerror}") from error


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of that name was written aside and never took its own name.

    >>> is_unfinished(".showers.3f9a0c-417-0123456789abcdef.part.h5")
    True
    >>> is_unfinished(".notes.partial.txt")
    False
    """
    return UNFINISHED.fullmatch(name) is not None


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder that nobody else writes to."""
    for leftover in folder.glob(f".*{PART}*"):
        if is_unfinished(leftover.name):
            _remove(leftover)


@cache
def _remove_left_by_the_dead(folder: Path, _process: int) -> None:
    """Remove what killed processes of this machine left half-written; once for each process."""
    for leftover in folder.glob(f".*{PART}*"):
        match = UNFINISHED.fullmatch(leftover.name)
        if match and match[1] == _machine() and not is_alive(int(match[2])):
            _remove(leftover)


@cache
def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_link(path: Path) -> None:
    if str(path) == "-":
        raise UsageError("-: standard output takes no files; name one")
    if path.is_symlink():
        raise UsageError(f"{path} is a link to {path.readlink()}; name that instead")


def _refuse_existing(path: Path, overwrite: bool) -> None:
    _refuse_link(path)
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already; --force replaces it")


def _refuse_losing(old: Path, new: Path) -> None:
    """A folder that is replaced may hold nothing but what the new one holds, too."""
    if not old.is_dir():
        return
    names = {entry.name for entry in new.iterdir()}
    if absent := sorted(entry.name for entry in old.iterdir() if entry.name not in names):
        raise UsageError(f"{old} also holds {absent[0]}, which would be lost; name another folder")


@contextmanager
def _aside(
    path: Path,
    sync: Callable[[Path], None],
    replace: Callable[[Path, Path], object] = Path.replace,
) -> Iterator[Path]:
    part = _name_aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_by_the_dead(path.parent, os.getpid())
        yield part
        sync(part)
        replace(part, path)
        _sync_parent(path)
    except (OSError, RuntimeError) as error:
        if _is_full(error):
            raise CaloforgeError(f"{path}: no space left on the disk; nothing was kept") from error
        if isinstance(error, OSError) and error.errno == errno.ENOTEMPTY:
            raise UsageError(f"{path}: another process has written it just now") from error
        if isinstance(error, OSError) and part in _with_parents(error.filename):
            raise CaloforgeError(f"{path}: {error.strerror}") from error
        raise
    finally:
        _remove(part)


def _with_parents(name: object) -> tuple[Path, ...]:
    """What an error of the system names, and the folders that it lies in."""
    return (Path(name), *Path(name).parents) if isinstance(name, str | Path) else ()


def _replace_folder(part: Path, path: Path) -> None:
    """Put a folder in the place of another, which a kill in between does not lose."""
    old = part
    if not path.is_dir():
        part.replace(path)
    elif not _exchange(part, path):
        old = _name_aside(path)
        path.rename(old)
        try:
            part.replace(path)
        except OSError:
            old.rename(path)
            raise
    _remove(old)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step; False where the system cannot (renameat2 of Linux)."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = os.fsencode(first.absolute()), os.fsencode(second.absolute())
    return rename is not None and rename(0, names[0], 0, names[1], RENAME_EXCHANGE) == 0


def _name_aside(path: Path) -> Path:
    """A name beside the output that nobody can guess, hence that nobody has put a link under.

    The suffix stays at the end because writers such as numpy append it where it is missing.
    """
    stem = os.fsdecode(os.fsencode(path.stem)[:LONGEST_STEM])
    suffix = path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ""
    owner = f"{_machine()}-{os.getpid()}-{secrets.token_hex(8)}"
    return path.with_name(f".{stem}.{owner}{PART}{suffix}")


def _is_full(error: Exception) -> bool:
    """HDF5 often reports a full disk in its text alone."""
    code = getattr(error, "errno", None)
    return code in FULL or any(f"errno = {number}," in str(error) for number in FULL)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise OSError(error.errno, error.strerror, str(path)) from error
        _warn_once(f"the file system of the output offers no fsync ({error.strerror})")
    finally:
        os.close(descriptor)


def _sync_parent(path: Path) -> None:
    """Make a new name last; a folder that cannot be synchronised is no failure of the file."""
    try:
        _sync_file(path.parent)
    except OSError as error:
        if error.errno not in NOT_ALLOWED:
            _warn_once(f"the folder {path.parent} was not synchronised ({error.strerror})")


@cache
def _warn_once(text: str) -> None:
    Reporter().warn(f"{text}: a power cut may lose what was just written")


def _sync_folder(path: Path) -> None:
    for entry in [*path.rglob("*"), path]:
        _sync_file(entry)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
