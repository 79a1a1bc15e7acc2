"""Mass production through the command line: what is written, and what happens when it fails."""

import json
import resource
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from caloforge.data.energy import sampling_fraction
from caloforge.data.showers import ShowerFile
from caloforge.errors import DataError, UsageError
from caloforge.generate import Particles, generate
from caloforge.machine import peak_memory_mb, processor
from caloforge.simulator import Simulator
from handmade import DETECTOR, C, K, some_conditions, write_simulator
from raw_showers import write_showers

PARTICLES, REPEATS = 10, 3
ROWS = PARTICLES * REPEATS


@pytest.fixture
def simulator(tmp_path):
    return write_simulator(tmp_path / "simulator")


@pytest.fixture
def like(tmp_path):
    """Ten particles, three rows of each, written by raw h5py."""
    path = tmp_path / "like.h5"
    write_like(path, np.repeat(some_conditions(PARTICLES), REPEATS, axis=0))
    return path


def write_like(path, conditions, particle=None, detector=DETECTOR):
    rows = len(conditions)
    particle = np.repeat(np.arange(100, 200), REPEATS)[:rows] if particle is None else particle
    cells = np.ones((rows, detector.cells), dtype=np.uint16)
    write_showers(path, detector, cells, conditions, particle, pdg=2112)


def cells_of(file):
    return np.concatenate(
        [file[f"showers/{x.name}"][:].reshape(-1, x.cells) for x in DETECTOR.layers], 1
    )


@pytest.mark.parametrize("shards", [(), ("--shards", 2)])
def test_the_sampling_fraction_of_the_training_showers_is_told(caloforge, like, tmp_path, shards):
    """Deposits over energies are those of the training showers, and so is what they mean."""
    simulator = write_simulator(tmp_path / "thin", provenance={"sampling_fraction": "0.02"})
    out = tmp_path / ("out" if shards else "out.h5")
    arguments = ("--like", like, "-n", ROWS, "--out", out, *shards, "-q")
    assert caloforge("generate", simulator, *arguments)[0] == 0
    for path in out.glob("*.h5") if shards else [out]:
        with ShowerFile(path) as file:
            assert sampling_fraction(file.detector, file.provenance) == 0.02


def test_showers_sums_and_conditions_are_written(caloforge, simulator, like, tmp_path):
    out = tmp_path / "out.h5"
    code, output, log = caloforge(
        "generate", simulator, "--like", like, "-n", 70, "--out", out, "--seed", 5, "--json", "-q"
    )
    assert (code, log) == (0, "")
    record = json.loads(output)
    assert (record["showers"], record["seed"], record["scheme"]) == (70, 5, "halves")
    assert record["showers_per_second"] > 0
    assert 20 < record["peak_memory_mb"] < 2000
    assert (record["outside"], record["threads"]) == ({}, 1)
    conditions = np.repeat(some_conditions(PARTICLES), REPEATS, axis=0)[np.arange(70) % ROWS]
    with h5py.File(out) as file:
        cells = cells_of(file)
        np.testing.assert_array_equal(cells, Simulator.load(simulator).generate(conditions, seed=5))
        halves = np.stack([cells[:, 0::2].sum(1), cells[:, 1::2].sum(1)], axis=1)
        np.testing.assert_array_equal(file["channels"], halves)
        assert file["channels"].attrs["scheme"] == b"halves"
        np.testing.assert_array_equal(file["conditions"], conditions)
        assert set(file["pdg"]) == {2112}
        assert file.attrs["seed"] == b"5"
        assert file.attrs["licence"] == b"CC0"


def test_rows_of_a_particle_stay_adjacent_in_every_cycle(simulator, like, tmp_path):
    out = tmp_path / "out.h5"
    native = Simulator.load(simulator)
    generate(native, Particles.like(like, DETECTOR), out, showers=70)
    with h5py.File(out) as file:
        particle = file["particle"][:]
    expected = [100 + row % ROWS // REPEATS + PARTICLES * (row // ROWS) for row in range(70)]
    assert particle.tolist() == expected
    with ShowerFile(out) as file:  # which refuses particles that come back
        assert file.groups().counts.tolist() == [REPEATS] * 23 + [1]


def test_the_first_showers_do_not_depend_on_how_many_follow(simulator, like, tmp_path):
    native, particles = Simulator.load(simulator), Particles.like(like, DETECTOR)
    for rows, batch in ((10, 256), (1100, 64)):
        generate(native, particles, tmp_path / f"{rows}.h5", showers=rows, batch=batch)
    with h5py.File(tmp_path / "10.h5") as few, h5py.File(tmp_path / "1100.h5") as many:
        for name in ("showers/front", "showers/back", "channels", "particle", "conditions"):
            np.testing.assert_array_equal(few[name], many[name][:10])


def test_as_many_as_the_file_has_rows_by_default(caloforge, simulator, like, tmp_path):
    code, output, _ = caloforge("generate", simulator, "--like", like, "--out", tmp_path / "o.h5")
    assert code == 0
    assert f"{ROWS} showers in" in output
    assert "peak memory" in output


def test_channels_alone_are_the_same_channels(caloforge, simulator, like, tmp_path):
    for name, options in (("all", []), ("sums", ["--no-images"])):
        out = tmp_path / f"{name}.h5"
        assert caloforge("generate", simulator, "--like", like, "--out", out, *options)[0] == 0
    with h5py.File(tmp_path / "all.h5") as whole, h5py.File(tmp_path / "sums.h5") as sums:
        assert sums.attrs["format"] == b"caloforge-channels"
        assert sorted(sums) == ["channels", "conditions", "particle", "pdg"]
        for name in sums:
            np.testing.assert_array_equal(sums[name], whole[name])


def test_conditions_outside_the_training_range_warn_or_refuse(caloforge, simulator, tmp_path):
    conditions = some_conditions(4)
    conditions[:2, 0] = 99
    write_like(tmp_path / "far.h5", conditions, particle=np.arange(4))
    command = ("generate", simulator, "--like", tmp_path / "far.h5", "--out", tmp_path / "out.h5")
    code, output, log = caloforge(*command, "--strict", "-q")
    assert code == 3
    assert "Energy in 2 (0 to 10" in log
    assert not (tmp_path / "out.h5").exists()
    code, output, log = caloforge(*command, "-q", "--json")
    assert code == 0
    assert "conditions outside the domain of the simulator, of 4 particles" in log
    assert json.loads(output)["outside"] == {"Energy": 2}


OTHER = DETECTOR.model_copy(update={"name": "other"})


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (["--out", "like.h5"], 2, "exists already"),
        (["--like", "none.h5"], 3, "none.h5: no such file"),
        (["--like", "other.h5"], 3, "showers of other, but toy"),
        (["--like", "nan.h5"], 3, "condition Px is not a finite number"),
        (["--like", "text.h5"], 3, "not an HDF5 file"),
        (["--scheme", "quarters"], 2, "no scheme quarters; it has ['halves']"),
        (["-n", "0"], 2, "showers"),
        (["--seed", "-1"], 2, "seed"),
        (["--batch", "5000"], 2, "batch"),
        (["--threads", "0"], 2, "threads"),
    ],
)
def test_bad_input_costs_one_line(
    caloforge, simulator, like, tmp_path, monkeypatch, change, code, says
):
    monkeypatch.chdir(tmp_path)
    write_like(tmp_path / "other.h5", some_conditions(2), np.arange(2), OTHER)
    write_like(tmp_path / "nan.h5", np.array([[1.0, np.nan]]), np.arange(1))
    (tmp_path / "text.h5").write_text("no hdf5")
    before = sorted(tmp_path.iterdir())
    options = {"--like": "like.h5", "--out": "out.h5"} | dict([change])
    pairs = [part for pair in options.items() for part in pair]
    exit_code, output, log = caloforge("generate", simulator, *pairs)
    assert (exit_code, output) == (code, "")
    assert says in log
    assert log.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_simulator_that_is_none_costs_one_line(caloforge, like, tmp_path):
    for name, says in (("nowhere", "no simulator nowhere ships"), (tmp_path, "no simulator.json")):
        code, _, log = caloforge("generate", name, "--like", like, "--out", tmp_path / "out.h5")
        assert code == 2
        assert says in log


def test_the_shipped_sample_stands_in_for_like(caloforge, tmp_path, monkeypatch, like):
    folder = write_simulator(tmp_path / "run" / "simulator")
    monkeypatch.setattr("caloforge.data.samples.sample_path", lambda detector: like)
    code, output, _ = caloforge("generate", folder.parent, "--out", tmp_path / "out.h5", "-n", 5)
    assert code == 0
    assert "5 showers" in output


def test_numbers_of_particles_never_wrap_around():
    far = Particles(np.ones((2, C)), np.array([-(2**62), 2**62]))
    assert far.of(range(2))["particle"].tolist() == [-(2**62), 2**62]
    with pytest.raises(DataError, match="cannot be continued"):
        far.of(range(2, 4))


def test_impossible_numbers_are_refused(simulator, like, tmp_path):
    particles = Particles.like(like, DETECTOR)
    for numbers in ({"showers": 0}, {"showers": 1, "seed": -1}):
        with pytest.raises(UsageError, match="at least"):
            generate(Simulator.load(simulator), particles, tmp_path / "out.h5", **numbers)


def test_the_machine_is_named():
    assert processor()
    assert peak_memory_mb() > 10


# ---- a real process --------------------------------------------------------------------------

BLOCKING = """
import sys
for name in ("torch", "scipy.stats", "matplotlib", "onnx", "pandas"):
    sys.modules[name] = None
from caloforge.cli import main
sys.exit(main())
"""


def command_line(simulator, like, out, *options):
    arguments = ["generate", simulator, "--like", like, "--out", out, "-q", *options]
    return [sys.executable, "-W", "error", "-c", BLOCKING, *map(str, arguments)]


def test_generating_needs_no_torch(simulator, like, tmp_path):
    command = command_line(simulator, like, tmp_path / "out.h5", "-n", 5)
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    assert "5 showers in" in process.stdout


def test_a_full_disk_costs_one_line_and_leaves_nothing(simulator, like, tmp_path):
    """A limit on the size of files stands in for the disk."""
    command = command_line(simulator, like, tmp_path / "new" / "out.h5", "-n", 20_000)
    process = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert process.returncode == 1, process.stderr
    assert process.stderr.count("\n") == 1
    assert "out.h5" in process.stderr
    assert list((tmp_path / "new").iterdir()) == []


def test_sigterm_removes_the_unfinished_file(simulator, like, tmp_path):
    folder = tmp_path / "new"
    command = command_line(simulator, like, folder / "out.h5", "-n", 50_000_000)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder.is_dir() and list(folder.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    try:
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, log
    assert "terminated" in log
    assert list(folder.iterdir()) == []


def test_a_detector_of_another_size_has_its_own_simulator(simulator):
    native = Simulator.load(simulator)
    assert native.generate(some_conditions(3)).shape == (3, K)
