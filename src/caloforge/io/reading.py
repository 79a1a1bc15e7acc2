"""The one way to open files of others: regular files only, and every failure is one line."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caloforge.errors import CaloforgeError, DataError, reason_of


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever reading a file raises into one line that begins with its path.

    What the system refuses (permission, a lock, a network) is a CaloforgeError with the system's
    own words; everything else that a reader raises is a DataError. Missing packages pass through.
    """
    try:
        yield
    except CaloforgeError as error:
        text = str(error)
        raise type(error)(text if text.startswith(str(path)) else f"{path}: {text}") from None
    except ImportError:
        raise
    except MemoryError:
        raise DataError(f"{path}: claims more values than fit into memory") from None
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply") from None
    # Readers of others raise all kinds of things for bytes that they cannot interpret.
    except Exception as error:
        if isinstance(error, OSError) and (reason := system_reason(error)):
            raise CaloforgeError(f"{path}: {reason}") from error
        raise DataError(f"{path}: truncated or damaged ({reason_of(error)})") from error


def system_reason(error: OSError) -> str:
    """What the system said; nothing where a library uses OSError for its own complaints."""
    inside = re.search(r"errno = (\d+)", str(error))
    number = int(inside[1]) if inside else error.errno
    if number is None:
        return ""
    if "unable to lock" in str(error):
        return (
            f"cannot be locked for reading ({os.strerror(number)}): another process writes it, or "
            "its file system keeps no locks; HDF5_USE_FILE_LOCKING=FALSE reads it without a lock"
        )
    return os.strerror(number)


def require_regular_file(path: Path) -> None:
    """Raise DataError where there is no file, or something that only looks like one.

    Folders, pipes and devices are refused before they are opened: a pipe would wait for ever.
    """
    try:
        if path.is_file():
            return
        kind = "a folder" if path.is_dir() else "a pipe or a device"
        missing = not path.exists()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {reason_of(error)}") from error
    raise DataError(f"{path}: no such file" if missing else f"{path} is {kind}, not a file")


def refuse_joined(path: Path, magic: bytes, end: int) -> None:
    """Raise DataError where another file of that format begins at the end that a file states.

    An end outside the file is a damage that its reader notices.
    """
    if not 0 < end < path.stat().st_size:
        return
    with path.open("rb") as file:
        file.seek(end)
        if file.read(len(magic)) == magic:
            raise DataError("holds two files, one behind the other; separate them")
