"""Another engine behind the same command; the example of the docs is run as it stands."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from caloforge.data.showers import read

Run = Callable[..., tuple[int, str, str]]
EXAMPLE = Path(__file__).parents[2] / "examples" / "external_engine.py"
ARGUMENTS = ("transport", "alice_zn", "--spectrum", "photons", "-n", 5, "--repeats", 3, "-q")


def command(script: Path) -> str:
    return f"{sys.executable} {script} {{particles}} {{out}} {{seed}}"


@pytest.fixture(autouse=True)
def python_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))


def test_the_example_makes_a_showers_file(tmp_path: Path, caloforge: Run) -> None:
    out = tmp_path / "toy.h5"
    code, text, err = caloforge(*ARGUMENTS, "--engine-command", command(EXAMPLE), "--out", out)
    assert (code, err) == (0, "")
    assert "15 showers transported" in text
    actual = read(out)
    assert np.array_equal(actual.particle, np.repeat(np.arange(5), 3))
    assert actual.cpu_seconds is None
    assert actual.provenance["engine"] == command(EXAMPLE)
    assert actual.total().mean() > 0


def test_the_number_of_workers_changes_no_shower(tmp_path: Path, caloforge: Run) -> None:
    """The example draws a whole shard from its seed."""
    for workers in (1, 2):
        out = tmp_path / f"{workers}.h5"
        options = ("--engine-command", command(EXAMPLE), "--workers", workers, "--out", out)
        code, _, err = caloforge(*ARGUMENTS, *options)
        assert (code, err) == (0, "")
    one, two = (read(tmp_path / f"{workers}.h5") for workers in (1, 2))
    assert np.array_equal(one.cells, two.cells)


EM_ENGINE = """
import csv, sys
import numpy as np
from caloforge.data.showers import Showers, write
from caloforge.detectors import ATLAS_EM
rows = list(csv.DictReader(open(sys.argv[1], encoding="utf-8", newline="")))
conditions = np.array([[float(row[name]) for name in ATLAS_EM.columns] for row in rows])
particle = np.array([int(row["particle"]) for row in rows])
cells = np.ones((len(rows), ATLAS_EM.cells), np.float32)
overflow = np.arange(3 * len(rows), dtype=np.float32).reshape(-1, 3) if {known} else None
write(sys.argv[2], Showers(ATLAS_EM, cells, conditions, particle, overflow=overflow))
"""
EM_ARGUMENTS = ("transport", "atlas_em", "--spectrum", "eplus", "-n", 2, "--repeats", 2, "-q")


@pytest.mark.parametrize("known", ["True", "False", "int(rows[0]['particle']) == 0"])
def test_overflow_is_what_the_engine_says(
    tmp_path: Path, caloforge: Run, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """A column that the engine does not give for all shards is left out: 0 would be a lie."""
    monkeypatch.setattr("caloforge.transport.request.LARGEST_SHARD", 4 if known == "True" else 2)
    path, out = tmp_path / "engine.py", tmp_path / "em.h5"
    path.write_text(EM_ENGINE.replace("{known}", known))
    code, _, err = caloforge(*EM_ARGUMENTS, "--engine-command", command(path), "--out", out)
    assert (code, err) == (0, "")
    overflow = read(out).overflow
    assert overflow is None if known != "True" else overflow is not None
    if overflow is not None:
        assert overflow.tolist() == np.arange(12).reshape(4, 3).tolist()


@pytest.mark.parametrize(
    ("script", "code", "complaint"),
    [
        ("raise SystemExit('out of beam')", 1, "out of beam"),
        ("pass", 3, "showers.h5"),
        ("open(__import__('sys').argv[2], 'w').write('x')", 3, "not an HDF5 file"),
    ],
)
def test_engines_that_fail_are_explained(
    tmp_path: Path, caloforge: Run, script: str, code: int, complaint: str
) -> None:
    path = tmp_path / "engine.py"
    path.write_text(script)
    out = tmp_path / "toy.h5"
    outcome = caloforge(*ARGUMENTS, "--engine-command", command(path), "--out", out)
    assert outcome[0] == code
    assert complaint in outcome[2]
    assert outcome[2].count("\n") == 1
    assert not out.exists()


def test_other_particles_than_asked_for_are_refused(tmp_path: Path, caloforge: Run) -> None:
    path = tmp_path / "engine.py"
    text = EXAMPLE.read_text().replace('int(row["particle"])', '1 + int(row["particle"])')
    path.write_text(text)
    out = tmp_path / "toy.h5"
    code, _, err = caloforge(*ARGUMENTS, "--engine-command", command(path), "--out", out)
    assert code == 3
    assert "other particles" in err


@pytest.mark.parametrize(
    ("command_line", "complaint"),
    [("true", "must contain {particles}"), ("/no/such {particles} {out}", "cannot start /no/such")],
)
def test_bad_commands_are_refused(
    tmp_path: Path, caloforge: Run, command_line: str, complaint: str
) -> None:
    out = tmp_path / "toy.h5"
    code, _, err = caloforge(*ARGUMENTS, "--engine-command", command_line, "--out", out)
    assert code == 2
    assert complaint in err
