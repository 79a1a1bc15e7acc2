"""Images that AliceO2 records of its own transport: ``ZDCSimParam.recordSpatialResponse=true``.

Branch ``ZDCResponseImage`` of tree ``o2sim``: of each event a vector of pair<TParticle, pair<image
of ZN, image of ZP>>, an image being a SpatialPhotonResponse whose mImageData[x][y] counts photons
(AliceO2 ZDCSimulation/Detector.h). O2 keeps pairs of which one image has
light, so rows of the other detector may be empty. Reading needs uproot (extra ``root``).

A member is taken from its own branch where ROOT has split the vector (its default, which O2 leaves
as it is), else from the objects of the branch that holds it. GetMass() is fCalcMass of TParticle;
the charge follows from the PDG id.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.detectors import FACTS, facts_of
from caloforge.detectors.species import MEV_PER_GEV
from caloforge.errors import DataError, UsageError
from caloforge.formats.alice import checked_conditions, checked_pdg, foreign_showers
from caloforge.formats.file_format import ConversionRequest, FileFormat, ForeignShowers, starts_with
from caloforge.io.reading import reading
from caloforge.io.root import ROOT_MAGIC, open_root

BRANCH = "ZDCResponseImage"
MEMBERS = {
    "Energy": "fE",
    "Vx": "fVx",
    "Vy": "fVy",
    "Vz": "fVz",
    "Px": "fPx",
    "Py": "fPy",
    "Pz": "fPz",
    "mass": "fCalcMass",
}
"""Members of TParticle by condition; all in our units but the mass, which is in GeV."""
EVENTS_AT_ONCE = 64
Part = tuple[NDArray[np.uint16], NDArray[np.float64], NDArray[np.int32]]
"""Cells (N, K), conditions (N, C) and PDG ids (N,) of a range of events."""
PROVENANCE = {
    "engine": "AliceO2 transport with recordSpatialResponse, version not recorded",
    "licence": "not recorded",
}


def _accepts(sources: tuple[Path, ...]) -> bool:
    return all(starts_with(source, ROOT_MAGIC) for source in sources)


@contextmanager
def _open(request: ConversionRequest) -> Iterator[ForeignShowers]:
    first = request.sources[0]
    detector = request.detector
    if detector is None or facts_of(detector).alice is None:
        names = " or ".join(name for name, facts in FACTS.items() if facts.alice)
        raise UsageError(f"{first} may hold images of both calorimeters: name --detector {names}")
    if request.values == "log1p":
        raise UsageError(f"{first} holds whole counts; --values log1p is for npz files and pickles")
    parts = [part for path in request.sources for part in _parts(path, detector)]
    cells, conditions, pdg = (list(columns) for columns in zip(*parts, strict=True))
    provenance = {**PROVENANCE, "source": ", ".join(path.name for path in request.sources)}
    yield foreign_showers(
        detector, cells, np.concatenate(conditions), np.concatenate(pdg), provenance
    )


def _parts(path: Path, detector: Detector) -> list[Part]:
    """All particles of a file; DataError when it holds none."""
    with reading(path), open_root(path) as file:
        tree = _tree(file)
        parts = [
            _events(tree, detector, start, start + EVENTS_AT_ONCE)
            for start in range(0, tree.num_entries, EVENTS_AT_ONCE)
        ]
        if not parts:
            raise DataError("holds no events")
        if not any(len(cells) for cells, _, _ in parts):
            raise DataError(f"holds no particle in {BRANCH}")
        for _, conditions, _ in parts:
            checked_conditions(detector, conditions)
    return parts


def _tree(file: Any) -> Any:
    """The tree that has the branch; DataError naming the trees when none has."""
    names = file.keys(recursive=True, filter_classname=["TTree", "ROOT::RNTuple"], cycle=False)
    for name in names:
        if any(_is_of_branch(key) for key in file[name].keys()):  # noqa: SIM118 - no mapping
            return file[name]
    there = ", ".join(names) or "no tree"
    raise DataError(f"no tree has a branch {BRANCH}; there is {there}")


def _is_of_branch(key: str) -> bool:
    return key.rstrip(".") == BRANCH or key.startswith((f"{BRANCH}.", f"{BRANCH}/"))


def _events(tree: Any, detector: Detector, start: int, stop: int) -> Part:
    """Cells (N, K), conditions (N, C) and PDG ids (N,) of a range of events."""
    arrays = {
        name: _member(tree, ("first", member), start, stop) for name, member in MEMBERS.items()
    }
    pdg = checked_pdg(_flat(_member(tree, ("first", "fPdgCode"), start, stop)), "fPdgCode")
    columns = {name: _flat(values).astype(np.float64) for name, values in arrays.items()}
    columns["mass"] = columns["mass"] * MEV_PER_GEV
    columns["charge"] = _charges(pdg)
    conditions = np.column_stack([columns[name] for name in detector.columns])
    alice = facts_of(detector).alice
    assert alice is not None  # asked for when the file was opened
    place = ("second", alice.o2_image, "mImageData")
    return _cells(_member(tree, place, start, stop), detector, len(pdg)), conditions, pdg


def _member(tree: Any, path: tuple[str, ...], start: int, stop: int) -> Any:
    """A member of every particle, as nested lists of events.

    Raises DataError when neither a branch nor an object of the file has it.
    """
    keys = {key.rstrip(".").rpartition("/")[2]: key for key in tree.keys()}  # noqa: SIM118
    for depth in range(len(path), -1, -1):
        if (name := ".".join((BRANCH, *path[:depth]))) not in keys:
            continue
        if path[0] == "second" and 0 < depth < len(path):
            raise DataError(
                f"images are objects of the split vector ({name}, split level 1 or 2), which "
                "uproot misreads: write the tree with ROOT's default split level, 99"
            )
        array = _array(tree[keys[name]], start, stop)
        for field in path[depth:]:
            if field not in array.fields:
                has = ", ".join(array.fields) or "no members"
                raise DataError(f"{name} has no member {field}; it has {has:.200}")
            array = array[field]
        return array
    raise DataError(f"no branch holds {'.'.join((BRANCH, *path))}")


def _array(branch: Any, start: int, stop: int) -> Any:
    """Values of some events; vectors of vectors, too, for which uproot has no rule once split."""
    from uproot.containers import AsArray, AsVector
    from uproot.interpretation.identify import UnknownInterpretation
    from uproot.interpretation.objects import AsObjects

    if not isinstance(getattr(branch, "interpretation", None), UnknownInterpretation):
        return branch.array(entry_start=start, entry_stop=stop)
    owner, member = branch.member("fClassName"), branch.name.rpartition(".")[2]
    types = {part.name: part.typename for part in branch.file.streamer_named(owner).elements}
    if (kind := types.get(member, "unknown").replace(" ", "")) != "vector<vector<int>>":
        raise DataError(f"{member} of {owner} is of type {kind}, not vector<vector<int>>")
    rows = AsVector(False, AsVector(False, np.dtype(">i4")))
    interpretation = AsObjects(AsArray(True, False, rows), branch)
    return branch.array(interpretation, entry_start=start, entry_stop=stop)


def _flat(values: Any) -> NDArray[Any]:
    """One number a particle.  (N,)"""
    import awkward

    return np.asarray(awkward.to_numpy(awkward.flatten(values, axis=None)))


def _cells(images: Any, detector: Detector, rows: int) -> NDArray[np.uint16]:
    """Counts of nested lists [x][y], or of one list of all pixels in that order.  (N, K)"""
    import awkward

    shape = detector.layers[0].shape
    if images.ndim == 4:
        for axis, length in ((2, shape[0]), (3, shape[1])):
            lengths = _flat(awkward.num(images, axis=axis))
            if (lengths != length).any():
                raise DataError(f"images have {lengths[lengths != length][0]} pixels, not {length}")
    counts = _flat(images)
    if len(counts) != rows * detector.cells:
        raise DataError(f"{rows} particles have {len(counts)} pixels, not {detector.cells} each")
    if len(counts) and (counts.min() < 0 or counts.max() > np.iinfo(np.uint16).max):
        raise DataError("a pixel is negative or above 65535")
    return counts.astype(np.uint16).reshape(rows, detector.cells)


def _charges(pdg: NDArray[np.int32]) -> NDArray[np.float64]:
    """Charge in units of e, ions included.  (N,)"""
    from particle import PDGID

    kinds, inverse = np.unique(pdg, return_inverse=True)
    charges = [PDGID(int(kind)).charge for kind in kinds]
    if None in charges:
        raise DataError(f"PDG id {kinds[charges.index(None)]} has no known charge")
    return np.array(charges, dtype=np.float64)[inverse]


O2_IMAGES = FileFormat(
    name="o2-images",
    reads="ROOT files of AliceO2 with a branch ZDCResponseImage",
    accepts=_accepts,
    open=_open,
)
