"""Documents: strict JSON, one line for whatever is wrong."""

import json

import pytest
from pydantic import ValidationError

from caloforge.documents import Document, Record, parse_json, read_json
from caloforge.errors import CaloforgeError, DataError


class Note(Document):
    FORMAT = "caloforge-note"
    VERSION = 2

    text: str
    numbers: tuple[float, ...] = ()

    @classmethod
    def upgraded(cls, fields, version):
        return fields if version > 1 else {"text": fields["words"]}


def test_names_that_are_no_utf8_come_back():
    note = Note(text="/data/\udcff.h5")
    assert Note.parse(note.to_json()) == note


def test_a_document_comes_back_as_it_was(tmp_path):
    note = Note(text="é", numbers=(1.5,))
    path = tmp_path / "note.json"
    path.write_text(note.to_json())
    assert Note.read(path) == note
    assert list(json.loads(note.to_json())) == ["format", "version", "text", "numbers"]


def test_an_older_version_is_brought_up_to_date():
    assert Note.parse('{"format": "caloforge-note", "version": 1, "words": "a"}').text == "a"


HEAD = '"format": "caloforge-note", "version": 2, '
BAD = {
    "a boolean for a number": (
        f'{{{HEAD}"text": "a", "numbers": [true]}}',
        "numbers.0: Input should be a valid number",
    ),
    "a text for a number": (
        f'{{{HEAD}"text": "a", "numbers": ["1"]}}',
        "numbers.0: Input should be a valid number",
    ),
    "newer": ('{"format": "caloforge-note", "version": 3}', "version 3 is newer than 2"),
    "other": ('{"format": "x", "version": 2}', "no caloforge-note document"),
    "list": ("[]", "no caloforge-note document"),
    "version": ('{"format": "caloforge-note", "version": true}', "version True does not exist"),
    "field": (f'{{{HEAD}"text": 3}}', "text: Input should be a valid string"),
    "more": (f'{{{HEAD}"text": "a", "more": 1}}', "more: Extra inputs are not permitted"),
    "twice": (f'{{{HEAD}"text": "a", "text": "b"}}', "'text' stands there twice"),
    "nan": (f'{{{HEAD}"text": "a", "numbers": [NaN]}}', "NaN is no number"),
    "infinity": (f'{{{HEAD}"text": "a", "numbers": [-Infinity]}}', "-Infinity is no number"),
    "large": (f'{{{HEAD}"text": "a", "numbers": [1e999]}}', "1e999 is beyond"),
    "digits": (f'{{{HEAD}"text": {"9" * 5000}}}', "a number of 5000 digits"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "cut": (f"{{{HEAD}", "not JSON"),
    "control": (f'{{{HEAD}"text": "a", "\\u001b[31m": 1}}', r"\x1b[31m: Extra"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_is_wrong_is_one_printable_line(fault, tmp_path):
    text, words = BAD[fault]
    path = tmp_path / "note.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        Note.read(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert words in line
    assert line.isprintable()
    assert len(line) < 600


def test_a_byte_order_mark_is_nothing(tmp_path):
    path = tmp_path / "note.json"
    path.write_bytes(b"\xef\xbb\xbf" + Note(text="a").to_json().encode())
    assert Note.read(path).text == "a"
    assert parse_json("\ufeff1", "here") == 1


def test_what_is_no_file_is_said(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(DataError, match="a folder"):
        read_json(tmp_path)
    path = tmp_path / "large.json"
    path.write_text("[1, 2]")
    with pytest.raises(DataError, match="larger than 4 bytes"):
        read_json(path, largest_bytes=4)
    with pytest.raises(DataError, match="is a folder"):
        read_json(tmp_path)
    with pytest.raises(CaloforgeError):
        read_json(tmp_path / ("x" * 300))


class AnyNames(Record):
    default: int = 0
    metadata: int = 0


@pytest.mark.parametrize("name", AnyNames.model_fields)
@pytest.mark.parametrize("value", [True, "2"])
def test_a_field_of_any_name_takes_no_other_type(name, value):
    with pytest.raises(ValidationError, match="valid integer"):
        AnyNames(**{name: value})
