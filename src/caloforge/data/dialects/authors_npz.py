"""The ALICE authors' pair ``data_nonrandom_responses.npz``, ``data_nonrandom_particles.npz``.

Responses (N, nx, ny), particles (N, 9), or with more columns behind the nine conditions: the PDG
id; the PDG id and the photon sum; centre of mass, PDG id and photon sum (reference zdc.md a3).
Columns have no names, so what physics says of them is checked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.data.dialects.dialect import Dialect, Foreign, Request, starts_with
from caloforge.data.dialects.kinematics import oddity
from caloforge.data.dialects.npy import NPY_MAGIC, ZIP_MAGIC, StoredArray
from caloforge.data.dialects.zdc_images import (
    PROVENANCE,
    check_rows,
    checked_conditions,
    checked_pdg,
    counts_of,
    foreign_showers,
    named,
    told_pdg,
    zdc_of_shape,
)
from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError

BEHIND: dict[int, int | None] = {0: None, 1: 0, 2: 0, 4: 2}
"""By how many columns follow the conditions: which of them is the PDG id."""


def _accepts(sources: tuple[Path, ...]) -> bool:
    return len(sources) in (1, 2) and all(
        starts_with(source, ZIP_MAGIC) or starts_with(source, NPY_MAGIC) for source in sources
    )


@contextmanager
def _open(request: Request) -> Iterator[Foreign]:
    responses, particles = _pair(request.sources)
    with named(responses.path):
        detector = zdc_of_shape(responses.shape, request.detector)
    check_rows(responses, particles.path, len(particles))
    with named(particles.path):
        conditions, found = _particles(detector, particles)
        pdg = told_pdg(found, len(conditions), request.pdg)
    with named(responses.path):
        cells = counts_of(responses, detector, request)
    provenance = {**PROVENANCE, "source": f"{responses.path.name}, {particles.path.name}"}
    yield foreign_showers(detector, [cells], conditions, pdg, provenance)


def _pair(sources: tuple[Path, ...]) -> tuple[StoredArray, StoredArray]:
    """Responses and particles, in whatever order they were named, told apart by their axes."""
    if len(sources) == 1:
        sources = (sources[0], _other_of(sources[0]))
    arrays = sorted((StoredArray(source) for source in sources), key=lambda a: -len(a.shape))
    if [len(array.shape) > 2 for array in arrays] != [True, False]:
        shapes = ", ".join(f"{array.path} {array.shape}" for array in arrays)
        raise DataError(f"one array of images and one of particles are needed, not {shapes}")
    return arrays[0], arrays[1]


def _other_of(source: Path) -> Path:
    for mine, other in (("responses", "particles"), ("particles", "responses")):
        candidate = source.with_name(source.name.replace(mine, other))
        if candidate != source and candidate.is_file():
            return candidate
    raise UsageError(f"{source}: name the file of its particles (or of its responses) too")


def _particles(
    detector: Detector, stored: StoredArray
) -> tuple[NDArray[np.float64], NDArray[np.int32] | None]:
    """Conditions (N, C), and PDG ids (N,) where there are any."""
    expected = len(detector.columns)
    behind = stored.shape[1] - expected if len(stored.shape) == 2 else -1
    if behind not in BEHIND:
        widths = ", ".join(str(expected + more) for more in BEHIND)
        raise DataError(f"has shape {stored.shape}, not (N, columns) of {widths} columns")
    table = stored.whole().astype(np.float64)
    conditions = checked_conditions(detector, table[:, :expected])
    if odd := oddity(detector, conditions):
        raise DataError(odd)
    place = BEHIND[behind]
    if place is None:
        return conditions, None
    number = expected + place
    return conditions, checked_pdg(table[:, number], f"column {number + 1}")


AUTHORS_NPZ = Dialect(
    name="authors-npz",
    reads="data_nonrandom_responses.npz with data_nonrandom_particles.npz (ALICE authors)",
    accepts=_accepts,
    open=_open,
    uses=frozenset({"pdg"}),
)
