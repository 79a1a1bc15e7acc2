"""Showers as a ROOT file, for those whose next program reads trees (needs uproot, extra ``root``).

Tree ``showers``: a branch a layer (N, nx, ny), a branch a condition, particle, pdg, channels
(N, channels). Text ``description``: JSON of what the attributes of a showers file say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import Showers, cell_type
from caloforge.detector import Detector
from caloforge.io.files import require_ending, write_aside
from caloforge.io.reading import refuse_joined
from caloforge.io.rows import RowCheck
from caloforge.io.showers import ShowerFile
from caloforge.reporter import SILENT, Reporter

FORMAT = "caloforge-showers"
VERSION = 1
TREE, DESCRIPTION = "showers", "description"
ROOT_MAGIC = b"root"
LARGE_FILE = 1_000_000
"""Versions from here on have addresses of eight bytes."""
ROWS_A_BASKET = 4096
"""Baskets much smaller cost more in headers than they hold."""


@contextmanager
def open_root(path: Path) -> Iterator[Any]:
    """A ROOT file that is open; DataError where another one follows, whose rows would be lost."""
    import uproot

    with path.open("rb") as file:
        head = file.read(20)
    size = 8 if int.from_bytes(head[4:8], "big") >= LARGE_FILE else 4
    refuse_joined(path, ROOT_MAGIC, int.from_bytes(head[12 : 12 + size], "big"))
    with uproot.open(path) as file:
        yield file


class RootWriter:
    """A ROOT file that grows; takes what ``ShowerWriter`` takes.

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
        images: bool = True,
    ) -> None:
        self.path = Path(path)
        require_ending(self.path, ".root")
        self.detector = detector
        self.scheme = detector.scheme(channels_scheme)
        self.images = images
        self._provenance = dict(provenance)
        self._columns = columns
        self._overwrite = overwrite
        self._check = RowCheck(self.path, detector, columns)
        self._waiting: list[dict[str, NDArray[Any]]] = []

    def __enter__(self) -> Self:
        import uproot

        with ExitStack() as stack:
            self._aside = stack.enter_context(write_aside(self.path, overwrite=self._overwrite))
            packing = uproot.ZSTD(1)
            self._file = stack.enter_context(uproot.recreate(self._aside, compression=packing))
            self._file[DESCRIPTION] = json.dumps(self._description())
            self._tree = self._file.mktree(TREE, self._branches())
            self._stack = stack.pop_all()
        return self

    def _description(self) -> dict[str, Any]:
        return self._provenance | {
            "format": FORMAT,
            "version": VERSION,
            "detector": self.detector.model_dump(mode="json"),
            "detector_hash": self.detector.fingerprint,
            "units": {condition.name: condition.unit for condition in self.detector.conditions},
            "scheme": self.scheme.scheme,
            "labels": self.scheme.labels,
        }

    def _branches(self) -> dict[str, Any]:
        cells = cell_type(self.detector)
        layers = {layer.name: (cells, layer.shape) for layer in self.detector.layers}
        sums = np.dtype(np.uint32 if self.detector.counts else np.float32)
        return {
            **(layers if self.images else {}),
            "channels": (sums, (len(self.scheme.labels),)),
            **dict.fromkeys(self.detector.columns, np.dtype(np.float64)),
            "particle": np.dtype(np.int64),
            **dict.fromkeys(self._columns, np.dtype(np.int32)),
        }

    def append(
        self,
        cells: NDArray[Any],
        conditions: NDArray[np.float64],
        particle: NDArray[np.int64],
        *,
        pdg: NDArray[np.int32] | None = None,
    ) -> None:
        """Add rows: cells (N, K), conditions (N, C), particle (N,) and the promised columns."""
        showers = Showers(self.detector, cells, conditions, particle, pdg)
        self._check.add(showers)
        sums = self.detector.read_out(cells, self.scheme.scheme)
        rows = {
            **(self.detector.split(cells) if self.images else {}),
            "channels": np.rint(sums).astype(np.uint32) if self.detector.counts else sums,
            **dict(zip(self.detector.columns, conditions.T, strict=True)),
            "particle": particle,
            **{name: getattr(showers, name) for name in self._columns},
        }
        self._waiting.append(rows)
        if sum(len(part["particle"]) for part in self._waiting) >= ROWS_A_BASKET:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        names = self._waiting[0]
        rows = {name: np.concatenate([part[name] for part in self._waiting]) for name in names}
        self._waiting.clear()
        self._tree.extend(rows)

    def __exit__(self, *problem: Any) -> None:
        if problem[0] is not None:
            self._stack.__exit__(*problem)
            return
        with self._stack:
            self._flush()
            self._check.finish(self._particles)

    def _particles(self) -> NDArray[np.int64]:
        """Particle numbers of all rows, read back once the file is closed."""
        self._file.close()
        with open_root(self._aside) as file:
            return np.asarray(file[TREE]["particle"].array(library="np"))


def write_root(
    source: str | Path, out: str | Path, *, overwrite: bool = False, reporter: Reporter = SILENT
) -> int:
    """Write a showers file as a tree; the number of rows.

    Raises UsageError when ``out`` exists, DataError on a damaged source.
    """
    with ShowerFile(source) as file:
        columns = () if file.pdg is None else ("pdg",)
        writer = RootWriter(
            out, file.detector, file.provenance, columns=columns, overwrite=overwrite
        )
        with writer, reporter.progress("write", len(file)) as advance:
            for chunk in file.chunks():
                writer.append(chunk.cells, chunk.conditions, chunk.particle, pdg=chunk.pdg)
                advance(len(chunk))
        return len(file)
