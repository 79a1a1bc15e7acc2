"""Our showers for programs that read other files: CaloGAN's and the CaloChallenge's layouts.

Shapes: N rows, K cells. Values are written in the units of those sets: deposits in MeV.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from caloforge.data.energy import SAMPLING_FRACTION, sampling_fraction
from caloforge.data.flight import CONDITIONS, Flight, carried, unit_direction
from caloforge.data.record import Showers
from caloforge.detectors.species import MEV_PER_GEV, species_of
from caloforge.errors import UsageError
from caloforge.io.hdf5 import BUILT_IN, FileAside
from caloforge.io.showers import ShowerFile
from caloforge.reporter import SILENT, Reporter

Layout = Literal["calogan", "calochallenge"]
ROWS = 2048


@dataclass(frozen=True)
class Frame:
    """Where CaloGAN's particles start and where its front face is, in mm along z."""

    face_z_mm: float = -240.0
    start_z_mm: float = -288.0


@dataclass(frozen=True)
class Order:
    """What somebody wants written."""

    source: str | Path
    layout: Layout
    frame: Frame = Frame()
    pdg: int | None = None
    """PDG id of all rows, for a file that does not tell it."""


def write_foreign(
    order: Order, out: str | Path, *, overwrite: bool = False, reporter: Reporter = SILENT
) -> int:
    """Write a file in a foreign layout; the number of rows.

    Warns of what the layout has no place for. Raises UsageError for a detector that it cannot hold,
    DataError on a damaged source.
    """
    with ShowerFile(order.source) as file:
        if file.detector.energy is None or file.detector.unit != "GeV":
            raise UsageError(
                f"{order.layout} files hold energies, {file.detector.name} {file.detector.unit}"
            )
        for text in _left_out(file, order.layout):
            reporter.warn(text)
        with FileAside(out, overwrite=overwrite, libver="earliest") as aside:
            target = aside.file
            _describe(target, file, order)
            with reporter.progress("write", len(file)) as advance:
                for start, chunk in _chunks(file):
                    for name, values in WRITERS[order.layout](chunk, order):
                        _put(target, name, values, start, len(file))
                    aside.check()
                    advance(len(chunk))
        return len(file)


def _left_out(file: ShowerFile, layout: Layout) -> Iterator[str]:
    """What is in a file but not in a foreign one, in words."""
    detector = file.detector
    if layout == "calogan":
        return
    names = [name for name in detector.columns if name != detector.energy]
    names += [] if file.overflow is None else ["overflow"]
    if names:
        yield f"{layout} files hold incident energies and voxels; left out: {', '.join(names)}"
    if planes := [layer.name for layer in detector.layers if layer.ring_edges_mm is None]:
        yield (
            f"{', '.join(planes)} of {detector.name} have cells in x and y, not in rings: no "
            "binning.xml describes this file"
        )


def _describe(target: h5py.File, file: ShowerFile, order: Order) -> None:
    """Provenance and conventions, as attributes."""
    target.attrs.update(file.provenance)
    target.attrs[SAMPLING_FRACTION] = sampling_fraction(file.detector, file.provenance)
    if order.layout == "calogan":
        target.attrs["face_z_mm"] = order.frame.face_z_mm


def _chunks(file: ShowerFile) -> Iterator[tuple[int, Showers]]:
    start = 0
    for chunk in file.chunks(ROWS):
        yield start, chunk
        start += len(chunk)


def _put(target: h5py.File, name: str, values: NDArray[Any], start: int, rows: int) -> None:
    """Some rows of a dataset, made when its first ones come."""
    if name not in target:
        shape = (rows, *values.shape[1:])
        chunk = (min(len(values), rows), *values.shape[1:])
        target.create_dataset(name, shape, values.dtype, chunks=chunk, **BUILT_IN["portable"])
    target[name][start : start + len(values)] = values


def _calogan(showers: Showers, order: Order) -> Iterator[tuple[str, NDArray[Any]]]:
    """Datasets of the CaloGAN sets, by name."""
    detector = showers.detector
    energy = _energy(showers)
    yield "energy", energy[:, None]
    for number, image in enumerate(detector.split(showers.cells).values()):
        yield f"layer_{number}", image * np.float32(MEV_PER_GEV)
    if showers.overflow is not None:
        yield "overflow", showers.overflow * np.float32(MEV_PER_GEV)
    columns = dict(zip(detector.columns, showers.conditions.T, strict=True))
    if pdg := _pdg(showers, order):
        yield "pdg", np.asarray(pdg, dtype=np.int32)
    if columns.keys() & CONDITIONS.keys() - {"E"}:
        for name, values in _starts(energy, columns, pdg, order.frame).items():
            yield name, values[:, None]
    # In the order of the detector: that of a set differs from process to process.
    for name in detector.columns:
        if name not in {*CONDITIONS, detector.energy}:
            yield name, columns[name][:, None]


def _starts(
    energy: NDArray[np.float64],
    columns: dict[str, NDArray[np.float64]],
    pdg: list[int],
    frame: Frame,
) -> dict[str, NDArray[np.float64]]:
    """Momenta, and where particles start that meet the face at x0, y0.  (N,) each"""
    if not pdg:
        raise UsageError("momenta need masses, and the file does not tell its particles: --pdg ID")
    masses = np.array([species_of(number).mass_gev for number in pdg])
    momentum = np.sqrt(energy**2 + 2 * energy * masses)
    px, py, pz = (momentum * along for along in unit_direction(columns))
    none = np.zeros(len(energy))
    face = Flight(energy, px, py, pz, columns.get("x0", none), columns.get("y0", none))
    start = carried(face, none + (frame.start_z_mm - frame.face_z_mm))
    return {
        **{"px": px, "py": py, "pz": pz},
        **{"x0": start.x_mm, "y0": start.y_mm, "z0": none + frame.start_z_mm, "t0": none},
    }


def _pdg(showers: Showers, order: Order) -> list[int]:
    """PDG id of each row; none where nobody tells."""
    if showers.pdg is not None:
        return [int(number) for number in showers.pdg]
    return [] if order.pdg is None else [order.pdg] * len(showers)


def _energy(showers: Showers) -> NDArray[np.float64]:
    detector = showers.detector
    return showers.conditions[:, detector.column(detector.energy or "")]


def _calochallenge(showers: Showers, _: Order) -> Iterator[tuple[str, NDArray[Any]]]:
    """Datasets of the CaloChallenge, by name."""
    yield "incident_energies", _energy(showers)[:, None] * MEV_PER_GEV
    yield "showers", showers.cells * np.float32(MEV_PER_GEV)


WRITERS: dict[Layout, Callable[[Showers, Order], Iterator[tuple[str, NDArray[Any]]]]] = {
    "calogan": _calogan,
    "calochallenge": _calochallenge,
}
