"""A gate: which checks and measures must hold before a simulator is signed off.

Limits are in sigma of an exchange test (``exchange``) or in floors (real against real). Those that
ship follow from theory alone: a headline at 3 sigma is passed by a perfect simulator 99.7 % of the
time, each of 30 details at 4 sigma 99.994 %, all together about 98.5 %.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from caloforge.errors import UsageError
from caloforge.evaluate.judgement import REAL, Judgement
from caloforge.evaluate.verdict import Answer, Verdict

if TYPE_CHECKING:
    from caloforge.detector import Detector

FORMAT, VERSION = "caloforge-gate", 1
DEFAULT = "default"
ANY = "any"


class Limit(BaseModel):
    """What one check or measure may show at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str | None = None
    """Name of a check, or a pattern such as ``location_*``; the first limit that fits counts."""
    measure: str | None = None
    """Name of a distance of the table, to be held against its floor."""
    sigma: float | None = Field(default=None, gt=0)
    floors: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_complete(self) -> Limit:
        if (self.check is None) == (self.measure is None):
            raise ValueError("a limit names one check or one measure")
        if (self.check is None) == (self.floors is None):
            raise ValueError("a check is limited in sigma, a measure in floors")
        if (self.sigma is None) == (self.floors is None):
            raise ValueError("a check is limited in sigma, a measure in floors")
        return self


class Gate(BaseModel):
    """All limits of a sign-off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["caloforge-gate"] = FORMAT  # type: ignore[assignment]
    version: int = VERSION
    detector: str | None = None
    about: str = ""
    limits: tuple[Limit, ...] = Field(min_length=1)


def read_gate(name: str, detector: Detector) -> tuple[str, Gate]:
    """A gate file, or ``default``: the one that ships for the detector; and where it came from.

    Raises UsageError in one line for a file that is none, is newer or is for another detector.
    """
    if name == DEFAULT:
        folder = files("caloforge.evaluate") / "gates"
        found = folder / f"{detector.name}.json"
        chosen = found if found.is_file() else folder / f"{ANY}.json"
        return f"default of {detector.name}", Gate.model_validate_json(chosen.read_text("utf-8"))
    gate = _parsed(Path(name))
    if gate.detector not in (None, detector.name):
        raise UsageError(f"--gate {name} is for {gate.detector}, not for {detector.name}")
    return name, gate


def _parsed(path: Path) -> Gate:
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--gate {path}: cannot be read as JSON ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise UsageError(f'--gate {path}: its format is not "{FORMAT}"')
    if not isinstance(record.get("version"), int) or record["version"] > VERSION:
        raise UsageError(f"--gate {path}: version {record.get('version')} is newer than {VERSION}")
    try:
        return Gate.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"--gate {path}: {where}: {first['msg']}") from error


def apply(gate: Gate, answers: Sequence[Answer], judgement: Judgement | None) -> Verdict:
    """The answers held against the limits of the gate.

    Raises UsageError naming what exists when a limit fits nothing.
    """
    found = [
        *_held(gate, answers),
        *(_measured(limit, judgement) for limit in gate.limits if limit.measure),
    ]
    return Verdict(tuple(found))


def _held(gate: Gate, answers: Sequence[Answer]) -> Iterator[Answer]:
    limits = [limit for limit in gate.limits if limit.check]
    for limit in limits:
        if not any(fnmatchcase(answer.name, limit.check or "") for answer in answers):
            names = ", ".join(answer.name for answer in answers)
            raise UsageError(f"the gate limits {limit.check}; there are {names}")
    for answer in answers:
        found = next((n for n in limits if fnmatchcase(answer.name, n.check or "")), None)
        if found is not None and found.sigma is not None:
            yield answer.limited(found.sigma, "sigma", math.fabs(answer.sigma))


def _measured(limit: Limit, judgement: Judgement | None) -> Answer:
    """A distance of the table in units of its floor."""
    names = [] if judgement is None else [r.name for r in judgement.rows_of_table if r.distance]
    if judgement is None or limit.measure not in names or limit.floors is None:
        raise UsageError(f"the gate limits {limit.measure}; the table has {', '.join(names)}")
    row = next(row for row in judgement.rows_of_table if row.name == limit.measure)
    value, floor = judgement.measured(row.name), judgement.measured(row.name, REAL)
    known = value.value is not None and bool(floor.value)
    ratio = value.value / floor.value if known else math.nan  # type: ignore[operator]
    answer = Answer(
        row.name,
        row.title,
        value.value if value.value is not None else math.nan,
        value.error if value.error is not None else math.nan,
        math.nan,
    )
    return answer.limited(limit.floors, "floors", ratio)
