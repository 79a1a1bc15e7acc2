"""Workers die, runs are killed, and the arrays stay the same; the engine here is a fake."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from caloforge.data.showers import read
from caloforge.detectors import ALICE_ZN, ATLAS_EM
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.io.files import write_aside
from caloforge.transport import Particles, Pool, Summary, Upstream, draw, prepare, transport
from caloforge.transport.data_tables import Tables, formula_tables
from caloforge.transport.parts import Shard, open_parts
from caloforge.transport.request import Request
from caloforge.transport.run import SCORINGS, assemble
from caloforge.transport.worker import read_answer

FAKE = Path(__file__).with_name("fake_worker.py")
Prepared = tuple[Request, Tables | None]


@pytest.fixture(autouse=True)
def with_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel is not needed where the worker is a fake."""
    monkeypatch.setattr("caloforge.transport.run.require_engine", lambda: None)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A folder in which a test tells the fake worker to die."""
    folder = tmp_path / "engine"
    folder.mkdir()
    return folder


def engines(
    engine: Path, workers: int = 1, renew_after: int | None = None, sleep: float = 0
) -> Pool:
    return Pool(workers, renew_after, (sys.executable, str(FAKE), str(engine), str(sleep)))


def prepared(count: int = 6, repeats: int = 2, seed: int = 5) -> Prepared:
    particles = draw("eplus", ATLAS_EM, count, seed)
    return prepare(ATLAS_EM, particles, repeats=repeats, seed=seed, environ={"HOME": "/nowhere"})


def go(
    out: Path, pool: Pool, prepared: Prepared, *, resume: bool = False, overwrite: bool = False
) -> Summary:
    request, tables = prepared
    tables = tables or formula_tables(out.parent)
    return transport(request, tables, out, pool=pool, resume=resume, overwrite=overwrite)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caloforge.transport.request.LARGEST_SHARD", 3)


def starts(engine: Path) -> int:
    return len(list(engine.glob("start-*")))


def test_the_file_holds_what_was_asked_for(tmp_path: Path, engine: Path) -> None:
    request, _ = prepared()
    summary = go(tmp_path / "s.h5", engines(engine), prepared())
    actual = read(tmp_path / "s.h5", ATLAS_EM)
    assert actual.particle.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert actual.conditions[::2] == pytest.approx(request.particles.conditions)
    assert set(actual.pdg.tolist()) == {-11}  # type: ignore[union-attr]
    assert summary.transported == 12
    assert summary.cpu_seconds == pytest.approx(6.0)
    assert actual.provenance["engine"] == "Geant4 fake 1 (geant4-pybind)"
    assert actual.provenance["tables"] == "formula"
    assert json.loads(actual.provenance["geometry"])["units"] == 80
    with h5py.File(tmp_path / "s.h5") as file:
        energies = np.repeat(actual.conditions[::2, 0], 2)
        assert file["overflow"][:] == pytest.approx(np.repeat(energies[:, None], 3, axis=1))
    assert not (tmp_path / "s.h5.parts").exists()


def test_each_shower_has_its_own_seed(engine: Path, tmp_path: Path) -> None:
    request, _ = prepared(count=50, repeats=4)
    seeds = [request.shot(row).seed for row in range(len(request))]
    assert len(set(seeds)) == 200
    other, _ = prepared(count=50, repeats=4, seed=6)
    assert not set(seeds) & {other.shot(row).seed for row in range(len(other))}
    longer, _ = prepared(count=50, repeats=9)
    assert longer.shot(9).seed == request.shot(4).seed, "more repeats keep the first ones"


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize(("workers", "renew_after"), [(2, None), (3, 2), (1, 1)])
def test_workers_change_nothing(
    tmp_path: Path, engine: Path, workers: int, renew_after: int | None
) -> None:
    go(tmp_path / "one.h5", engines(engine), prepared())
    go(tmp_path / "many.h5", engines(engine, workers, renew_after), prepared())
    one, many = read(tmp_path / "one.h5"), read(tmp_path / "many.h5")
    assert np.array_equal(one.cells, many.cells)
    assert np.array_equal(one.particle, many.particle)


def test_workers_are_renewed(tmp_path: Path, engine: Path) -> None:
    go(tmp_path / "s.h5", engines(engine, renew_after=4), prepared())
    assert starts(engine) == 3


def test_a_dead_worker_is_replaced_and_its_shower_redone(tmp_path: Path, engine: Path) -> None:
    go(tmp_path / "whole.h5", engines(engine), prepared())
    for index in (0, 5, 11):
        (engine / f"die-{index}").write_text("once")
    summary = go(tmp_path / "died.h5", engines(engine), prepared())
    assert summary.missing == ()
    assert np.array_equal(read(tmp_path / "whole.h5").cells, read(tmp_path / "died.h5").cells)


def test_a_cut_answer_is_none(tmp_path: Path, engine: Path) -> None:
    """The bytes of some whole numbers arrived before the worker died."""
    go(tmp_path / "whole.h5", engines(engine), prepared())
    (engine / "cut-5").touch()
    summary = go(tmp_path / "cut.h5", engines(engine), prepared())
    assert summary.missing == ()
    assert np.array_equal(read(tmp_path / "whole.h5").cells, read(tmp_path / "cut.h5").cells)


@pytest.mark.parametrize("line", [b"{}", b"[1]", b'{"sizes": 3}', b'{"sizes": [0, 0, 0]}', b"7"])
def test_a_line_that_is_no_answer_is_none(line: bytes) -> None:
    assert read_answer(io.BytesIO(line + b"\n")) is None


def test_two_deaths_at_one_seed_are_a_missing_shower(tmp_path: Path, engine: Path) -> None:
    go(tmp_path / "whole.h5", engines(engine), prepared())
    (engine / "die-4").write_text("always")
    with pytest.raises(CaloforgeError, match="1 showers are missing") as failure:
        go(tmp_path / "died.h5", engines(engine), prepared())
    assert failure.value.exit_code == 1
    record = json.loads((tmp_path / "died.h5.missing.json").read_text())
    request, _ = prepared()
    assert [(entry["particle"], entry["repeat"]) for entry in record] == [(2, 0)]
    assert record[0]["engine_seed"] == request.shot(4).seed
    whole, died = read(tmp_path / "whole.h5"), read(tmp_path / "died.h5")
    assert np.array_equal(np.delete(whole.cells, 4, axis=0), died.cells)
    assert died.provenance["missing_showers"] == "1"


def test_an_engine_that_does_not_start_says_why(tmp_path: Path, engine: Path) -> None:
    (engine / "refuse").touch()
    with pytest.raises(CaloforgeError, match="no engine today"):
        go(tmp_path / "s.h5", engines(engine, workers=2), prepared())


def test_unknown_particle_types_are_named(tmp_path: Path, engine: Path) -> None:
    request, tables = prepared()
    request.particles.pdg[:] = 14
    with pytest.raises(DataError, match="particle type 14"):
        go(tmp_path / "s.h5", engines(engine), (request, tables))
    assert not list(tmp_path.glob("s.h5*")), "nothing was made, nothing stays"


DRIVER = """
import sys
from pathlib import Path
from caloforge.detectors import ATLAS_EM
from caloforge.transport import Pool, draw, prepare, request, transport
import caloforge.transport.run as preparing
preparing.require_engine = lambda: None
request.LARGEST_SHARD = 3
out, *worker = sys.argv[1:]
particles = draw("eplus", ATLAS_EM, 6, 5)
asked, tables = prepare(ATLAS_EM, particles, repeats=2, seed=5, environ={"HOME": "/nowhere"})
transport(asked, tables, Path(out), pool=Pool(2, None, tuple(worker)))
"""


def killed(out: Path, engine: Path, shards: int) -> None:
    """Run in another process with slow workers and kill it once so many shards are on disk."""
    command = [
        sys.executable,
        "-c",
        DRIVER,
        str(out),
        sys.executable,
        str(FAKE),
        str(engine),
        "0.1",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    parts = out.with_name(f"{out.name}.parts")
    deadline = time.monotonic() + 60
    while len(list(parts.glob("shard-*.npz"))) < shards and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("shards", [1, 2])
def test_a_killed_run_goes_on(tmp_path: Path, engine: Path, shards: int) -> None:
    out = tmp_path / "s.h5"
    go(tmp_path / "whole.h5", engines(engine), prepared())
    killed(out, engine, shards)
    assert not out.exists()
    with pytest.raises(UsageError, match="--resume"):
        go(out, engines(engine), prepared())
    with pytest.raises(UsageError, match="other showers"):
        go(out, engines(engine), prepared(seed=6), resume=True)
    before = starts(engine)
    go(out, engines(engine), prepared(), resume=True)
    assert starts(engine) == before + 1
    assert np.array_equal(read(tmp_path / "whole.h5").cells, read(out).cells)
    assert not list(tmp_path.glob("*.parts"))


def test_nothing_to_resume_and_existing_output_are_refused(tmp_path: Path, engine: Path) -> None:
    out = tmp_path / "s.h5"
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(UsageError, match="is a device or a pipe"):
        go(tmp_path / "pipe.h5", engines(engine), prepared(), overwrite=True)
    with pytest.raises(UsageError, match="nothing to resume"):
        go(out, engines(engine), prepared(), resume=True)
    go(out, engines(engine), prepared())
    with pytest.raises(UsageError, match="--force"):
        go(out, engines(engine), prepared())
    go(out, engines(engine), prepared(seed=6), overwrite=True)
    assert read(out).provenance["seed"] == "6"


@pytest.mark.parametrize("name", ["thesis.tex", ".notes.partial.txt", "command-line.txt"])
def test_files_of_others_beside_the_parts_stay(tmp_path: Path, engine: Path, name: str) -> None:
    mine = tmp_path / "other.h5.parts" / name
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(UsageError, match=f"also holds {re.escape(name)}"):
        go(tmp_path / "other.h5", engines(engine), prepared(), overwrite=True)
    assert mine.exists()


def test_parts_of_other_showers_keep_what_is_unfinished(tmp_path: Path) -> None:
    parts = open_parts(tmp_path / "s.h5", "a", 4, 2, resume=False, force=False)
    with write_aside(parts.path(0)) as aside:
        aside.touch()
        with pytest.raises(UsageError, match="begun for other showers"):
            open_parts(tmp_path / "s.h5", "b", 4, 2, resume=True, force=False)
        assert aside.exists()
        open_parts(tmp_path / "s.h5", "a", 4, 2, resume=True, force=False)
        assert not aside.exists()
        aside.touch()


def zn(energies: list[float], slopes: list[float], **options: object) -> Prepared:
    rows = [[e, 0, 0, 0, s * e, 0, e, 0, 0] for e, s in zip(energies, slopes, strict=True)]
    particles = Particles(
        np.full(len(rows), 22, np.int32), np.array(rows, dtype=float), np.arange(len(rows)), "test"
    )
    return prepare(ALICE_ZN, particles, environ={"HOME": "/nowhere"}, **options)  # type: ignore[arg-type]


def test_particles_that_miss_are_empty_showers(tmp_path: Path, engine: Path) -> None:
    summary = go(tmp_path / "s.h5", engines(engine), zn([10.0, 20.0, 30.0], [0.0, 1e-3, 0.0]))
    actual = read(tmp_path / "s.h5", ALICE_ZN)
    assert (actual.total() > 0).tolist() == [True, False, True]
    assert (summary.transported, summary.missed) == (2, 1)
    assert actual.provenance["missed_showers"] == "1"
    assert actual.cpu_seconds.tolist() == [0.5, 0.0, 0.5]  # type: ignore[union-attr]


def test_material_upstream_empties_some_repeats(tmp_path: Path, engine: Path) -> None:
    slab = Upstream(radiation_lengths=0.9)
    prepared = zn([10.0], [0.0], repeats=400, upstream=slab)
    summary = go(tmp_path / "s.h5", engines(engine), prepared)
    assert summary.lost == pytest.approx(400 * (1 - np.exp(-0.7)), abs=40)
    assert (read(tmp_path / "s.h5").total() == 0).sum() == summary.lost


def test_unknown_scorings_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no scoring deposits of fibres; there is light, length"):
        zn([10.0], [0.0], scoring="deposits")
    particles = draw("eplus", ATLAS_EM, 1, 5)
    with pytest.raises(UsageError, match=r"no scoring light of plates; there is deposit$"):
        prepare(ATLAS_EM, particles, scoring="light", environ={"HOME": "/nowhere"})
    assert [names[0] for names in SCORINGS.values()] == ["light", "deposit"]


@pytest.mark.parametrize("energy", [1e-4, 2e5])
def test_energies_outside_the_engine_are_refused(
    tmp_path: Path, engine: Path, energy: float
) -> None:
    with pytest.raises(DataError, match=r"row 1.*outside the engine's range"):
        go(tmp_path / "s.h5", engines(engine), zn([10.0, energy], [0.0, 0.0]))
    assert not list(tmp_path.glob("*.h5*"))


def test_more_photons_than_a_file_can_count_are_refused(tmp_path: Path) -> None:
    request, _ = zn([10.0], [0.0])
    shard = Shard.empty(1, ALICE_ZN.cells, 0)
    shard.cells[0, 3] = 70_000
    with pytest.raises(DataError, match="65535"):
        assemble_one(request, shard, tmp_path / "s.h5")


def assemble_one(request: Request, shard: Shard, out: Path) -> None:
    parts = open_parts(out, request.fingerprint, 1, 1, resume=False, force=False)
    parts.save(0, shard)
    assemble(request, parts, out, overwrite=False)


def test_damaged_parts_are_named(tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    parts = open_parts(out, "a", 4, 2, resume=False, force=False)
    parts.path(0).write_bytes(b"no")
    with pytest.raises(DataError, match="shard-000000"):
        parts.load(0)
    (parts.folder / "plan.json").write_text('{"format": "other"')
    with pytest.raises(DataError, match="damaged"):
        open_parts(out, "a", 4, 2, resume=True, force=False)


def test_the_request_hash_sees_every_choice() -> None:
    base = zn([10.0], [0.0])[0].fingerprint
    others = [
        zn([11.0], [0.0])[0],
        zn([10.0], [0.0], repeats=2)[0],
        zn([10.0], [0.0], seed=1)[0],
        zn([10.0], [0.0], scoring="length")[0],
        zn([10.0], [0.0], light_scale=0.2)[0],
        zn([10.0], [0.0], upstream=Upstream(aperture_mm=3))[0],
    ]
    assert len({base, *(request.fingerprint for request in others)}) == 7
