"""Arrays and tables out of pickles, of which nothing is executed.

A pickle is a program that calls what it names. Here each (module, name) pair of a literal table
stands for something of ours that holds values and does nothing; any other name is refused. Neither
numpy's nor pandas' own code ever meets what a pickle says, so every version of them that spells
its pickles in these names is read, and pandas need not be installed.
"""

from pathlib import Path

from caloforge.errors import DataError, UsageError
from caloforge.formats.pickled.arrays import ARRAY_NAMES, ARROW_NAMES, Array, Maker, Name
from caloforge.formats.pickled.frames import FRAME_NAMES, Frame
from caloforge.formats.pickled.program import Machine
from caloforge.io.reading import reading

ADMITTED: dict[tuple[str, str], Maker | Name | type] = {
    **ARRAY_NAMES,
    **FRAME_NAMES,
    **ARROW_NAMES,
}
"""Exact pairs; a prefix such as ``numpy.*`` would admit numpy's own ways to run code."""


def is_pickle(path: Path) -> bool:
    """Whether a file begins as pickles of protocol 2 and later do, or is called a pickle."""
    with reading(path), path.open("rb") as file:
        head = file.read(2)
    suffix_fits = path.suffix.lower() in (".pkl", ".pickle", ".p")
    return (len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5) or suffix_fits


def unpickle(path: Path, *, allow: bool) -> Array | Frame:
    """The array or table of a pickle.

    Raises UsageError unless it is allowed, DataError for what is no array of numbers and no table.
    """
    if not allow:
        raise UsageError(f"{path} is a pickle; --allow-pickle reads it, and executes nothing of it")
    with reading(path), path.open("rb") as file:
        size = path.stat().st_size
        content = Machine(file, size, ADMITTED).load()
        if rest_bytes := size - file.tell():
            raise DataError(
                f"holds {rest_bytes} bytes behind its first pickle, perhaps more rows: write each "
                "array into a file of its own"
            )
    # One that was named but never filled has no values either.
    if not isinstance(content, Array | Frame) or not vars(content):
        raise DataError(f"{path}: holds neither an array nor a table")
    return content


__all__ = ["ADMITTED", "Array", "Frame", "is_pickle", "unpickle"]
