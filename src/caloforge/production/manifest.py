"""manifest.json of a production: its plan and each finished shard, with checksums."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

import caloforge
from caloforge.errors import DataError
from caloforge.io.files import sha256_of, write_aside
from caloforge.production.plan import Frozen, Plan

FORMAT: Literal["caloforge-production"] = "caloforge-production"
VERSION: Literal[1] = 1
MANIFEST = "manifest.json"
LARGEST_BYTES = 2**28
SHARD_NAME = re.compile(r"(showers|channels)-\d{5,}-of-\d{5,}\.(h5|root)")


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
    """Rows outside the training range, by condition."""
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


class Manifest(Frozen):
    """The whole record; ``complete`` once every shard is there."""

    format: Literal["caloforge-production"] = FORMAT
    version: Literal[1] = VERSION
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
        count = sum(shard.showers for shard in shards)
        return cls(plan=plan, shards=shards, count=count, complete=len(shards) == plan.shards)

    def write(self, folder: Path) -> None:
        """Replace the manifest of a folder."""
        with write_aside(folder / MANIFEST, overwrite=True) as aside:
            aside.write_text(self.model_dump_json(indent=1, exclude_none=True), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder; DataError when damaged, newer, or naming files elsewhere."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{path} is larger than {LARGEST_BYTES} bytes")
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); --force starts anew") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DataError(f"{path} is no manifest of a production (format is not {FORMAT})")
    if record.get("version") != VERSION:
        raise DataError(
            f"{path} has {FORMAT} version {record.get('version')!r}; this caloforge reads "
            f"{VERSION}: update caloforge"
        )
    return _validated(path, record)


def _validated(path: Path, record: object) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(json.dumps(record))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {place}: {first['msg']}; --force starts anew") from error
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
        if SHARD_NAME.fullmatch(path.name):
            path.unlink()


__all__ = ["MANIFEST", "Manifest", "ShardRecord", "read_manifest", "remove_production"]
