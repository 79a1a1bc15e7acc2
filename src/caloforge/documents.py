"""Records of ours in JSON files: one strict way to parse them, one model for all.

A document carries ``format`` and ``version``. A newer version is refused by name, an older one is
brought up to date by ``upgraded``. Whatever is wrong is one line: file, field, flaw.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core.core_schema import CoreSchema, no_info_before_validator_function

from caloforge.errors import CaloforgeError, DataError, one_line, reason_of

LARGEST_BYTES = 2**26
MOST_DIGITS = 400


def _whole_number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("Input should be a valid integer")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("Input should be a valid number")
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("Input should be true or false")
    return value


EXACT = {"int": _whole_number, "float": _number, "bool": _boolean}
"""What pydantic would cast, by its name of the type."""


def _exact(schema: Any) -> Any:
    """The schema, which casts no boolean or text to a number and no number to a boolean."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_exact, schema))
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if isinstance(kind, str) and kind in EXACT:
        return no_info_before_validator_function(EXACT[kind], cast("CoreSchema", schema))
    if kind == "function-before" and schema["function"]["function"] in EXACT.values():
        return schema
    # Beside the parts of a type there are tables of fields, which may have any names.
    no_types = ("default", "metadata", "serialization") if isinstance(kind, str) else ()
    return {name: part if name in no_types else _exact(part) for name, part in schema.items()}


class Record(BaseModel):
    """Typed values: true is not 1, "2" is not 2.

    >>> class Count(Record):
    ...     rows: int
    >>> try:
    ...     Count(rows=True)
    ... except ValidationError as error:
    ...     print(flaw_of(error))
    rows: Input should be a valid integer
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema without casts."""
        return cast("CoreSchema", _exact(handler(source)))


class Document(Record):
    """A record with a format and a version; subclasses name them.

    >>> class Note(Document):
    ...     FORMAT = "caloforge-note"
    ...     text: str
    >>> Note.parse(Note(text="a").to_json())
    Note(text='a')
    >>> Note.parse('{"format": "caloforge-note", "version": 2, "text": "a"}', "n.json")
    Traceback (most recent call last):
    caloforge.errors.DataError: n.json: caloforge-note version 2 is newer than 1: update caloforge
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    FORMAT: ClassVar[str]
    VERSION: ClassVar[int] = 1
    OLDEST: ClassVar[int] = 1
    ERROR: ClassVar[type[CaloforgeError]] = DataError
    """What a document that cannot be read raises."""
    LARGEST_BYTES: ClassVar[int] = LARGEST_BYTES

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The document of a file.

        Raises:
            CaloforgeError: the system refuses the file.
            DataError: (or what ERROR names) it is no document of this format and version.
        """
        record = read_json(path, largest_bytes=cls.LARGEST_BYTES, error=cls.ERROR)
        return cls.of_record(record, str(path))

    @classmethod
    def parse(cls, text: str | bytes, where: str = "") -> Self:
        """The document of a text; ``where`` is what errors begin with."""
        return cls.of_record(parse_json(text, where or cls.FORMAT, error=cls.ERROR), where)

    @classmethod
    def of_record(cls, record: Any, where: str = "") -> Self:
        """The document of a JSON object."""
        where = where or cls.FORMAT
        if not isinstance(record, dict) or record.get("format") != cls.FORMAT:
            raise cls.ERROR(f"{where}: no {cls.FORMAT} document (its format says otherwise)")
        version = record.get("version")
        if isinstance(version, bool) or not isinstance(version, int) or version < cls.OLDEST:
            raise cls.ERROR(f"{where}: {cls.FORMAT} version {version!r:.40} does not exist")
        if version > cls.VERSION:
            raise cls.ERROR(
                f"{where}: {cls.FORMAT} version {version} is newer than {cls.VERSION}: "
                "update caloforge"
            )
        fields = {name: value for name, value in record.items() if name not in HEADER}
        try:
            return cls.model_validate(cls.upgraded(fields, version))
        except ValidationError as error:
            raise cls.ERROR(f"{where}: {flaw_of(error)}") from error

    @classmethod
    def upgraded(cls, fields: dict[str, Any], version: int) -> dict[str, Any]:
        """The fields of an older version as this one has them."""
        return fields

    @property
    def record(self) -> dict[str, Any]:
        """The document as a JSON object, format and version first."""
        header = {"format": self.FORMAT, "version": self.VERSION}
        # Not pydantic's own JSON: it has no names of files that are not UTF-8.
        return header | json.loads(json.dumps(self.model_dump(), allow_nan=False))

    def to_json(self, indent: int | None = 2) -> str:
        """The document as JSON."""
        return json.dumps(self.record, indent=indent, allow_nan=False)


HEADER = ("format", "version")


def read_json(
    path: str | Path,
    *,
    largest_bytes: int = LARGEST_BYTES,
    error: type[CaloforgeError] = DataError,
) -> Any:
    """What a JSON file holds, parsed strictly.

    Args:
        path: A regular file; pipes and devices are refused.
        largest_bytes: A larger file is refused before it is read.
        error: What a file that is no JSON raises.

    Raises:
        CaloforgeError: the system refuses the file.
        DataError: (or ``error``) it is missing, too large, or no strict JSON.
    """
    content = read_bytes(path, largest_bytes=largest_bytes, error=error)
    return parse_json(content, str(path), error=error)


def read_json_lines(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, none where there is no file.

    A line that a killed process left unfinished, or that is damaged, is left out.
    """
    if not Path(path).exists():
        return []
    whole = read_bytes(path).split(b"\n")[:-1]
    return [record for line in whole if (record := _object_or_none(line)) is not None]


def _object_or_none(line: bytes) -> dict[str, Any] | None:
    try:
        record = parse_json(line, "")
    except DataError:
        return None
    return record if isinstance(record, dict) else None


def read_bytes(
    path: str | Path,
    *,
    largest_bytes: int = LARGEST_BYTES,
    error: type[CaloforgeError] = DataError,
) -> bytes:
    """What a regular file of bounded size holds; raises as ``read_json`` does."""
    path = Path(path)
    try:
        if not path.is_file():
            other = "is a folder" if path.is_dir() else "is a pipe or a device"
            raise error(f"{path}: {other if path.exists() else 'no such file'}")
        if path.stat().st_size > largest_bytes:
            raise error(f"{path} is larger than {largest_bytes} bytes")
        return path.read_bytes()
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or reason_of(failure)
        raise CaloforgeError(f"{path}: {reason}") from failure


def parse_json(text: str | bytes, where: str, *, error: type[CaloforgeError] = DataError) -> Any:
    """JSON as the standard has it: no NaN, no infinity, no name twice.

    A byte order mark is skipped; nesting and numbers without end are refused.
    """
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        return json.loads(
            decoded.removeprefix("\ufeff"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short,
        )
    except RecursionError:
        raise error(f"{where}: nested too deeply to be JSON of ours") from None
    except ValueError as failure:
        raise error(f"{where}: not JSON ({reason_of(failure)})") from failure


def json_or_word(text: str) -> Any:
    """What a text is as JSON, or the text itself where it is none."""
    try:
        return parse_json(text, "")
    except DataError:
        return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{one_line(twice, 40)!r} stands there twice")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is beyond what a number can be")
    return number


def _short(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _depth(flaw: Any) -> int:
    return len(flaw["loc"])


def flaw_of(error: ValidationError) -> str:
    """The first complaint about a record: the path of its field and what is wrong with it.

    Of a field that may be of several kinds, it is the complaint about what lies in it.
    """
    flaws = error.errors(include_url=False, include_input=False)
    first = max((flaw for flaw in flaws if flaw["loc"][:1] == flaws[0]["loc"][:1]), key=_depth)
    where = ".".join(str(part) for part in first["loc"])
    flaw = first["msg"].removeprefix("Value error, ")
    return one_line(f"{where}: {flaw}" if where else flaw, 300)
