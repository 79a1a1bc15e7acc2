"""Noise floors (real against real) that are kept: real showers are not compared twice.

A floor depends on the real showers, on the numbers drawn of them and on the seed, not on what is
evaluated; it is kept in a folder under the hash of all that it depends on. That is the whole
description of a detector: read-out schemes, which its fingerprint leaves out, decide channels and
towers. A damaged file is computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caloforge.documents import read_json
from caloforge.errors import CaloforgeError
from caloforge.io.files import write_aside

VERSION = 1
"""Raised whenever a floor would come out differently, so that old ones are not used."""


def default_cache_folder() -> Path:
    """Where programs of this user keep what can be computed again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caloforge" / "floors"


@dataclass(frozen=True)
class FloorCache:
    """A folder of floors; without a folder nothing is kept."""

    folder: Path | None = None

    def cached(
        self, arrays: tuple[NDArray[Any], ...], about: tuple[Any, ...], make: Callable[[], Any]
    ) -> Any:
        """A JSON document that depends on arrays and settings, made where it is not known."""
        if self.folder is None:
            return make()
        path = self.folder / f"{_key(arrays, about)}.json"
        if (document := _kept(path)) is not None:
            return document
        document = make()
        self._keep(path, json.dumps({"sha256": _sha256(document), "document": document}))
        return document

    def _keep(self, path: Path, text: str) -> None:
        """Write a floor; a folder that cannot be written to is no reason to fail."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_aside(path, overwrite=True) as part:
                part.write_text(text, encoding="utf-8")
        except (OSError, CaloforgeError):
            return


NO_CACHE = FloorCache()


def _kept(path: Path) -> Any:
    """The document that a file keeps, None where it is missing or not as it was written."""
    try:
        record = read_json(path)
    except CaloforgeError:
        return None
    if not isinstance(record, dict) or record.get("sha256") != _sha256(record.get("document")):
        return None
    return record["document"]


def _sha256(document: Any) -> str:
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()


def _key(arrays: tuple[NDArray[Any], ...], about: tuple[Any, ...]) -> str:
    digest = hashlib.sha256(json.dumps([VERSION, *about]).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
