"""Showers files written by plain h5py: never by our writer, so that both can be wrong apart."""

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np

from caloforge.detector import Condition, Detector, Layer
from caloforge.detector.features import Feature
from caloforge.detector.readout import Channels

TOY = Detector(
    name="toy_calorimeter",
    title="two small planes",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(
        Layer(name="front", shape=(4, 3), cell_mm=(1.0, 1.0)),
        Layer(name="back", shape=(2, 2), cell_mm=(2.0, 2.0)),
    ),
    conditions=(
        Condition(name="Energy", unit="GeV"),
        Condition(name="Px", unit="GeV/c", vector="P", axis="x"),
    ),
    features=(Feature(name="log_energy", kind="log", of=("Energy",)),),
    channels=(
        Channels(scheme="halves", labels=("even", "odd"), of_cell=(0, 1) * 8, source="tests"),
    ),
)


def variant(**changes: object) -> Detector:
    """The toy with some fields changed (a copy would keep the cached fingerprint)."""
    return Detector.model_validate(TOY.model_dump() | changes)


REPEATS = (3, 1, 2, 4)
IDS = (5, 2, 9, 4)


def numbers(seed: int = 0) -> dict[str, np.ndarray]:
    """Ten rows of four particles, as arrays of the file."""
    rng = np.random.default_rng(seed)
    rows = sum(REPEATS)
    per_particle = np.column_stack([rng.uniform(1, 100, 4), rng.normal(size=4)])
    return {
        "showers/front": rng.poisson(3.0, (rows, 4, 3)).astype("<u2"),
        "showers/back": rng.poisson(1.0, (rows, 2, 2)).astype("<u2"),
        "conditions": np.repeat(per_particle, REPEATS, axis=0),
        "particle": np.repeat(IDS, REPEATS).astype("<i8"),
        "pdg": np.repeat([22, 2112, 22, -211], REPEATS).astype("<i4"),
        "cpu_seconds": rng.uniform(0.1, 1, rows).astype("<f4"),
    }


def attributes() -> dict[str, object]:
    """Root attributes, spelt out; the hash is computed from the format's definition by hand."""
    contract = {
        "name": "toy_calorimeter",
        "unit": "counts",
        "layers": [["front", [4, 3], [1.0, 1.0]], ["back", [2, 2], [2.0, 2.0]]],
        "conditions": [["Energy", "GeV"], ["Px", "GeV/c"]],
    }
    digest = hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()
    return {
        "format": "caloforge-showers",
        "version": 1,
        "detector": TOY.model_dump_json(),
        "detector_hash": digest[:16],
        "columns": ["Energy", "Px"],
        "units": ["GeV", "GeV/c"],
        "engine": "a pencil",
        "licence": "none",
    }


def fixed(value: object) -> object:
    """Text as the format wants it, of fixed length."""
    if isinstance(value, str):
        return np.bytes_(value)
    if isinstance(value, list) and isinstance(value[0], str):
        return np.array([text.encode() for text in value])
    return value


def write_raw(
    path: Path,
    arrays: dict[str, np.ndarray | None] | None = None,
    attrs: dict[str, object] | None = None,
    **how: object,
) -> Path:
    """A good file, but for the arrays and attributes that are replaced (None: left out)."""
    with h5py.File(path, "w") as file:
        for name, value in {**attributes(), **(attrs or {})}.items():
            if value is not None:
                file.attrs[name] = fixed(value)
        for name, array in {**numbers(), **(arrays or {})}.items():
            if array is not None:
                file.create_dataset(name, data=array, **how)
    return path
