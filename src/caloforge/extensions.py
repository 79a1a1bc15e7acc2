"""Pieces of others by name: terms, networks, recipes, metrics, detectors outside this package.

They stand in a module that the user imports (``--import``, or ``use`` in Python), in the running
script or notebook, or in a package with entry points ``caloforge.<group>``. A file that names a
piece imports nothing: it says which module to ask for.

Modules that are called like the function of their name: ``caloforge.evaluate(...)``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from caloforge.errors import UsageError, reason_of

OWN = __name__.partition(".")[0]
T = TypeVar("T")


class Source(NamedTuple):
    """How another process imports the same module."""

    name: str
    folder: str = ""
    """Joins the search path of modules."""
    file: str = ""
    """The file that it must be, where one was named."""


_sources: dict[str, Source] = {}
_searched_groups: set[str] = set()


def use(module: str | ModuleType) -> ModuleType:
    """Let the pieces of a module be known by name; it is imported if need be.

    Args:
        module: a module, the name of one (of the working directory, too), or a ``.py`` file.

    Raises:
        UsageError: it cannot be imported.

    Example:
        >>> use("colorsys").__name__
        'colorsys'
    """
    if isinstance(module, ModuleType):
        source = Source(module.__name__)
    else:
        source = _source_of(module)
        module = import_source(source)
    _sources[module.__name__] = source
    return module


def import_source(source: Source) -> ModuleType:
    """The module of a source, in whatever process; UsageError where that fails."""
    if source.folder and source.folder not in sys.path:
        sys.path.append(source.folder)
    try:
        module = importlib.import_module(source.name)
    except (Exception, SystemExit) as error:
        raise UsageError(f"--import {source.name}{_reason(source.name, error)}") from error
    file = getattr(module, "__file__", None) or ""
    if source.file and Path(file) != Path(source.file):
        raise UsageError(f"--import {source.file}: {source.name} is {file or 'taken'}; rename it")
    _sources[module.__name__] = source
    return module


def _reason(name: str, error: BaseException) -> str:
    """Why a module could not be imported, with the last line of it that ran."""
    if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
        return ": there is no module of this name"
    files = (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py")
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename.endswith(files)]
    number = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    where = f", line {number}" if number else ""
    return f"{where}: {type(error).__name__}: {reason_of(error)}"


def sources() -> tuple[Source, ...]:
    """What was imported by ``use``, for worker processes."""
    return tuple(_sources.values())


def with_sources(
    wanted: Iterable[Source],
    function: Callable[..., T],
    arguments: tuple[Any, ...],
    **keywords: Any,
) -> T:
    """What a function returns after these imports: how a call of another process begins."""
    for source in wanted:
        import_source(source)
    return function(*arguments, **keywords)


def _source_of(name: str) -> Source:
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise UsageError(f"--import {name}: no such file")
        whole = path.resolve()
        return Source(path.stem, str(whole.parent), str(whole))
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name):
        raise UsageError(f"--import {name!r}: give the name of a module or a .py file")
    return Source(name, str(Path.cwd()))


def modules() -> list[ModuleType]:
    """Modules that pieces are looked for in: those of ``use``, and the running script."""
    names = [*_sources, "__main__"]
    return [module for name in names if (module := sys.modules.get(name)) is not None]


def search_entry_points(group: str) -> None:
    """Import what installed packages offer for ``caloforge.<group>``, once.

    Raises UsageError for a module that cannot be imported.
    """
    if group in _searched_groups:
        return
    _searched_groups.add(group)
    for point in importlib.metadata.entry_points(group=f"{OWN}.{group}"):
        import_source(Source(point.module))


def defined_in(module: ModuleType) -> Iterator[Any]:
    """Classes and functions of a module or of those below it, not what it imports from others."""
    inside = f"{module.__name__}."
    for member in list(vars(module).values()):
        if inspect.isclass(member) or inspect.isfunction(member):
            home = f"{member.__module__}."
            if home.startswith(inside):
                yield member


def name_of(piece: Any) -> str:
    """The name of a piece: that of its class, or of its function with - for _."""
    name: str = piece.__name__
    return name if inspect.isclass(piece) else name.replace("_", "-")


class Registry(MutableMapping[str, T]):
    """Pieces of one kind by name: those of this package, then those of imported modules.

    Args:
        kind: what a piece is, for errors.
        group: of entry points, without ``caloforge.``.
        own: the pieces of this package.
        find: names and pieces of a module.
        rule: how a piece of a user's module is recognised, for errors.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        own: dict[str, T],
        find: Callable[[ModuleType], Iterable[tuple[str, T]]],
        rule: str,
    ) -> None:
        self.kind, self.group, self.own, self.find, self.rule = kind, group, own, find, rule

    def imported(self) -> dict[str, T]:
        """Pieces of imported modules; UsageError where one has the name of another."""
        pieces: dict[str, T] = {}
        for module in modules():
            for name, piece in self.find(module):
                there = pieces.get(name, self.own.get(name))
                if there is None or there == piece:
                    pieces[name] = piece
                elif module.__name__ != "__main__":
                    raise UsageError(
                        f"{module.__name__}: there is a {self.kind} {name} already; rename it"
                    )
        return pieces

    def __getitem__(self, name: str) -> T:
        if name in self.own:
            return self.own[name]
        if name in (pieces := self.imported()):
            return pieces[name]
        search_entry_points(self.group)
        return self.imported()[name]

    def require(self, name: str, where: str = "") -> T:
        """The piece of that name; UsageError with those that exist, after ``where``."""
        if name in self:
            return self[name]
        names = ", ".join(sorted(self))
        own = [source.name for source in _sources.values()]
        hint = (
            f"{' and '.join(own)} has none: {self.rule}" if own else "--import MODULE adds others"
        )
        raise UsageError(f"{where}no {self.kind} {name}; there are {names} ({hint})")

    def __iter__(self) -> Iterator[str]:
        search_entry_points(self.group)
        return iter(self.own | self.imported())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __setitem__(self, name: str, piece: T) -> None:
        self.own[name] = piece

    def __delitem__(self, name: str) -> None:
        del self.own[name]


class Origin(NamedTuple):
    """A module that pieces came from, as recipes and cards name it."""

    name: str
    version: str | None
    sha256: str | None
    """Of its file."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name


def origin_of(piece: Any) -> Origin | None:
    """The module of a piece from outside this package, None for one of ours."""
    home: str = piece.__module__
    if home.partition(".")[0] == OWN:
        return None
    name = next((name for name in _sources if f"{home}.".startswith(f"{name}.")), home)
    file = getattr(sys.modules.get(home), "__file__", None)
    is_file = file is not None and Path(file).is_file()
    sha256 = hashlib.sha256(Path(str(file)).read_bytes()).hexdigest() if is_file else None
    module = Path(str(file)).stem if name == "__main__" and is_file else name
    return Origin(module, _version(name), sha256)


def _version(name: str) -> str | None:
    top = name.partition(".")[0]
    for module in (name, top):
        version = getattr(sys.modules.get(module), "__version__", None)
        if isinstance(version, str):
            return version
    try:
        return importlib.metadata.version(top)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


class CallableModule(ModuleType):
    """A module whose call is that of the function of its name in ``caloforge.api``."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """The result of the function."""
        package, _, name = self.__name__.partition(".")
        return getattr(import_module(f"{package}.api"), name)(*arguments, **options)


def make_callable(module: str) -> None:
    """Let a module that is being imported be called."""
    sys.modules[module].__class__ = CallableModule


__all__ = [
    "Origin",
    "Registry",
    "Source",
    "defined_in",
    "import_source",
    "name_of",
    "origin_of",
    "search_entry_points",
    "sources",
    "use",
    "with_sources",
]
