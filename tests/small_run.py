"""Training small enough for a test: some particles of the shipped sample, a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, write
from caloforge.recipe import Recipe
from caloforge.recipes.find import find_recipe

SETTINGS = (
    "generator.kind=o2",
    "critic.kind=mlp",
    "data.particles=3",
    "data.repeats=4",
    "training.steps=12",
    "training.validation_interval=4",
    "training.checkpoint_interval=5",
    "training.precision=float32",
    "optimisers.generator.learning_rate=0.002",
)


def small_recipe(*settings: str, name: str = "sdi-gan", seed: int = 0) -> Recipe:
    """A recipe for three particles with four showers each in a batch, twelve steps."""
    return find_recipe(name, "alice_zn", [*SETTINGS, *settings], seed)


def set_options(*settings: str) -> list[str]:
    """The same for the command line."""
    return [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]


def write_part_of_sample(path: Path, particles: int = 40) -> Path:
    """The last particles of the shipped ZN sample as a file of their own."""
    with ShowerFile(sample_path("alice_zn")) as file:
        start = int(file.groups().starts[-particles])
        write(path, file.rows(start, len(file)))
    return path


def metrics_of(folder: Path) -> list[dict[str, Any]]:
    """Lines of metrics without the seconds, which no two runs share."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    timing = ("seconds", "cpu_seconds")
    return [{key: line[key] for key in line if key not in timing} for line in lines]


def state_of(folder: Path) -> dict[str, Any]:
    """The checkpoint, loaded without executing anything, without the seconds."""
    state: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    return {key: value for key, value in state.items() if key != "clock"}


def same(first: Any, second: Any) -> bool:
    """True if two nested records hold equal numbers and tensors, bit for bit."""
    if isinstance(first, torch.Tensor):
        return bool(torch.equal(first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(np.array_equal(first, second))
