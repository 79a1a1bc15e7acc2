"""What stands for pandas in a pickle: the columns of a table, without pandas' code.

A DataFrame's state holds a BlockManager: blocks of columns that share a type, and the places of
their columns. pandas before 1.3 gives it as a state, later ones as arguments; 3.0 moved names.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import DataError
from caloforge.formats.pickled.arrays import Array, Maker, Name

UNKNOWN = "describes a table in a way that no known pandas does"
MOST_COLUMNS = 100_000
"""A range of labels costs nothing to claim."""


class Block:
    """Columns of one type and their places in the table; of texts there is one in a block."""

    def __init__(self, values: Any, places: Any) -> None:
        texts = isinstance(values, Strings)
        if texts:
            values = values.array
        if not isinstance(values, Array) or not isinstance(places, slice | Array):
            raise DataError(UNKNOWN)
        self.values, self.places = values.values[None] if texts else values.values, places

    def columns(self, count: int) -> dict[int, NDArray[Any]]:
        """Values by place, in a table of so many columns.  {place: (N,)}"""
        if isinstance(self.places, slice):
            places = range(count)[self.places]
        elif self.places.values.dtype.kind not in "iu":
            raise DataError(UNKNOWN)
        else:
            places = self.places.values.tolist()
        if self.values.ndim != 2 or len(places) != len(self.values):
            raise DataError(UNKNOWN)
        return dict(zip(places, self.values, strict=True))


class Manager:
    """Blocks and the labels of both axes, in either way to give them."""

    def __init__(self, blocks: Any = (), axes: Any = ()) -> None:
        self.blocks, self.axes = blocks, axes

    def __setstate__(self, state: Any) -> None:
        """(axes, values, items, {version: {axes, blocks}}), as before pandas 1.3."""
        newest = state[3]["0.14.1"]
        self.axes = newest["axes"]
        self.blocks = [Block(block["values"], block["mgr_locs"]) for block in newest["blocks"]]

    def table(self) -> dict[str, NDArray[Any]]:
        """Columns by name.  {name: (N,)}"""
        if len(self.axes) != 2 or not all(isinstance(axis, Labels) for axis in self.axes):
            raise DataError(UNKNOWN)
        names = self.axes[0].texts()
        if len(set(names)) != len(names):
            raise DataError("holds a table that has two columns of one name")
        columns: dict[int, NDArray[Any]] = {}
        for block in self.blocks:
            columns |= block.columns(len(names))
        if sorted(columns) != list(range(len(names))):
            raise DataError(UNKNOWN)
        if len({len(column) for column in columns.values()}) > 1:
            raise DataError("holds a table whose columns differ in length")
        return {name: columns[place] for place, name in enumerate(names)}


class Labels:
    """Names along an axis, or its numbers."""

    def __init__(self, _: Any, fields: Any) -> None:
        self.fields = fields

    def texts(self) -> list[str]:
        """The labels as text."""
        if "data" not in self.fields:
            numbers = range(*(self.fields[key] for key in ("start", "stop", "step")))
            return [str(number) for number in numbers[:MOST_COLUMNS]]
        data = self.fields["data"]
        values = data.array if isinstance(data, Strings) else data
        if not isinstance(values, Array) or values.values.ndim != 1:
            raise DataError(UNKNOWN)
        labels = values.values.tolist()
        if not all(isinstance(label, str | int) for label in labels):
            raise DataError("has names of columns that are neither text nor whole numbers")
        return [str(label) for label in labels]


class Strings:
    """An array of texts, as pandas 3 keeps names of columns and columns of text."""

    array: Array | None = None

    def __setstate__(self, state: Any) -> None:
        """(type, array), in some order; or by name, where pyarrow keeps them."""
        parts = state.values() if isinstance(state, dict) else state
        self.array = next(part for part in parts if isinstance(part, Array))


class Frame:
    """A table of named columns; filled by its state."""

    columns: dict[str, NDArray[Any]]

    def __setstate__(self, state: Any) -> None:
        """Columns of the state's BlockManager."""
        manager = state.get("_mgr", state.get("_data"))
        if not isinstance(manager, Manager):
            raise DataError(UNKNOWN)
        self.columns = manager.table()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def numbers(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Some columns as float64; DataError naming what is missing or holds no numbers.  (N, C)"""
        if missing := [name for name in names if name not in self.columns]:
            has = ", ".join(self.columns) or "none"
            raise DataError(f"has no column {', '.join(missing)}; it has {has:.300}")
        for name in names:
            if self.columns[name].dtype.kind not in "iuf":
                raise DataError(f"column {name} holds no numbers")
        table = np.empty((len(self), len(names)))
        for number, name in enumerate(names):
            table[:, number] = self.columns[name]
        return table


def _block(values: Any, places: Any, *_: Any) -> Block:
    return Block(values, places)


NEW_BLOCK = Maker(_block)


class BlockMaker:
    """What pandas 1.3 pickles in place of ``new_block``: it with its number of axes filled in."""

    def __init__(self, function: Any) -> None:
        if function is not NEW_BLOCK:
            raise DataError("holds a functools.partial of another function than pandas' own")

    def __setstate__(self, _: Any) -> None:
        """The number of axes, which the values tell, too."""

    def __call__(self, values: Any, places: Any) -> Block:
        """The block."""
        return Block(values, places)


def _old_instance(kind: Any, *_: Any) -> Any:
    """What protocols 0 and 1 call to make an empty instance."""
    if kind not in (Frame, Manager, Strings):
        raise DataError(UNKNOWN)
    return kind.__new__(kind)


BLOCK_MANAGERS = ("pandas.core.internals", "pandas.core.internals.managers")
INDEX_MAKERS = ("pandas.core.indexes.base", "pandas.indexes.base", "pandas.core.index")
INDEX_KINDS = (
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.indexes.numeric", "Int64Index"),
    ("pandas.core.indexes.numeric", "UInt64Index"),
    ("pandas.core.indexes.numeric", "Float64Index"),
    ("pandas.indexes.base", "Index"),
    ("pandas.indexes.range", "RangeIndex"),
    ("pandas.indexes.numeric", "Int64Index"),
    ("pandas", "Index"),
    ("pandas", "RangeIndex"),
    ("pandas.arrays", "StringArray"),
    ("pandas.core.arrays.string_", "StringArray"),
)

FRAME_NAMES: dict[tuple[str, str], Maker | Name | type] = {
    ("pandas.core.frame", "DataFrame"): Frame,
    ("pandas", "DataFrame"): Frame,
    **{(module, "BlockManager"): Manager for module in BLOCK_MANAGERS},
    ("pandas._libs.internals", "_unpickle_block"): NEW_BLOCK,
    ("pandas.core.internals.blocks", "new_block"): NEW_BLOCK,
    ("functools", "partial"): Maker(BlockMaker),
    **{(module, "_new_Index"): Maker(Labels) for module in INDEX_MAKERS},
    **{pair: Name(pair[1]) for pair in INDEX_KINDS},
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): Maker(lambda *_: Strings()),
    ("pandas.arrays", "ArrowStringArray"): Strings,
    ("pandas", "StringDtype"): Maker(lambda *_: None),
    ("pandas.core.arrays.string_", "StringDtype"): Maker(lambda *_: None),
    ("builtins", "slice"): Maker(slice),
    ("__builtin__", "slice"): Maker(slice),
    ("builtins", "object"): Name("object"),
    ("__builtin__", "object"): Name("object"),
    ("copyreg", "_reconstructor"): Maker(_old_instance),
    ("copy_reg", "_reconstructor"): Maker(_old_instance),
}
