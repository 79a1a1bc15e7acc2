"""A report on disk: the page, and its numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caloforge.errors import UsageError
from caloforge.evaluate.judgement import Judgement
from caloforge.evaluate.traversal import Traversal
from caloforge.io.files import write_aside

if TYPE_CHECKING:
    from caloforge.data.showers import Showers

PAGE, NUMBERS = ".html", ".json"


def check_out(out: Path | None, *, overwrite: bool = False) -> None:
    """Raise UsageError before hours of work when the report could not be written in the end."""
    if out is None:
        return
    if out.suffix != PAGE:
        raise UsageError(f"--out {out}: name a report that ends in {PAGE}")
    for path in (out, out.with_suffix(NUMBERS)):
        if path.exists() and not overwrite:
            raise UsageError(f"{path} exists already; --force replaces it")


def write_report(
    out: Path,
    judgement: Judgement,
    real: Showers,
    generated: Showers,
    *,
    train: Showers | None = None,
    moved: Sequence[Traversal] = (),
    overwrite: bool = False,
) -> None:
    """Write the page to ``out`` and the judgement as JSON beside it."""
    from caloforge.evaluate.report import report

    check_out(out, overwrite=overwrite)
    for path, text in (
        (out.with_suffix(NUMBERS), judgement.to_json() + "\n"),
        (out, report(judgement, real, generated, train, moved)),
    ):
        with write_aside(path, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8")
