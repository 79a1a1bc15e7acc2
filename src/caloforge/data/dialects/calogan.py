"""Files of the CaloGAN sets, unchanged: perpendicular and centred, or with position and angle.

``energy`` (N, 1) kinetic, GeV; ``layer_0``, ``layer_1``, ... (N, nx, ny) and ``overflow``
(N, layers) in MeV; ``px py pz`` (any unit), ``x0 y0 z0`` (mm) and ``t0`` (N, 1), all or none
(DOI 10.17632/pvn3xc3wy5.1 and 10.17632/5fnxs6b557.2; calo.md b1, b2). Ours are the optional
``pdg`` (N,), ``cpu_seconds`` (N,), and the attributes ``face_z_mm`` and ``sampling_fraction``.

x0 and y0 of such a file hold at z0, those of a condition at the front face: particles are carried
there along their direction. Where the face is, no value tells; an attribute or the user must.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data import layout
from caloforge.data.dialects.deposits import Clip, to_gev
from caloforge.data.dialects.dialect import CHUNK_ROWS, Dialect, Foreign, Request
from caloforge.data.energy import SAMPLING_FRACTION
from caloforge.data.flights import CONDITIONS, Flight, carried, straight
from caloforge.data.showers import Column, Showers
from caloforge.detector import Detector
from caloforge.detectors import ATLAS_EM
from caloforge.errors import DataError, UsageError

FLIGHT = ("px", "py", "pz", "x0", "y0", "z0")
"""Where a particle starts and where it goes; a file has all of them or none."""
FACE = "face_z_mm"


def _accepts(sources: tuple[Path, ...]) -> bool:
    return all(_looks_like_it(source) for source in sources)


def _looks_like_it(source: Path) -> bool:
    if not h5py.is_hdf5(source):
        return False
    with layout.open_hdf5(source) as file, layout.reading(source):
        return "format" not in file.attrs and "energy" in file and "layer_0" in file


@contextmanager
def _open(request: Request) -> Iterator[Foreign]:
    detector = request.detector or ATLAS_EM
    if request.values == "log1p":
        raise UsageError("CaloGAN files hold deposits in MeV; --values log1p is for npz files")
    if detector.unit != "GeV":
        raise UsageError(f"CaloGAN files hold energies, {detector.name} {detector.unit}")
    with ExitStack() as stack:
        sources = []
        for path in request.sources:
            file = stack.enter_context(layout.open_hdf5(path))
            with layout.reading(path):
                sources.append(_Source(path, file, detector, request))
        clip = Clip(request.clip_negative)
        yield Foreign(
            detector,
            _provenance(sources),
            tuple(name for name in OPTIONAL if all(source.has(name) for source in sources)),
            sum(len(source) for source in sources),
            _chunks(sources, clip),
            clip.told,
        )


OPTIONAL: tuple[Column, ...] = ("pdg", "cpu_seconds", "overflow")


def _provenance(sources: "list[_Source]") -> Mapping[str, str]:
    """What files say of themselves; DataError where two of them say different things."""
    said: dict[str, str] = {}
    for source in sources:
        for name, value in source.provenance.items():
            if said.setdefault(name, value) != value:
                raise DataError(f"{source.path}: {name} is {value}, but {said[name]} before")
    return said | {"source": ", ".join(source.path.name for source in sources)}


def _chunks(sources: "list[_Source]", clip: Clip) -> Iterator[Showers]:
    first = 0
    for source in sources:
        yield from source.chunks(first, clip)
        first += len(source)


class _Source:
    """One open file, checked."""

    def __init__(self, path: Path, file: h5py.File, detector: Detector, request: Request) -> None:
        self.path, self.detector, self._file = path, detector, file
        self._pdg = request.pdg
        self.images = self._layers()
        self.energy = self._column("energy", "f")
        self.flies = self._flies()
        self.face_z_mm = self._number(FACE, request.face_z_mm, "--face-z")
        self._fraction = self._number(
            SAMPLING_FRACTION, request.sampling_fraction, "--sampling-fraction"
        )
        self.more = {name: self._column(name, "iuf") for name in self._unknown_conditions()}
        self._check_frame()
        self._optional = self._optional_columns()

    def __len__(self) -> int:
        return int(self.energy.shape[0])

    def has(self, name: str) -> bool:
        """Whether rows have this column."""
        return name in self._optional or (name == "pdg" and self._pdg is not None)

    @property
    def provenance(self) -> dict[str, str]:
        """Engine and conventions."""
        said = {}
        if "engine" in self._file.attrs:
            said["engine"] = layout.text(self._file, "engine")
        if self._fraction is not None:
            said[SAMPLING_FRACTION] = repr(self._fraction)
        return said

    def _layers(self) -> list[h5py.Dataset]:
        wanted = self.detector.layers
        names = [f"layer_{number}" for number in range(len(wanted))]
        images = [layout.dataset(self._file, name, "iuf", 3) for name in names]
        for layer, image in zip(wanted, images, strict=True):
            if image.shape[1:] != layer.shape:
                raise DataError(
                    f"{image.name} is {image.shape[1:]}, {self.detector.name}/{layer.name} "
                    f"{layer.shape}; --detector FILE.json describes another geometry"
                )
        if f"layer_{len(wanted)}" in self._file:
            raise DataError(f"has more layers than the {len(wanted)} of {self.detector.name}")
        return images

    def _column(self, name: str, kinds: str) -> h5py.Dataset:
        """A number a row, as (N, 1) or (N,)."""
        member = layout.member(self._file, name)
        rank = 1 if getattr(member, "ndim", 2) == 1 else 2
        found = layout.dataset(self._file, name, kinds, rank)
        if rank == 2 and found.shape[1] != 1:
            raise DataError(f"/{name} is {found.shape}, not (N, 1)")
        self._check_rows(found)
        return found

    def _check_rows(self, found: h5py.Dataset) -> None:
        if len(found) != len(self.images[0]):
            raise DataError(f"{found.name} has {len(found)} rows, /layer_0 {len(self.images[0])}")

    def _flies(self) -> dict[str, h5py.Dataset]:
        """Starts and momenta; none for a set that comes straight in."""
        present = [name for name in FLIGHT if name in self._file]
        if present and (missing := [name for name in FLIGHT if name not in present]):
            raise DataError(f"has {', '.join(present)} but no {', '.join(missing)}")
        return {name: self._column(name, "f") for name in present}

    def _number(self, name: str, told: float | None, option: str) -> float | None:
        """An attribute or an option; DataError where both are there and differ."""
        if name not in self._file.attrs:
            return told
        said = float(np.asarray(self._file.attrs[name], dtype=np.float64).reshape(()))
        if told is not None and told != said:
            raise DataError(f"says that {name} is {said:g}, {option} says {told:g}")
        return said

    def _unknown_conditions(self) -> list[str]:
        """Conditions that a flight does not tell: datasets of that name must."""
        unknown = [name for name in self.detector.columns if name not in CONDITIONS]
        for name in unknown:
            if name not in self._file:
                raise DataError(
                    f"tells nothing of {self.detector.name}'s condition {name}: neither a dataset "
                    f"of that name nor one of {', '.join(CONDITIONS)}"
                )
        return unknown

    def _check_frame(self) -> None:
        if self.flies and self.face_z_mm is None and {"x0", "y0"} & {*self.detector.columns}:
            raise DataError(
                f"x0 and y0 hold at z0, and no attribute {FACE} says where the front face is: "
                "--face-z -240 in the frame of the CaloGAN files, --face-z 0 where the face is at 0"
            )

    def _optional_columns(self) -> dict[str, h5py.Dataset]:
        """Columns of ours that this file has."""
        found = {
            name: self._column(name, kinds)
            for name, kinds in (("pdg", "iu"), ("cpu_seconds", "f"))
            if name in self._file
        }
        if "overflow" in self._file:
            beside = layout.dataset(self._file, "overflow", "iuf", 2)
            self._check_rows(beside)
            if beside.shape[1] != len(self.images):
                raise DataError(f"/overflow has {beside.shape[1]} columns, not {len(self.images)}")
            found["overflow"] = beside
        for image in self.images:
            self._check_rows(image)
        return found

    def chunks(self, first: int, clip: Clip) -> Iterator[Showers]:
        """All rows; each is a particle of its own, numbered from ``first``."""
        for start in range(0, len(self), CHUNK_ROWS):
            with layout.reading(self.path):
                yield self._rows(slice(start, min(start + CHUNK_ROWS, len(self))), first, clip)

    def _rows(self, part: slice, first: int, clip: Clip) -> Showers:
        deposits = partial(to_gev, clip=clip, first_row=part.start)
        flat = [
            deposits(image[part].reshape(part.stop - part.start, -1), image.name)
            for image in self.images
        ]
        overflow = self._optional.get("overflow")
        pdg, seconds = self._told("pdg", part, np.int32), self._told("cpu_seconds", part, "f4")
        if pdg is None and self._pdg is not None:
            pdg = np.full(part.stop - part.start, self._pdg, np.int32)
        return Showers(
            self.detector,
            np.concatenate(flat, axis=1),
            self._conditions(part),
            np.arange(first + part.start, first + part.stop, dtype=np.int64),
            pdg,
            seconds,
            self.provenance,
            None if overflow is None else deposits(overflow[part], overflow.name),
        )

    def _told(self, name: str, part: slice, dtype: object) -> NDArray[Any] | None:
        column = self._optional.get(name)
        return None if column is None else column[part].ravel().astype(dtype)

    def _conditions(self, part: slice) -> NDArray[np.float64]:
        flight = self._flight(part)
        columns = [
            CONDITIONS[name](flight) if name in CONDITIONS else _values(self.more[name], part)
            for name in self.detector.columns
        ]
        # -0.0 and 0.0 are one condition.
        return np.stack(columns, axis=1) + 0.0

    def _flight(self, part: slice) -> Flight:
        """Particles at the front face.  (rows,)"""
        energy = _values(self.energy, part)
        if len(bad := np.flatnonzero(~(energy > 0) | ~np.isfinite(energy))):
            raise DataError(f"row {part.start + bad[0]}: energy is {energy[bad[0]]:g}")
        if not self.flies:
            return straight(energy)
        px, py, pz, x0, y0, z0 = (_values(self.flies[name], part) for name in FLIGHT)
        face = z0 if self.face_z_mm is None else self.face_z_mm
        return carried(Flight(energy, px, py, pz, x0, y0), face - z0, part.start)


def _values(column: h5py.Dataset, part: slice) -> NDArray[np.float64]:
    return np.asarray(column[part], dtype=np.float64).ravel()


CALOGAN = Dialect(
    name="calogan",
    reads="HDF5 files of the CaloGAN sets (energy, layer_0, layer_1, ...)",
    accepts=_accepts,
    open=_open,
)
