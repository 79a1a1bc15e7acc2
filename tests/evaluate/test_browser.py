"""The report in a real browser, wide and narrow: quiet, whole, nothing over anything else."""

import os
from pathlib import Path

import pytest

from evaluate.browser import browser, chromium

pytestmark = pytest.mark.slow
WIDTHS = (1280, 390)
OVERLAPS = """
(() => {
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const shown = node.parentElement.checkVisibility({contentVisibilityAuto: true});
    if (!node.textContent.trim() || !shown) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const r of range.getClientRects())
      if (r.width > 1 && r.height > 1)
        boxes.push({text: node.textContent.trim().slice(0, 40),
                    l: r.left, t: r.top, r: r.right, b: r.bottom});
  }
  for (const image of document.images) {
    if (!image.checkVisibility({contentVisibilityAuto: true})) continue;
    const r = image.getBoundingClientRect();
    boxes.push({text: "image " + image.alt.slice(0, 30),
                l: r.left, t: r.top, r: r.right, b: r.bottom});
  }
  boxes.sort((p, q) => p.t - q.t);
  const found = [];
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length && boxes[j].t < boxes[i].b; j++) {
      const p = boxes[i], q = boxes[j];
      const wide = Math.min(p.r, q.r) - Math.max(p.l, q.l);
      const high = Math.min(p.b, q.b) - Math.max(p.t, q.t);
      if (wide > 2 && high > 4) found.push([p.text, q.text, wide, high]);
    }
  return found;
})()
"""

SCROLLED = """
[...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth)
  .map(e => e.innerText.slice(0, 60))
"""


def required():
    """Whether a missing browser is a failure: CI installs one."""
    return os.environ.get("CI") == "true"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, drawn_page):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(drawn_page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page():
    if chromium() is None and not required():
        pytest.skip("chromium is not installed: apt-get install chromium")
    assert chromium() is not None, "CI must have chromium"
    with browser() as session:
        yield session


@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_in_a_browser(page, page_file, width, tmp_path):
    page.open(page_file.as_uri(), width)
    assert page.evaluate("window.innerWidth") == width
    for unfolded in (False, True):
        if unfolded:
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(SCROLLED) == []
        assert page.evaluate(OVERLAPS) == []
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert "REJECTED" in page.evaluate("document.querySelector('.gate').innerText")
    assert page.requested() == []
    assert page.complaints() == []
    folder = Path(os.environ.get("CALOFORGE_ARTEFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(folder / f"report-{width}.png")
    assert (folder / f"report-{width}.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("body", "actual"),
    [
        ("<img src='http://127.0.0.1:9/x.png'>", "requested"),
        ("<script>console.log(1)</script>", "complaints"),
    ],
)
def test_the_browser_sees_what_a_report_must_not_do(page, tmp_path, body, actual):
    path = tmp_path / "bad.html"
    path.write_text(f"<!doctype html><body>{body}</body>")
    page.open(path.as_uri(), 390)
    assert getattr(page, actual)() != []


def test_the_browser_sees_text_over_text(page, tmp_path):
    path = tmp_path / "over.html"
    path.write_text("<!doctype html><p>one line</p><p style='margin-top:-2.2em'>another line</p>")
    page.open(path.as_uri(), 390)
    assert page.evaluate(OVERLAPS) != []
