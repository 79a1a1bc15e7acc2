"""Output appears whole or not at all: written aside in the same folder, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from caloforge.errors import CaloforgeError, UsageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PART = ".part"


@contextmanager
def write_aside(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a path to write to, which takes the name ``path`` when the block ends well.

    The folder is made if need be. Raises UsageError when ``path`` exists and ``overwrite`` is
    false, CaloforgeError in one line when the disk is full; then nothing is left behind.
    """
    _refuse_existing(path, overwrite)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    with _aside(path, _sync_file) as part:
        yield part
        _refuse_existing(path, overwrite)


@contextmanager
def write_aside_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder to fill, which takes the name ``path`` when the block ends well.

    An old folder is replaced as a whole, if ``overwrite`` allows it and the new one has every
    name that the old one has: files that we did not write are never lost. Raises as
    ``write_aside`` does.
    """
    _refuse_existing(path, overwrite)
    if path.is_file():
        raise UsageError(f"{path} is a file; name a folder")
    with _aside(path, _sync_folder) as part:
        part.mkdir()
        yield part
        _refuse_existing(path, overwrite)
        _refuse_losing(path, part)
        _remove(path)


def new_folder(path: Path, *, overwrite: bool = False) -> Path:
    """Make the folder in which a run writes one file after the other, and return it.

    Raises UsageError when it holds something, unless ``overwrite``: then what is there stays
    until its namesake replaces it.
    """
    require_possible_folder(path)
    if path.is_dir() and any(path.iterdir()):
        _refuse_existing(path, overwrite)
    path.mkdir(parents=True, exist_ok=True)
    return path


def require_possible_folder(path: Path) -> None:
    """Raise UsageError when it, or something above it, is a file: no folder can be there."""
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place} is a file; name a folder")


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder that nobody else writes to."""
    for leftover in folder.glob(f".*{PART}*"):
        _remove(leftover)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already; --force replaces it")


def _refuse_losing(old: Path, new: Path) -> None:
    """A folder that is replaced may hold nothing but what the new one holds, too."""
    if not old.is_dir():
        return
    kept = {entry.name for entry in new.iterdir()}
    if lost := sorted(entry.name for entry in old.iterdir() if entry.name not in kept):
        raise UsageError(f"{old} also holds {lost[0]}, which would be lost; name another folder")


@contextmanager
def _aside(path: Path, sync: Callable[[Path], None]) -> Iterator[Path]:
    # The suffix is kept at the end because writers such as numpy append it where it is missing.
    part = path.parent / f".{path.stem}.{secrets.token_hex(4)}{PART}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        sync(part)
        os.replace(part, path)  # noqa: PTH105 - atomic, and refuses to cross file systems
        _sync_file(path.parent)
    except (OSError, RuntimeError) as error:
        if not _is_full(error):
            raise
        raise CaloforgeError(f"{path}: no space left on the disk; nothing was kept") from error
    finally:
        _remove(part)


def _is_full(error: Exception) -> bool:
    """HDF5 often reports a full disk in its text alone."""
    code = getattr(error, "errno", None)
    return code in FULL or any(f"errno = {number}," in str(error) for number in FULL)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    for entry in [*path.rglob("*"), path]:
        _sync_file(entry)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
