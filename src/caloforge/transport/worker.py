"""The process that owns an engine: ``python -m caloforge.transport.worker``.

It reads one JSON line with what to build, answers a line of what the engine is, then reads lines of
shots and answers each with a line of JSON and the bytes of its arrays. Geant4 writes to stdout, so
that stream is moved away first; when the other end is gone the process ends at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import astuple
from typing import IO, Any

import numpy as np

from caloforge.detector import Detector
from caloforge.transport.data_tables import formula_tables
from caloforge.transport.geometry import GEOMETRY
from caloforge.transport.request import Setup, Shot, Shower


def setup_line(setup: Setup, detector: Detector, pdgs: list[int]) -> str:
    """First line for a worker: what to build, and which particles will come."""
    record = {"setup": setup.model_dump(), "detector": detector.model_dump(), "pdgs": pdgs}
    return json.dumps(record) + "\n"


def shots_line(shots: list[Shot]) -> str:
    """A batch of shots for a worker."""
    return json.dumps([astuple(shot) for shot in shots]) + "\n"


def write_answer(stream: IO[bytes], shower: Shower) -> None:
    """Send a shower: a line of sizes and the bytes of the arrays."""
    arrays = (shower.cells, shower.overflow, shower.profile)
    head = {
        "index": shower.index,
        "cpu_seconds": shower.cpu_seconds,
        "sizes": [len(array) for array in arrays],
    }
    stream.write(json.dumps(head).encode() + b"\n" + b"".join(a.tobytes() for a in arrays))
    stream.flush()


def read_answer(stream: IO[bytes]) -> Shower | None:
    """The next shower of a worker, or None when it has ended, be it in the middle of an answer."""
    try:
        head = json.loads(stream.readline())
        numbers = np.frombuffer(stream.read(4 * sum(head["sizes"])), np.float32)
        if len(numbers) != sum(head["sizes"]):
            return None
        cells, overflow, profile = np.split(numbers, np.cumsum(head["sizes"])[:-1])
        return Shower(head["index"], cells, overflow, profile, head["cpu_seconds"])
    except (KeyError, TypeError, ValueError):
        return None


def _engine(record: dict[str, Any]) -> Any:
    """Geant4 as described; the formula tables are written here, where it may be imported."""
    from caloforge.transport.formulas import write_tables
    from caloforge.transport.geant4 import Engine

    setup = Setup.model_validate(record["setup"])
    geometry = GEOMETRY.validate_json(setup.geometry)
    if setup.tables_kind == "formula":
        from pathlib import Path

        elements = [z for material in geometry.materials for z in material.elements]
        hadronic = len(setup.physics) > 1
        write_tables(formula_tables(Path(setup.tables)), elements, hadronic=hadronic)
    return Engine(setup, Detector.model_validate(record["detector"]), geometry)


def _or_leave(answer: Callable[[Shower], None]) -> Callable[[Shower], None]:
    """Nothing may be thrown through Geant4: without a listener the process ends."""

    def answer_or_leave(shower: Shower) -> None:
        try:
            answer(shower)
        except OSError:
            os._exit(1)

    return answer_or_leave


def main() -> None:
    """Serve shots until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    record = json.loads(sys.stdin.readline())
    engine = _engine(record)
    unknown = [pdg for pdg in record["pdgs"] if not engine.knows(pdg)]
    answers.write(json.dumps({"engine": engine.version, "unknown": unknown}).encode() + b"\n")
    answers.flush()
    for line in sys.stdin:
        shots = [
            Shot(i, pdg, gev, tuple(at), tuple(to), seed)
            for i, pdg, gev, at, to, seed in json.loads(line)
        ]
        engine.run(shots, _or_leave(lambda shower: write_answer(answers, shower)))
    sys.stderr.flush()
    os._exit(0)  # Geant4's destructors may crash after Python's


if __name__ == "__main__":
    main()
