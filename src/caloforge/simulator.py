"""Conditions in physical units in, showers in physical units out; needs no torch.

Shapes: N showers, K cells, Z latents, C conditions. A simulator is a folder: ``generator.onnx``
(scaling inside), ``simulator.json`` (the card) and ``reference.npz`` (sixteen stored answers).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from caloforge.detector import Detector
from caloforge.engines import INPUTS, OUTPUT, Engine, engine_of_name, require_ports
from caloforge.errors import DataError, UsageError
from caloforge.onnx_graph import read_facts, refuse_foreign
from caloforge.reference import RELATIVE_TOLERANCE, Reference, read_reference
from caloforge.sampling import (
    BATCH,
    BLOCK,
    DRAWN_ROWS,
    Sampling,
    block_streams,
    draw_counts,
    draw_latents,
)

FORMAT: Literal["caloforge-simulator"] = "caloforge-simulator"
VERSION: Literal[1] = 1
GRAPH, CARD, REFERENCE = "generator.onnx", "simulator.json", "reference.npz"
LARGEST_CARD_BYTES = 16 * 2**20
LARGEST_GRAPH_BYTES = 2**31 - 1
ROWS_ALIGNED = 16
"""Runs are padded to a multiple of this: the last bits of a row else depend on its batch."""


class SimulatorCard(BaseModel):
    """What simulator.json says: all that a user of the graph has to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["caloforge-simulator"] = FORMAT
    version: Literal[1] = VERSION
    detector: Detector
    latent_size: int = Field(ge=1, le=65536)
    latent_law: Literal["normal"] = "normal"
    sampling: Sampling
    training_ranges: dict[str, tuple[float, float]]
    """Smallest and largest value of each condition that the generator was trained on."""
    recipe: dict[str, Any]
    generator_sha256: str
    caloforge_version: str
    provenance: dict[str, str] = {}
    """Of the training data: engine, source, licence."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if set(self.training_ranges) != set(self.detector.columns):
            raise ValueError(f"training_ranges must name {list(self.detector.columns)}")
        if self.detector.counts == (self.sampling == "continuous"):
            raise ValueError(f"sampling {self.sampling} does not fit {self.detector.name}")
        return self


@dataclass(frozen=True)
class Simulator:
    """A loaded simulator; showers depend on the seed and their number only."""

    card: SimulatorCard
    engine: Engine
    folder: Path

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1, engine: str = "onnxruntime") -> Simulator:
        """Load a simulator folder; nothing in it is executed but standard ONNX operators.

        Raises DataError for a folder that is none, damaged, newer, or that wants more than that.
        """
        card = read_card(folder / CARD)
        path = folder / GRAPH
        model = _read(path, LARGEST_GRAPH_BYTES)
        if hashlib.sha256(model).hexdigest() != card.generator_sha256:
            raise DataError(f"{path} is not the file that {CARD} describes (checksum differs)")
        refuse_foreign(read_facts(model, str(path)), str(path))
        loaded = engine_of_name(engine)(model, threads, str(path))
        sizes = (card.latent_size, len(card.detector.conditions), card.detector.cells)
        require_ports(loaded, dict(zip((*INPUTS, OUTPUT), sizes, strict=True)), str(path))
        return cls(card=card, engine=loaded, folder=folder)

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
        stored = self.reference
        difference = stored.difference(self.expected(stored.latent, stored.conditions))
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
        self, conditions: NDArray[Any], *, seed: int = 0, batch: int = BATCH
    ) -> NDArray[Any]:
        """One shower a row of physical conditions: uint16 counts or float32.  (N, C) -> (N, K)

        Raises DataError for a wrong number of columns and for values that are not finite.
        """
        conditions = self.require_conditions(conditions)
        kind = np.float32 if self.sampling == "continuous" else np.uint16
        cells = np.empty((len(conditions), self.detector.cells), dtype=kind)
        for rows, drawn in self.batches(conditions, range(len(cells)), seed=seed, batch=batch):
            cells[rows.start : rows.stop] = drawn
        return cells

    def batches(
        self, conditions: NDArray[Any], showers: range, *, seed: int, batch: int = BATCH
    ) -> Iterator[tuple[range, NDArray[Any]]]:
        """Showers of these numbers, some at a time; the conditions are cycled over.  (N, K) each

        ``showers`` starts at a multiple of BLOCK, so that shards of a production can be made apart.
        ``batch`` is what the network gets at once; counts are drawn of several batches together.
        """
        if not 1 <= batch <= BLOCK or showers.start % BLOCK:
            raise UsageError(f"a batch has 1 to {BLOCK} showers, not {batch}")
        for first in range(showers.start, showers.stop, BLOCK):
            latent_stream, count_stream = block_streams(seed, first // BLOCK)
            latents = draw_latents(latent_stream, BLOCK, self.latent_size)
            stop = min(first + BLOCK, showers.stop)
            together = max(1, DRAWN_ROWS // batch) * batch
            for start in range(first, stop, together):
                rows = range(start, min(start + together, stop))
                known = conditions[np.arange(rows.start, rows.stop) % len(conditions)]
                rates = self._in_batches(latents[start - first :], known, batch)
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

    def outside(self, conditions: NDArray[Any]) -> dict[str, int]:
        """Number of rows outside the training range, of each condition that has some."""
        counts = {}
        for number, name in enumerate(self.detector.columns):
            low, high = self.card.training_ranges[name]
            slack = 1e-6 * max(abs(low), abs(high))
            values = conditions[:, number]
            counts[name] = int(((values < low - slack) | (values > high + slack)).sum())
        return {name: count for name, count in counts.items() if count}


def read_card(path: Path) -> SimulatorCard:
    """The card of a simulator; DataError names what is wrong with it, a newer version by number."""
    try:
        record = json.loads(_read(path, LARGEST_CARD_BYTES))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise DataError(f"{path} describes no simulator (format is not {FORMAT})")
    if record.get("version") != VERSION:
        raise DataError(
            f"{path} has {FORMAT} version {record.get('version')!r}; this caloforge reads "
            f"{VERSION}: update caloforge or export again"
        )
    try:
        return SimulatorCard.model_validate_json(json.dumps(record))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "card"
        raise DataError(f"{path}: {place}: {first['msg']}") from error


def _read(path: Path, limit: int) -> bytes:
    """Bytes of a file of a simulator, refused above a size that none has."""
    try:
        if path.stat().st_size > limit:
            raise DataError(f"{path} is larger than {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


__all__ = ["Simulator", "SimulatorCard", "read_card"]
