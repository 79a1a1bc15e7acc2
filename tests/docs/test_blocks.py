"""Every block of Python or shell in the README and the documentation runs, in small.

Blocks of one page run in their order in one empty folder; Python blocks of a page share their
names. Comments in the Markdown, directly above a block, say what differs from the printed text:

``<!-- setup: caloforge ... -->``       a command that runs before the block
``<!-- small: A => B, C => D -->``      text replaced before the block runs
``<!-- needs: train -->``               an extra without which the block is left out
``<!-- slow -->``                       runs with ``-m slow`` only
``<!-- not run: REASON -->``            never runs here
``<!-- run by: tests/... -->``          another test runs it
``<!-- ci -->``                         ``.ci/run`` runs it, word by word
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from caloforge.cli import main
from caloforge.report import pictures

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = ("python", "sh", "bash", "console")
QUIET = ("json", "text", "diff", "cpp", "csv", "markdown", "toml", "{")
"""Languages of blocks that are shown and not run."""
BLOCK = re.compile(
    r"((?:^<!--.*?-->\n)*)^```([\w-]*|\{[\w-]+\}[^\n]*)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL
)
MARK = re.compile(r"<!--\s*([\w ]+?)(?::\s*(.*?))?\s*-->", re.DOTALL)
MARKS = {"setup", "small", "needs", "slow", "not run", "run by", "ci"}
NEEDED = {"train": "torch", "root": "uproot", "cluster": "dask_jobqueue", "geant4": "geant4_pybind"}


@dataclass(frozen=True)
class Block:
    """A fenced block, and the comments above it."""

    language: str
    text: str
    marks: dict[str, str]

    def small(self) -> str:
        """The text with the replacements of ``small``; each must apply."""
        text = self.text
        for change in filter(None, self.marks.get("small", "").split(", ")):
            before, _, after = change.partition(" => ")
            assert before in text, f"small: {before!r} is not in the block below it"
            text = text.replace(before, after)
        return text

    @property
    def runs(self) -> bool:
        """True where this test runs the block."""
        return self.language in LANGUAGES and not self.marks.keys() & {"not run", "run by", "ci"}


def blocks_of(page: Path) -> Iterator[Block]:
    for comments, language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        yield Block(language, text, dict(MARK.findall(comments)))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def missing(block: Block) -> set[str]:
    """Extras that a block needs and that are not installed."""
    expected = block.marks.get("needs", "").split()
    return {extra for extra in expected if importlib.util.find_spec(NEEDED[extra]) is None}


def run_python(text: str, names: dict[str, Any], page: Path) -> None:
    exec(compile(text, str(page), "exec"), names)


def commands_of(text: str) -> list[str]:
    """Commands of a shell block: continued lines joined; of a console block what follows ``$``."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def run_shell(command: str) -> None:
    """A command of ours in this process, which has torch loaded already; others by a shell."""
    bare = re.sub(r"'[^']*'", "", command.split(" #")[0].strip())
    if re.fullmatch(r"caloforge [^|<>&;$`(){}*]*", bare):
        code = main(shlex.split(command, comments=True)[1:])
        assert code == 0, f"{command}: exit code {code}"
        return
    script = re.sub(r"\bpython (?=-)", f"{sys.executable} ", command)
    script = re.sub(r"\bcaloforge (?=\w)", f"{sys.executable} -m caloforge ", script)
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    process = subprocess.run(
        ["bash", "-ec", script],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, f"{command}: {process.stderr[-2000:]}"


def run(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    """All blocks of a page, or all but the slow ones; tests of the report draw its pictures."""
    monkeypatch.chdir(folder)
    if not slow:
        monkeypatch.setattr(pictures, "data_uri", lambda figure: "data:image/png;base64,")
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(page):
        if not block.runs or missing(block) or ("slow" in block.marks and not slow):
            continue
        for command in filter(None, [block.marks.get("setup")]):
            run_shell(command)
        if block.language == "python":
            run_python(block.small(), names, page)
        else:
            for command in commands_of(block.small()):
                run_shell(command)


def test_tutorials_open_as_notebooks_of_python() -> None:
    """Without these lines jupytext takes the language of most blocks, which is the shell."""
    for page in ("alice_to_o2", "own_method", "million_showers"):
        head = (ROOT / "docs" / "tutorials" / f"{page}.md").read_text(encoding="utf-8")
        _, metadata, _ = head.split("---\n", 2)
        assert "main_language: python" in metadata
        assert "name: python3" in metadata


WITH_BLOCKS = [page for page in PAGES if any(block.runs for block in blocks_of(page))]
SLOW_PAGES = [
    page
    for page in WITH_BLOCKS
    if page.parent.name == "tutorials" or any("slow" in block.marks for block in blocks_of(page))
]


@pytest.mark.parametrize(
    "page", [page for page in WITH_BLOCKS if page.parent.name != "tutorials"], ids=name_of
)
def test_blocks_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(page, tmp_path, monkeypatch, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW_PAGES, ids=name_of)
def test_slow_blocks_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(page, tmp_path, monkeypatch, slow=True)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    """No block escapes: its language is known, its marks are, and a reason is a reason."""
    for block in blocks_of(page):
        assert block.language in LANGUAGES or block.language.startswith(QUIET), block.text[:80]
        assert block.marks.keys() <= MARKS, block.marks
        assert block.marks.get("not run", "a reason").strip()
        if test := block.marks.get("run by"):
            assert page.name in (ROOT / test).read_text(encoding="utf-8"), test


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_command_hides_in_an_indented_block(page: Path) -> None:
    text = re.sub(BLOCK, "", page.read_text(encoding="utf-8"))
    assert re.findall(r"^ {4}(?:caloforge|python|pip) .*", text, re.MULTILINE) == []


def test_a_block_that_fails_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\ncaloforge data info nothing.h5\n```\n")
    with pytest.raises(AssertionError, match="exit code 3"):
        run(page, tmp_path, monkeypatch, slow=False)
