"""What is compared: simulators with the recipe that made them, the seeds of a recipe together."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caloforge.errors import DataError, UsageError
from caloforge.simulator import CARD, read_card
from caloforge.simulator.shipped import find_simulator

Recipe = Mapping[str, Any]
"""A recipe as it lies in a simulator's card: compared, never executed."""
NOT_SETTINGS = ("format", "version", "run", "seed", "citation")
SHOWN_SETTINGS = 2


@dataclass(frozen=True)
class Subject:
    """A run folder or simulator that was named."""

    path: str
    recipe: Recipe

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self.recipe["name"])

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.recipe["seed"])

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the seeds of one recipe have in common, by path."""
        return dict(_flat({k: v for k, v in self.recipe.items() if k not in NOT_SETTINGS}))

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds of the training, where the run folder tells."""
        path = Path(self.path) / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        try:
            return float(json.loads(lines[-1])["cpu_seconds"]) if lines else None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: its last line has no cpu_seconds") from error


def subjects(paths: Sequence[str]) -> dict[str, list[Subject]]:
    """Subjects by the label of their recipe, seeds in order.

    Recipes of one name with other settings are numbered. Raises UsageError for what is no
    simulator, and for a seed that stands there twice.
    """
    by_settings: dict[str, list[Subject]] = {}
    for subject in map(subject_of, paths):
        key = json.dumps(subject.settings, sort_keys=True)
        by_settings.setdefault(key, []).append(subject)
    groups = list(by_settings.values())
    for group in groups:
        group.sort(key=lambda one: one.seed)
        for first, second in itertools.pairwise(group):
            if first.seed == second.seed:
                raise UsageError(
                    f"{first.path} and {second.path} are the same recipe and seed {first.seed}"
                )
    return dict(zip(labels(groups), groups, strict=True))


def subject_of(path: str) -> Subject:
    """One subject; UsageError when it is none, DataError when it does not tell its recipe."""
    if not Path(path).exists() and len(Path(path).parts) > 1:
        raise UsageError(f"{path}: no such run or simulator")
    folder = find_simulator(path)
    recipe = read_card(folder / CARD).recipe
    if not {"name", "seed"} <= recipe.keys():
        raise DataError(f"{folder / CARD} does not tell the recipe and its seed")
    for entry, kind in (("name", str), ("seed", int)):
        if type(recipe[entry]) is not kind:
            raise DataError(f"{folder / CARD}: {entry} of the recipe is {recipe[entry]!r}")
    return Subject(path, recipe)


def labels(groups: Sequence[Sequence[Subject]]) -> list[str]:
    """The recipe's name, with a number where several recipes have that name."""
    names = [group[0].name for group in groups]
    return [
        f"{name} ({names[: n + 1].count(name)})" if names.count(name) > 1 else name
        for n, name in enumerate(names)
    ]


def differences(label: str, groups: Mapping[str, Sequence[Subject]]) -> str:
    """What distinguishes a recipe from the others of its name, in words; often nothing."""
    mine = groups[label][0]
    others = [group[0].settings for group in groups.values() if group[0].name == mine.name]
    paths = sorted({path for other in others for path in other})
    different = [
        f"{path}={mine.settings.get(path, 'none')}"
        for path in paths
        if len({json.dumps(other.get(path)) for other in others}) > 1
    ]
    more = f" and {len(different) - SHOWN_SETTINGS} more" if len(different) > SHOWN_SETTINGS else ""
    return ", ".join(different[:SHOWN_SETTINGS]) + more


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        path = f"{above}.{name}".strip(".")
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        else:
            yield path, value
