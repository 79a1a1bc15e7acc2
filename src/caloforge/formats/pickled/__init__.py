"""Arrays and tables out of pickles, of which nothing is executed.

A pickle is a program that calls what it names. Here each (module, name) pair of a literal table
stands for something of ours that holds values and does nothing; any other name is refused. Neither
numpy's nor pandas' own code ever meets what a pickle says, so every version of them that spells
its pickles in these names is read, and pandas need not be installed.
"""

from pathlib import Path

from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.formats.pickled.arrays import ARRAY_NAMES, Array, Maker, Name
from caloforge.formats.pickled.arrow import ARROW_NAMES
from caloforge.formats.pickled.frames import FRAME_NAMES, Frame
from caloforge.formats.pickled.program import Machine

ADMITTED: dict[tuple[str, str], Maker | Name | type] = {
    **ARRAY_NAMES,
    **FRAME_NAMES,
    **ARROW_NAMES,
}
"""Exact pairs; a prefix such as ``numpy.*`` would admit numpy's own ways to run code."""


def is_pickle(path: Path) -> bool:
    """Whether a file begins as pickles of protocol 2 and later do, or is called a pickle."""
    with path.open("rb") as file:
        head = file.read(2)
    named = path.suffix.lower() in (".pkl", ".pickle", ".p")
    return (len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5) or named


def unpickle(path: Path, *, allowed: bool) -> Array | Frame:
    """The array or table of a pickle.

    Raises UsageError unless it is allowed, DataError for what is no array of numbers and no table.
    """
    if not allowed:
        raise UsageError(f"{path} is a pickle; --allow-pickle reads it, and executes nothing of it")
    try:
        with path.open("rb") as file:
            found = Machine(file, path.stat().st_size, ADMITTED).load()
    except CaloforgeError as error:
        raise DataError(f"{path}: {error}") from None
    except MemoryError:
        raise DataError(f"{path}: claims more than fits into memory") from None
    # Whatever nonsense a damaged program leads to.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: no pickle, or a damaged one ({reason[:120]})") from error
    # One that was named but never filled has no values either.
    if not isinstance(found, Array | Frame) or not vars(found):
        raise DataError(f"{path}: holds neither an array nor a table")
    return found


__all__ = ["ADMITTED", "Array", "Frame", "is_pickle", "unpickle"]
