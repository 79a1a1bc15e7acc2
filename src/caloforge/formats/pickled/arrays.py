"""What stands for numpy in a pickle: values with a shape, made of bytes, without numpy's code.

numpy pickles an array as ``_reconstruct(...)`` and a state (protocols to 4), or as
``_frombuffer(buffer, type, shape, order)`` (protocol 5); its modules are ``numpy.core`` before
version 2 and ``numpy._core`` since.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError

NUMBERS = re.compile(r"b1|[iu][1248]|f[248]")
OBJECTS = ("O8", "O4", "O")
ORDERS = ("<", ">", "=", "|")
MOST_AXES = 8


@dataclass(frozen=True)
class Maker:
    """A function that a pickle may call; it cannot be changed by one."""

    make: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        """What the function makes of it."""
        return self.make(*arguments)

    def __setstate__(self, _: Any) -> None:
        """Refused: a name of the table has no state."""
        raise DataError("changes a function, which is not admitted; nothing of it was executed")


@dataclass(frozen=True)
class Name:
    """A class that a pickle may mention, but of which it makes nothing."""

    text: str

    def __setstate__(self, _: Any) -> None:
        """Refused: a name of the table has no state."""
        raise DataError("changes a class, which is not admitted; nothing of it was executed")


class Kind:
    """The type of an array's values; DataError for all but plain numbers and objects."""

    def __init__(self, text: Any) -> None:
        if not isinstance(text, str) or not (NUMBERS.fullmatch(text) or text in OBJECTS):
            # Only text is shown: a list may hold itself ten times, and so on, and never end.
            kind = repr(text)[:40] if isinstance(text, str) else type(text).__name__
            raise DataError(f"holds values of type {kind}, not plain numbers")
        self.text, self.order = text, "="

    def __setstate__(self, state: Any) -> None:
        """Byte order; DataError for a type with fields or parts."""
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ORDERS:
            raise DataError("describes a type of values in an unknown way")
        if any(part is not None for part in state[2:5]):
            raise DataError("holds records, not plain numbers")
        self.order = state[1]

    @property
    def objects(self) -> bool:
        """Whether values are Python objects, which must be given one by one."""
        return self.text in OBJECTS

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type as numpy knows it."""
        return np.dtype("O" if self.objects else self.order.replace("|", "=") + self.text)


class Array:
    """Numbers with a shape, or a list of objects; filled by its state."""

    values: NDArray[Any]
    copied: int = 0
    """Bytes of the pickle that it holds a second time."""

    def __setstate__(self, state: Any) -> None:
        """Values of numpy's state ([version,] shape, type, Fortran order, bytes or list)."""
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise DataError("describes an array in an unknown way")
        shape, kind, fortran, content = state[-4:]
        self.values = values_of(content, kind, shape, "F" if fortran else "C")


def values_of(content: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    """An array over the bytes of a pickle, not copied; DataError where sizes disagree."""
    if not isinstance(kind, Kind) or order not in ("C", "F") or not isinstance(shape, tuple):
        raise DataError("describes an array in an unknown way")
    if len(shape) > MOST_AXES or not all(type(n) is int and 0 <= n < 2**62 for n in shape):
        raise DataError("describes an array of an impossible shape")
    if kind.objects:
        return _objects(content, shape, order)
    if isinstance(content, str):
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray):
        raise DataError("holds no bytes where the values of an array should be")
    if len(content) != prod(shape) * kind.dtype.itemsize:
        raise DataError(f"claims an array {shape} of {kind.text}, holds {len(content)} bytes")
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order)


def _objects(content: Any, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
    if not isinstance(content, list) or len(content) != prod(shape):
        raise DataError("holds no list where the objects of an array should be")
    return np.fromiter(content, dtype=object, count=len(content)).reshape(shape, order=order)


def _reconstruct(*_: Any) -> Array:
    return Array()


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> Array:
    """An array of protocol 5; order K names the order in which axes lie in memory."""
    array = Array()
    if order == "K" and isinstance(axes, tuple):
        whole = values_of(content, kind, shape, "C")
        if not all(type(axis) is int for axis in axes) or sorted(axes) != [*range(whole.ndim)]:
            raise DataError("names axes that an array does not have")
        array.values = whole.transpose(axes)
    else:
        array.values = values_of(content, kind, shape, order)
    return array


def _encode(text: Any, encoding: Any) -> bytes:
    """Bytes that protocols to 2 write as text."""
    if not isinstance(text, str) or encoding != "latin1":
        raise DataError("holds text in another encoding than numpy's latin1")
    return text.encode("latin1")


ARRAY_NAMES: dict[tuple[str, str], Maker | Name | type] = {
    ("numpy.core.multiarray", "_reconstruct"): Maker(_reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): Maker(_reconstruct),
    ("numpy.core.numeric", "_frombuffer"): Maker(_from_buffer),
    ("numpy._core.numeric", "_frombuffer"): Maker(_from_buffer),
    ("numpy", "ndarray"): Name("ndarray"),
    ("numpy", "dtype"): Maker(lambda text, *_: Kind(text)),
    ("_codecs", "encode"): Maker(_encode),
}
