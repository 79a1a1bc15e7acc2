"""The JSON beside the report: its schema is the one that ships, and every judgement keeps it."""

import dataclasses
import json
from importlib.resources import files
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from caloforge.evaluate import add_two_sample_metrics, evaluate
from evaluate.stand_in import energies, showers

ENERGY = energies(24, 0)
REAL = showers(ENERGY, 4, 1)


class Part(BaseModel):
    """Anything in the document: no field that the schema does not name."""

    model_config = ConfigDict(extra="forbid")


class Number(Part):
    """A value and its standard error."""

    value: float | None
    error: float | None
    note: str | None = None


class MeasureRecord(Part):
    """What a metric is called, and what a perfect simulator gets."""

    name: str
    title: str
    unit: str
    ideal: float


class DifferenceRecord(Number):
    """A metric of one sample minus that of another, by the same resamplings."""

    measure: str
    first: str
    second: str
    sigma: float | None


class CheckRecord(Part):
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


class NearestFailureRecord(Part):
    """The negative control that rejected showers are most like."""

    name: str
    title: str
    similarity: float


class GateRecord(Part):
    """The answer of a gate."""

    gate: str
    accepted: bool
    outcome: Literal["accepted", "rejected", "too few"] | None = None
    strata: str
    explanation: list[str] = []
    looks_like: NearestFailureRecord | None
    answers: list[CheckRecord]


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


class ResultRecord(Part):
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


def test_the_shipped_schema_is_that_of_the_record():
    path = files("caloforge.evaluate") / "schemas" / "judgement-1.json"
    assert json.loads(path.read_text()) == ResultRecord.model_json_schema()


@pytest.mark.parametrize("kind", ["good", "dark", "single"])
def test_every_judgement_keeps_the_schema(kind):
    real = showers(ENERGY, 1, 1) if kind == "single" else REAL
    generated = showers(ENERGY, 1 if kind == "single" else 4, 2, brightness=1.4)
    if kind == "dark":
        generated = dataclasses.replace(generated, cells=np.zeros_like(generated.cells))
    result = evaluate(real, generated, resamples=20)
    examined = add_two_sample_metrics(result, real, generated, classifier="none")
    for one in (result, examined):
        text = one.to_json()
        actual = ResultRecord.model_validate_json(text)
        assert actual.model_dump(exclude_unset=True) == json.loads(text)
    assert not examined.gate.accepted
