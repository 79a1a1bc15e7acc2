"""O2's bundle: layout, truncation, unbiased counts, and what O2 may throw at it."""

import itertools
import subprocess
import sys

import numpy as np
import onnx
import pytest

from caloforge.detectors import ALICE_ZN, ALICE_ZP, ATLAS_EM
from caloforge.errors import UsageError
from caloforge.export import o2
from caloforge.export.bundle import Graph, Options
from caloforge.export.o2 import (
    SECTORS,
    O2Reader,
    neutron_sectors,
    proton_sectors,
    raw_input,
    truncated,
)
from caloforge.simulator.sampling import NegativeBinomial, variance_of
from exported import NEUTRONS, RUN_EXAMPLE, write_linear_simulator

NOTHING = np.zeros(10, dtype=np.float32)


@pytest.fixture
def reader(tmp_path):
    """A function: the O2 reader of a simulator with constant rates (and more, by keyword)."""

    def opened(detector, constant, **more):
        simulator = write_linear_simulator(tmp_path / "simulator", detector, constant, **more)
        for name, content in o2.adapt(simulator, Options()).files.items():
            (tmp_path / name).write_bytes(content)
        return O2Reader(tmp_path, detector.name)

    return opened


def test_truncation_loses_a_photon_of_many_whole_numbers_sent_as_log1p():
    photons = np.arange(1, 800)
    image = np.zeros(44 * 44, dtype=np.float32)
    image[: len(photons)] = np.log1p(photons.astype(np.float32))
    counts = truncated(image, (44, 44)).T.ravel()[: len(photons)]
    lost = (counts == photons - 1).mean()
    assert 0.2 < lost < 0.4
    assert (counts[counts != photons] == photons[counts != photons] - 1).all()


def test_truncation_takes_half_a_photon_of_real_numbers_and_skips_negative_ones():
    values = np.log1p(np.float32([0.99, 1.5, 2.999, 0.0])).tolist()
    image = np.zeros(44 * 44, dtype=np.float32)
    image[:5] = [*values, -3.0]
    assert truncated(image, (44, 44)).T.ravel()[:5].tolist() == [0, 1, 2, 0, 0]


@pytest.mark.parametrize("first", [0, 1936, 9000, 30000, 65534 - 1935])
def test_whole_numbers_survive_o2_s_truncation(reader, first):
    photons = first + np.arange(44 * 44)
    o2_reader = reader(ALICE_ZN, photons)
    raw = raw_input(NEUTRONS)[0]
    response = o2_reader.respond(raw, NOTHING)
    assert response.simulated
    np.testing.assert_array_equal(response.photons.ravel(), photons)
    values = o2_reader.image(raw, NOTHING).astype(np.float64)
    doubled = np.expm1(values).astype(np.int64).reshape(44, 44).T
    np.testing.assert_array_equal(doubled.ravel(), photons)


def test_a_single_fibre_of_the_zp_lies_where_o2_looks_for_it(reader):
    one = np.zeros((56, 30))
    one[4, 7] = 21
    o2_reader = reader(ALICE_ZP, one.ravel())
    image = o2_reader.image(raw_input(NEUTRONS)[0], NOTHING)
    assert np.flatnonzero(image).tolist() == [56 * 7 + 4]
    response = o2_reader.respond(raw_input(NEUTRONS)[0], NOTHING)
    assert response.photons[4, 7] == 21
    assert response.sectors.tolist() == [0, 21, 0, 0, 0]
    ports = o2_reader.generator.outputs
    assert [port.shape for port in ports] == [(-1, 30, 56)]


@pytest.mark.parametrize(
    ("pixel", "sector"),
    [((0, 0), 0), ((1, 1), 0), ((0, 1), 1), ((22, 1), 2), ((1, 22), 3), ((23, 22), 4)],
)
def test_sectors_of_the_zn(pixel, sector):
    assert neutron_sectors(44, 44)[pixel] == sector


@pytest.mark.parametrize(
    ("pixel", "sector"),
    [
        ((0, 0), 0),
        ((0, 1), 1),
        ((13, 0), 1),
        ((14, 1), 2),
        ((28, 29), 3),
        ((42, 1), 4),
        ((55, 0), 4),
    ],
)
def test_sectors_of_the_zp(pixel, sector):
    assert proton_sectors(56, 30)[pixel] == sector


@pytest.mark.parametrize("detector", [ALICE_ZN, ALICE_ZP])
def test_our_scheme_o2_sums_the_same_fibres(detector, rng):
    photons = rng.poisson(2, (3, detector.cells))
    labels = detector.scheme("o2").labels
    ours = detector.read_out(photons, "o2")[:, [labels.index(sector) for sector in SECTORS]]
    shape = detector.layers[0].shape
    sectors = {"alice_zn": neutron_sectors, "alice_zp": proton_sectors}[detector.name](*shape)
    theirs = [np.bincount(sectors.ravel(), row, 5) for row in photons]
    np.testing.assert_array_equal(ours, theirs)


RATES = np.array([0.0, 1e-3, 0.03, 0.3, 1.0, 2.5, 7.25, 15.5, 17.5, 60.4, 900.7])
N_DRAWS = 400


CLUMPS = NegativeBinomial(excess=0.3, slope=0.03)


@pytest.fixture(scope="module", params=["rounding", "poisson", CLUMPS])
def photon_counts(request, tmp_path_factory):
    """Photons of cells that have the rates above, all over the image, and the law.  (M, rates)"""
    folder = tmp_path_factory.mktemp("counts")
    cells = np.resize(RATES, ALICE_ZN.cells)
    write_linear_simulator(folder / "simulator", ALICE_ZN, cells, sampling=request.param)
    from caloforge.simulator import Simulator

    simulator = Simulator.load(folder / "simulator")
    (folder / "generator.onnx").write_bytes(o2.generator_graph(simulator))
    conditions = NEUTRONS[:1].repeat(N_DRAWS, axis=0).astype(np.float32)
    noise = np.random.default_rng(1).normal(size=(N_DRAWS, 10)).astype(np.float32)
    values = Graph(folder / "generator.onnx").run(noise, conditions)
    photons = np.stack([truncated(row.ravel(), (44, 44)).ravel() for row in values])
    whole = ALICE_ZN.cells // len(RATES) * len(RATES)
    return request.param, photons[:, :whole].reshape(-1, len(RATES))


def test_the_mean_of_every_rate_survives(photon_counts):
    law, photons = photon_counts
    variance = variance_of(RATES, law)
    error = np.sqrt(variance / len(photons)) + 1e-6 * RATES + 1e-7
    pulls = (photons.mean(axis=0) - RATES) / error
    assert np.abs(pulls).max() < 4.5, pulls


def test_counts_follow_the_law_of_the_simulator(photon_counts):
    law, photons = photon_counts
    if law == "rounding":
        assert (photons >= np.floor(RATES)).all()
        assert (photons <= np.ceil(RATES)).all()
        return
    expected = variance_of(RATES, law)
    excess = np.where(RATES > 0, expected / np.maximum(RATES, 1e-9) - 1, 0)
    fourth = expected * (1 + 6 * excess + 6 * excess**2)
    error = np.sqrt((fourth + 2 * expected**2) / len(photons))
    assert (np.abs(photons.var(axis=0) - expected) < 5 * error + 1e-9).all()
    assert photons[:, RATES > 50].min() > 2  # a bright cell is never empty
    for column in (3, 4, 6, 7):  # the whole distribution, where numbers are small
        from scipy.stats import nbinom, poisson

        numbers = np.arange(60)
        actual = np.bincount(photons[:, column], minlength=60)[:60] / len(photons)
        over = excess[column]
        few = over < 1e-6
        law_of_numbers = (
            poisson(RATES[column]) if few else nbinom(RATES[column] / over, 1 / (1 + over))
        )
        expected = law_of_numbers.pmf(numbers)
        common = expected * len(photons) > 10
        error = np.sqrt(expected * (1 - expected) / len(photons))
        assert np.abs((actual - expected) / error)[common].max() < 5
        assert actual[~common].sum() < 2 * expected[~common].sum() + 10 / len(photons)


@pytest.mark.parametrize("law", ["rounding", "poisson", CLUMPS])
def test_sessions_of_one_process_draw_different_showers(tmp_path, law):
    """The runtime's own numbers repeat in each session: workers that are forked after a model was
    loaded made the same showers of one particle."""
    simulator = write_linear_simulator(
        tmp_path / "simulator", ALICE_ZN, np.full(ALICE_ZN.cells, 0.4), sampling=law
    )
    (tmp_path / "generator.onnx").write_bytes(o2.generator_graph(simulator))
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    command = [sys.executable, script, tmp_path / "generator.onnx"]
    processes = subprocess.run(command, check=True, capture_output=True).stdout
    showers = np.frombuffer(processes, np.float32).reshape(4, -1)
    assert (showers > 0).mean() > 0.2
    for first, second in itertools.combinations(showers, 2):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.06  # of 15 000 cells: 7 sigma


WORKERS = """
import os, sys
import numpy as np, onnxruntime

def shoot(session, seed):
    noise = np.random.default_rng(seed).normal(size=(8, 10)).astype(np.float32)
    particle = np.float32([[500, 0, 0, 0, 0.1, 0, 500, 939.565, 0]] * 8)
    values, = session.run(None, {"noise": noise, "particle": particle})
    return np.floor(np.expm1(values)).astype(np.float32).tobytes()

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
first, second = (onnxruntime.InferenceSession(sys.argv[1], options) for _ in range(2))
for seed in (1, 2):
    ours, theirs = os.pipe()
    if os.fork() == 0:
        with open(theirs, "wb") as stream:
            stream.write(shoot(first, seed))
        os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as stream:
        sys.stdout.buffer.write(stream.read())
    os.wait()
for seed, session in ((3, first), (4, second)):
    sys.stdout.buffer.write(shoot(session, seed))
"""


def test_draws_differ_from_call_to_call(reader):
    o2_reader = reader(ALICE_ZN, np.full(ALICE_ZN.cells, 0.5))
    raw = raw_input(NEUTRONS)[0]
    first, second = (o2_reader.respond(raw, NOTHING).photons for _ in range(2))
    assert (first != second).mean() == pytest.approx(0.5, abs=0.1)


def test_latents_and_conditions_reach_the_generator(reader):
    per_condition = np.zeros((9, ALICE_ZN.cells))
    per_condition[0, 0], per_condition[8, 1] = 1 / 8, 64
    per_latent = np.zeros((10, ALICE_ZN.cells))
    per_latent[9, 3] = 100
    constant = np.zeros(ALICE_ZN.cells)
    constant[1] = 100
    o2_reader = reader(ALICE_ZN, constant, per_condition=per_condition, per_latent=per_latent)
    noise = NOTHING.copy()
    noise[9] = 0.75
    photons = o2_reader.respond(raw_input(np.array([[40.0, *NEUTRONS[1][1:]]]))[0], noise).photons
    assert photons.ravel()[:5].tolist() == [5, 164, 0, 75, 0]


def test_a_generator_of_fewer_latents_ignores_what_o2_draws_beyond_them(reader):
    per_latent = np.full((3, ALICE_ZN.cells), 7.0)
    o2_reader = reader(ALICE_ZN, np.zeros(ALICE_ZN.cells), per_latent=per_latent, latents=3)
    noise = np.float32([1, 1, 1, 99, 99, 99, 99, 99, 99, 99])
    assert set(o2_reader.respond(raw_input(NEUTRONS)[0], noise).photons.ravel()) == {21}


def test_more_latents_than_o2_draws_are_refused_with_the_setting_to_train(tmp_path):
    simulator = write_linear_simulator(
        tmp_path / "simulator", ALICE_ZN, np.zeros(ALICE_ZN.cells), latents=11
    )
    with pytest.raises(UsageError, match=r"11 latents.*--set generator\.latent=10"):
        o2.adapt(simulator, Options())


def test_other_detectors_are_refused(tmp_path):
    simulator = write_linear_simulator(
        tmp_path / "simulator",
        ATLAS_EM,
        np.zeros(ATLAS_EM.cells),
        sampling="continuous",
        conditions=np.array([[1.0, 1.5, 0.0, 0.0, 0.0], [100.0, 1.6, 0.1, 1.0, 1.0]]),
    )
    with pytest.raises(UsageError, match="no fast simulation of atlas_em"):
        o2.adapt(simulator, Options())


@pytest.mark.parametrize(
    "particle",
    [
        np.zeros(9),
        [-5.0, 0, 0, 0, 0, 0, 0, 0, 0],
        [1e30, *RUN_EXAMPLE[1:]],
        [*RUN_EXAMPLE[:6], 0.0, 0.0, 0.0],
        [7000.0, 0, 0, 0, 3e3, 3e3, 1e-30, 3e4, 30.0],
    ],
)
def test_whatever_o2_sends_the_answer_is_finite(reader, particle):
    wild = np.zeros((9, ALICE_ZN.cells))
    wild[:, 0], wild[0, 1], wild[6, 2] = 1e20, 1e20, -1e30
    o2_reader = reader(ALICE_ZN, np.zeros(ALICE_ZN.cells), per_condition=wild)
    raw = np.asarray(particle, dtype=np.float32)
    image = o2_reader.image(raw, np.full(10, 1e9, dtype=np.float32))
    assert np.isfinite(image).all()
    assert (image >= 0).all()


def test_energy_mass_and_charge_are_kept_in_the_training_range(tmp_path):
    simulator = write_linear_simulator(tmp_path / "simulator", ALICE_ZN, np.zeros(ALICE_ZN.cells))
    low, high = o2.bounds(simulator)
    assert (low[0], high[0]) == (40.0, 1380.0)
    assert (low[8], high[8]) == (-1.0, 1.0)
    assert (high[1:7] > 1e38).all()


def test_files_are_for_the_oldest_reader(tmp_path):
    simulator = write_linear_simulator(tmp_path / "simulator", ALICE_ZN, np.ones(ALICE_ZN.cells))
    files = o2.adapt(simulator, Options()).files
    for name in ("generator.onnx", "classifier.onnx"):
        model = onnx.load_model_from_string(files[name])
        assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (
            8,
            [("", 17)],
        )


def test_the_command_line_names_every_file_and_the_right_detector(tmp_path):
    for detector, which in ((ALICE_ZN, "Neutron"), (ALICE_ZP, "Proton")):
        simulator = write_linear_simulator(
            tmp_path / detector.name, detector, np.ones(detector.cells)
        )
        contents = o2.adapt(simulator, Options())
        for name in contents.files:
            assert f"$BUNDLE/{name}" in contents.paste
        assert f"ZDCFastSimModelPath{which}=" in contents.paste
        assert "useZDCFastSim=true" in contents.paste
        assert contents.paste in contents.readme
