"""One report with all its pictures, drawn once for every test that reads it."""

import dataclasses

import pytest

from caloforge.evaluate import evaluate
from caloforge.evaluate.engine import add_two_sample_metrics
from caloforge.report.pages import report
from evaluate.stand_in import energies, showers


@pytest.fixture(scope="session")
def drawn_page():
    """The page of showers that are too bright, from a file that tells a script of itself."""
    energy = energies(24, 0)
    real, generated = showers(energy, 4, 1), showers(energy, 4, 2, brightness=1.5)
    real = dataclasses.replace(real, provenance={"engine": "<script>alert(1)</script>"})
    train = showers(energies(10, 5), 4, 6, first_particle=900)
    result = evaluate(real, generated, train, resamples=50)
    result = add_two_sample_metrics(result, real, generated, train, classifier="none")
    return report(result, real, generated, train)


@pytest.fixture(autouse=True)
def _own_floors(tmp_path, monkeypatch):
    """Floors of tests stay out of the user's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
