"""What stands for numpy in a pickle: values with a shape, made of bytes, without numpy's code.

numpy pickles an array as ``_reconstruct(...)`` and a state (protocols to 4), or as
``_frombuffer(buffer, type, shape, order)`` (protocol 5); its modules are ``numpy.core`` before
version 2 and ``numpy._core`` since.

What stands for pyarrow in a pickle: texts, which pandas 3 keeps in it where it is installed.

Names of columns are texts, so every table that such a pandas writes has some. Apache Arrow keeps
them as one run of UTF-8, the places where each begins, and a bit each that says if there is one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
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


PLACES = {"string": "<i4", "large_string": "<i8"}
"""How places are written, by the type of the texts."""
UNKNOWN = "describes texts in a way that no known pyarrow does"


def _restore(parts: Any) -> Array:
    """Texts of (type, length, absent ones, first, [bits, places, UTF-8], ...)."""
    kind, length, _, first, buffers, *_ = parts
    if not isinstance(kind, str) or kind not in PLACES or len(buffers) != 3:
        raise DataError(UNKNOWN)
    if not all(type(number) is int and 0 <= number < 2**40 for number in (length, first)):
        raise DataError(UNKNOWN)
    bits, places, content = (_bytes(part) for part in buffers)
    bounds = _bounds(places, PLACES[kind], first, length, len(content)) if length else [0]
    there = _there(bits, first, length)
    array = Array()
    array.values, array.copied = np.empty(len(there), dtype=object), len(content)
    for number, (begin, end) in enumerate(pairwise(bounds)):
        array.values[number] = content[begin:end].decode() if there[number] else None
    return array


def _bytes(part: Any) -> bytes:
    if not isinstance(part, bytes | None):
        raise DataError(UNKNOWN)
    return part or b""


def _there(bits: bytes, first: int, length: int) -> NDArray[np.bool_]:
    """Which texts there are; all where no bits say.  (length,)"""
    if not bits:
        return np.ones(length, dtype=np.bool_)
    bits_set = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")[
        first : first + length
    ]
    if len(bits_set) != length:
        raise DataError(UNKNOWN)
    return bits_set.astype(np.bool_)


def _bounds(places: bytes, kind: str, first: int, length: int, size: int) -> list[int]:
    """Where texts begin and the last one ends; none overlap.  (length + 1,)"""
    width = np.dtype(kind).itemsize
    bounds = np.frombuffer(places[first * width : (first + length + 1) * width], kind)
    if (
        len(bounds) != length + 1
        or bounds[0] < 0
        or bounds[-1] > size
        or (np.diff(bounds) < 0).any()
    ):
        raise DataError(UNKNOWN)
    return [int(place) for place in bounds]


def _byte_array(content: Any = b"") -> bytes:
    """Bytes as they are; nobody changes them here."""
    return _bytes(content)


ARROW_NAMES: dict[tuple[str, str], Maker | Name | type] = {
    ("pyarrow.lib", "_restore_array"): Maker(_restore),
    ("pyarrow.lib", "type_for_alias"): Maker(lambda alias: alias),
    ("pyarrow.lib", "py_buffer"): Maker(lambda content: content),
    ("builtins", "bytearray"): Maker(_byte_array),
    ("__builtin__", "bytearray"): Maker(_byte_array),
}
