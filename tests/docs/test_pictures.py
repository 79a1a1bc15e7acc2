"""Pictures of the documentation: each is drawn by a function, and each page's picture exists."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    specification = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["pictures"] = module
    specification.loader.exec_module(module)
    return module


def test_every_picture_has_a_function_and_a_page(pictures: ModuleType) -> None:
    files = {path.stem for path in (DOCS / "images").glob("*.png")}
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    links = set(re.findall(r"\(\.\./images/([\w-]+)\.png\)|\(images/([\w-]+)\.png\)", text))
    assert files == set(pictures.PICTURES)
    assert files == {name for pair in links for name in pair if name}


@pytest.mark.slow
def test_pictures_can_be_drawn(
    pictures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "IMAGES", tmp_path)
    pictures.main([])
    assert {path.stem for path in tmp_path.glob("*.png")} == set(pictures.PICTURES)
    assert all(path.stat().st_size < 100_000 for path in tmp_path.glob("*.png"))
