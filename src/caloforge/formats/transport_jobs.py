"""Transport output of the ZDCs as the engine's jobs wrote it (GEANT 3 with FLUKA hadronics).

/showers (N, nx, ny) counts; /conditions (N, 9) with attributes columns, units; /particle; /pdg;
/cpu_seconds; root attributes detector, engine. The rest of what its card says is kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data.record import check_cells
from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.detectors import detector_of_name
from caloforge.errors import DataError, UsageError
from caloforge.formats.file_format import (
    CHUNK_ROWS,
    ConversionRequest,
    FileFormat,
    ForeignShowers,
    check_detector,
    together,
)
from caloforge.io import hdf5
from caloforge.io.arrays import finite_numbers, whole_numbers
from caloforge.io.reading import reading
from caloforge.io.showers import check_columns, is_ours

COLUMNS: tuple[Column, ...] = ("pdg", "cpu_seconds")
JOBS = "GEANT 3.21/11, hadronic interactions by GEANT-FLUKA (IHADR=4)"
CARD = {
    "licence": "CC BY 4.0",
    "cuts": "e, gamma 1 MeV; hadrons 10 MeV in the absorber, 1 MeV in quartz; "
    "energy loss only in quartz",
    "light": "Poisson counts from AliceO2's fibre light tables for charged steps of beta >= 0.67",
    "cpu": "one core of a shared Intel Xeon (family 6, model 207), gfortran -O2",
}
"""What is known of the files that say JOBS; of others of their layout only what they say."""


def _accepts(sources: tuple[Path, ...]) -> bool:
    if len(sources) != 1 or not hdf5.looks_like_hdf5(sources[0]):
        return False
    with hdf5.open_hdf5(sources[0]) as file, reading(sources[0]):
        return (
            not is_ours(file)
            and hdf5.has(file, "showers")
            and file.get("showers", getclass=True, getlink=True) is h5py.HardLink
            and isinstance(file["showers"], h5py.Dataset)
            and hdf5.has(file, "conditions")
        )


@contextmanager
def _open_transport(request: ConversionRequest) -> Iterator[ForeignShowers]:
    path = request.sources[0]
    if request.values == "log1p":
        raise UsageError(f"{path} holds whole counts; --values log1p is for npz files")
    with hdf5.open_hdf5(path) as file:
        with reading(path):
            file_detector = detector_of_name(hdf5.text(file, "detector"))
            detector = check_detector(file_detector, request.detector)
            source = _Source(file, detector)
            engine = hdf5.text(file, "engine")
            card = CARD if engine == JOBS else {"licence": "not recorded"}
            provenance = {"engine": engine, **card, "source": path.name}
        yield ForeignShowers(detector, provenance, COLUMNS, len(source.particle), source.rows(path))


class _Source:
    """The arrays of an open file, checked."""

    def __init__(self, file: h5py.File, detector: Detector) -> None:
        self.detector = detector
        self.images = hdf5.dataset(file, "showers", "iu", 3, unwritten=True)
        if self.images.shape[1:] != detector.layers[0].shape:
            raise DataError(f"/showers is {self.images.shape[1:]}, not {detector.layers[0].shape}")
        conditions = hdf5.dataset(file, "conditions", "f", 2)
        check_columns(conditions, detector)
        arrays = {
            "conditions": conditions,
            "particle": hdf5.dataset(file, "particle", "iu", 1),
            "pdg": hdf5.dataset(file, "pdg", "iu", 1),
            "cpu_seconds": hdf5.dataset(file, "cpu_seconds", "f", 1),
        }
        for name, array in arrays.items():
            if len(array) != len(self.images):
                raise DataError(f"/{name} has {len(array)} rows, /showers {len(self.images)}")
        if conditions.shape[1] != len(detector.columns):
            raise DataError(f"/conditions has {conditions.shape[1]} columns")
        self.conditions = finite_numbers(hdf5.whole(conditions), "/conditions")
        self.particle: NDArray[np.int64] = whole_numbers(
            hdf5.whole(arrays["particle"]), "/particle"
        )
        self.pdg = whole_numbers(hdf5.whole(arrays["pdg"]), "/pdg", np.int32)
        self.cpu_seconds = hdf5.whole(arrays["cpu_seconds"]).astype(np.float32)

    def rows(self, path: Path) -> Iterator[Showers]:
        """All rows, those of one particle brought together."""
        order = together(self.particle)
        for start in range(0, len(order), CHUNK_ROWS):
            rows = order[start : start + CHUNK_ROWS]
            with reading(path):
                low, high = int(rows.min()), int(rows.max()) + 1
                images = self.images[low:high][rows - low]
                check_cells(self.detector, images)
            yield Showers(
                self.detector,
                images.reshape(len(rows), -1).astype(np.uint16),
                self.conditions[rows],
                self.particle[rows],
                self.pdg[rows],
                self.cpu_seconds[rows],
            )


TRANSPORT_ZDC = FileFormat(
    name="transport-zdc",
    reads="HDF5 files of the ZDC transport jobs (zn.h5, zp.h5)",
    accepts=_accepts,
    open=_open_transport,
)
