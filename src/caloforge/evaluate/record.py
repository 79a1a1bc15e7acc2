"""The JSON of a judgement as a schema: what other programs may rely on.

A number is a value with an error, None where it is undefined, and then a note says why. Fields are
added within a version; a field that changes or goes makes a new one.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Anything in the document: no field that the schema does not name."""

    model_config = ConfigDict(extra="forbid")


class Number(Part):
    """A value and its standard error."""

    value: float | None
    error: float | None
    note: str | None = None


class MeasureRecord(Part):
    """What a measure is called, and what a perfect simulator gets."""

    name: str
    title: str
    unit: str
    ideal: float


class DifferenceRecord(Number):
    """A measure of one candidate minus that of another, by the same resamplings."""

    measure: str
    first: str
    second: str
    sigma: float | None


class AnswerRecord(Part):
    """A check of the gate, its distance from real showers and its limit."""

    name: str
    title: str
    value: float | None
    error: float | None
    sigma: float | None
    distance: float | None
    limit: float
    unit: Literal["sigma", "floors"]
    outcome: Literal["passed", "failed", "undefined"]


class LikenessRecord(Part):
    """The impostor that rejected showers are most like."""

    name: str
    title: str
    similarity: float


class GateRecord(Part):
    """The verdict of a gate."""

    gate: str
    accepted: bool
    strata: str
    looks_like: LikenessRecord | None
    answers: list[AnswerRecord]


class TwoSampleRecord(Part):
    """A two-sample metric of generated against real, and of real against real."""

    name: str
    title: str
    best: Literal["low", "high", "floor"]
    value: Number
    floor: Number


class RegionRecord(Part):
    """Numbers of a kind of particle, an energy band or an impact region."""

    grouping: Literal["kind", "energy", "impact"]
    title: str
    particles: int
    value: dict[str, Number]
    floor: dict[str, Number]


class JudgementRecord(Part):
    """The whole document, version 1."""

    format: Literal["caloforge-judgement"]
    version: Literal[1]
    verdict: str
    detector: str
    unit: str
    scheme: str
    particles: int
    rows: int
    generated_rows: int
    numbers: str
    seed: int
    resamplings: int
    measures: list[MeasureRecord]
    candidates: dict[str, dict[str, str | Number]]
    differences: list[DifferenceRecord]
    gate: GateRecord | None
    two_sample: list[TwoSampleRecord]
    regions: list[RegionRecord]
    warnings: list[str]
    provenance: dict[str, str]


def shipped_schema() -> dict[str, Any]:
    """The JSON Schema of version 1, as it ships."""
    path = files("caloforge.evaluate") / "schemas" / "judgement-1.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
