"""What a production is to make, fixed when it begins, and what of it is finished: manifest.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

import caloforge
from caloforge.documents import Document, Record
from caloforge.errors import DataError, UsageError
from caloforge.generate.output import Output
from caloforge.generate.particles import Particles, Source, Spectrum
from caloforge.io.files import sha256_of, write_aside
from caloforge.io.productions import MANIFEST, ManifestOfShards
from caloforge.simulator import Simulator, SimulatorCard
from caloforge.simulator.domain import Domain
from caloforge.simulator.sampling import BATCH, BLOCK

SHARE_NAME = re.compile(r"manifest-(\d{5,})-of-(\d{5,})\.json")
"""Of what one job of an array has made."""
MOST_SHARDS = 10**6
SHARD_NAME = re.compile(r"(showers|channels)-\d{5,}-of-\d{5,}\.(h5|root)")


class Frozen(Record):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourcePlan(Frozen):
    """Which particles are showered."""

    kind: Literal["file", "spectrum", "table"]
    """Rows of a showers file, a named spectrum, or rows of a table of particles."""
    name: str
    """Absolute path of the file, or name of the spectrum."""
    stored: str | None = None
    """Where the rows of a table are, as long as the run lasts; no part of the manifest."""
    outside: Literal["keep", "skip", "clamp"] = "keep"
    """What happens to particles outside the domain of the simulator."""

    def open(self, card: SimulatorCard, seed: int) -> Source:
        """The particles themselves; raises as they do."""
        if self.kind == "spectrum":
            if self.outside != "keep":
                raise UsageError(f"--outside {self.outside} is for the particles of a file")
            return Spectrum(self.name, card.detector, seed)
        particles = (
            Particles.from_folder(Path(self.stored or ""), self.name)
            if self.kind == "table"
            else Particles.like(Path(self.name), card.detector)
        )
        return particles.within(Domain(card), self.outside)


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
        source = self.source.open(simulator.card, self.seed)
        if source.fingerprint != self.source_fingerprint:
            raise DataError(
                f"{source.source} gives other particles than this production began with"
            )
        return simulator, source

    def require_same(self, earlier: Plan, where: Path) -> None:
        """Raise UsageError when a folder was begun by another plan."""
        for name, words in DECIDES.items():
            mine, theirs = getattr(self, name), getattr(earlier, name)
            if mine != theirs:
                differs = words or f"{name.replace('_', ' ')} {theirs}, not {mine}"
                raise UsageError(
                    f"{where} was begun with {differs}; the same options go on, --force starts anew"
                )


DECIDES = {
    "seed": "",
    "showers": "",
    "shard_showers": "",
    "output": "",
    "strict": "",
    "settings": "",
    "generator_sha256": "another simulator",
    "source_fingerprint": "other particles",
}
"""What must agree to go on, and what to say of hashes; paths may change, and another processor is
only noted."""


def shard_showers(showers: int, shards: int | None, size: int | None) -> int:
    """Showers of a shard, a whole number of blocks, from how many shards or how large they are."""
    if shards is not None and size is not None:
        raise UsageError("give --shards or --shard-size, not both")
    showers_per_shard = size if size is not None else -(-showers // (shards or 1))
    rows = max(1, -(-showers_per_shard // BLOCK)) * BLOCK
    if showers > rows * MOST_SHARDS:
        raise UsageError(f"{-(-showers // rows)} shards are too many; give a larger --shard-size")
    return rows


class Share(Frozen):
    """Job ``number`` of an array of ``of`` jobs, from 1: it makes each of-th shard."""

    number: int = Field(ge=1)
    of: int = Field(ge=1)

    @classmethod
    def parse(cls, text: str) -> Share:
        """The share that ``3/10`` names; UsageError for anything else."""
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"--shard {text[:40]}: write k/N, from 1/N to N/N, such as 3/10")
        return cls(number=int(match[1]), of=int(match[2]))

    def holds(self, shard: int) -> bool:
        """Whether a shard belongs to this job."""
        return shard % self.of == self.number - 1

    @property
    def manifest(self) -> str:
        """Name of the job's own manifest."""
        return f"manifest-{self.number:05d}-of-{self.of:05d}.json"


EVERYTHING = Share(number=1, of=1)


def share_manifests(folder: Path) -> list[str]:
    """Manifests that jobs of an array have left."""
    return sorted(path.name for path in folder.iterdir() if SHARE_NAME.fullmatch(path.name))


class ShardRecord(Frozen):
    """A finished shard: what it holds and what it cost."""

    number: int = Field(ge=0)
    file: str
    first: int
    showers: int = Field(ge=1)
    bytes: int
    sha256: str
    cpu_seconds: float
    outside: dict[str, int] = Field(default={})
    """Rows outside the domain of the simulator, by rule."""
    host: str = ""
    processor: str = ""
    cpu_flags: tuple[str, ...] | None = None
    """Only where they are others than those of the plan."""

    def is_whole(self, folder: Path) -> bool:
        """Whether the file is there, unchanged."""
        path = folder / self.file
        return path.is_file() and path.stat().st_size == self.bytes and self._same(path)

    def _same(self, path: Path) -> bool:
        return sha256_of(path) == self.sha256


class Manifest(Document):
    """The whole record; ``complete`` once every shard is there."""

    FORMAT = ManifestOfShards.FORMAT
    LARGEST_BYTES = ManifestOfShards.LARGEST_BYTES

    caloforge_version: str = caloforge.__version__
    complete: bool = False
    count: int = 0
    """Showers in the finished shards."""
    plan: Plan
    shards: tuple[ShardRecord, ...] = ()

    @classmethod
    def of(cls, plan: Plan, finished: dict[int, ShardRecord]) -> Manifest:
        """The record of a plan and of what is finished of it."""
        shards = tuple(finished[number] for number in sorted(finished))
        plan = plan.model_copy(update={"source": plan.source.model_copy(update={"stored": None})})
        count = sum(shard.showers for shard in shards)
        return cls(plan=plan, shards=shards, count=count, complete=len(shards) == plan.shards)

    def write(self, folder: Path, name: str = MANIFEST) -> None:
        """Replace the manifest of a folder."""
        with write_aside(folder / name, overwrite=True) as aside:
            aside.write_text(self.to_json(indent=1), encoding="utf-8")


def read_manifest(folder: str | Path, name: str = MANIFEST) -> Manifest:
    """The manifest of a folder; DataError when damaged, newer, or naming files elsewhere."""
    path = Path(folder) / name
    try:
        manifest = Manifest.read(path)
    except DataError as error:
        raise DataError(f"{error}; generate --force starts anew") from error
    for shard in manifest.shards:
        if not SHARD_NAME.fullmatch(shard.file) or (path.parent / shard.file).is_symlink():
            raise DataError(f"{path} names {shard.file!r}, which is no shard of this folder")
        expected = manifest.plan.rows(shard.number)
        if shard.file != manifest.plan.file_name(shard.number) or shard.showers != len(expected):
            raise DataError(f"{path}: shard {shard.number} does not fit the plan")
    return manifest


def remove_production(folder: Path) -> None:
    """Remove manifest and shards of a folder, nothing else."""
    (folder / MANIFEST).unlink(missing_ok=True)
    for path in folder.iterdir():
        if SHARE_NAME.fullmatch(path.name) or SHARD_NAME.fullmatch(path.name):
            path.unlink()


__all__ = [
    "MANIFEST",
    "Manifest",
    "Plan",
    "Settings",
    "ShardRecord",
    "Share",
    "SourcePlan",
    "read_manifest",
    "remove_production",
    "shard_showers",
]
