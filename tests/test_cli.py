"""Verbs load when called; bad input costs one line and an exit code."""

import json
import sys
import types
from collections.abc import Callable, Iterator

import pytest
import typer
from pydantic import BaseModel

from caloforge import __version__, cli
from caloforge.errors import CaloforgeError, DataError, GateFailed, UsageError
from caloforge.machine import install

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Put a function in the place of the verb ``doctor``."""

    def replace(command: object) -> None:
        module = types.ModuleType("caloforge.cli.check")
        module.doctor = command  # type: ignore[attr-defined]
        module.__spec__ = sys.modules["caloforge.cli"].__spec__
        monkeypatch.setitem(sys.modules, "caloforge.cli.check", module)

    return replace


def failing(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_help_lists_the_verbs_in_the_order_of_the_table(caloforge: Run) -> None:
    code, out, err = caloforge("--help")
    places = [out.index(f" {name} ") for name in cli.app_verbs()]
    assert (code, err) == (0, "")
    assert places == sorted(places)


@pytest.mark.parametrize("verb", cli.app_verbs())
def test_every_command_has_help_of_80_columns(caloforge: Run, verb: str) -> None:
    for name in {verb, *(words for words, _ in commands(cli.load(verb), verb))}:
        code, out, _ = caloforge(*name.split(), "--help")
        assert code == 0
        assert f"caloforge {name}" in out
        assert max(map(len, out.splitlines())) <= 80


def commands(command: object, name: str) -> Iterator[tuple[str, object]]:
    """All commands of a verb with their words."""
    for word, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {word}")
    if not hasattr(command, "commands"):
        yield name, command


@pytest.mark.parametrize("verb", cli.app_verbs())
def test_every_number_of_an_option_has_bounds(caloforge: Run, verb: str) -> None:
    for words, command in commands(cli.load(verb), verb):
        for option in command.params:  # type: ignore[attr-defined]
            kind = getattr(option, "type_descriptor", None)
            whole, real = (kind and kind.annotation in (t, list[t]) for t in (int, float))
            for text in ["1" + 23 * "0", "-1" + 23 * "0"] * whole + ["nan", "inf", "-inf"] * real:
                code, out, err = caloforge(*words.split(), f"{option.opts[0]}={text}")
                assert (code, out) == (2, "")
                assert f"Invalid value for '{option.opts[0]}'" in err
                assert err.count("\n") == 1


def test_without_a_verb_the_help_is_shown_and_it_is_an_error(caloforge: Run) -> None:
    code, out, err = caloforge()
    assert code == 2
    assert "Usage: caloforge" in out
    assert err == ""


def test_version(caloforge: Run) -> None:
    assert caloforge("--version") == (0, f"caloforge {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "No such command 'fly'. (see caloforge --help)"),
        (["doctor", "--fast"], "No such option: --fast (see caloforge doctor --help)"),
        (
            ["doctor", "more"],
            "extra argument(s) (more) (see caloforge doctor --help)",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line(
    caloforge: Run, arguments: list[str], message: str
) -> None:
    code, out, err = caloforge(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("caloforge: ")
    assert err.endswith(f"{message}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CaloforgeError("no\nspace"), 1),
        (UsageError("no\nspace"), 2),
        (DataError("no\nspace"), 3),
        (GateFailed("no\nspace"), 4),
    ],
)
def test_our_errors_are_one_line_with_their_code(
    caloforge: Run, verb: Callable[[object], None], error: Exception, code: int
) -> None:
    verb(failing(error))
    assert caloforge("doctor") == (code, "", "caloforge: no space\n")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (PermissionError(13, "Permission denied", "/a"), 1, "caloforge: /a: Permission denied\n"),
        (OSError(28, "No space left"), 1, "caloforge: input or output: No space left\n"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            1,
            f"caloforge: this needs torch: {install('train')}\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_failures_around_us_are_one_line(
    caloforge: Run, verb: Callable[[object], None], error: BaseException, code: int, message: str
) -> None:
    verb(failing(error))
    assert caloforge("doctor") == (code, "", message)


def test_a_value_that_a_record_refuses_is_an_error_of_usage(
    caloforge: Run, verb: Callable[[object], None]
) -> None:
    class Training(BaseModel):
        steps: int

    def command() -> None:
        Training.model_validate({"steps": "many"})

    verb(command)
    code, _, err = caloforge("doctor")
    assert code == 2
    assert err.startswith("caloforge: steps: Input should be a valid integer")
    assert err.count("\n") == 1


def test_a_bug_of_ours_keeps_its_traceback(caloforge: Run, verb: Callable[[object], None]) -> None:
    verb(failing(KeyError("bug")))
    with pytest.raises(KeyError):
        caloforge("doctor")
    verb(failing(ModuleNotFoundError("No module named 'caloforge.x'", name="caloforge.x")))
    with pytest.raises(ModuleNotFoundError):
        caloforge("doctor")


def test_a_verb_may_have_verbs_of_its_own(caloforge: Run, verb: Callable[[object], None]) -> None:
    command = typer.Typer()

    @command.command()
    def info(path: str) -> None:
        typer.echo(f"info of {path}")

    @command.command()
    def convert() -> None:
        raise DataError("nothing to convert")

    verb(command)
    assert caloforge("doctor", "info", "a.h5") == (0, "info of a.h5\n", "")
    assert caloforge("doctor", "convert") == (3, "", "caloforge: nothing to convert\n")


def test_doctor_tells_versions_cores_engines_and_what_ships(caloforge: Run) -> None:
    code, out, err = caloforge("doctor", "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["caloforge"] == __version__
    assert record["packages"]["numpy"]
    assert record["usable_cores"] >= 1
    assert set(record["engines"]) == {"onnxruntime", "openvino", "torch", "geant4-pybind"}
    assert all(sample["showers"] > 0 for sample in record["samples"])


def test_doctor_says_how_to_get_what_is_missing(
    caloforge: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from caloforge.cli import check

    real = check.installed
    hidden = {"torch", "geant4-pybind"}
    monkeypatch.setattr(check, "installed", lambda name: None if name in hidden else real(name))
    code, out, _ = caloforge("doctor")
    assert code == 0
    assert f"missing: {install('train')}" in out
    assert f"missing: {install('geant4')}" in out


@pytest.mark.parametrize("former", ["validate", "bench"])
def test_former_verbs_name_what_runs_them(former: str, caloforge: Run) -> None:
    code, out, err = caloforge(former, "zn", "--quick")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "python -m" in err
