"""A detector written as JSON: the fields of ``Detector``, the usual ones left out.

What may be left out: title (the name), quantity and unit (energy, GeV), counts (false), features
(the conditions as they are), channels (the sum of each layer), and all that ``Detector`` has a
value for. ``format`` and ``version`` say that it is such a file.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from caloforge.detector import Detector
from caloforge.detector.layer import LARGEST_CELLS
from caloforge.detector.readout import by_layer
from caloforge.documents import flaw_of
from caloforge.documents import read_json as read_document
from caloforge.errors import DataError

FORMAT, VERSION = "caloforge-detector", 1
NAME = re.compile(r"[A-Za-z][\w-]*")
"""Names become names of folders, of datasets and of columns."""


def read_json(path: Path) -> Detector:
    """The detector of a JSON file; DataError naming the field that is wrong."""
    try:
        record = read_document(path)
    except DataError as error:
        raise DataError(str(error).removeprefix(f"{path}: ")) from None
    if not isinstance(record, dict):
        raise DataError("describes no detector: not an object")
    return detector_of_record(record)


def detector_of_record(record: dict[str, Any]) -> Detector:
    """The detector that a JSON object describes."""
    fields = dict(record)
    identity = fields.pop("format", FORMAT), fields.pop("version", VERSION)
    if identity != (FORMAT, VERSION):
        raise DataError(f"is {identity[0]} version {identity[1]}, not {FORMAT} version {VERSION}")
    try:
        detector = Detector.model_validate(_usual(fields) | fields)
    except (ValidationError, RecursionError) as error:
        raise DataError(_flaw(error)) from None
    _check(detector)
    return detector


def record_of(detector: Detector) -> dict[str, Any]:
    """The JSON object of a detector, whole."""
    return {"format": FORMAT, "version": VERSION, **detector.model_dump(mode="json")}


def _usual(fields: dict[str, Any]) -> dict[str, Any]:
    """What stands for the fields that are left out, as far as the others are what they should."""
    layers, conditions = (_objects(fields.get(name)) for name in ("layers", "conditions"))
    _check_different("layers", [str(layer.get("name")) for layer in layers])
    cells = {str(layer.get("name")): _cells(layer.get("shape")) for layer in layers}
    if (count := sum(cells.values())) > LARGEST_CELLS:
        raise DataError(f"has {count} cells, more than {LARGEST_CELLS}")
    names = [condition.get("name") for condition in conditions]
    return {
        "title": fields.get("name"),
        "quantity": "energy",
        "unit": "GeV",
        "counts": False,
        "features": [{"name": name, "kind": "value", "of": [name]} for name in names],
        "channels": [] if "channels" in fields else [by_layer(cells, "sum of each layer")],
    }


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _cells(shape: Any) -> int:
    """Cells of a shape, 0 for what is none: the detector's own checks then say so."""
    numbers = isinstance(shape, list) and all(type(n) is int for n in shape)
    return max(math.prod(shape), 0) if numbers else 0


def _flaw(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nests too deeply"
    return flaw_of(error) if error.errors()[0]["loc"] else f"the detector: {flaw_of(error)}"


def _check(detector: Detector) -> None:
    """Raise DataError for names that nothing can be made of."""
    layers, columns = [layer.name for layer in detector.layers], list(detector.columns)
    for what, names in (("layers", layers), ("conditions", columns)):
        if not names:
            raise DataError(f"has no {what}")
        _check_different(what, names)
    for name in (detector.name, *layers, *columns):
        if not NAME.fullmatch(name):
            raise DataError(f"{name!r} is no name: letters, digits, _ and -, a letter first")


def _check_different(what: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise DataError(f"{what} share a name: {', '.join(names)[:100]}")
