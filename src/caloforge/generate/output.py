"""What a production writes: the format of its files and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from caloforge.data.showers import ShowerWriter
from caloforge.detector import Detector
from caloforge.documents import Record
from caloforge.errors import UsageError
from caloforge.io.channels import ChannelWriter
from caloforge.io.root import RootWriter

Format = Literal["hdf5", "root"]
Packing = Literal["portable", "fast"]


class Writer(Protocol):
    """Takes rows, batch by batch."""

    def append(
        self,
        cells: NDArray[Any],
        conditions: NDArray[np.float64],
        particle: NDArray[np.int64],
        *,
        pdg: NDArray[np.int32] | None = None,
    ) -> None:
        """Add rows: cells (N, K), conditions (N, C), particle (N,)."""
        ...


class Output(Record):
    """Format and content of the files of a production."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Format = "hdf5"
    images: bool = True
    scheme: str
    packing: Packing = "portable"

    @property
    def suffix(self) -> str:
        """Ending of the files' names."""
        return SUFFIXES[self.format]

    def require_possible(self) -> None:
        """Raise UsageError for a packing that the format does not have."""
        if self.packing == "fast" and (self.format, self.images) != PACKED:
            raise UsageError("--compression fast is for HDF5 files with images")

    def open(
        self,
        path: Path,
        detector: Detector,
        provenance: Mapping[str, str],
        columns: tuple[str, ...],
        *,
        overwrite: bool = False,
    ) -> AbstractContextManager[Writer]:
        """A writer of one file; UsageError when it exists."""
        self.require_possible()
        return WRITERS[self.format, self.images](
            path,
            detector,
            provenance,
            columns=columns,
            channels_scheme=self.scheme,
            overwrite=overwrite,
            **({"compression": self.packing} if (self.format, self.images) == PACKED else {}),
        )


SUFFIXES: dict[Format, str] = {"hdf5": ".h5", "root": ".root"}
PACKED = ("hdf5", True)
WRITERS: dict[tuple[Format, bool], Callable[..., AbstractContextManager[Writer]]] = {
    ("hdf5", True): ShowerWriter,
    ("hdf5", False): ChannelWriter,
    ("root", True): RootWriter,
    ("root", False): partial(RootWriter, images=False),
}
"""By format, and whether images are written."""


def format_of(path: Path) -> Format:
    """The format that a file's ending asks for; HDF5 for every ending but .root."""
    return "root" if path.suffix == SUFFIXES["root"] else "hdf5"
