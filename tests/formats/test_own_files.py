"""Own files whose arrays somebody names, and our ROOT trees, read back."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from caloforge import Showers, read, write
from caloforge.data.samples import sample_path
from caloforge.detectors import POINTS
from caloforge.particles import conditions_of
from extras import needs

Run = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
COLUMNS = "Energy,Vx,Vy,Vz,Px,Py,Pz,mass,charge"


@pytest.fixture(scope="module")
def zp() -> Showers:
    return read(sample_path("alice_zp")).rows(slice(24))


@pytest.fixture(scope="module")
def em() -> Showers:
    return read(sample_path("atlas_em")).rows(slice(20))


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def write_hdf5(path: Path, arrays: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def write_tree(path: Path, arrays: dict[str, Any]) -> None:
    with needs("uproot").recreate(path) as file:
        file["tree"] = {name: np.asarray(values) for name, values in arrays.items()}


WRITERS = {"npz": write_npz, "h5": write_hdf5, "root": write_tree}


def images_of(showers: Showers) -> np.ndarray:
    return showers.detector.split(showers.cells)["fibres"]


@pytest.mark.parametrize("ending", WRITERS)
def test_rows_in_any_order_come_together(
    tmp_path: Path, caloforge: Run, rng: np.random.Generator, zp: Showers, ending: str
) -> None:
    """Naive twin: rows of the result, looked up one by one in what was written."""
    order = rng.permutation(len(zp))
    table = np.column_stack([zp.conditions, zp.pdg])[order]  # type: ignore[list-item]
    table[:, 0] *= 1000
    table[:, 1:4] *= 10
    logarithms = np.log1p(images_of(zp)[order]).astype(np.float32)
    WRITERS[ending](tmp_path / f"mine.{ending}", {"images": logarithms, "table": table})
    code, _, log = caloforge(
        "data", "convert", tmp_path / f"mine.{ending}", "--out", tmp_path / "zp.h5",
        "--detector", "alice_zp", "--cells", "images", "--conditions", "table",
        "--columns", f"{COLUMNS},pdg", "--units", "MeV,mm,mm,mm,-,-,-,MeV,e,-",
    )  # fmt: skip
    assert code == 0
    assert "cells are log1p" in log
    actual = read(tmp_path / "zp.h5")
    assert len(actual.groups()) == len(zp.groups())
    remaining_rows = [
        (cells.tobytes(), int(pdg)) for cells, pdg in zip(zp.cells, zp.pdg, strict=True)
    ]  # type: ignore[arg-type]
    for cells, conditions, pdg in zip(actual.cells, actual.conditions, actual.pdg, strict=True):  # type: ignore[arg-type]
        row = remaining_rows.index((cells.tobytes(), int(pdg)))
        remaining_rows[row] = (b"", 0)
        np.testing.assert_allclose(conditions, zp.conditions[row], rtol=1e-12)
    assert len(set(remaining_rows)) == 1


def test_layers_units_and_physics(tmp_path: Path, caloforge: Run, em: Showers) -> None:
    """Deposits by layer in MeV, particles by type, kinetic energy and direction."""
    theta, phi = em.conditions[:, 1], em.conditions[:, 2]
    uy = np.cos(theta)
    uz = np.sqrt((1 - uy**2) / (1 + np.tan(phi) ** 2))
    write_hdf5(
        tmp_path / "mine.h5",
        {f"d/{name}": 1000 * image for name, image in em.detector.split(em.cells).items()}
        | {"pdg": np.full(20, -11), "e": 1000 * em.conditions[:, 0]}
        | {"at": np.column_stack([-np.tan(phi) * uz, uy, uz, em.conditions[:, 3:]])},
    )
    code, _, log = caloforge(
        "data", "convert", tmp_path / "mine.h5", "--out", tmp_path / "em.h5", "-q",
        "--detector", "atlas_em", "--cells", ",".join(f"d/layer_{n}" for n in range(3)),
        "--cells-unit", "MeV", "--conditions", "pdg,e,at",
        "--columns", "pdg,Ekin,ux,uy,uz,x,y", "--units", "-,MeV,-,-,-,mm,mm",
    )  # fmt: skip
    assert (code, log) == (0, "")
    actual = read(tmp_path / "em.h5")
    np.testing.assert_allclose(actual.cells, em.cells, rtol=1e-6)
    np.testing.assert_allclose(actual.conditions, em.conditions, rtol=1e-9, atol=1e-9)
    assert set(actual.pdg.tolist()) == {-11}  # type: ignore[union-attr]
    assert conditions_of(em.detector, pdg=-11, kinetic_gev=[5.0]).shape == (1, 5)


@pytest.mark.parametrize("name", ["alice_zp", "atlas_em", "points"])
def test_our_tree_comes_back_equal(tmp_path: Path, caloforge: Run, name: str) -> None:
    needs("uproot")
    if name == "points":
        shower_cells = np.eye(10)[[0, 3, 3]]
        cells = np.array([[-3.5, 2], [1, -1], [0, 9]], np.float32)
        source = Showers(
            POINTS, cells, shower_cells, np.array([7, 2, 2]), provenance={"engine": "x"}
        )
    else:
        source = read(sample_path(name)).rows(slice(20))
    write(tmp_path / "a.h5", source)
    for verb, first, second in (("export", "a.h5", "a.root"), ("convert", "a.root", "b.h5")):
        options = ["--to", "root"] if verb == "export" else []
        arguments = ("data", verb, tmp_path / first, *options, "--out", tmp_path / second, "-q")
        code, _, log = caloforge(*arguments)
        assert (code, log) == (0, "")
    actual = read(tmp_path / "b.h5")
    for part in ("cells", "conditions", "particle", "pdg"):
        np.testing.assert_array_equal(getattr(actual, part), getattr(source, part))
    assert actual.detector == source.detector
    assert actual.provenance == source.provenance
    wrong = ("data", "convert", tmp_path / "a.root", "--out", tmp_path / "c.h5")
    code, _, log = caloforge(*wrong, "--detector", "alice_zn")
    assert (code, log.count("\n")) == (3, 1)
    assert f"holds showers of {name}, alice_zn is asked for" in log
    code, _, log = caloforge(*wrong, "--clip-negative")
    assert code == 2


@pytest.mark.parametrize("columns", [COLUMNS, "pdg,E,ux,uy,uz,x,y,z"])
def test_energies_in_mev_are_mended_by_the_option_that_is_named(
    tmp_path: Path, caloforge: Run, zp: Showers, columns: str
) -> None:
    table = zp.conditions.copy()
    table[:, [0, 4, 5, 6]] *= 1000
    if columns != COLUMNS:
        direction = table[:, 4:7] / np.linalg.norm(table[:, 4:7], axis=1)[:, None]
        place = table[:, 1:4]
        table = np.column_stack([zp.pdg, table[:, 0], direction, place])  # type: ignore[list-item]
    write_npz(tmp_path / "mine.npz", {"images": images_of(zp), "table": table})
    line = ["data", "convert", tmp_path / "mine.npz", "--detector", "alice_zp", "-q"]
    line += ["--cells", "images", "--conditions", "table", "--columns", columns, "--out"]
    code, _, log = caloforge(*line, tmp_path / "wrong.h5")
    assert (code, log.count("--energy-unit MeV")) == (0, 1)
    code, _, log = caloforge(*line, tmp_path / "zp.h5", "--energy-unit", "MeV")
    assert (code, log) == (0, "")
    actual, cells = read(tmp_path / "zp.h5"), [row.tobytes() for row in zp.cells]
    order = [cells.index(row.tobytes()) for row in actual.cells]
    np.testing.assert_allclose(actual.conditions, zp.conditions[order], rtol=1e-5, atol=1e-6)


FAULTS: dict[str, tuple[int, str]] = {
    "--cells imagez": (3, "has no imagez; it has images, table, short, cubes"),
    "--cells short": (3, "short is (3,) a row, alice_zp needs (56, 30) or (1680,)"),
    "--cells images,images": (3, "alice_zp has 1 layers, --cells names 2"),
    "--conditions other": (3, "has no other"),
    "--conditions short": (2, "short has 3 columns, --columns names 9"),
    "--conditions cubes": (3, "cubes has 3 axes"),
    "--columns Energy,Vx": (2, "table has 9 columns, --columns names 2"),
    f"--columns {COLUMNS.replace('Vx', 'V')}": (3, "no column Vx; a table has"),
    f"--columns {COLUMNS.replace('Vx', 'Vy')}": (2, "two columns are called Vy"),
    "--units GeV": (2, "there are 9 columns, --units names 1 units"),
    "--units cm,-,-,-,-,-,-,-,-": (3, "column Energy has the unit 'cm', not one of eV, keV"),
    "--cells-unit MeV": (2, "cells of alice_zp hold counts, not MeV"),
    "--units GeV,-,-,-,-,-,-,-,- --energy-unit MeV": (2, "leave --energy-unit out"),
    "--face-z 3": (2, "--face-z means nothing for own files"),
    "--values log1p": (3, "which is no count; they look like raw: leave --values out"),
    "--detector": (2, "names no detector: add --detector"),
}


@pytest.mark.parametrize("option", FAULTS)
def test_what_does_not_fit_costs_one_line(
    tmp_path: Path, caloforge: Run, zp: Showers, option: str
) -> None:
    code, words = FAULTS[option]
    arrays = {"images": images_of(zp), "table": zp.conditions, "short": np.ones((24, 3))}
    write_npz(tmp_path / "mine.npz", arrays | {"cubes": np.ones((24, 3, 3))})
    given = option.split(" ")
    options = {"--detector": "alice_zp", "--cells": "images", "--conditions": "table"}
    options |= {"--columns": COLUMNS, **dict(zip_longest(given[::2], given[1::2], fillvalue=""))}
    line = [part for pair in options.items() if pair[1] for part in pair]
    arguments = ("data", "convert", tmp_path / "mine.npz", *line, "--out", tmp_path / "x.h5", "-q")
    exit_code, shower_cells, log = caloforge(*arguments)
    assert (exit_code, shower_cells, log.count("\n")) == (code, "", 1)
    assert words in log
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"table": np.ones((23, 9))}, "different lengths: images 24, table 23"),
        ({"table": np.full((24, 9), np.nan)}, "row 0: Energy is not a finite number"),
        ({"images": np.full((24, 56, 30), -1)}, "which is no count"),
        ({"images": np.full((24, 56, 30), 0.5)}, "which is no count"),
        ({"images": np.array(["a"] * 24)}, "not rows of numbers"),
    ],
)
def test_values_that_cannot_be(
    tmp_path: Path, caloforge: Run, zp: Showers, change: dict[str, Any], words: str
) -> None:
    write_npz(tmp_path / "mine.npz", {"images": images_of(zp), "table": zp.conditions} | change)
    code, _, log = caloforge(
        "data", "convert", tmp_path / "mine.npz", "--detector", "alice_zp", "--values", "raw",
        "--cells", "images", "--conditions", "table", "--out", tmp_path / "x.h5", "-q",
    )  # fmt: skip
    assert (code, log.count("\n")) == (3, 1)
    assert words in log
    assert not (tmp_path / "x.h5").exists()


def test_links_are_not_followed(tmp_path: Path, caloforge: Run, em: Showers) -> None:
    write_hdf5(tmp_path / "other.h5", {"cells": em.cells, "table": em.conditions})
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["group"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
        file["table"] = em.conditions
    for key in ("group", "group/cells"):
        code, _, log = caloforge(
            "data", "convert", tmp_path / "mine.h5", "--detector", "atlas_em",
            "--cells", key, "--conditions", "table", "--out", tmp_path / "x.h5",
        )  # fmt: skip
        assert code == 3
        assert "links are not followed" in log or "has no group/cells" in log


def test_the_page_of_the_documentation(
    tmp_path: Path, caloforge: Run, monkeypatch: pytest.MonkeyPatch, zp: Showers, em: Showers
) -> None:
    needs("uproot")
    monkeypatch.chdir(tmp_path)
    table = zp.conditions.copy()
    table[:, 1:4] *= 10
    table[:, 7] /= 1000
    write_npz(Path("mine.npz"), {"images": images_of(zp), "table": table})
    layers = zip(("front", "middle", "back"), em.detector.split(em.cells).values(), strict=True)
    direction = np.tile([0.0, 0.0, 1.0], (20, 1))
    write_hdf5(
        Path("mine.h5"),
        {f"deposits/{name}": 1000 * image for name, image in layers}
        | {"pdg": np.full(20, 22), "E": 1000 * em.conditions[:, 0], "direction": direction},
    )
    columns_by_name = dict(zip(zp.detector.columns, zp.conditions.T, strict=True))
    write_tree(Path("mine.root"), {"image": images_of(zp), "pdg": zp.pdg, **columns_by_name})
    page = (ROOT / "docs" / "own_files.md").read_text()
    block = re.search(r"```console\n(.*?)```", page, re.DOTALL)
    assert block
    lines = re.sub(r"\\\n\s*", " ", block[1]).splitlines()
    for line in lines:
        assert caloforge(*shlex.split(line.removeprefix("$ caloforge ")))[0] == 0, line
    np.testing.assert_array_equal(read(Path("zp.h5")).cells, zp.cells)
    np.testing.assert_allclose(read(Path("zp.h5")).conditions, zp.conditions, rtol=1e-12)
    np.testing.assert_array_equal(read(Path("tree.h5")).conditions, zp.conditions)
    assert read(Path("em.h5")).pdg.tolist() == [22] * 20  # type: ignore[union-attr]
