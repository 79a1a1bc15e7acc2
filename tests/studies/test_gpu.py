"""The published networks at full size: all of them are planned, and train for a step here."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, write
from caloforge.recipe import override
from caloforge.recipes import recipe_of_name
from validation import training_runs
from validation.gpu import page, plan
from validation.metrics import table_of
from validation.runner import RUNS, read_records, write_record
from validation.training_runs import with_learning_curve

ROOT = Path(__file__).parents[2]


def test_every_run_is_a_published_recipe_and_its_own_steps() -> None:
    for device in plan.DEVICES:
        actual = list(plan.runs(device, 0))
        assert [run.method for run in actual] == list(plan.METHODS)
        for run in actual:
            assert run.device == device
            own = recipe_of_name(run.method, run.detector)
            changes = [*run.settings, "seed=0"]
            assert run.recipe() == with_learning_curve(override(own, changes))
            steps = plan.CPU_STEPS[run.detector] if device == "cpu" else plan.GPU_STEPS
            assert run.recipe().training.steps == steps
            kinds = (run.recipe().generator.kind, run.recipe().critic.kind)
            assert {*kinds} <= {"reference", "calogan", "conditional-calogan"}


def test_the_script_fetches_nothing_and_leaves_in_time() -> None:
    script = (ROOT / "validation" / "gpu" / "run.sh").read_text()
    assert "--minutes" in script
    for word in ("pip", "curl", "wget", "git", "apt"):
        assert word not in script.split()
    process = subprocess.run(["bash", "-n", ROOT / "validation" / "gpu" / "run.sh"], check=False)
    assert process.returncode == 0


def test_a_processor_and_a_gpu_have_rows_of_their_own_beside_the_floor() -> None:
    like = read_records(ROOT / "validation" / "zn")["final-sdi-gan-seed0"]
    labels = {"label": "sdi-gan-published", "method": "sdi-gan-published"}
    records = {
        device: {**like, **labels, "part": device, "steps": steps}
        for device, steps in (("cpu", 1800), ("cuda", 6000))
    }
    text = page.rows_table(records, "alice_zn", "zn")
    for name in ("`sdi-gan-published, cpu`", "| 1800 |", "`sdi-gan-published, cuda`", "| 6000 |"):
        assert name in text
    assert "noise floor" in text
    assert page.rows_table({}, "alice_zn", "zn") == ""


@pytest.mark.slow
@pytest.mark.parametrize("method", list(plan.METHODS))
def test_a_published_network_trains_and_has_its_row(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = (one for one in plan.runs("cpu", 0, 2) if one.method == method)
    data = tmp_path / "few.h5"
    with ShowerFile(sample_path(run.detector)) as file:
        write(data, file.rows(0, 320))
    monkeypatch.setattr(training_runs, "sample_path", lambda asked: data)
    evaluate = run.evaluate if run.detector != "alice_zn" else table_of
    settings = ("data.test=0.2", "data.particles=4", "training.steps=2")
    small = dataclasses.replace(run, settings=settings, evaluate=evaluate)
    record = small.execute(tmp_path)
    assert record["hardware"]["device"] == "cpu"
    write_record(tmp_path / RUNS / f"{small.name}.json", record)
    page.write(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert method in text
    assert "\n\n\n" not in text
