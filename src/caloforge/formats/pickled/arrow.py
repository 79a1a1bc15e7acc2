"""What stands for pyarrow in a pickle: texts, which pandas 3 keeps in it where it is installed.

Names of columns are texts, so every table that such a pandas writes has some. Apache Arrow keeps
them as one run of UTF-8, the places where each begins, and a bit each that says if there is one.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.formats.pickled.arrays import Array, Maker, Name

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
