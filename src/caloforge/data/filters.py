"""Compression of showers files: what every HDF5 library has, and a faster one that is a plugin."""

from typing import Any, Literal

import h5py

from caloforge.errors import DataError

Compression = Literal["portable", "smallest", "none", "fast"]
BUILT_IN: dict[Compression, dict[str, Any]] = {
    "portable": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "smallest": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
    "none": {},
}
"""Filters that every HDF5 library has; measured in reference/performance.md."""
PLUGINS = {32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle", 32015: "Zstandard", 32026: "Blosc2"}
"""Filters of hdf5plugin by their registered numbers."""


def filters_of(compression: Compression) -> dict[str, Any]:
    """What h5py's ``create_dataset`` takes; ModuleNotFoundError where the plugin is missing."""
    if compression != "fast":
        return dict(BUILT_IN[compression])
    import hdf5plugin

    # A third of gzip's time; zstd would save a third of the bytes for twice the time.
    return dict(hdf5plugin.Bitshuffle(cname="lz4"))


def filter_numbers(found: h5py.Dataset) -> list[int]:
    """Registered numbers of the filters that a dataset passes through."""
    made = found.id.get_create_plist()
    return [made.get_filter(place)[0] for place in range(made.get_nfilters())]


def require_filters(found: h5py.Dataset) -> None:
    """Raise DataError when a dataset is packed by a plugin that is not installed here."""
    for number in filter_numbers(found):
        if number not in PLUGINS or h5py.h5z.filter_avail(number):
            continue
        try:
            import hdf5plugin  # noqa: F401 - it registers its filters
        except ModuleNotFoundError:
            raise DataError(
                f"{found.name} is packed with {PLUGINS[number]}: pip install 'caloforge[fast]'"
            ) from None
