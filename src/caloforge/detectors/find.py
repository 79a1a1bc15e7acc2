"""A detector by its name, or described in a file: our JSON, or a binning.xml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from caloforge.detector import Detector
from caloforge.detectors import DETECTORS, detector_of_name
from caloforge.detectors.json_file import read_binning, read_json
from caloforge.errors import CaloforgeError, DataError

READERS: dict[str, Callable[[Path], Detector]] = {".json": read_json, ".xml": read_binning}
LARGEST_FILE_BYTES = 2**24


def find_detector(text: str) -> Detector:
    """The detector of that name, or of that ``.json`` or ``.xml`` file.

    Raises UsageError for an unknown name, with the names that exist, and DataError in one line
    that starts with the path for a file that describes no detector.
    """
    reader = READERS.get(Path(text).suffix.lower())
    return detector_of_name(text) if reader is None else read_detector(Path(text), reader)


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
