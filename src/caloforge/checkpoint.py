"""Where a run stands, in one file of tensors and plain data that loads without executing code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from caloforge.errors import DataError, UsageError
from caloforge.io.files import write_aside
from caloforge.io.reading import reading, require_regular_file

FORMAT = "caloforge-checkpoint"
VERSION = 1


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write aside, then rename: a process killed at any moment leaves the old or the new file."""
    content = io.BytesIO()  # torch's own writer does not say that a disk is full
    torch.save({"format": FORMAT, "version": VERSION, **plain(state)}, content)
    with write_aside(path, overwrite=True) as part:
        part.write_bytes(content.getbuffer())


def load(path: Path) -> dict[str, Any]:
    """The state that was saved; UsageError without a file, DataError for what is no checkpoint."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no checkpoint to resume")
    require_regular_file(path)
    with reading(path):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            # Not torch's own words: they advise to load it without this protection.
            raise DataError(
                f"not a {FORMAT} file, or damaged, or with more than tensors and plain data"
            ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise DataError(f"{path}: not a {FORMAT} file")
    if state.get("version") != VERSION:
        raise DataError(
            f"{path}: {FORMAT} version {state.get('version')}, this caloforge reads {VERSION}; "
            "upgrade caloforge"
        )
    return state


def plain(value: Any) -> Any:
    """The same with dict, list and tuple alone around tensors, numbers and text."""
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(entry) for entry in value)
    return value
