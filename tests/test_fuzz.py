"""No damaged file of any format costs more than one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fuzz.py")


def fuzz(mutants: int, seed: int, seconds: float) -> dict[str, object]:
    process = subprocess.run(
        [sys.executable, SCRIPT, "--mutants", str(mutants), "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout)


def test_mutants_of_every_format_cost_one_line():
    actual = fuzz(18, seed=1, seconds=300)
    assert actual["mutants"] >= 300
    assert actual["faults"] == []
    # Some still read, most are refused as bad data: the mutants are neither harmless nor noise.
    assert {"0", "3"} <= set(actual["codes"])


@pytest.mark.slow
def test_thousands_of_mutants_cost_one_line():
    actual = fuzz(300, seed=2, seconds=3600)
    assert actual["mutants"] >= 5000
    assert actual["faults"] == []
