"""Commands in processes of their own, forked from a server that has the modules loaded."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODULES = (
    *("caloforge.cli", "caloforge.data.showers", "caloforge.simulator", "caloforge.train"),
    *("caloforge.export.onnx_builder", "pytest", "torch._dynamo"),
)
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


def run_together(target: Callable[..., None], *calls: tuple[Any, ...]) -> list[int | None]:
    """Exit codes of calls that run at the same time, each in a process of its own."""
    processes = [SERVER.Process(target=target, args=arguments) for arguments in calls]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join(SECONDS)
        return [process.exitcode for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.join()


def run_command(*arguments: object) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a command that has a process for itself."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        (code,) = run_together(command, (words, folder, dict(os.environ)))
        return code, *((Path(folder) / name).read_text() for name in ("out", "err"))
