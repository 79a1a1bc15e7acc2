"""``python -m validation.shipped.make NAME``: train, judge and install a simulator that ships."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from caloforge import cli
from caloforge.io.files import write_aside_folder
from caloforge.simulator.card import CARD
from caloforge.simulator.shipped import SHIPPED
from validation.shipped.plan import TRAININGS

COMMAND = "python -m validation.shipped.make"
Name = Annotated[str, typer.Argument(metavar="|".join(TRAININGS))]
Folder = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the run; one that is there goes on.")
]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def command(name: Name, out: Folder) -> None:
    """Train or go on, state the quality in the card, put the simulator into the package."""
    training = TRAININGS[name]
    train = training.command(out) + (["--resume"] if (out / "recipe.json").is_file() else [])
    judge = ["evaluate", str(out), "--against", training.sample, "--to-card", "--force"]
    for arguments in (train, [*judge, "--out", str(out / "report.html")]):
        if code := cli.main(arguments):
            raise SystemExit(code)
    with write_aside_folder(SHIPPED / name, overwrite=True) as aside:
        shutil.copytree(out / "simulator", aside, dirs_exist_ok=True)
        card = aside / CARD
        card.write_text(with_names_of_files(card.read_text(encoding="utf-8")), encoding="utf-8")


def with_names_of_files(text: str) -> str:
    """A card with files by their names: where they lay is of no use elsewhere."""
    return re.sub(r'("path": *")[^"]*/', r"\1", text)


if __name__ == "__main__":
    sys.exit(cli.run(app, COMMAND))
