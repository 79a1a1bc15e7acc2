"""A detector by its name, or described in a file: JSON of ours, or a binning.xml.

JSON has the fields of ``Detector``. What may be left out: title (the name), quantity and unit
(energy, GeV), counts (false), features (the conditions as they are), channels (the sum of each
layer), and all that ``Detector`` has a value for. ``format`` and ``version`` say that it is such a
file.

A binning.xml of the CaloChallenge or of FastCaloSim describes rings and sectors:
``<Bins><Bin pid name><Layer id r_edges="0,5,..." n_bin_alpha/>`` (FastCaloSim: a ``Particle``
around the bins); a layer with a single edge is absent. A layer has the shape
(alpha, r), so that flat cells come in the order of ``showers``: r fastest, then alpha, then layer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never
from xml.parsers import expat

from pydantic import ValidationError

from caloforge.detector import Condition, Detector
from caloforge.detector.detector import LARGEST_CELLS, Layer
from caloforge.detector.features import Feature
from caloforge.detector.readout import by_layer
from caloforge.detectors import DETECTORS, detector_of_name
from caloforge.documents import flaw_of
from caloforge.documents import read_json as read_document
from caloforge.errors import CaloforgeError, DataError

FORMAT, VERSION = "caloforge-detector", 1
NAME = re.compile(r"[A-Za-z][\w-]*")
"""Names become names of folders, of datasets and of columns."""
LARGEST_FILE_BYTES = 2**24


def find_detector(text: str | Path) -> Detector:
    """The detector of that name, or of that ``.json`` or ``.xml`` file.

    Raises UsageError for an unknown name, with the names that exist, and DataError in one line
    that starts with the path for a file that describes no detector.
    """
    reader = READERS.get(Path(text).suffix.lower())
    return detector_of_name(str(text)) if reader is None else read_detector(Path(text), reader)


def read_detector(path: Path, reader: Callable[[Path], Detector]) -> Detector:
    """A detector file, checked; raises DataError."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if (size := path.stat().st_size) > LARGEST_FILE_BYTES:
        raise DataError(f"{path}: has {size} bytes, more than any description of a detector")
    try:
        detector = reader(path)
        _check_name(detector)
    except CaloforgeError as error:
        raise DataError(f"{path}: {error}") from None
    return detector


def _check_name(detector: Detector) -> None:
    """Raise DataError for the name of a detector that ships, unless it is that one."""
    built_in = DETECTORS.get(detector.name)
    if built_in is not None and built_in.fingerprint != detector.fingerprint:
        raise DataError(f"{detector.name} is the name of a detector that ships; take another one")


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


QUANTUM_GEV = 0.001
SHOWN_LETTERS = 40
"""Of a text of the file, in an error."""


@dataclass
class Bin:
    """One set of layers of the file."""

    pid: str
    layers: list[Layer] = field(default_factory=list)


def read_binning(path: Path) -> Detector:
    """The detector of a file with one set of layers; DataError in one line for any other file.

    It is called after the file, takes the kinetic energy as its condition, and has no depths.
    """
    bins = [one for one in _bins(path.read_bytes()) if one.layers]
    if len(bins) != 1:
        pids = _shown(", ".join(one.pid for one in bins)) or "none"
        raise DataError(f"has {len(bins)} sets of layers (pid: {pids}); leave one in the file")
    layers = tuple(bins[0].layers)
    if (count := sum(layer.cells for layer in layers)) > LARGEST_CELLS:
        raise DataError(f"has {count} cells, more than {LARGEST_CELLS}")
    name = re.sub(r"\W+", "_", path.stem)
    return Detector(
        name=name if name[:1].isalpha() else f"binning_{name}",
        title=path.stem,
        quantity="energy",
        unit="GeV",
        counts=False,
        quantum=QUANTUM_GEV,
        layers=layers,
        conditions=(Condition(name="E", unit="GeV", meaning="incident energy"),),
        features=(Feature(name="log_E", kind="log", of=("E",)),),
        channels=(by_layer({layer.name: layer.cells for layer in layers}, path.name),),
        energy="E",
    )


def _bins(content: bytes) -> list[Bin]:
    """All sets of layers. Documents that declare types or entities are refused."""
    reader = _BinningParser()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        # Encodings of many bytes a letter, and unknown ones, are no ExpatError.
        raise DataError(f"not XML ({error})") from None
    return reader.bins


def _refuse(*_: object) -> Never:
    raise DataError("has a DOCTYPE or declares entities; both are refused")


def _shown(text: str) -> str:
    """Text of the file as one short line of an error."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= SHOWN_LETTERS else f"{line[:SHOWN_LETTERS]}..."


class _BinningParser:
    """What the elements say, one after the other."""

    def __init__(self) -> None:
        self.bins: list[Bin] = []
        self._pid = "unknown"

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """One opening tag."""
        self._pid = attributes.get("pid", self._pid)
        if tag == "Bin":
            self.bins.append(Bin(self._pid))
        elif tag == "Layer":
            if not self.bins:
                raise DataError("has a Layer outside any Bin")
            self._layer(self.bins[-1], attributes)

    def _layer(self, into: Bin, attributes: dict[str, str]) -> None:
        if missing := {"id", "r_edges", "n_bin_alpha"} - attributes.keys():
            raise DataError(f"has a Layer without {sorted(missing)[0]}")
        number, edges = attributes["id"], _numbers(attributes["r_edges"], "r_edges")
        if not re.fullmatch("[0-9]{1,6}", number):
            raise DataError(f"has a Layer of id {number[:SHOWN_LETTERS]!r}")
        if len(edges) < 2:
            return
        layer = _rings(f"layer_{number}", edges, _sectors(attributes["n_bin_alpha"]))
        if layer.name in {other.name for other in into.layers}:
            raise DataError(f"has {layer.name} twice")
        into.layers.append(layer)


def _rings(name: str, edges: list[float], sectors: int) -> Layer:
    rings = len(edges) - 1
    arc = 2 * math.pi * (edges[0] + edges[-1]) / 2 / sectors
    cell_mm = (arc, (edges[-1] - edges[0]) / rings)
    try:
        return Layer(name=name, shape=(sectors, rings), cell_mm=cell_mm, ring_edges_mm=tuple(edges))
    except ValidationError as error:
        raise DataError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from None


def _numbers(text: str, what: str) -> list[float]:
    try:
        numbers = [_number(part) for part in text.split(",")]
    except ValueError:
        raise DataError(f"{what} {text[:SHOWN_LETTERS]!r} are no numbers") from None
    if not all(map(math.isfinite, numbers)):
        raise DataError(f"{what} {text[:SHOWN_LETTERS]!r} are not finite")
    return numbers


def _number(text: str) -> float:
    """A number as XML has it; Python alone reads 1_0 and the digits of all scripts."""
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return float(text)


def _sectors(text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,7}\s*", text) or int(text) < 1:
        raise DataError(f"n_bin_alpha {text[:SHOWN_LETTERS]!r} is no number of sectors")
    return int(text)


READERS: dict[str, Callable[[Path], Detector]] = {".json": read_json, ".xml": read_binning}
"""By the ending of the file."""
