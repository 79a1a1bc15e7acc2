"""Channel sums without images: what a production for digitisation keeps, 200 times smaller.

/channels (N, channels) {scheme, labels}   /conditions (N, C)   /particle (N,)   optional /pdg
root attributes as in a showers file, but format="caloforge-channels"
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers
from caloforge.detector import Detector
from caloforge.io import hdf5
from caloforge.io.rows import RowCheck
from caloforge.io.showers import describe

FORMAT = "caloforge-channels"
ROWS_A_CHUNK = 4096
FILTERS = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}


class ChannelWriter:
    """A file of channel sums that grows; takes what ``ShowerWriter`` takes, keeps no cells.

    Raises UsageError when the file exists, DataError when rows do not fit the detector.
    """

    def __init__(
        self,
        path: str | Path,
        detector: Detector,
        provenance: Mapping[str, str],
        *,
        columns: tuple[str, ...] = (),
        channels_scheme: str | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self.detector = detector
        self.scheme = detector.scheme(channels_scheme)
        self._provenance = provenance
        self._overwrite = overwrite
        sums = np.dtype(np.uint32 if detector.counts else np.float32)
        widths: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
            "channels": (sums, (len(self.scheme.labels),)),
            "conditions": (np.dtype(np.float64), (len(detector.columns),)),
            "particle": (np.dtype(np.int64), ()),
            "pdg": (np.dtype(np.int32), ()),
        }
        names = ("channels", "conditions", "particle", *columns)
        self._columns = {name: widths[name] for name in names}
        self._check = RowCheck(self.path, detector, columns)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._aside = stack.enter_context(hdf5.FileAside(self.path, overwrite=self._overwrite))
            self._file = self._aside.file
            describe(self._file, self.detector, self._provenance)
            hdf5.put_text(self._file, "format", FORMAT)
            for name, (dtype, shape) in self._columns.items():
                self._file.create_dataset(
                    name,
                    (0, *shape),
                    dtype,
                    maxshape=(None, *shape),
                    chunks=(ROWS_A_CHUNK, *shape),
                    **FILTERS,
                )
            hdf5.put_text(self._file["channels"], "scheme", self.scheme.scheme)
            hdf5.put_texts(self._file["channels"], "labels", self.scheme.labels)
            self._stack = stack.pop_all()
        return self

    def append(
        self,
        cells: NDArray[Any],
        conditions: NDArray[np.float64],
        particle: NDArray[np.int64],
        *,
        pdg: NDArray[np.int32] | None = None,
    ) -> None:
        """Add rows: the sums of cells (N, K), conditions (N, C), particle (N,)."""
        showers = Showers(self.detector, cells, conditions, particle, pdg)
        self._check.add(showers)
        sums = self.detector.read_out(cells, self.scheme.scheme)
        whole = np.rint(sums) if self.detector.counts else sums
        for name in self._columns:
            rows = whole if name == "channels" else getattr(showers, name)
            hdf5.extend(self._file[name], rows)
        self._aside.check()

    def __exit__(self, *problem: Any) -> None:
        if problem[0] is not None:
            self._stack.__exit__(*problem)
            return
        with self._stack:
            self._check.finish(lambda: np.asarray(self._file["particle"][:]))
