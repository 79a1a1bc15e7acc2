"""Files of the CaloGAN sets, unchanged: perpendicular and centred, or with position and angle.

``energy`` (N, 1) kinetic, GeV; ``layer_0``, ``layer_1``, ... (N, nx, ny) and ``overflow``
(N, layers) in MeV; ``px py pz`` (any unit), ``x0 y0 z0`` (mm) and ``t0`` (N, 1), all or none
(DOI 10.17632/pvn3xc3wy5.1 and 10.17632/5fnxs6b557.2).

x0 and y0 of such a file hold at z0, those of a condition at the front face: particles are carried
there along their direction. Where the face is, no value tells; the attribute ``face_z_mm`` or the
user must. t0 is not kept.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from caloforge.data.flight import Flight, carried, straight
from caloforge.detectors import ATLAS_EM
from caloforge.errors import DataError
from caloforge.formats.file_format import OPTIONS, ConversionRequest, FileFormat, ForeignShowers
from caloforge.formats.layered import Rows, open_rows, values
from caloforge.io import hdf5
from caloforge.io.reading import reading
from caloforge.io.showers import is_ours

FLIGHT = ("px", "py", "pz", "x0", "y0", "z0")
"""Where a particle starts and where it goes; a file has all of them or none."""
FACE = "face_z_mm"


def _accepts(sources: tuple[Path, ...]) -> bool:
    return all(_looks_like_it(source) for source in sources)


def _looks_like_it(source: Path) -> bool:
    if not hdf5.looks_like_hdf5(source):
        return False
    with hdf5.open_hdf5(source) as file, reading(source):
        return not is_ours(file) and hdf5.has(file, "energy") and hdf5.has(file, "layer_0")


def _open(request: ConversionRequest) -> AbstractContextManager[ForeignShowers]:
    return open_rows(request, request.detector or ATLAS_EM, _Source)


class _Source:
    """One open file, checked."""

    def __init__(self, file: h5py.File, rows: Rows, request: ConversionRequest) -> None:
        self.rows, self._file = rows, file
        self.images = list(self._layers())
        rows.begin(self.images[0])
        for image in self.images:
            rows.check_rows(image)
        self._energy = rows.column("energy", "iuf")
        self._flight = self._starts()
        self._face_z_mm = rows.number(FACE, request.face_z_mm, "--face-z")
        if self._flight and self._face_z_mm is None and {"x0", "y0"} & {*rows.detector.columns}:
            raise DataError(
                f"x0 and y0 hold at z0, and no attribute {FACE} says where the front face is: "
                "--face-z -240 in the frame of the CaloGAN files, --face-z 0 where the face is at 0"
            )

    def _layers(self) -> Iterator[h5py.Dataset]:
        detector = self.rows.detector
        for number, layer in enumerate(detector.layers):
            image = hdf5.dataset(self._file, f"layer_{number}", "iuf", 3, unwritten=True)
            if image.shape[1:] != layer.shape:
                raise DataError(
                    f"{image.name} is {image.shape[1:]}, {detector.name}/{layer.name} "
                    f"{layer.shape}; --detector FILE.json describes another geometry"
                )
            yield image
        if hdf5.has(self._file, f"layer_{len(detector.layers)}"):
            raise DataError(f"has more layers than the {len(detector.layers)} of {detector.name}")

    def _starts(self) -> dict[str, h5py.Dataset]:
        """Starts and momenta; none for a set that comes straight in."""
        present = [name for name in FLIGHT if hdf5.has(self._file, name)]
        if present and (missing := [name for name in FLIGHT if name not in present]):
            raise DataError(f"has {', '.join(present)} but no {', '.join(missing)}")
        return {name: self.rows.column(name, "iuf") for name in present}

    def cells_mev(self, part: slice) -> list[tuple[str, NDArray[Any]]]:
        """Flat images of the layers.  (N, cells of a layer)"""
        rows = part.stop - part.start
        return [(image.name, image[part].reshape(rows, -1)) for image in self.images]

    def flight(self, part: slice) -> Flight:
        """Particles at the front face.  (N,)"""
        energy = self.rows.energy_gev(self._energy, part, "GeV")
        if not self._flight:
            return straight(energy)
        px, py, pz, x0, y0, z0 = (values(self._flight[name], part) for name in FLIGHT)
        face = z0 if self._face_z_mm is None else self._face_z_mm
        return carried(Flight(energy, px, py, pz, x0, y0), face - z0, part.start)


CALOGAN = FileFormat(
    name="calogan",
    reads="HDF5 files of the CaloGAN sets (energy, layer_0, layer_1, ...)",
    accepts=_accepts,
    open=_open,
    uses=frozenset(OPTIONS),
)
