"""One report that several tests read."""

import dataclasses

import pytest

from caloforge.evaluate import evaluate
from caloforge.evaluate.engine import add_two_sample_metrics
from caloforge.report import pictures
from caloforge.report.pages import report
from caloforge.report.style import figure
from evaluate.stand_in import energies, showers


def example_page():
    """The page of showers that are too bright, from a file whose engine is named as a script."""
    energy = energies(24, 0)
    real, generated = showers(energy, 4, 1), showers(energy, 4, 2, brightness=1.5)
    real = dataclasses.replace(real, provenance={"engine": "<script>alert(1)</script>"})
    train = showers(energies(10, 5), 4, 6, first_particle=900)
    result = evaluate(real, generated, train, resamples=50)
    result = add_two_sample_metrics(result, real, generated, train, classifier="none")
    return report(result, real, generated, train)


@pytest.fixture(scope="session")
def drawn_page():
    """The page with all its pictures."""
    return example_page()


@pytest.fixture(scope="session")
def page():
    """The page with one picture in place of all, which test_plots draws."""
    picture = pictures.data_uri(figure())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "data_uri", lambda plot: picture)
        return example_page()


@pytest.fixture(autouse=True)
def _own_floors(tmp_path, monkeypatch):
    """Floors of tests stay out of the user's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
