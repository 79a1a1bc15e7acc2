"""The page: whole, self-contained, harmless."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from caloforge.data.showers import Showers
from caloforge.detector import Channels, Detector, Layer
from caloforge.evaluate import add_two_sample_metrics, evaluate
from caloforge.report import pictures
from caloforge.report import sections as section_module
from caloforge.report.pages import report
from caloforge.report.sections import sections
from evaluate.stand_in import SMALL, energies, showers

ENERGY = energies(24, 0)
REAL, MADE = showers(ENERGY, 4, 1), showers(ENERGY, 4, 2)


def page_of(real=REAL, generated=MADE, **how):
    return report(evaluate(real, generated, resamples=50, **how), real, generated)


class Parts(HTMLParser):
    """Tags of a page, and whatever it would load."""

    def __init__(self):
        super().__init__()
        self.tags, self.loaded, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are made but not drawn: test_plots draws the odd ones."""
    monkeypatch.setattr(pictures, "data_uri", lambda figure: "data:image/png;base64,")


def test_the_page_needs_nothing_else(page):
    parts = Parts()
    parts.feed(page)
    assert not parts.open
    assert "script" not in parts.tags
    assert "link" not in parts.tags
    assert parts.loaded
    assert all(value.startswith("data:image/png;base64,") for value in parts.loaded)
    assert "url(" not in page
    assert "@import" not in page


def test_what_files_say_is_escaped(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_has_verdict_tables_and_pictures(page):
    assert page.index('class="verdict"') < page.index("<table") < page.index("<figure")
    assert "2 v 2" in page
    assert "4 v 4" not in page
    for title in ("consistent", "diverse", "Diversity", "Distributions", "Mean images"):
        assert f"{title}</h2>" in page
    assert "<b>first</b>" in page
    assert page.count("<img") == len(re.findall(r'alt="[^"]+"', page))
    for row in ("conditional W1", "sigma(total)", "W1 of width"):
        assert row in page


@pytest.mark.usefixtures("undrawn")
def test_no_repeats_still_make_a_page(page):
    """Without repeats most columns are undefined for all; they made the table scroll."""
    single = page_of(showers(ENERGY, 1, 1), showers(ENERGY, 1, 2))
    assert "single showers</h2>" in single
    assert "nothing can be said" in single
    head = head_of(single)
    assert "12 v 12 particles" in head
    assert "no repeats" not in head
    for title in ("slope", "corr.", "cond. W1"):
        assert title not in head
    assert "slope" in head_of(page)


def head_of(page):
    """The titles of the columns of the first table."""
    return page.split("<thead>")[1].split("</thead>")[0]


@pytest.mark.usefixtures("undrawn")
def test_empty_showers_still_make_a_page():
    dark = dataclasses.replace(REAL, cells=np.zeros_like(REAL.cells))
    assert "all real showers are empty" in page_of(dark, dark)


@pytest.mark.usefixtures("undrawn")
def test_layers_have_pictures_of_their_own():
    layers = (
        Layer(name="one", shape=(4, 6), cell_mm=(1.0, 1.0)),
        Layer(name="two", shape=(4, 3), cell_mm=(1.0, 2.0)),
    )
    halves = Channels(
        scheme="layers", labels=("one", "two"), of_cell=(0,) * 24 + (1,) * 12, source=""
    )
    layered = Detector.model_validate(
        SMALL.model_dump()
        | {"layers": layers, "channels": (halves,), "counts": False, "unit": "GeV"}
    )
    real, generated = (
        Showers(layered, s.cells.astype(np.float32) / 7, s.conditions, s.particle)
        for s in (REAL, MADE)
    )
    result = evaluate(real, generated, resamples=50)
    captions = [p.caption for s in sections(result, real, generated) for p in s.pictures]
    assert sum("one" in caption for caption in captions) >= 4
    assert any("two: W1" in caption or caption.startswith("two (layers)") for caption in captions)


def test_the_gallery_orders_particles_by_their_relative_spread():
    narrow, wide = showers(ENERGY, 4, 1), showers(ENERGY, 4, 2)
    cells = np.repeat(narrow.cells[::4], 4, axis=0)
    alike = np.arange(24) % 2 == 0
    cells = np.where(np.repeat(alike, 4)[:, None], cells, wide.cells)
    real = dataclasses.replace(narrow, cells=cells)
    spreads = section_module.spreads_of(real, MADE)
    assert (spreads.real[alike] == 0).all()
    assert (spreads.n_showers == 4).all()
    picked = section_module.pick(real, MADE, spreads)
    kinds = {p.particle: p.kind for p in picked}
    assert alike[next(p for p, kind in kinds.items() if kind == "consistent")]
    assert not alike[next(p for p, kind in kinds.items() if kind == "diverse")]
    for p in picked:
        assert (real.particle[p.real] == p.particle).all()
        assert (MADE.particle[p.generated] == p.particle).all()
        assert len(p.real) == len(p.generated) == 3


@pytest.mark.usefixtures("undrawn")
def test_the_scheme_of_the_judgement_is_that_of_everything_on_the_page():
    """ZP quadrants and strips have other sums: no part may fall back to the default scheme."""
    second = add_two_sample_metrics(
        evaluate(REAL, MADE, resamples=20, scheme="second"), REAL, MADE, classifier="none"
    )
    first = add_two_sample_metrics(
        evaluate(REAL, MADE, resamples=20), REAL, MADE, classifier="none"
    )
    parts = [
        {row.name: row.value.value for row in one.two_sample if row.name.startswith("ks_")}
        for one in (first, second)
    ]
    assert parts[0]["ks_total"] == parts[1]["ks_total"]
    assert parts[0]["ks_a"] != parts[1]["ks_a"]
    assert "second" in report(second, REAL, MADE)
