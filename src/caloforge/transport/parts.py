"""Finished parts of a run on disk, so that a kill costs little and a run can go on.

``OUT.parts/`` holds ``plan.json`` and one npz for each shard, each written aside and renamed. The
parts are joined in order into OUT and then removed.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from caloforge.documents import Document
from caloforge.errors import DataError, UsageError
from caloforge.io.arrays import open_arrays
from caloforge.io.files import is_unfinished, remove_unfinished, write_aside
from caloforge.jobs import LOCK

PLAN = "plan.json"
COMMAND_FOLDER = "command-"
"""Prefix of folders in which another engine works."""
COMMAND_FOLDERS = re.compile(rf"{COMMAND_FOLDER}[a-z0-9_]{{8}}")
"""Their names, as tempfile ends them."""
OURS = re.compile(rf"{re.escape(PLAN)}|shard-\d+\.npz|worker-\d+\.log|{COMMAND_FOLDERS.pattern}")
"""Names that a folder of parts holds."""


class PartsPlan(Document):
    """What the parts are of."""

    FORMAT = "caloforge-transport-parts"

    request: str
    """Fingerprint of all that decides the showers."""
    rows: int = Field(ge=1)
    shard_rows: int = Field(ge=1)
    engine: str = ""
    """Its version, once it has answered."""

    def write(self, folder: Path) -> None:
        """Replace the plan of a folder."""
        with write_aside(folder / PLAN, overwrite=True) as aside:
            aside.write_text(self.to_json(None), encoding="utf-8")


@dataclass(frozen=True)
class Shard:
    """A range of showers and what became of them.  (n rows)"""

    cells: NDArray[np.float32]
    overflow: NDArray[np.float32]
    """NaN where another engine did not say."""
    cpu_seconds: NDArray[np.float32]
    """NaN where another engine did not say."""
    fate: NDArray[np.int8]

    @classmethod
    def empty(cls, rows: int, cells: int, overflow: int) -> Shard:
        """A shard of empty showers, to be filled."""
        return cls(
            np.zeros((rows, cells), np.float32),
            np.zeros((rows, overflow), np.float32),
            np.zeros(rows, np.float32),
            np.zeros(rows, np.int8),
        )


@dataclass(frozen=True)
class Parts:
    """The folder of parts of one run."""

    folder: Path
    rows: int
    shard_rows: int

    @property
    def ranges(self) -> list[range]:
        """The showers of each shard."""
        return [
            range(start, min(start + self.shard_rows, self.rows))
            for start in range(0, self.rows, self.shard_rows)
        ]

    def path(self, number: int) -> Path:
        """File of a shard."""
        return self.folder / f"shard-{number:06d}.npz"

    def todo(self) -> list[int]:
        """Shards that are not on disk."""
        return [number for number in range(len(self.ranges)) if not self.path(number).exists()]

    def done_rows(self) -> int:
        """Showers on disk."""
        unfinished = set(self.todo())
        return sum(len(rows) for number, rows in enumerate(self.ranges) if number not in unfinished)

    def save(self, number: int, shard: Shard) -> None:
        """Put a finished shard on disk."""
        with write_aside(self.path(number)) as aside:
            np.savez_compressed(aside, **vars(shard))

    def load(self, number: int) -> Shard:
        """A shard from disk; DataError when it is damaged."""
        try:
            with open_arrays(self.path(number)) as file:
                return Shard(
                    file.floats("cells", 2).astype(np.float32),
                    file.floats("overflow", 2, unknown=True).astype(np.float32),
                    file.floats("cpu_seconds", unknown=True).astype(np.float32),
                    file.whole_numbers("fate", np.int8),
                )
        except DataError as error:
            raise DataError(f"{error}; the part is damaged: delete it and --resume") from None

    def note_engine(self, version: str) -> None:
        """Add to the plan what only the engine could tell."""
        plan = PartsPlan.read(self.folder / PLAN)
        plan.model_copy(update={"engine": version}).write(self.folder)

    @property
    def engine(self) -> str:
        """What ``note_engine`` kept, or an empty text."""
        return PartsPlan.read(self.folder / PLAN).engine

    def remove(self) -> None:
        """Remove all parts."""
        shutil.rmtree(self.folder)


def parts_folder(out: Path) -> Path:
    """Where the parts of an output are kept until it is whole."""
    return out.with_name(f"{out.name}.parts")


def open_parts(
    out: Path, fingerprint: str, rows: int, shard_rows: int, *, resume: bool, force: bool
) -> Parts:
    """The parts folder of an output, new or, to resume, the one that is there.

    Raises UsageError when there is an unfinished run and neither is asked for, when there is none
    to resume, or when it was asked for other showers; DataError when its plan is damaged.
    """
    folder = parts_folder(out)
    plan = folder / PLAN
    if plan.exists() and resume:
        parts = _resumed(folder, fingerprint, rows)
        _sweep(folder)
        return parts
    if plan.exists() and not force:
        raise UsageError(f"{folder} holds an unfinished run; --resume goes on, --force starts anew")
    if resume:
        raise UsageError(f"there is nothing to resume: {plan} does not exist")
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    PartsPlan(request=fingerprint, rows=rows, shard_rows=shard_rows).write(folder)
    return Parts(folder, rows, shard_rows)


def _sweep(folder: Path) -> None:
    """Remove what a killed run left half-made."""
    remove_unfinished(folder)
    for work in folder.glob(f"{COMMAND_FOLDER}*"):
        if COMMAND_FOLDERS.fullmatch(work.name):
            shutil.rmtree(work, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what an earlier run left; UsageError where the folder holds anything else."""
    entries = [entry for entry in folder.iterdir() if entry.name != LOCK]
    if foreign := [entry.name for entry in entries if not _is_ours(entry.name)]:
        raise UsageError(
            f"{folder} also holds {foreign[0]}, which would be lost: name another --out"
        )
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _is_ours(name: str) -> bool:
    return is_unfinished(name) or OURS.fullmatch(name) is not None


def _resumed(folder: Path, fingerprint: str, rows: int) -> Parts:
    try:
        plan = PartsPlan.read(folder / PLAN)
    except DataError as error:
        raise DataError(f"{error}; --force starts anew") from None
    if (plan.request, plan.rows) != (fingerprint, rows):
        raise UsageError(
            f"{folder} was begun for other showers; same options, or --force, or another --out"
        )
    return Parts(folder, rows, plan.shard_rows)
