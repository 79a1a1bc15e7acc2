"""A bundle runs under the onnxruntime that O2 has, as well as under ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from caloforge.detectors import ALICE_ZN
from caloforge.export.bundle import Options, export
from exported import write_linear_simulator

SOURCE = Path(__file__).parents[2] / "src"
O2_HAS = "1.19.2"


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["rounding", "poisson"])
def test_o2_s_own_onnxruntime_reads_it(tmp_path, sampling, rng):
    rates = rng.gamma(0.2, 3, ALICE_ZN.cells)
    simulator = write_linear_simulator(tmp_path / "simulator", ALICE_ZN, rates, sampling=sampling)
    export(simulator, "o2", tmp_path / "bundle", Options())
    older = tmp_path / "older"
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run(
        [*install, "--target", str(older), f"onnxruntime=={O2_HAS}"], check=True, env=environment
    )
    command = [sys.executable, "-m", "caloforge", "check", str(tmp_path / "bundle")]
    process = subprocess.run(
        [*command, "--native", "--json"],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": f"{older}:{SOURCE}"},
    )
    assert process.returncode == 0, process.stderr
    record = json.loads(process.stdout)
    assert record["passed"]
    assert f"libonnxruntime.so.{O2_HAS}: mean of channels (o2)" in record["findings"]
