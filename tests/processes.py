"""Commands in processes of their own, forked from a server that has the modules loaded."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

MODULES = ("caloforge.cli", "caloforge.data.showers", "caloforge.simulator", "pytest", "torch")
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(list(MODULES))
SECONDS = 120


def command(arguments: list[str], folder: str, environ: dict[str, str]) -> None:
    """The command line; its two outputs are files of the folder."""
    from caloforge.cli import main

    for number, name in ((1, "out"), (2, "err")):
        file = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    sys.exit(main(arguments))


def run_command(*arguments: object) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a command that has a process for itself."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        process = SERVER.Process(target=command, args=(words, folder, dict(os.environ)))
        process.start()
        try:
            process.join(SECONDS)
            code = process.exitcode
        finally:
            process.kill()
            process.join()
        return code, *((Path(folder) / name).read_text() for name in ("out", "err"))
