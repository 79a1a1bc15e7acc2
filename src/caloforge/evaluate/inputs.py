"""Inputs of an evaluation: a file, a run, a simulator or plain arrays become comparable showers.

Shapes: N showers, K cells, C conditions.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ConfigDict, ValidationError

from caloforge.data.kinematics import doubts
from caloforge.data.particles import particle_numbers
from caloforge.data.record import cell_type, check_cells, check_conditions
from caloforge.data.samples import showers_path
from caloforge.data.showers import Showers, read
from caloforge.data.split import LEAKY, RowSplit, Split, split_by_particle, split_by_row
from caloforge.detector import Condition, Detector, Layer
from caloforge.detector.features import Feature
from caloforge.detector.readout import by_layer
from caloforge.documents import Record
from caloforge.errors import DataError
from caloforge.evaluate.attributes import Traversal, traverse
from caloforge.evaluate.baselines import bands_of, joined, require_same_detector
from caloforge.evaluate.engine import add_two_sample_metrics, evaluate, steps_of
from caloforge.evaluate.gate.limits import DEFAULT
from caloforge.evaluate.noise_floor import NO_CACHE, FloorCache
from caloforge.evaluate.result import EvaluationResult
from caloforge.io.arrays import whole_numbers
from caloforge.io.files import sha256_of
from caloforge.io.productions import is_production
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import Simulator
from caloforge.simulator.shipped import find_named


def plain_detector(
    name: str,
    layers: Mapping[str, tuple[int, int]],
    conditions: Mapping[str, str],
    *,
    unit: str,
    counts: bool = False,
    cell_mm: tuple[float, float] = (1.0, 1.0),
) -> Detector:
    """A detector from the shapes of its layers and the units of its conditions.

    Channels are the layers. The first condition is the energy that cells add up to, where its
    unit is theirs.

    Args:
        name: Name of the detector.
        layers: Cells along both axes of each layer.
        conditions: Unit of each condition.
        unit: Of the cells.
        counts: Cells hold whole numbers.
        cell_mm: Size of a cell along both axes.

    Example:
        >>> box = plain_detector("box", {"front": (4, 2)}, {"E": "GeV"}, unit="GeV")
        >>> box.cells, box.columns
        (8, ('E',))
    """
    planes = tuple(Layer(name=key, shape=shape, cell_mm=cell_mm) for key, shape in layers.items())
    first = next(iter(conditions), None)
    return Detector(
        name=name,
        title=name,
        quantity="counts" if counts else "energy",
        unit=unit,
        counts=counts,
        layers=planes,
        conditions=tuple(Condition(name=key, unit=value) for key, value in conditions.items()),
        features=tuple(Feature(name=key, kind="value", of=(key,)) for key in conditions),
        channels=(by_layer({p.name: p.cells for p in planes}, "sum of each layer"),),
        energy=first if first is not None and conditions[first] == unit else None,
    )


def showers_of(
    detector: Detector,
    cells: ArrayLike | Mapping[str, NDArray[Any]],
    conditions: ArrayLike,
    particle: Sequence[int] | NDArray[Any] | None = None,
    pdg: Sequence[int] | NDArray[Any] | None = None,
) -> Showers:
    """Showers from plain arrays, rows of one particle together.

    Args:
        detector: Whose showers they are.
        cells: Cells (N, K), (N, nx, ny) or by layer, in the detector's unit.
        conditions: Conditions of each row in the detector's units, (N, C).
        particle: Particle number of each row; default: rows with equal conditions are repeats of
            one particle, (N,).
        pdg: PDG number of each row, (N,).

    Raises:
        DataError: other shapes, values that are not finite, negative cells, or counts and numbers
            of particles that are not whole.

    Example:
        >>> box = plain_detector("box", {"front": (2, 2)}, {"E": "GeV"}, unit="GeV")
        >>> showers_of(box, np.ones((3, 2, 2)), [[1.0], [2.0], [1.0]]).particle
        array([0, 0, 1])
    """
    table = condition_table(detector, conditions)
    flat = detector.join(cells) if isinstance(cells, Mapping) else np.asarray(cells)
    flat = flat.reshape(len(flat), -1)
    if flat.shape != (len(table), detector.cells):
        raise DataError(
            f"cells are {flat.shape}, expected ({len(table)}, {detector.cells}) for {detector.name}"
        )
    check_conditions(detector, table)
    if flat.dtype.kind not in "fiu":
        raise DataError(f"cells are of type {flat.dtype}, not numbers")
    check_cells(detector, flat)
    if detector.counts and flat.dtype.kind == "f" and (flat != np.round(flat)).any():
        raise DataError(f"{detector.name} counts whole {detector.quantity}: round the cells first")
    given = {"particle": particle, "pdg": pdg}
    for name, column in given.items():
        if column is not None and np.shape(column) != (len(table),):
            raise DataError(f"{name} is {np.shape(column)}, expected ({len(table)},), one a row")
    numbers = (
        particle_numbers(table)
        if particle is None
        else whole_numbers(np.asarray(particle), "particle")
    )
    order = np.argsort(numbers, kind="stable")
    return Showers(
        detector,
        flat.astype(cell_type(detector))[order],
        table[order],
        numbers[order],
        None if pdg is None else whole_numbers(np.asarray(pdg), "pdg", np.int32)[order],
    )


def condition_table(detector: Detector, conditions: ArrayLike) -> NDArray[np.float64]:
    """Conditions as a table; one condition may come without its axis.  (N, C)"""
    table = np.asarray(conditions, dtype=np.float64)
    if table.ndim == 1 and len(detector.columns) == 1:
        table = table[:, None]
    if table.ndim != 2 or table.shape[1] != len(detector.columns):
        columns = ", ".join(detector.columns)
        raise DataError(
            f"conditions are {table.shape}, expected (rows, {len(detector.columns)}): {columns}"
        )
    return table


IN_BANDS = (
    "both sides have no particle in common: bands of nearly equal conditions take their place"
)


def matched(real: Showers, generated: Showers) -> tuple[Showers, Showers, tuple[str, ...]]:
    """Both samples with particle numbers that mean the same, and what the reader should know.

    Generated showers with the conditions of a real particle get its number (``caloforge generate``
    numbers every cycle anew). Where no conditions agree, bands of the conditions of both become the
    particles.

    Returns:
        Real showers, generated showers, and warnings.

    Raises:
        DataError: showers of different detectors.

    Example:
        >>> box = plain_detector("box", {"front": (2, 2)}, {"E": "GeV"}, unit="GeV")
        >>> real = showers_of(box, np.ones((2, 4)), [[1.0], [2.0]], particle=[7, 9])
        >>> generated = showers_of(box, np.ones((2, 4)), [[1.0], [2.0]], particle=[0, 1])
        >>> matched(real, generated)[1].particle
        array([7, 9])
    """
    require_same_detector(real, generated)
    number_in_real = _numbers_in_real(real, generated)
    if not number_in_real:
        return (*_banded(real, generated), (IN_BANDS,))
    return real, _renamed(real, generated, number_in_real), ()


def _numbers_in_real(real: Showers, generated: Showers) -> dict[int, int]:
    """By generated particle the real one: of its own number where that agrees, else of its row."""
    (known, conditions), (particles, rows) = (_particles(one) for one in (real, generated))
    place = np.searchsorted(known, particles).clip(max=len(known) - 1)
    close = np.isclose(rows, conditions[place], rtol=1e-5, atol=0).all(axis=1)
    agree = (known[place] == particles) & close
    numbers = {number: number for number in particles[agree].tolist()}
    if agree.all():
        return numbers
    of_row: dict[bytes, deque[int]] = {}
    taken = np.isin(known, particles[agree])
    for index in np.argsort(taken, kind="stable").tolist():
        of_row.setdefault(conditions[index].tobytes(), deque()).append(int(known[index]))
    for index in np.flatnonzero(~agree).tolist():
        if others := of_row.get(rows[index].tobytes()):
            # In turn: a production goes through its particles more than once.
            numbers[int(particles[index])] = others[0]
            others.rotate(-1)
    return numbers


def _renamed(real: Showers, generated: Showers, number_in_real: Mapping[int, int]) -> Showers:
    """Generated showers under the numbers of the real particles, all others under new ones."""
    unknown = set(generated.particle.tolist()) - number_in_real.keys()
    agree = all(number == other for number, other in number_in_real.items())
    if agree and not unknown & set(real.particle.tolist()):
        return generated
    start = 1 + int(max(real.particle.max(), generated.particle.max()))
    names = {**number_in_real, **dict(zip(sorted(unknown), count(start)))}
    return _ordered(generated, np.array([names[one] for one in generated.particle.tolist()]))


def _banded(real: Showers, generated: Showers) -> tuple[Showers, Showers]:
    """Both samples with bands for particles, and the mean conditions of each band."""
    both = joined(real, generated)
    band = bands_of(both)
    numbers = np.bincount(band)
    means = np.stack([np.bincount(band, column) / numbers for column in both.conditions.T], axis=1)
    parts = []
    for showers, own in ((real, band[: len(real)]), (generated, band[len(real) :])):
        parts.append(_ordered(dataclasses.replace(showers, conditions=means[own]), own))
    return parts[0], parts[1]


def _ordered(showers: Showers, particle: NDArray[np.int64]) -> Showers:
    """The showers under other numbers, rows of one particle adjacent."""
    order = np.argsort(particle, kind="stable")
    return dataclasses.replace(showers.rows(order), particle=particle[order])


def _particles(showers: Showers) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers of the particles in rising order, and their conditions.  (P,), (P, C)"""
    numbers, first = np.unique(showers.particle, return_index=True)
    return numbers, showers.conditions[first]


Part = Literal["test", "validation", "train", "all"]


class SplitRecord(Record):
    """How a run divided its showers: the ``data`` part of its recipe."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    validation: float
    test: float
    split: Literal["particle", "row"] = "particle"
    split_seed: int = 0


@dataclass(frozen=True)
class EvaluationInputs:
    """Real and generated showers of the same particles, and what baselines draw from."""

    real: Showers
    generated: Showers
    train: Showers | None
    about: Mapping[str, str]
    """What was evaluated, for the report."""
    warnings: tuple[str, ...] = ()
    simulator: Simulator | None = None
    """What made the generated showers, where it can be asked for more."""

    def traversals(self, seed: int = 0) -> tuple[Traversal, ...]:
        """Each attribute moved at fixed latents; nothing without a simulator."""
        if self.simulator is None:
            return ()
        simulator, rng = self.simulator, np.random.default_rng([seed, 0x7A])
        ranges = simulator.card.training_ranges
        size = simulator.latent_size
        return traverse(simulator.expected, size, simulator.detector, ranges, rng=rng)

    def evaluate(
        self,
        *,
        scheme: str | None = None,
        seed: int = 0,
        gate: str = DEFAULT,
        classifier: str = "default",
        cache: FloorCache = NO_CACHE,
        reporter: Reporter = SILENT,
    ) -> EvaluationResult:
        """Table, two-sample metrics, gate and regions."""
        steps = steps_of(self.real.detector, self.train, classifier)
        with reporter.progress("evaluating", steps, "steps") as advance:
            samples = (self.real, self.generated, self.train)
            result = evaluate(*samples, scheme=scheme, seed=seed, cache=cache, advance=advance)
            result = add_two_sample_metrics(
                result, *samples, gate=gate, classifier=classifier, cache=cache, advance=advance
            )
        return dataclasses.replace(
            result,
            warnings=(*self.warnings, *result.warnings),
            provenance={**self.about, **result.provenance},
        )


def load(
    subject: str | Path,
    against: str | Path,
    *,
    train: str | Path | None = None,
    part: Part | None = None,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> EvaluationInputs:
    """Read what is needed; a simulator is asked for one shower a row of the evaluated particles.

    ``subject`` is a run folder, a simulator (folder or name) or a file of generated showers. A
    simulator that was trained on ``against`` is evaluated on its test particles unless ``part``
    says otherwise, and its training particles feed the baselines. Raises UsageError for a subject
    that is none, DataError for showers that do not fit.
    """
    subject, against = str(subject), showers_path(against)
    if Path(subject).is_file() or is_production(subject):
        return _of_file(Path(subject), against, train)
    folder = find_named(subject, "file, run or simulator")
    simulator = Simulator.load(folder)
    simulator.check()
    showers = read(against, simulator.detector)
    divided = _divided(simulator, showers, against, part)
    division: Part = part or ("all" if divided is None else "test")
    real, training = _parts(showers, divided, division)
    reporter.say(f"{subject}: one shower for each of {len(real)} rows ({division} particles)")
    cells = simulator.generate(real.conditions, seed=seed, outside="ignore")
    return EvaluationInputs(
        real=real,
        generated=dataclasses.replace(real, cells=cells, cpu_seconds=None, overflow=None),
        train=training if train is None else read(train, simulator.detector),
        about={
            "judged": subject,
            "against": f"{against} ({division} particles)",
            "seed": str(seed),
        },
        warnings=(*doubts(real), *((LEAKY,) if isinstance(divided, RowSplit) else ())),
        simulator=simulator,
    )


def _of_file(generated: Path, against: Path, train: str | Path | None) -> EvaluationInputs:
    real = read(against)
    real, generated_showers, warnings = matched(real, read(generated, real.detector))
    return EvaluationInputs(
        real=real,
        generated=generated_showers,
        train=None if train is None else read(train, real.detector),
        about={"judged": str(generated), "against": str(against)},
        warnings=(*doubts(real), *warnings),
    )


def _divided(
    simulator: Simulator, showers: Showers, against: Path, part: Part | None
) -> Split | RowSplit | None:
    """How the run behind a simulator divided these showers; None where it never saw them."""
    recipe = simulator.card.recipe
    train_sha256 = simulator.card.run.data.sha256
    if "data" not in recipe:
        if part in (None, "all"):
            return None
        raise DataError(f"{simulator.folder} does not tell its split: only --part all is possible")
    if part is None and train_sha256 is not None and not _is_file_of(against, train_sha256):
        return None
    try:
        record = SplitRecord.model_validate(recipe["data"])
    except ValidationError as error:
        raise DataError(f"{simulator.folder}: its recipe holds no split ({error.title})") from error
    fractions = (1 - record.validation - record.test, record.validation, record.test)
    if record.split == "row":
        return split_by_row(len(showers), fractions, seed=record.split_seed)
    return split_by_particle(showers.particle, fractions, seed=record.split_seed)


def _is_file_of(showers: Path, sha256: str) -> bool:
    """Whether these are the bytes that a run learned from: a file, never a production's folder."""
    return showers.is_file() and sha256_of(showers) == sha256


def _parts(
    showers: Showers, divided: Split | RowSplit | None, part: Part
) -> tuple[Showers, Showers | None]:
    """The evaluated part, and the training part if there is another one."""
    if divided is None:
        return showers, None
    take = _of_rows if isinstance(divided, RowSplit) else _of_particles
    numbers = {"test": divided.test, "validation": divided.validation, "train": divided.train}
    real = showers if part == "all" else take(showers, numbers[part])
    return real, take(showers, divided.train)


def _of_rows(showers: Showers, rows: NDArray[np.int64]) -> Showers:
    return showers.rows(np.sort(rows))


def _of_particles(showers: Showers, particles: NDArray[np.int64]) -> Showers:
    return showers.of_particles(particles)
