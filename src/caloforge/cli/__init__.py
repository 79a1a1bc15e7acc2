"""The command line: a table of verbs, each loaded when it is called, and errors in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from caloforge.documents import flaw_of
from caloforge.errors import CaloforgeError, UsageError, one_line, reason_of
from caloforge.machine import install, leaving_at_once
from caloforge.reporter import write


class Verb(NamedTuple):
    """Where a verb lives (a function or a Typer) and what it does."""

    target: str
    purpose: str


VERBS = {
    "data": Verb("caloforge.cli.data:command", "Look into shower files, convert foreign ones."),
    "transport": Verb("caloforge.cli.transport:command", "Make showers with a transport engine."),
    "train": Verb("caloforge.cli.train:command", "Train a recipe on a file of showers."),
    "plot-run": Verb("caloforge.cli.train:plot_run", "Draw the learning curves of a run."),
    "evaluate": Verb("caloforge.cli.evaluate:command", "Compare generated with real showers."),
    "compare": Verb("caloforge.cli.evaluate:compare", "Compare runs over seeds, with errors."),
    "search": Verb("caloforge.cli.search:search", "Search the settings of a recipe."),
    "export": Verb("caloforge.cli.export:command", "Write a simulator for another program."),
    "check": Verb("caloforge.cli.check:command", "Check a file, a run or a simulator."),
    "generate": Verb("caloforge.cli.generate:command", "Generate showers with a simulator."),
    "demo": Verb("caloforge.cli.demo:demo", "Train, evaluate and generate in minutes."),
    "doctor": Verb("caloforge.cli.check:doctor", "List what this installation can do."),
}

MOVED = {"validate": "python -m validation", "bench": "python -m benchmarks"}
"""Former verbs, and what runs them in a checkout of the repository."""

EXTRAS = {
    "torch": "train",
    "onnx": "train",
    "onnxscript": "train",
    "uproot": "root",
    "awkward": "root",
    "mplhep": "plots",
    "openvino": "openvino",
    "hdf5plugin": "fast",
    "dask": "cluster",
    "distributed": "cluster",
    "dask_jobqueue": "cluster",
    "geant4_pybind": "geant4",
    "sklearn": "metrics",
    "tensorboard": "tensorboard",
    "pyarrow": "tables",
    "pyhepmc": "tables",
}


def app_verbs() -> list[str]:
    """Verbs of the table whose file is there."""
    return [name for name, verb in VERBS.items() if find_spec(verb.target.split(":")[0])]


class LazyVerb(TyperCommand):
    """A line of ``--help`` that becomes the verb itself when it is called."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: Any | None = None,
        **extra: Any,
    ) -> Any:
        """Context of the loaded verb."""
        verb = load(self.name or "")
        return verb.make_context(info_name, args, parent, **extra)


class Verbs(TyperGroup):
    """The verbs in the order of the table."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the verbs."""
        return app_verbs()

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """A verb that is not loaded yet, so that ``--help`` stays fast."""
        if cmd_name in MOVED:
            raise UsageError(f"{cmd_name} runs in a checkout of the repository: {MOVED[cmd_name]}")
        if cmd_name not in self.list_commands(ctx):
            return None
        return LazyVerb(cmd_name, help=VERBS[cmd_name].purpose)


def load(name: str) -> Any:
    """Import a verb and make a command of its function (or of its Typer)."""
    module, attribute = VERBS[name].target.split(":")
    command = getattr(import_module(module), attribute)
    if not isinstance(command, typer.Typer):
        single = typer.Typer(add_completion=False, context_settings=CONTEXT, rich_markup_mode=None)
        single.command(name)(command)
        command = single
    return with_imports(typer.main.get_command(command))


def with_imports(command: Any) -> Any:
    """The command, or those below it, with the option --import."""
    for one in getattr(command, "commands", {"": command}).values():
        one.params.append(import_option())
    return command


def import_option() -> Any:
    """The option that imports modules before anything else is read."""

    def imports(modules: Imports = None) -> None:
        """Nothing but an option."""

    single = typer.Typer(add_completion=False)
    single.command()(imports)
    return typer.main.get_command(single).params[0]


def use_all(context: typer.Context, names: list[str] | None) -> None:
    """Import modules with own terms, networks, recipes, metrics or detectors."""
    from caloforge.extensions import use

    for name in names or [] if not context.resilient_parsing else []:
        use(name)


Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Own terms, networks, recipes, metrics, detectors: a module or a .py file; repeat.",
        show_default=False,
        callback=use_all,
        is_eager=True,
        expose_value=False,
    ),
]


CONTEXT = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it would take [plots] in a help text for a style
    context_settings=CONTEXT,
    help="Fast calorimeter simulation: train, evaluate, export, generate.",
)


def _show_version(requested: bool) -> None:
    if requested:
        from caloforge import __version__

        typer.echo(f"caloforge {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Options that belong to no verb."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; bad input costs one line on stderr."""
    return run(app, "caloforge", arguments)


def run(program: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """The same for any command line of this project."""
    prepare_streams()
    try:
        with leaving_at_once():
            outcome = program(args=arguments, prog_name=name, standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            write(sys.stdout, f"{error}\n")
            return 2
        code, message = explain(error)
        if message:
            write(sys.stderr, f"{name.split()[-1]}: {one_line(message)}\n")
        return code


def prepare_streams() -> None:
    """Make the standard streams take any text, and keep their numbers from other files.

    Where a shell has closed one (``>&-``), the next file opened would get its number, and what is
    printed would land in that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it stays
            setattr(sys, name, nowhere)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def explain(error: Exception) -> tuple[int, str]:
    """Exit code and the one line of an error; raises it again if it is a bug of ours."""
    from pydantic import ValidationError

    if isinstance(error, CaloforgeError):
        return error.exit_code, str(error)
    if isinstance(error, TyperException):
        return error.exit_code, usage_line(error)
    if isinstance(error, ValidationError):
        return 2, validation_line(error)
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return 1, f"this needs {error.name}: {install(EXTRAS[error.name])}"
    if isinstance(error, BrokenPipeError):
        return 1, ""
    if isinstance(error, OSError) and error.strerror:
        return 1, f"{os.fsdecode(error.filename or 'input or output')}: {error.strerror}"
    if isinstance(error, MemoryError):
        return 1, f"memory ran out ({reason_of(error)}): fewer rows, or a machine with more"
    if isinstance(error, OverflowError):
        return 2, f"a number is too large ({reason_of(error)})"
    if isinstance(error, RecursionError):
        return 3, "something that was read is nested too deeply"
    raise error


def usage_line(error: TyperException) -> str:
    """What is wrong with a command line, and where its help is; empty once help was shown."""
    if not error.format_message():
        return ""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "caloforge"
    message = error.format_message().replace("Value error, ", "")
    return f"{' '.join(message.split())} (see {path} --help)"


def validation_line(error: Any) -> str:
    """The first of pydantic's complaints, by the path of its field."""
    flaw = flaw_of(error)
    return flaw if error.errors()[0]["loc"] else f"{error.title}: {flaw}"
