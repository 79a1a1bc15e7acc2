"""Particles from any table: columns by name and unit, one physics, constant memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from caloforge.detectors import ALICE_ZN, ATLAS_EM, ATLAS_EM_POLAR, POINTS
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.particles import Piece, conditions_of, read_pieces
from caloforge.transport.arrival import arrivals
from caloforge.transport.geometry import geometry_of
from extras import needs

Run = Callable[..., tuple[int, str, str]]
ROWS = 1000


def physics(rng: np.random.Generator) -> dict[str, Any]:
    """Neutrons and photons towards ZN, as a generator names them."""
    direction = np.column_stack([rng.normal(0, 1e-4, (ROWS, 2)), np.ones(ROWS)])
    pdg = rng.choice([22, 2112], ROWS)
    return {
        "pdg": pdg,
        "E[TeV]": rng.uniform(0.1, 2.0, ROWS),
        **{f"u{axis}": column for axis, column in zip("xyz", direction.T, strict=True)},
        "z[mm]": rng.normal(0, 40, ROWS),
        "weight": np.ones(ROWS),
    }


def write_csv(path: Path, columns: dict[str, Any]) -> None:
    lines = [", ".join(columns), *(", ".join(map(repr, row)) for row in zip(*(
        np.asarray(column).tolist() for column in columns.values()), strict=True))]  # fmt: skip
    path.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")


def write_npz(path: Path, columns: dict[str, Any]) -> None:
    np.savez(path, **columns)


def write_hdf5(path: Path, columns: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        for name, column in columns.items():
            file[name] = column


def write_parquet(path: Path, columns: dict[str, Any]) -> None:
    needs("pyarrow")
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path)


def write_root(path: Path, columns: dict[str, Any]) -> None:
    uproot = needs("uproot")
    with uproot.recreate(path) as file:
        branches = {name.replace("[", "_").rstrip("]"): column for name, column in columns.items()}
        file["particles"] = {name: np.asarray(column) for name, column in branches.items()}


def write_hepmc(path: Path, columns: dict[str, Any]) -> None:
    hepmc = needs("pyhepmc")
    pdg, energy = columns["pdg"], columns["E[TeV]"]
    unit = np.column_stack([columns[f"u{axis}"] for axis in "xyz"])
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    mass = np.where(pdg == 22, 0.0, 0.939565)
    momentum = np.sqrt((1e3 * energy) ** 2 - mass**2)[:, None] * unit
    with hepmc.open(str(path), "w") as file:
        for row in range(ROWS):
            event = hepmc.GenEvent(hepmc.Units.GEV, hepmc.Units.MM)
            place = hepmc.FourVector(0, 0, columns["z[mm]"][row], 0)
            vertex = hepmc.GenVertex(place)
            beam = hepmc.GenParticle((0, 0, 1380, 1380), 2212, 4)
            final = (*momentum[row], 1e3 * energy[row])
            vertex.add_particle_in(beam)
            vertex.add_particle_out(hepmc.GenParticle(final, int(pdg[row]), 1))
            event.add_vertex(vertex)
            file.write(event)


WRITERS = {
    "csv": write_csv, "npz": write_npz, "h5": write_hdf5, "parquet": write_parquet,
    "root": write_root, "hepmc": write_hepmc,
}  # fmt: skip


def joined(pieces: Any) -> Piece:
    actual = list(pieces)
    pdg = None if actual[0].pdg is None else np.concatenate([one.pdg for one in actual])
    return Piece(
        np.concatenate([one.conditions for one in actual]),
        pdg,
        np.concatenate([one.particle for one in actual]),
    )


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("rows", [64, 10**6])
def test_every_kind_of_table_gives_the_same_particles(
    tmp_path: Path, rng: np.random.Generator, ending: str, rows: int
) -> None:
    columns = physics(rng)
    path = tmp_path / f"particles.{ending}"
    WRITERS[ending](path, columns)
    actual = joined(read_pieces(path, ALICE_ZN, rows=rows))
    expected = conditions_of(
        ALICE_ZN,
        pdg=columns["pdg"],
        energy_gev=1e3 * columns["E[TeV]"],
        direction=np.column_stack([columns[f"u{axis}"] for axis in "xyz"]),
        place_cm=np.column_stack([np.zeros((ROWS, 2)), columns["z[mm]"] / 10]),
    )
    np.testing.assert_allclose(actual.conditions, expected, rtol=1e-6, atol=1e-9)
    assert actual.pdg is not None
    np.testing.assert_array_equal(actual.pdg, columns["pdg"])
    np.testing.assert_array_equal(actual.particle, np.arange(ROWS))
    energy, mass = actual.conditions[:, 0], actual.conditions[:, 7] / 1000
    momentum = np.linalg.norm(actual.conditions[:, 4:7], axis=1)
    np.testing.assert_allclose(energy**2, momentum**2 + mass**2, rtol=1e-6)
    only = joined(read_pieces(path, ALICE_ZN, pdg=[22], rows=rows))
    assert set(only.pdg.tolist()) == {22}  # type: ignore[union-attr]
    assert 0 < len(only.particle) < ROWS
    with pytest.raises(DataError, match="holds no particle of PDG number 13"):
        list(read_pieces(path, ALICE_ZN, pdg=[13], rows=rows))


@pytest.mark.parametrize("detector", [ATLAS_EM, ATLAS_EM_POLAR])
def test_the_helper_aims_as_transport_does(detector: Any, rng: np.random.Generator) -> None:
    """Direction in, direction out: transport reads back what the helper was given."""
    direction = np.column_stack([rng.normal(0, 0.05, (50, 2)), np.ones(50)])
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    place = rng.uniform(-4, 4, (50, 3))
    generated = conditions_of(detector, pdg=-11, kinetic_gev=np.full(50, 20.0), direction=direction,
                         place_cm=place)  # fmt: skip
    if detector is ATLAS_EM:
        actual = arrivals(detector, geometry_of(detector), generated)
        np.testing.assert_allclose(actual.direction, direction, atol=1e-9)
        np.testing.assert_allclose(actual.x_mm, 10 * place[:, 0])
        np.testing.assert_allclose(actual.kinetic_gev, 20.0)
    polar, azimuth = np.arccos(direction[:, 2]), np.arctan2(direction[:, 1], direction[:, 0])
    if detector is ATLAS_EM_POLAR:
        np.testing.assert_allclose(generated[:, 1:3], np.column_stack([polar, azimuth]))


@pytest.mark.parametrize("detector", [ATLAS_EM, ATLAS_EM_POLAR])
@pytest.mark.parametrize("direction", [(0.1, 0, -1), (-0.1, 0, -1), (1, 0, 0)])
def test_particles_that_miss_the_face_are_refused(detector: Any, direction: Any) -> None:
    directions = [(0, 0, 1), direction]
    with pytest.raises(DataError, match="row 1: it does not fly towards the face"):
        conditions_of(detector, pdg=22, energy_gev=[40.0, 40.0], direction=directions)


@pytest.mark.parametrize("pdg", [(), (22,)])
def test_a_table_names_the_row_that_flies_away(tmp_path: Path, pdg: tuple[int, ...]) -> None:
    """The row of the table, whichever rows before it are left out."""
    path = tmp_path / "particles.csv"
    path.write_text("pdg,px,py,pz\n22,0,0,40\n11,0,0,40\n22,0,0,-40\n")
    with pytest.raises(DataError, match="row 2: it does not fly towards the face"):
        list(read_pieces(path, ATLAS_EM, pdg=pdg, rows=2))


def test_momentum_and_total_energy_agree() -> None:
    by_energy = conditions_of(ALICE_ZN, pdg=[2112], energy_gev=[1380.0], direction=(1e-4, 0, 1))
    by_momentum = conditions_of(ALICE_ZN, pdg=[2112], momentum_gev=by_energy[:, 4:7])
    np.testing.assert_allclose(by_momentum, by_energy)
    exotic = conditions_of(ALICE_ZN, pdg=1000020040, kinetic_gev=[10.0])
    assert exotic[0, 7:].tolist() == pytest.approx([3727.379, 2.0], rel=1e-4)


@pytest.mark.parametrize(
    "columns",
    [
        {"pdg": 22, "momentum_gev": (0, 0, 100.0)},
        {"pdg": [22, 22], "energy_gev": 100.0},
        {"pdg": 22, "kinetic_gev": 100.0, "direction": [(0, 0, 1)] * 2},
        {"pdg": 22, "energy_gev": [100.0], "place_cm": np.zeros((2, 3))},
    ],
)
def test_one_of_an_argument_is_for_all_particles(columns: dict[str, Any]) -> None:
    rows = 1 if "momentum_gev" in columns else 2
    expected = [[100, 0, 0, 0, 0, 0, 100, 0, 0]] * rows
    assert conditions_of(ALICE_ZN, **columns).tolist() == expected


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"pdg": 22}, "give energy_gev or kinetic_gev"),
        ({"pdg": 22, "energy_gev": 1.0, "kinetic_gev": 1.0}, "give energy_gev or kinetic_gev"),
        ({"pdg": 2112, "energy_gev": 0.5}, "row 0: its energy is not above its mass"),
        ({"pdg": 22, "energy_gev": 5.0, "direction": (0, 0, 0)}, "direction has no length"),
        ({"pdg": 10**8, "energy_gev": 5.0}, "no particle has the PDG number 100000000"),
        ({"pdg": 2112.5, "energy_gev": 5.0}, "row 0: pdg is 2112.5, not a whole number"),
        ({"pdg": np.array([2**32 + 22]), "energy_gev": 5.0}, "pdg is 4294967318, beyond int32"),
        ({"pdg": 22, "energy_gev": [5.0, np.inf]}, "row 1: energy_gev is not a finite number"),
        ({"pdg": 22, "momentum_gev": (0, np.nan, 5)}, "row 0: momentum_gev is not a finite number"),
        (
            {"pdg": 22, "energy_gev": 5.0, "place_cm": (np.nan, 0, 0)},
            "row 0: place_cm is not a fin",
        ),
        ({"pdg": [22, 22], "energy_gev": [5.0] * 3}, r"energy_gev 3, .*pdg 2, .*\); give one for"),
        ({"pdg": 22, "momentum_gev": np.ones((3, 2))}, r"has the shape \(3, 2\), not \(N, 3\)"),
        ({"pdg": 22, "energy_gev": np.ones((2, 1))}, r"has the shape \(2, 1\), not \(N,\)"),
    ],
)
def test_impossible_particles_are_refused(columns: dict[str, Any], says: str) -> None:
    with pytest.raises(CaloforgeError, match=says):
        conditions_of(ALICE_ZN, **columns)
    with pytest.raises(UsageError, match="do not follow from PDG number"):
        conditions_of(POINTS, pdg=22, energy_gev=1.0)


@pytest.mark.parametrize(
    ("header", "row", "says"),
    [
        ("pdg,E[apples]", "22,5", "column E has the unit 'apples', not one of eV, keV, MeV"),
        ("pdg[GeV],E", "22,5", "it has no unit"),
        ("pdg,px[cm],py,pz", "22,0,0,5", "column px has the unit 'cm'"),
        ("pdg,ux,uy", "22,0,0", "no column Energy; a table has"),
        ("E,ux,uy,uz", "5,0,0,1", "no column Energy"),
        ("pdg,E,py", "22,5,1", "no column px; give all of px, py, pz, or none of them"),
        ("pdg,px,pz", "22,1,5", "no column py; give all of px, py, pz"),
        ("pdg,px,py,ux,uy,uz", "22,1,5,0,0,1", "no column pz; give all of px, py, pz"),
        ("pdg,E,ux,uz", "22,5,0,1", "no column uy; give all of ux, uy, uz"),
        ("PDG,energie", "22,5", "px, py, pz; this one has PDG, energie"),
        ("pdg;E", "22;5", "commas must separate its columns"),
        ("pdg\tE", "22\t5", "commas must separate its columns"),
        ("pdg,E", "22.5,5", "cannot be read as a table"),
        ("pdg,E", "2_2,5", "cannot be read as a table"),
        ("pdg,E", "22,5,5", "cannot be read as a table: 2 columns but 3 were found at row 1"),
        ("pdg,E", "4294967297,5", "row 0: pdg is 4294967297, beyond int32"),
        ("pdg,E", "22,five", "cannot be read as a table"),
        ("pdg,E", "22,nan", "row 0: E is not a finite number"),
        ("pdg,E", "22,5\n2112,0.1", "row 1: its energy is not above its mass"),
        ("pdg,E,particle", "22,5,-1", "row 0: particle numbers are not negative"),
        ("pdg,E", "", "holds no particle"),
        ("pdg,E,E", "22,5,5", "first line must name each column"),
        ("", "", "first line must name each column"),
    ],
)
def test_bad_tables_cost_one_line(
    tmp_path: Path, caloforge: Run, header: str, row: str, says: str
) -> None:
    path = tmp_path / "particles.csv"
    path.write_text(f"{header}\n{row}\n")
    out = tmp_path / "out.h5"
    for verb, options in (("generate", ["--engine", "onnxruntime"]), ("transport", [])):
        code, output, log = caloforge(
            verb, "alice_zn", "--particles", path, "--out", out, *options, "-q"
        )
        assert (code, output, log.count("\n")) == (3, "", 1)
        assert says in log
        assert str(path) in log
    assert [entry.name for entry in tmp_path.iterdir()] == ["particles.csv"]


@pytest.mark.parametrize("ending", ["parquet", "root"])
def test_more_rows_than_a_file_of_its_size_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / f"bomb.{ending}"
    WRITERS[ending](path, {"pdg": np.full(20_000, 22), "E": np.full(20_000, 5.0)})
    monkeypatch.setattr("caloforge.io.tables.CREDIBLE_BYTES", 2**16)
    monkeypatch.setattr("caloforge.io.tables.LARGEST_DEFLATION", 10)
    with pytest.raises(DataError, match="claims 20000 rows of 2 columns in"):
        next(read_pieces(path, ALICE_ZN))


def test_a_missing_coordinate_of_a_place_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("pdg,px,py,pz,ux,y\n22,0,0,5,9,2\n")
    actual = joined(read_pieces(path, ALICE_ZN)).conditions
    assert actual.tolist() == [[5, 0, 2, 0, 0, 0, 5, 0, 0]], "the direction is not in use"


def test_large_particle_numbers_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"pdg,E,particle\n22,5,{2**53 + 1}\n")
    assert joined(read_pieces(path, ALICE_ZN)).particle.tolist() == [2**53 + 1]


# ---- generate --------------------------------------------------------------------------------


def test_generate_takes_a_table_as_it_takes_showers(
    tmp_path: Path, caloforge: Run, rng: np.random.Generator
) -> None:
    """The same particles as a showers file and as a table give the same showers."""
    columns = physics(rng)
    write_csv(tmp_path / "p.csv", columns)
    common = ["generate", "alice_zn", "--engine", "onnxruntime", "-q", "--seed", 3]
    table = [*common, "--particles", tmp_path / "p.csv"]
    assert caloforge(*table, "--out", tmp_path / "one.h5")[0] == 0
    shards = ["-n", 2000, "--shards", 2]
    like = [*common, "--like", tmp_path / "one.h5", "--out", tmp_path / "two.h5"]
    assert caloforge(*like)[0] == 0
    for out in ("p1", "p2"):
        workers = ["--executor", "futures", "--workers", 2] if out == "p2" else []
        assert caloforge(*table, *shards, "--out", tmp_path / out, *workers)[0] == 0
    with h5py.File(tmp_path / "one.h5") as one, h5py.File(tmp_path / "two.h5") as two:
        for name in ("showers/fibres", "conditions", "particle", "pdg"):
            np.testing.assert_array_equal(one[name][:], two[name][:])
        assert one.attrs["source"].decode() == str(tmp_path / "p.csv")
    first, second = (sorted((tmp_path / out).glob("*.h5"))[0].read_bytes() for out in ("p1", "p2"))
    assert first == second
    there = ["one.h5", "p.csv", "p1", "p2", "two.h5"]
    assert sorted(path.name for path in tmp_path.iterdir()) == there
    code, output, _ = caloforge(*table, *shards, "--out", tmp_path / "p1")
    assert code == 0
    assert "complete already" in output
    write_csv(tmp_path / "p.csv", columns | {"E[TeV]": columns["E[TeV]"] * 1.01})
    code, _, log = caloforge(*table, *shards, "--out", tmp_path / "p1")
    assert code == 2
    assert "was begun with other particles" in log


MEASURE = """
import resource, sys
from pathlib import Path
from caloforge.detectors import ALICE_ZN
from caloforge.generate.particles import Particles, stored_particles
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with stored_particles(Path(sys.argv[1]), ALICE_ZN, Path(sys.argv[2])) as folder:
    particles = Particles.from_folder(folder, "x")
    stored = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(len(particles), particles.fingerprint)
    for start in range(0, len(particles), 8192):
        particles.of(range(start, start + 8192))
walked = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(stored - before, walked - stored)
"""


def test_a_long_table_needs_the_memory_of_a_piece(tmp_path: Path) -> None:
    rows = 400_000
    path = tmp_path / "p.csv"
    with path.open("w") as file:
        file.write("pdg,E\n")
        file.writelines(f"22,{100 + number % 1000}\n" for number in range(rows))
    command = [sys.executable, "-c", MEASURE, str(path), str(tmp_path / "out")]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    actual, _, reading, walking = process.stdout.split()
    assert int(actual) == rows
    # 84 bytes a row are 34 MB, beside what reading needs; maps of files count, too.
    assert int(reading) < 60_000
    assert int(walking) < 15_000
