"""Public functions take paths as text, and the names of what ships where a command takes them."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caloforge
from caloforge import Recipe, ShowerFile, ShowerWriter, Simulator, read, write
from caloforge.data.info import summarise
from caloforge.data.selection import Choice, select
from caloforge.detectors.files import find_detector
from caloforge.errors import DataError, UsageError
from caloforge.evaluate.engine import stream
from caloforge.evaluate.inputs import load
from caloforge.export.bundle import Options, check_bundle, export
from caloforge.formats import ConversionRequest, convert
from caloforge.formats.writing import Order, write_foreign
from caloforge.generate import Particles, generate
from caloforge.simulator import find_simulator, read_card
from caloforge.simulator.shipped import find_named
from caloforge.transport import read_particles
from extras import needs

CASES = Path(__file__).parent / "cases"
REAL8 = str(CASES / "real8.h5")
PACKAGES = ("", ".evaluate", ".simulator", ".transport", ".generate", ".formats", ".particles")
VERBS = {
    "train": "train",
    "evaluate.inputs": "load",
    "evaluate.comparison": "compare_runs",
    "evaluate.engine": "stream",
    "generate.production": "prepare produce",
    "export.bundle": "export check_bundle",
    "export.half_precision": "halve",
    "export.int8": "quantise",
    "data.info": "summarise",
    "data.selection": "select",
    "formats.writing": "write_foreign",
    "io.root": "write_root",
    "search.outcome": "search",
    "transport.run": "read_geometry",
    "report.pictures": "save",
    "report.pages": "write_report write_comparison",
    "demo": "demonstrate",
}


WITHIN = {"Particles.from_folder", "format_of"}
"""What other functions call with paths of their own."""


def public() -> Iterator[Callable[..., Any]]:
    """Functions, constructors and class methods that users call."""
    for package in PACKAGES:
        module = import_module(f"caloforge{package}")
        yield from (getattr(module, name) for name in module.__all__)
    for name, functions in VERBS.items():
        module = import_module(f"caloforge.{name}")
        yield from (getattr(module, function) for function in functions.split())


def called(thing: Any) -> Iterator[Callable[..., Any]]:
    if inspect.isfunction(thing):
        yield thing
    if inspect.isclass(thing):
        yield from (getattr(thing, n) for n, f in vars(thing).items() if type(f) is classmethod)
        if not is_dataclass(thing):
            yield thing.__init__


def test_every_path_may_be_text() -> None:
    needs("torch")
    wrong, n_checked = [], 0
    for function in (one for thing in public() for one in called(thing)):
        for name, parameter in inspect.signature(function).parameters.items():
            kind = str(parameter.annotation).replace("pathlib.", "")
            n_checked += "Path" in kind
            if "Path" in kind and "str" not in kind and function.__qualname__ not in WITHIN:
                wrong.append(f"{function.__qualname__}({name}: {kind})")
    assert wrong == []
    assert n_checked > 30


def test_showers_are_read_and_written_by_text_or_name(tmp_path: Path) -> None:
    out = str(tmp_path / "out.h5")
    showers = read(REAL8)
    write(out, showers)
    with ShowerFile(out) as file:
        assert len(file) == 8
    with ShowerWriter(out, showers.detector, {}, columns=(), overwrite=True) as writer:
        writer.append(showers.cells, showers.conditions, showers.particle)
    assert summarise(out).rows == 8
    assert summarise("alice_zp").rows == len(read("alice_zp"))
    assert select("alice_zp", Choice(where=("Energy>100",)), str(tmp_path / "some.h5")) > 0
    detector = find_detector(str(CASES / "binning_small.xml"))
    request = ConversionRequest((str(CASES / "cc_ok.hdf5"),), detector=detector)
    assert convert(request, str(tmp_path / "ours.h5")) > 0
    order = Order(str(tmp_path / "ours.h5"), "calochallenge")
    assert write_foreign(order, str(tmp_path / "theirs.hdf5")) > 0


def test_simulators_make_files_of_that_name(tmp_path: Path) -> None:
    simulator = Simulator.load("alice_zn")
    particles = Particles.like(REAL8, simulator.detector)
    out = str(tmp_path / "out.h5")
    assert generate(simulator, particles, out, showers=8).showers == 8
    bundle = str(tmp_path / "bundle")
    export(simulator, "triton", bundle, Options())
    assert check_bundle(bundle).findings
    assert read_card(str(simulator.folder / "simulator.json")).detector == simulator.detector


def test_evaluation_takes_text_and_names() -> None:
    inputs = load(REAL8, str(CASES / "real64.h5"), train="alice_zn")
    assert (len(inputs.real), len(inputs.generated)) != (0, 0)
    assert inputs.train is not None
    assert len(inputs.train) == len(read("alice_zn"))
    assert stream(REAL8, REAL8)


def test_a_table_of_particles_by_text() -> None:
    detector = read(REAL8).detector
    assert len(read_particles(REAL8, detector)) > 0
    with pytest.raises(Exception, match="no such file"):
        read_particles("nothing.csv", detector)


def test_documents_and_recipes_by_text_or_path() -> None:
    recipe = CASES / "recipe_bom.json"
    assert Recipe.read(str(recipe)) == Recipe.read(recipe)
    assert find_simulator("simulator/alice_zn") == find_simulator("alice_zn")
    with pytest.raises(DataError, match=r"nothing\.h5: no such file"):
        caloforge.train(recipe, "nothing.h5")
    with pytest.raises(UsageError, match=r"settings training\.steps: .* not JSON"):
        caloforge.train("sdi-gan", settings={"training.steps": np.int64(3)})


def test_a_prefix_names_a_shipped_simulator_everywhere() -> None:
    assert find_named("simulator/alice_zn", "run") == find_named("alice_zn", "run")
    with pytest.raises(UsageError, match="no such run"):
        find_named("simulator/other", "run")
