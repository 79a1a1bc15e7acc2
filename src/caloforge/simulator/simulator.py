"""Conditions in physical units in, showers in physical units out; needs no torch.

Shapes: N showers, K cells, Z latents, C conditions. A simulator is a folder: ``generator.onnx``
(scaling inside), ``simulator.json`` (the card) and ``reference.npz`` (sixteen stored answers).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from caloforge.detector import Detector
from caloforge.documents import read_bytes
from caloforge.errors import DataError, UsageError
from caloforge.simulator.card import CARD, GRAPH, REFERENCE, SimulatorCard, read_card
from caloforge.simulator.domain import Domain
from caloforge.simulator.engines import INPUTS, OUTPUT, Engine, engine_of_name, require_ports
from caloforge.simulator.onnx_safety import read_facts, refuse_foreign
from caloforge.simulator.reference import RELATIVE_TOLERANCE, Reference, read_reference
from caloforge.simulator.sampling import (
    BATCH,
    BLOCK,
    DRAWN_ROWS,
    Sampling,
    block_streams,
    draw_counts,
    draw_latents,
)
from caloforge.simulator.shipped import find_simulator

LARGEST_GRAPH_BYTES = 2**31 - 1
LIMITED = "onnxruntime"
"""The engine whose first run has limits of memory and time; others get what has passed them."""
ROWS_ALIGNED = 16
"""Runs are padded to a multiple of this: the last bits of a row else depend on its batch."""


class OutsideDomain(UserWarning):
    """Showers of particles that the simulator was not trained for."""


@dataclass(frozen=True)
class Simulator:
    """A loaded simulator; showers depend on the seed and their number only."""

    card: SimulatorCard
    engine: Engine
    folder: Path

    @classmethod
    def load(
        cls, source: str | Path, *, threads: int = 1, engine: str = "onnxruntime"
    ) -> Simulator:
        """Load a simulator; nothing in it is executed but standard ONNX operators.

        Args:
            source: a simulator's folder, a run's folder, or the name of a shipped simulator.
            threads: threads of one run of the network.
            engine: ``onnxruntime`` or, where it is installed, ``openvino``.

        Raises:
            UsageError: where there is no simulator.
            DataError: for one that is damaged, newer, or that wants more than standard operators.

        Example:
            >>> Simulator.load("alice_zn").detector.name
            'alice_zn'
        """
        folder = find_simulator(source)
        card = read_card(folder / CARD)
        path = folder / GRAPH
        model = read_bytes(path, largest_bytes=LARGEST_GRAPH_BYTES)
        if hashlib.sha256(model).hexdigest() != card.generator_sha256:
            raise DataError(f"{path} is not the file that {CARD} describes (checksum differs)")
        refuse_foreign(read_facts(model, str(path)), str(path))
        if engine != LIMITED:
            cls.load(folder)
        runtime = engine_of_name(engine)(model, threads, str(path))
        sizes = (card.latent_size, len(card.detector.conditions), card.detector.cells)
        require_ports(runtime, dict(zip((*INPUTS, OUTPUT), sizes, strict=True)), str(path))
        simulator = cls(card=card, engine=runtime, folder=folder)
        simulator.expected(*simulator.first_inputs())
        return simulator

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as where it lies: another process loads, and checks, it again."""
        engine = self.engine.name.partition(" ")[0].lower()
        return load_again, (str(self.folder.resolve()), self.engine.threads, engine)

    def first_inputs(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Latents and conditions that are tried when it is loaded.  (64, Z), (64, C)

        As many as the network usually gets at once: what they need is what a run will need.
        """
        ranges = [self.card.training_ranges[name] for name in self.detector.columns]
        middle = np.array([(low + high) / 2 for low, high in ranges], dtype=np.float32)
        latents = np.zeros((BATCH, self.latent_size), dtype=np.float32)
        return latents, np.tile(middle, (BATCH, 1))

    @property
    def detector(self) -> Detector:
        """The detector whose showers it makes."""
        return self.card.detector

    @property
    def latent_size(self) -> int:
        """Number of latents Z."""
        return self.card.latent_size

    @property
    def sampling(self) -> Sampling:
        """How expected cells become cells."""
        return self.card.sampling

    @cached_property
    def reference(self) -> Reference:
        """The stored triples.  (16, Z), (16, C), (16, K)"""
        sizes = (self.latent_size, len(self.detector.conditions), self.detector.cells)
        return read_reference(self.folder / REFERENCE, *sizes)

    def check(self) -> float:
        """Largest deviation from the stored triples, as a share of the largest expected cell.

        Raises DataError when this runtime does not compute what was exported.
        """
        reference = self.reference
        difference = reference.difference(self.expected(reference.latent, reference.conditions))
        if not difference <= RELATIVE_TOLERANCE:
            raise DataError(
                f"{self.folder}: {self.engine.name} deviates by {difference:.1e} of the largest "
                f"cell from the stored answers (allowed {RELATIVE_TOLERANCE:.0e})"
            )
        return difference

    def expected(
        self, latents: NDArray[np.float32], conditions: NDArray[Any]
    ) -> NDArray[np.float32]:
        """Expected cells of one batch, in the detector's unit.  (N, Z), (N, C) -> (N, K)"""
        rows = len(latents)
        padding = ((0, -rows % ROWS_ALIGNED), (0, 0))
        feed = [np.pad(part, padding, mode="edge") for part in (latents, conditions)]
        showers = self.engine.run(feed[0], feed[1].astype(np.float32, copy=False))
        if showers.shape != (len(feed[0]), self.detector.cells):
            raise DataError(
                f"{self.folder}: the graph answers {len(feed[0])} rows by {showers.shape}"
            )
        return showers[:rows]

    def generate(
        self,
        conditions: NDArray[Any],
        *,
        seed: int = 0,
        batch: int = BATCH,
        outside: Literal["warn", "ignore", "clamp", "strict"] = "warn",
    ) -> NDArray[Any]:
        """One shower a row of physical conditions: uint16 counts or float32.  (N, C) -> (N, K)

        Args:
            conditions: in the columns and units of the detector, (N, C).
            seed: of latents and counts. A shower depends on it and on its row number only.
            batch: rows that the network gets at once; it changes no shower.
            outside: what happens to particles that the simulator was not trained for.

        Raises:
            UsageError: for a batch or a seed that cannot be.
            DataError: for a wrong number of columns, values that are not finite, and, if
                ``strict``, particles outside the domain.

        Example:
            >>> from caloforge import Simulator, read
            >>> from caloforge.data.samples import sample_path
            >>> real = read(sample_path("alice_zn")).rows(slice(4))
            >>> Simulator.load("alice_zn").generate(real.conditions, seed=1).shape
            (4, 1936)
        """
        conditions = self._allowed(self.require_conditions(conditions), outside)
        kind = np.float32 if self.sampling == "continuous" else np.uint16
        cells = np.empty((len(conditions), self.detector.cells), dtype=kind)
        for rows, block in self.batches(conditions, range(len(cells)), seed=seed, batch=batch):
            cells[rows.start : rows.stop] = block
        return cells

    def _allowed(self, conditions: NDArray[Any], outside: str) -> NDArray[Any]:
        """The conditions, after what is asked for those outside the domain.  (N, C)"""
        if outside == "clamp":
            return self.domain.clamped(conditions)
        if outside == "ignore" or not (counts := self.outside(conditions)):
            return conditions
        text = self.domain.text(counts, len(conditions))
        if outside == "strict":
            raise DataError(text)
        warnings.warn(text, OutsideDomain, stacklevel=3)
        return conditions

    def batches(
        self, conditions: NDArray[Any], showers: range, *, seed: int, batch: int = BATCH
    ) -> Iterator[tuple[range, NDArray[Any]]]:
        """Showers of these numbers, some at a time; the conditions are cycled over.  (N, K) each

        ``showers`` starts at a multiple of BLOCK, so that shards of a production can be made apart.
        ``batch`` is what the network gets at once; counts are drawn of several batches together.
        Raises UsageError for another start, batch or seed.
        """
        if not 1 <= batch <= BLOCK:
            raise UsageError(f"a batch has 1 to {BLOCK} showers, not {batch}")
        if showers.start % BLOCK:
            raise UsageError(f"showers start at a multiple of {BLOCK}, not at {showers.start}")
        for first in range(showers.start, showers.stop, BLOCK):
            latent_stream, count_stream = block_streams(seed, first // BLOCK)
            latents = draw_latents(latent_stream, BLOCK, self.latent_size)
            stop = min(first + BLOCK, showers.stop)
            together = max(1, DRAWN_ROWS // batch) * batch
            for start in range(first, stop, together):
                rows = range(start, min(start + together, stop))
                block_conditions = conditions[np.arange(rows.start, rows.stop) % len(conditions)]
                rates = self._in_batches(latents[start - first :], block_conditions, batch)
                yield rows, draw_counts(rates, self.sampling, count_stream)

    def _in_batches(
        self, latents: NDArray[np.float32], conditions: NDArray[Any], batch: int
    ) -> NDArray[np.float32]:
        """Expected cells of all conditions, some at a time.  (>= N, Z), (N, C) -> (N, K)"""
        rates = np.empty((len(conditions), self.detector.cells), dtype=np.float32)
        for start in range(0, len(rates), batch):
            part = slice(start, min(start + batch, len(rates)))
            rates[part] = self.expected(latents[part], conditions[part])
        return rates

    def require_conditions(self, conditions: NDArray[Any]) -> NDArray[Any]:
        """The conditions, if they are a finite table of this detector.  (N, C)"""
        columns = self.detector.columns
        if conditions.ndim != 2 or conditions.shape[1] != len(columns):
            raise DataError(f"conditions are {conditions.shape}, not (N, {len(columns)})")
        bad = np.argwhere(~(np.abs(conditions) <= np.finfo(np.float32).max))
        if len(bad):
            row, column = bad[0]
            raise DataError(
                f"{len(bad)} conditions are not finite, first {columns[column]} of row {row}"
            )
        return conditions

    @cached_property
    def domain(self) -> Domain:
        """Which particles it can be asked for."""
        return Domain(self.card)

    def outside(self, conditions: NDArray[Any]) -> dict[str, int]:
        """Number of particles that break each rule of the domain, if any does."""
        return self.domain.counts(conditions)


def load_again(folder: str, threads: int, engine: str) -> Simulator:
    """A simulator that was pickled."""
    return Simulator.load(folder, threads=threads, engine=engine)
