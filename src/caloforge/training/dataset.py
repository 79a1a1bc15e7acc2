"""The showers of a run: split, scaled by the training part alone, served in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.data.batches import Batches
from caloforge.data.derive import FeatureScaling
from caloforge.data.energy import sampling_fraction
from caloforge.data.samples import showers_path
from caloforge.data.showers import Groups, ShowerFile, Showers, join, read
from caloforge.data.split import split_by_particle, split_by_row
from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.recipe import Data, Recipe
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator.sampling import NegativeBinomial, read_off
from caloforge.training.distributed import DistributedContext

LAW_ROWS = 8192
"""Training showers whose repeats tell how counts are clumped."""
BEGINNING_ROWS = 1024
"""Training showers that networks take their starting values from."""
VALIDATION_ROWS = 4096
"""Scoring more showers would take longer than the steps between two scores."""


@dataclass(frozen=True)
class Dataset:
    """What is learned from and what chooses the best generator; the test part is not here."""

    source: Showers | ShowerFile
    train: NDArray[np.int64]
    """Numbers of the training particles."""
    conditions: NDArray[np.float64]
    """Conditions of the training rows, in physical units.  (N, C)"""
    validation: Showers

    @property
    def provenance(self) -> dict[str, str]:
        """What the showers file says of itself."""
        return {key: str(value) for key, value in self.source.provenance.items()}

    @property
    def species(self) -> list[int]:
        """PDG numbers of the training particles, where the showers tell them."""
        pdg = self.source.pdg
        if pdg is None:
            return []
        rows = self.source.groups().select(self.train).row_index()
        return sorted(set(np.asarray(pdg)[rows].tolist()))

    def batches(self, recipe: Recipe, context: DistributedContext) -> Batches:
        """The batches of this process."""
        data = recipe.data
        return Batches(
            self.source,
            self.train,
            seed=recipe.seed,
            particles=data.particles,
            repeats=data.repeats,
            needs=recipe.objective.needs,
            symmetries=data.symmetries,
            spread_scale=data.spread_scale,
            spread_relative=data.spread_relative,
            showers_per_particle=data.showers_per_particle,
            buffer_rows=data.buffer_rows,
            rank=context.rank,
            world=context.world,
        )

    def scaling(self, recipe: Recipe) -> FeatureScaling:
        """Scaling of the features that the generator asks for."""
        generator = recipe.generator
        return FeatureScaling.fit(
            recipe.resolve(), self.conditions, generator.features, generator.attributes
        )

    def detector(self, recipe: Recipe) -> Detector:
        """The detector with the sampling fraction that the showers file tells, if it tells one."""
        detector = recipe.resolve()
        fraction = sampling_fraction(detector, self.source.provenance)
        return detector.model_copy(update={"sampling_fraction": fraction})

    def law(self, recipe: Recipe, reporter: Reporter = SILENT) -> NegativeBinomial | None:
        """The law of counts that repeats show, where the recipe leaves it to them, else None.

        None and a warning where there are too few repeats.
        """
        detector = recipe.resolve()
        if recipe.sampling != "negative-binomial" or not detector.counts:
            return None
        some = self.first(LAW_ROWS)
        try:
            return read_off(detector, some.cells, some.particle)
        except UsageError as error:
            reporter.warn(f"counts follow Poisson's law: {error}")
            return None

    def first(self, rows: int = BEGINNING_ROWS) -> Showers:
        """Some training showers: the same ones in each process and whenever a run goes on."""
        training = self.source.groups().select(self.train)
        return rows_of(self.source, training.row_index()[:rows])


def divide(file: ShowerFile, data: Data) -> Dataset:
    """Split an open file as the recipe says; it is held in memory if it fits the buffer."""
    if data.split == "row":
        return _by_row(file, data)
    split = split_by_particle(file.groups().ids, _fractions(data), seed=data.split_seed)
    source, train = _joined(file, split.train, data)
    train = at_most(train, data.training_particles, data.split_seed)
    training = source.groups().select(train).at_most(data.showers_per_particle)
    choosing = some(source.groups().select(split.validation), VALIDATION_ROWS, data.split_seed)
    return Dataset(
        source,
        train,
        source.conditions[training.row_index()],
        rows_of(source, choosing.row_index()),
    )


def at_most(particles: NDArray[np.int64], number: int | None, seed: int) -> NDArray[np.int64]:
    """So many of the particles at random, in their order; a larger number keeps those of a smaller.

    (P,) -> (number,)
    """
    order = np.random.default_rng([seed, 0x7A21]).permutation(len(particles))
    return particles[np.sort(order[:number])]


def _joined(
    file: ShowerFile, train: NDArray[np.int64], data: Data
) -> tuple[Showers | ShowerFile, NDArray[np.int64]]:
    """The file, with what joins its training part, and the numbers of all training particles."""
    others = [read(showers_path(name), file.detector) for name in data.training_files]
    rows = len(file) + sum(len(one) for one in others)
    if rows <= data.buffer_rows:
        first = file.rows(0, len(file))
        others = numbered_apart(first, others)
        whole = join([first, *others])
        return whole, np.concatenate([train, *(one.groups().ids for one in others)])
    if others:
        raise UsageError(f"data.training_files needs data.buffer_rows >= {rows}")
    return file, train


def numbered_apart(first: Showers, others: Sequence[Showers]) -> list[Showers]:
    """The others, with new particle numbers where two files number different particles alike.

    Particles of one number and of the same conditions keep it: ``join`` refuses them.
    """
    apart, showers = [], first
    for other in others:
        conditions_of = {number: showers.conditions[row] for number, row in _first_rows(showers)}
        alike = [
            (conditions_of[n], other.conditions[row])
            for n, row in _first_rows(other)
            if n in conditions_of
        ]
        if alike and not any(np.array_equal(one, two) for one, two in alike):
            start = showers.particle.max() + 1 - other.particle.min()
            other = replace(other, particle=other.particle + start)
        apart.append(other)
        showers = other if len(apart) == len(others) else join([showers, other])
    return apart


def _first_rows(showers: Showers) -> Iterator[tuple[int, int]]:
    """Number and first row of each particle."""
    groups = showers.groups()
    return zip(groups.ids.tolist(), groups.starts.tolist(), strict=True)


def _by_row(file: ShowerFile, data: Data) -> Dataset:
    if len(file) > data.buffer_rows:
        raise UsageError(f"a split by row needs data.buffer_rows >= {len(file)}")
    if data.training_files:
        raise UsageError("data.training_files needs data.split=particle")
    showers = file.rows(0, len(file))
    split = split_by_row(len(showers), _fractions(data), seed=data.split_seed)
    train, rest = showers.rows(split.train), showers.rows(split.validation)
    choosing = some(rest.groups(), VALIDATION_ROWS, data.split_seed).row_index()
    return Dataset(train, train.groups().ids, train.conditions, rest.rows(choosing))


def some(groups: Groups, rows: int, seed: int) -> Groups:
    """Random particles that have at most so many rows together, in the order of the file."""
    order = np.random.default_rng([seed, 0x5C0E]).permutation(len(groups))
    fit = np.cumsum(groups.counts[order]) <= rows
    fit[0] = True
    return groups.take(np.sort(order[fit]))


def _fractions(data: Data) -> tuple[float, float, float]:
    train = 1 - data.validation - data.test
    if train <= 0:
        raise UsageError(f"data.validation + data.test is {1 - train:g}: nothing is left to train")
    return (train, data.validation, data.test)


def rows_of(source: Showers | ShowerFile, index: NDArray[Any]) -> Showers:
    """Some rows, in rising order, of showers in memory or in a file, which is read in ranges."""
    if isinstance(source, Showers):
        return source.rows(index)
    parts = [source.rows(start, stop) for start, stop in _runs(index)]
    return Showers(
        source.detector,
        np.concatenate([part.cells for part in parts]),
        source.conditions[index],
        source.particle[index],
        provenance=source.provenance,
    )


def _runs(index: NDArray[Any]) -> list[tuple[int, int]]:
    """Ranges of neighbouring numbers."""
    starts = np.flatnonzero(np.diff(index, prepend=-2) != 1)
    stops = np.append(starts[1:], len(index)) - 1
    return [(int(a), int(b) + 1) for a, b in zip(index[starts], index[stops], strict=True)]


def size_line(batches: Batches, dataset: Dataset) -> str:
    """What is trained on, for the log."""
    exclusions = f" ({batches.left_out} left out: single showers)" if batches.left_out else ""
    pairs = batches.generated_pairs_per_particle
    return (
        f"training on {len(dataset.train) - batches.left_out} particles{exclusions}, "
        f"{len(dataset.conditions)} showers; batches of {batches.particles} x {batches.repeats}: "
        f"{pairs} generated pairs per particle; "
        f"{len(dataset.validation)} showers choose the best generator"
    )
