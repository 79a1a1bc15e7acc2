"""The JSON beside the report: its schema is the one that ships, and every judgement keeps it."""

import dataclasses
import json

import numpy as np
import pytest

from caloforge.evaluate import add_two_sample_metrics, evaluate
from caloforge.evaluate.result import ResultRecord, shipped_schema
from evaluate.stand_in import energies, showers

ENERGY = energies(24, 0)
REAL = showers(ENERGY, 4, 1)


def test_the_shipped_schema_is_that_of_the_record():
    assert shipped_schema() == ResultRecord.model_json_schema()


@pytest.mark.parametrize("kind", ["good", "dark", "single"])
def test_every_judgement_keeps_the_schema(kind):
    real = showers(ENERGY, 1, 1) if kind == "single" else REAL
    made = showers(ENERGY, 1 if kind == "single" else 4, 2, brightness=1.4)
    if kind == "dark":
        made = dataclasses.replace(made, cells=np.zeros_like(made.cells))
    result = evaluate(real, made, resamples=20)
    examined = add_two_sample_metrics(result, real, made, classifier="none")
    for one in (result, examined):
        text = one.to_json()
        found = ResultRecord.model_validate_json(text)
        assert found.model_dump(exclude_unset=True) == json.loads(text)
    assert not examined.gate.accepted
