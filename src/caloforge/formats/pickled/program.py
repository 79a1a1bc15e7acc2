"""The machine that runs the program of a pickle, cut down to what arrays and tables need.

It is Python's own machine written in Python, not the one in C: its memo is a dictionary, so that
nine bytes cannot ask for gigabytes of places, and each of its steps can be replaced. Values of an
array are one step; nothing is slower where it matters.
"""

import pickle
from collections.abc import Callable, Mapping
from types import NoneType
from typing import IO, Any, ClassVar

from caloforge.errors import DataError
from caloforge.formats.pickled.arrays import Array
from caloforge.formats.pickled.frames import Frame

KEYS = (str, bytes, int, float, NoneType)
"""Keys of dictionaries; those that hold others can take for ever to hash."""
MOST_MADE = 16
"""How many times the size of the file its calls may make; objects of a table take a few."""
SMALL = 2**20
COLUMN = 256
"""Bytes that a column of a table takes beside its values, about."""


class Machine(pickle._Unpickler):
    """Runs a pickle with the things of a table in place of what it names.

    Raises DataError for any other name, and for steps that no array or table needs.
    """

    dispatch: ClassVar[dict[int, Callable[..., None]]]
    stack: list[Any]
    read: Callable[[int], bytes]

    def __init__(self, file: IO[bytes], size: int, names: Mapping[tuple[str, str], Any]) -> None:
        # latin1: how numpy wants to find the bytes that Python 2 pickled as text.
        super().__init__(file, encoding="latin1")
        self._names = names
        self._left = MOST_MADE * size + SMALL

    def find_class(self, module: str, name: str) -> Any:
        """What stands for this name; DataError for any name but those of the table."""
        if (module, name) not in self._names:
            name_text = " ".join(f"{module}.{name}".split())
            raise DataError(
                f"holds {name_text:.100}, which is not admitted; nothing of it was executed"
            )
        return self._names[module, name]

    def count_bytes(self) -> None:
        """Count what a call has made; DataError when text is made into bytes again and again."""
        self._left -= _bytes_of(self.stack[-1])
        if self._left < 0:
            raise DataError(f"makes more than {MOST_MADE} times of what it holds")


def _bytes_of(value: Any) -> int:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Array) and vars(value):
        return value.values.nbytes + value.copied
    if isinstance(value, Frame) and vars(value):
        return COLUMN * len(value.columns)
    return 0


def _step(code: bytes) -> Callable[[Any], None]:
    """Python's own step of an opcode."""
    return pickle._Unpickler.dispatch[code[0]]


def _counted(code: bytes) -> Callable[[Machine], None]:
    """A step that calls something; what that makes is counted."""

    def run(machine: Machine) -> None:
        _step(code)(machine)
        machine.count_bytes()

    return run


def _keyed(code: bytes, keys: slice) -> Callable[[Machine], None]:
    """A step that fills a dictionary, once the keys on the stack are known to be harmless."""

    def run(machine: Machine) -> None:
        if not all(isinstance(key, KEYS) for key in machine.stack[keys]):
            raise DataError("holds a dictionary whose keys are neither text nor numbers")
        _step(code)(machine)

    return run


def _byte_array(machine: Machine) -> None:
    """Bytes that stay as they were read: Python's own step reads them and then copies them."""
    machine.stack.append(machine.read(int.from_bytes(machine.read(8), "little")))


def _refuse(_: Machine) -> None:
    raise DataError("holds an object that no array or table has; nothing of it was executed")


EVERY_SECOND = slice(None, None, 2)
STEPS: dict[bytes, Callable[[Machine], None]] = {
    pickle.REDUCE: _counted(pickle.REDUCE),
    pickle.BUILD: _counted(pickle.BUILD),
    pickle.SETITEM: _keyed(pickle.SETITEM, slice(-2, -1)),
    pickle.SETITEMS: _keyed(pickle.SETITEMS, EVERY_SECOND),
    pickle.DICT: _keyed(pickle.DICT, EVERY_SECOND),
    pickle.BYTEARRAY8: _byte_array,
    **dict.fromkeys((pickle.INST, pickle.OBJ), _refuse),
    **dict.fromkeys((pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET), _refuse),
}
Machine.dispatch = {**pickle._Unpickler.dispatch, **{code[0]: STEPS[code] for code in STEPS}}
