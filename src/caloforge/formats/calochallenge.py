"""Files of the CaloChallenge, sets 1 to 3, unchanged.

``incident_energies`` (N, 1) and ``showers`` (N, voxels), both in MeV; r runs fastest, then alpha,
then the layer, which is the order of the cells of a detector of rings: nothing has to
be moved. The geometry is not in the file: it is a detector, described by the set's binning.xml.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from caloforge.data.flight import Flight, straight
from caloforge.errors import DataError, UsageError
from caloforge.formats.file_format import OPTIONS, ConversionRequest, FileFormat, ForeignShowers
from caloforge.formats.layered import Rows, open_rows
from caloforge.io import hdf5
from caloforge.io.reading import reading
from caloforge.io.showers import is_ours

ENERGIES, SHOWERS = "incident_energies", "showers"


def _accepts_challenge(sources: tuple[Path, ...]) -> bool:
    return all(_is_challenge(source) for source in sources)


def _is_challenge(source: Path) -> bool:
    if not hdf5.looks_like_hdf5(source):
        return False
    with hdf5.open_hdf5(source) as file, reading(source):
        return not is_ours(file) and hdf5.has(file, ENERGIES) and hdf5.has(file, SHOWERS)


def _open_challenge(request: ConversionRequest) -> AbstractContextManager[ForeignShowers]:
    if request.detector is None:
        raise UsageError(
            f"{request.sources[0]} does not tell its voxels: name the set's geometry with "
            "--detector binning.xml"
        )
    return open_rows(request, request.detector, _ChallengeSource)


class _ChallengeSource:
    """One open file, checked."""

    def __init__(self, file: h5py.File, rows: Rows, request: ConversionRequest) -> None:
        self.rows = rows
        self._showers = hdf5.dataset(file, SHOWERS, "iuf", 2, unwritten=True)
        cells, detector = self._showers.shape[1], rows.detector
        if cells != detector.cells:
            raise DataError(f"/{SHOWERS} has {cells} voxels, {detector.name} {detector.cells}")
        rows.begin(self._showers)
        self._energy = rows.column(ENERGIES, "iuf")

    def cells_mev(self, part: slice) -> list[tuple[str, NDArray[Any]]]:
        """Flat showers.  (N, K)"""
        return [(self._showers.name, self._showers[part])]

    def flight(self, part: slice) -> Flight:
        """Particles of that energy, straight to the middle.  (N,)"""
        return straight(self.rows.energy_gev(self._energy, part, "MeV"))


CALOCHALLENGE = FileFormat(
    name="calochallenge",
    reads="HDF5 files of the CaloChallenge (incident_energies, showers)",
    accepts=_accepts_challenge,
    open=_open_challenge,
    uses=frozenset(OPTIONS) - {"face_z_mm"},
)
