"""What a production is to make: fixed when it begins, written into its manifest, never changed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from caloforge.detector import Detector
from caloforge.errors import DataError, UsageError
from caloforge.production.output import Output
from caloforge.production.particles import Particles, Source, Spectrum
from caloforge.simulator import Simulator
from caloforge.simulator.sampling import BATCH, BLOCK


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourcePlan(Frozen):
    """Which particles are showered."""

    kind: Literal["file", "spectrum"]
    name: str
    """Absolute path of the file, or name of the spectrum."""

    def open(self, detector: Detector, seed: int) -> Source:
        """The particles themselves; raises as they do."""
        if self.kind == "spectrum":
            return Spectrum(self.name, detector, seed)
        return Particles.like(Path(self.name), detector)


class Settings(Frozen):
    """How the network runs: what may change the last bits of an expected cell."""

    engine: str = "onnxruntime"
    threads: int = Field(default=1, ge=1)
    batch: int = Field(default=BATCH, ge=1, le=BLOCK)


class Plan(Frozen):
    """All that decides a production's arrays; two productions of equal plans are equal."""

    simulator: str
    """Its folder; ``generator_sha256`` tells whether it is still the same one."""
    generator_sha256: str
    source: SourcePlan
    source_fingerprint: str
    showers: int = Field(ge=1)
    seed: int = Field(ge=0)
    shard_showers: int = Field(ge=BLOCK, multiple_of=BLOCK)
    output: Output
    strict: bool = False
    settings: Settings
    engine_version: str
    cpu_flags: tuple[str, ...]
    """Of the processor that began the production."""

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.showers // self.shard_showers)

    def rows(self, shard: int) -> range:
        """Numbers of a shard's showers."""
        start = shard * self.shard_showers
        return range(start, min(start + self.shard_showers, self.showers))

    def file_name(self, shard: int) -> str:
        """Name of a shard's file."""
        what = "showers" if self.output.images else "channels"
        return f"{what}-{shard:05d}-of-{self.shards:05d}{self.output.suffix}"

    def load(self) -> tuple[Simulator, Source]:
        """Simulator and particles; DataError when either is another one than was begun with."""
        simulator = Simulator.load(
            Path(self.simulator), threads=self.settings.threads, engine=self.settings.engine
        )
        if simulator.card.generator_sha256 != self.generator_sha256:
            raise DataError(
                f"{self.simulator} is another simulator than this production began with"
            )
        source = self.source.open(simulator.detector, self.seed)
        if source.fingerprint != self.source_fingerprint:
            raise DataError(
                f"{source.source} gives other particles than this production began with"
            )
        return simulator, source

    def require_same(self, begun: Plan, where: Path) -> None:
        """Raise UsageError when a folder was begun by another plan."""
        for name in DECIDES:
            mine, theirs = getattr(self, name), getattr(begun, name)
            if mine != theirs:
                raise UsageError(
                    f"{where} was begun with {name.replace('_', ' ')} {_short(theirs)}, not "
                    f"{_short(mine)}; the same options go on, --force starts anew"
                )


DECIDES = (
    "generator_sha256",
    "source_fingerprint",
    "showers",
    "seed",
    "shard_showers",
    "output",
    "strict",
    "settings",
)
"""What must agree to go on; paths may change, and another processor is only noted."""


def _short(value: object) -> str:
    return str(value) if not isinstance(value, str) else value[:12]


def shard_showers(showers: int, shards: int | None, size: int | None) -> int:
    """Showers of a shard, a whole number of blocks, from how many shards or how large they are."""
    if shards is not None and size is not None:
        raise UsageError("give --shards or --shard-size, not both")
    wanted = size if size is not None else -(-showers // (shards or 1))
    return max(1, -(-wanted // BLOCK)) * BLOCK


__all__ = ["Plan", "Settings", "SourcePlan", "shard_showers"]
