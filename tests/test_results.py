"""The README shows what committed judgements hold; the shipped simulator is the judged one."""

import json
from pathlib import Path

import pytest

from caloforge.report.tables import results_table
from caloforge.simulator import Simulator
from caloforge.simulator.shipped import shipped_simulator
from validation.shipped.page import readme_results

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "validation" / "shipped"


def test_readme_holds_the_table_of_the_committed_judgements() -> None:
    table = results_table(readme_results(SHIPPED))
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


def test_shipped_simulator_checks_itself_and_is_small() -> None:
    folder = shipped_simulator("alice_zn")
    Simulator.load(folder).check()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 9e6


def test_shipped_simulator_gives_the_judged_figure() -> None:
    from caloforge.data.samples import sample_path
    from caloforge.evaluate.engine import evaluate
    from caloforge.evaluate.inputs import load

    committed = json.loads((SHIPPED / "calibrated-shipped.json").read_text(encoding="utf-8"))
    measured = committed["candidates"]["model"]["conditional_w1"]
    inputs = load("alice_zn", sample_path("alice_zn"))
    # The value is that of the sample itself; resamplings give its error.
    judged = evaluate(inputs.real, inputs.generated, resamples=2).measured("conditional_w1")
    # Another processor may round a few counts the other way, no more.
    assert judged.value == pytest.approx(measured["value"], abs=0.1 * measured["error"])
