"""Par04, DDML, FastCaloSim and Triton: layouts and units by hand-worked values."""

import json
import shutil
from math import pi

import h5py
import numpy as np
import onnx
import pytest
from scipy.special import erfinv

from caloforge.detectors import ALICE_ZN, ATLAS_EM
from caloforge.errors import DataError, UsageError
from caloforge.export import ddml, fcs, fcs_binned, mesh, par04
from caloforge.export.bundle import (
    Bundle,
    CheckOptions,
    Graph,
    Options,
    check_bundle,
    export,
)
from caloforge.export.ddml import DdmlReader, uniform_of
from caloforge.export.ddml_library import LibraryReader
from caloforge.export.fcs import FcsReader, read_binning
from caloforge.export.fcs_binned import BinnedReader
from caloforge.export.mesh import depth_shares, overlap, polar_shares
from caloforge.export.onnx_builder import OnnxBuilder, Output, Value
from caloforge.export.par04 import Par04Reader
from caloforge.export.triton import TritonReader, read_config
from exported import rewrite_checksums, write_linear_simulator

PARTICLES = np.array(
    [
        [1.0, 1.49, -0.08, -4.0, -4.0],
        [10.0, pi / 2, 0.0, 0.0, 0.0],
        [40.0, 1.57, 0.01, 1.0, 2.0],
        [100.0, 1.65, 0.08, 4.0, 4.0],
    ]
)
"""Of which the first and last span the training range."""
OFFSETS = ATLAS_EM.offsets()


def cell(layer, x, y):
    """Flat number of a cell."""
    return OFFSETS[layer] + x * ATLAS_EM.layers[layer].shape[1] + y


def fractions(**lit):
    """Cells in GeV that are these fractions of the energy: ``l1_6_6=0.5``.  (C, K)"""
    weights = np.zeros((5, ATLAS_EM.cells))
    for name, fraction in lit.items():
        weights[0, cell(*(int(part) for part in name[1:].split("_")))] = fraction
    return weights


@pytest.fixture
def simulator(tmp_path):
    def generated(**more):
        defaults = {"constant": np.zeros(ATLAS_EM.cells), "conditions": PARTICLES}
        settings = defaults | {"sampling": "continuous", "species": (22,)} | more
        return write_linear_simulator(tmp_path / "simulator", ATLAS_EM, **settings)

    return generated


@pytest.fixture
def bundle(simulator, tmp_path):
    """A function: the checked bundle of a target, of a simulator with these settings."""

    def generated(target, options=None, **more):
        _, verdict = export(simulator(**more), target, tmp_path / target, options or Options())
        assert verdict.passed, str(verdict)
        return Bundle(tmp_path / target)

    return generated


def test_overlaps_of_intervals_keep_every_sum():
    shares = overlap(3, 160, 12, 40)
    assert shares[1].tolist() == [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0]
    np.testing.assert_allclose(overlap(7, 3.0, 10, 2.5).sum(axis=1), 1)
    with pytest.raises(UsageError, match="does not cover"):
        overlap(3, 160, 11, 40)


@pytest.mark.parametrize("layer", ATLAS_EM.layers, ids=lambda layer: layer.name)
def test_rings_and_sectors_keep_every_cell(layer):
    shares = polar_shares(layer, np.linspace(0, 240, 7), 8, from_y=True)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()


def test_slices_share_the_layers_by_depth():
    shares = depth_shares(ATLAS_EM, 48)  # 90, 347 and 43 mm in slices of 10 mm
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[0, 8] == pytest.approx(10 / 90)
    assert shares[1, [8, 9, 43]] == pytest.approx([0, 10 / 347, 7 / 347])
    assert shares[2, 43] == pytest.approx(3 / 43)


# Par04 -------------------------------------------------------------------------------------


def test_par04_finds_one_cell_where_it_is(bundle):
    reader = Par04Reader(bundle("par04", per_condition=fractions(l1_6_6=0.5)))
    deposits = reader.energies_mev(np.zeros(10, dtype=np.float32), 50_000.0, 90.0)
    assert deposits.shape == (12, 16, 48)
    assert deposits.sum() == pytest.approx(25_000, rel=1e-5)
    # x and y from 0 to 40 mm: sectors from 0 to pi / 2, rings up to 57 mm (of 20 mm each)
    assert set(np.flatnonzero(deposits.sum(axis=(0, 2)))) == {8, 9, 10, 11}
    assert set(np.flatnonzero(deposits.sum(axis=(1, 2)))) == {0, 1, 2}
    assert deposits[0].sum() == pytest.approx(25_000 * (pi * 20**2 / 4) / 40**2, rel=0.01)
    # from 90 to 437 mm of depth, in slices of 10 mm
    assert deposits[:, :, 9].sum() == pytest.approx(25_000 * 10 / 347, rel=1e-4)
    assert deposits[:, :, 43].sum() == pytest.approx(25_000 * 7 / 347, rel=1e-4)
    assert deposits[:, :, :9].sum() == 0


def test_par04_s_vector_is_latents_energy_angle_and_geometry(bundle):
    weights = fractions(l0_1_48=0.5)
    weights[1, cell(0, 1, 48)] = 2.0
    per_latent = np.zeros((10, ATLAS_EM.cells))
    per_latent[9, cell(0, 1, 48)] = 1.0
    folder = bundle("par04", per_condition=weights, per_latent=per_latent).folder
    vector = np.zeros((1, 14), dtype=np.float32)
    vector[0, 9:] = [3.0, 20_000 / 1024000, 91 / 90, 0, 1]
    total = Graph(folder / "generator.onnx").run(vector).sum()
    assert total == pytest.approx((0.5 * 20 + 2 * 91 / 180 * pi + 3) / 20, rel=1e-5)


def test_par04_is_called_at_any_energy_and_gets_the_edge_of_the_training_range(bundle):
    constant = np.zeros(ATLAS_EM.cells)
    constant[cell(1, 3, 3)] = 0.5
    reader = Par04Reader(bundle("par04", constant=constant))
    latents = np.zeros(10, dtype=np.float32)
    shares = {1e-3: 0.5, 500.0: 0.5, 10_000.0: 0.05, 1e9: 0.005}  # of 1, 1, 10 and 100 GeV
    for energy_mev, share in shares.items():
        actual = reader.energies_mev(latents, energy_mev, 90.0).sum()
        expected = share * energy_mev if energy_mev > 0.01 else 0.0
        assert actual == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(reader.energies_mev(latents, 0.0, 1e9)).all()


def test_par04_s_macro_states_the_mesh(simulator):
    contents = par04.adapt(simulator(), Options(mesh=(6, 8, 24)))
    macro = contents.files["par04.mac"].decode()
    lines = macro.splitlines()
    for line in (
        "setSizeLatentVector 10",
        "setSizeOfRhoCells 40 mm",
        "setSizeOfZCells 20 mm",
        "setNbOfPhiCells 8",
    ):
        assert f"/Par04/inference/{line}" in lines
    assert lines[-1] == "/Par04/inference/setInferenceLibrary ONNX"


def test_par04_refuses_what_it_would_misread(simulator):
    linear_simulator = simulator(latents=4)
    with pytest.raises(UsageError, match="CaloDiT"):
        par04.adapt(linear_simulator, Options())
    with pytest.raises(UsageError, match="R x phi x z"):
        par04.adapt(linear_simulator, Options(mesh=(3, 3)))


# DDML --------------------------------------------------------------------------------------


def test_ddml_finds_cells_on_its_grid(bundle):
    lit = fractions(l0_1_50=0.25, l2_3_2=0.16)
    reader = DdmlReader(bundle("ddml", per_condition=lit))
    deposits = reader.energies_mev(np.zeros(100, dtype=np.float32), 40.0)
    assert deposits.shape == (3, 12, 96)
    assert deposits[0, 4:8, 50] == pytest.approx([2500.0] * 4, rel=1e-5)
    assert deposits[2, 3, 32:48] == pytest.approx([400.0] * 16, rel=1e-5)
    assert deposits.sum() == pytest.approx(16_400, rel=1e-5)
    centres = reader.grid.centres()
    assert (centres.x[0, 4, 0], centres.y[0, 0, 50]) == (-60.0, 12.5)
    assert sorted(set(centres.z.ravel())) == [45.0, 90 + 173.5, 437 + 21.5]


def test_uniform_numbers_become_normal_ones(tmp_path):
    builder = OnnxBuilder("t")
    builder.rename(ddml.normal(Value("u", builder)), "z")
    model = builder.model({"u": ["n"]}, Output("z", ["n"]))
    (tmp_path / "normal.onnx").write_bytes(model)
    uniform = np.concatenate([np.linspace(-0.99999, 0.99999, 4001), [-1, 1, 1.5]])
    normal = Graph(tmp_path / "normal.onnx").run(uniform.astype(np.float32))
    exact = np.sqrt(2) * erfinv(uniform[:4001].astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(normal[:4001], exact, atol=2e-5, rtol=2e-5)
    assert np.isfinite(normal).all()
    assert normal[-2] == normal[-1] > 5


def test_ddml_s_latents_reach_the_generator_as_normal_numbers(bundle):
    per_latent = np.zeros((10, ATLAS_EM.cells))
    per_latent[7, cell(1, 0, 0)] = 1.0
    reader = DdmlReader(bundle("ddml", per_latent=per_latent))
    latents = np.float32([0, 0, 0, 0, 0, 0, 0, 1.25, 0, 0])
    assert uniform_of(latents)[7] == pytest.approx(0.7887, abs=1e-4)
    assert reader.energies_mev(uniform_of(latents), 10.0).sum() == pytest.approx(1250, rel=1e-4)


def test_ddml_scales_the_shower_of_the_edge_beyond_the_training_range(bundle):
    reader = DdmlReader(bundle("ddml", per_condition=fractions(l1_6_6=0.5)))
    zeros = np.zeros(100, dtype=np.float32)
    for energy in (0.0, 0.1, 1.0, 30.0, 400.0):
        assert reader.energies_mev(zeros, energy).sum() == pytest.approx(500 * energy, rel=1e-4)


def test_ddml_refuses_grids_that_it_would_shift(simulator):
    linear_simulator = simulator(latents=101)
    with pytest.raises(UsageError, match=r"--set generator\.latent=100"):
        ddml.adapt(linear_simulator, Options())


@pytest.mark.parametrize("mesh", [(12, 95), (3, 12, 96)])
def test_odd_grids_are_refused(simulator, mesh):
    with pytest.raises(UsageError, match="both even"):
        ddml.adapt(simulator(), Options(mesh=mesh))


def test_a_library_is_played_back_in_order(bundle):
    options = Options(count=6)
    folder = bundle("ddml-library", options, per_condition=fractions(l0_1_50=0.25))
    reader = LibraryReader(folder)
    played = [reader.energies_mev() for _ in range(6)]
    energies = np.resize(PARTICLES[:, 0], 6)
    assert [shower.sum() for shower in played] == pytest.approx(250 * energies, rel=1e-5)
    assert played[1][0, 4:8, 50] == pytest.approx([625.0] * 4, rel=1e-5)
    with pytest.raises(DataError, match="6 showers"):
        reader.energies_mev()
    with h5py.File(folder.folder / "library.h5") as file:
        assert file["layers"].shape == file["events"].shape == (6, 3, 12, 96)
        assert file["layers"].dtype == np.float32


# FastCaloSim -------------------------------------------------------------------------------


def test_fastcalosim_finds_cells_in_rings_and_sectors(bundle):
    # y is eta: alpha 0; x is phi: alpha pi / 2
    lit = fractions(l1_6_11=0.2, l1_11_6=0.1)
    reader = FcsReader(bundle("fcs-ganv2", Options(mesh=(4, 8)), per_condition=lit))
    images = reader.fractions(np.full(10, 0.5), 32768.0)
    assert {layer: image.shape for layer, image in images.items()} == dict.fromkeys(
        (1, 2, 3), (4, 8)
    )
    actual = images[2].sum(axis=0)
    assert actual[4] == pytest.approx(0.2, rel=1e-4)
    assert actual[5] == pytest.approx(0.1, rel=1e-4)
    assert images[2][-1].sum() == pytest.approx(0.3, rel=1e-4)
    assert images[1].sum() == images[3].sum() == 0


@pytest.mark.parametrize(
    ("particle", "kinetic_mev"),
    [(22, 2000.0), (22, 32768.0), (11, 3000.0), (211, 50_000.0), (2212, 20_000.0), (22, 4e6)],
)
def test_fastcalosim_s_condition_is_the_logarithm_of_the_kinetic_energy(
    bundle, particle, kinetic_mev
):
    constant = np.zeros(ATLAS_EM.cells)
    constant[cell(1, 6, 6)] = 0.5
    reader = FcsReader(bundle("fcs-ganv2", constant=constant, species=(particle,)))
    gev = min(max(kinetic_mev / 1000, 1.0), 100.0)
    total = sum(image.sum() for image in reader.fractions(np.full(10, 0.5), kinetic_mev).values())
    assert total == pytest.approx(0.5 / gev, rel=2e-4)


def test_fastcalosim_s_noise_is_centred_at_a_half(bundle):
    per_latent = np.zeros((10, ATLAS_EM.cells))
    per_latent[3, cell(1, 6, 6)] = 1.0
    reader = FcsReader(bundle("fcs-ganv2", per_latent=per_latent))
    noise = np.full(10, 0.5)
    noise[3] = 1.25  # 1.5 standard deviations of 0.5 above 0.5
    total = sum(image.sum() for image in reader.fractions(noise, 10_000.0).values())
    assert total == pytest.approx(1.5 / 10, rel=1e-4)


def test_files_of_fastcalosim_are_named_by_particle_and_range(simulator):
    linear_simulator = simulator(species=())
    names = {
        22: {"neural_net_22_eta_20_25_UltraLow12.onnx", "neural_net_22_eta_20_25_High12.onnx"},
        211: {"neural_net_211_eta_20_25_All.onnx"},
        2212: {"neural_net_2212_eta_20_25_High10.onnx"},
    }
    for particle, files in names.items():
        contents = fcs.adapt(linear_simulator, Options(particle=particle))
        assert set(contents.files) == files | {"binning.xml"}
        pid = "22" if particle == 22 else "211"
        assert f'<Particle pid="{pid}" latentDim="10"' in contents.files["binning.xml"].decode()
    for mesh_of_voxels in ((8, 32), (1, 8)):
        with pytest.raises(UsageError, match="not 32 sectors"):
            fcs.adapt(linear_simulator, Options(particle=22, mesh=mesh_of_voxels))


@pytest.mark.parametrize(
    ("species", "pdg_number", "label"),
    [((-11,), None, 11), ((-11,), -11, 11), ((211,), None, 211), ((-11, 22), 22, 22), ((), 22, 22)],
)
def test_fastcalosim_gets_the_number_of_what_was_trained_on(simulator, species, pdg_number, label):
    contents = fcs.adapt(simulator(species=species), Options(particle=pdg_number))
    assert contents.facts["pid"] == label
    assert contents.paste.startswith(f"initializeNetwork({label},")


@pytest.mark.parametrize(
    ("species", "pdg_number", "says"),
    [
        ((-11, 22), None, "names -11, 22: choose one with --pdg"),
        ((), None, "names no particle: choose one with --pdg"),
        ((13,), None, "no particle 13"),
    ],
)
def test_fastcalosim_gets_no_other_particle(simulator, species, pdg_number, says):
    with pytest.raises(UsageError, match=says):
        fcs.adapt(simulator(species=species), Options(particle=pdg_number))


@pytest.mark.parametrize("target", ["o2", "par04", "ddml", "fcs-ganv2", "fcs-binned", "triton"])
def test_no_reader_gets_a_particle_that_was_not_trained_on(simulator, tmp_path, target):
    with pytest.raises(UsageError, match="trained on pdg -11, not on 22"):
        export(simulator(species=(-11,)), target, tmp_path / "bundle", Options(particle=22))


@pytest.mark.parametrize("target", ["o2", "fcs-binned", "triton"])
def test_a_mesh_is_refused_where_there_is_none(simulator, tmp_path, target):
    with pytest.raises(UsageError, match=f"{target} has no mesh to choose; par04"):
        export(simulator(), target, tmp_path / "bundle", Options(mesh=(4, 4)))


LAYER = '<Layer id="1" r_edges="0,1,2" n_bin_alpha="4"/>'
TWICE = f'<Bin etaMin="0" etaMax="50">{LAYER}{LAYER}</Bin>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'<Particle pid="22" latentDim="3">{TWICE}</Particle>', "a layer stands there twice"),
        ("<Bins>", "damaged"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Bins/>', "DOCTYPE"),
        ("<Bins/>", "describes no particle 22"),
        ('<Bins><Particle pid="22"><Bin etaMin="0" etaMax="50"/></Particle></Bins>', "damaged"),
    ],
)
def test_damaged_binning_is_refused(tmp_path, text, message):
    (tmp_path / "binning.xml").write_text(text)
    with pytest.raises(DataError, match=message):
        read_binning(tmp_path / "binning.xml", 22, (20, 25))


def test_layers_of_one_edge_are_absent(tmp_path):
    (tmp_path / "binning.xml").write_text(
        '<Bins><Particle pid="22" latentDim="50"><Bin etaMin="20" etaMax="25">'
        '<Layer id="12" r_edges="0,5,10" n_bin_alpha="10"/>'
        '<Layer id="3" r_edges="0" n_bin_alpha="1"/>'
        '<Layer id="1" r_edges="0,2,4,9" n_bin_alpha="1"/></Bin></Particle></Bins>'
    )
    latents, layers = read_binning(tmp_path / "binning.xml", 22, (20, 25))
    assert latents == 50
    assert [(voxels.layer, voxels.size) for voxels in layers] == [(1, 3), (12, 20)]


def test_binned_showers_are_mev_where_the_cells_are(bundle):
    # y is eta: alpha 0; x is phi: alpha pi / 2
    lit = fractions(l0_1_48=0.3, l1_6_11=0.2, l1_11_6=0.1)
    reader = BinnedReader(bundle("fcs-binned", per_condition=lit))
    hits = reader.hits(-0.3, 32_768.0, np.zeros(10))
    sums = {layer: actual.energy_mev.sum() / 32_768 for layer, actual in hits.items()}
    assert sums == pytest.approx({0: 0, 1: 0.3, 2: 0.3, 3: 0, 12: 0}, rel=1e-4)
    x, y = reader.places(2, hits[2])
    share = hits[2].energy_mev / hits[2].energy_mev.sum()
    assert share[y > x].sum() == pytest.approx(2 / 3, rel=1e-4)
    assert (x > 0).all()
    assert (y > 0).all()
    assert np.hypot(x, y).min() > 180
    # Every voxel is a ring and a sector of its own, and together they are the disc.
    for layer, size in {1: 160, 2: 104, 3: 36}.items():
        start_r, size_r, _, size_alpha = reader.edges[layer][:, :size]
        area = ((start_r + size_r) ** 2 - start_r**2) / 2 * size_alpha
        assert area.sum() == pytest.approx(np.pi * 240**2, rel=1e-5)


def test_binned_showers_take_latents_and_energies_as_they_are_asked(bundle):
    per_latent = np.zeros((10, ATLAS_EM.cells))
    per_latent[3, cell(1, 6, 6)] = 1.0
    reader = BinnedReader(bundle("fcs-binned", per_latent=per_latent))
    noise = np.zeros(10, np.float32)
    noise[3] = 1.5
    for mev, expected in ((10_000.0, 1500.0), (1e6, 15_000.0), (100.0, 150.0)):
        hits = reader.hits(0.2, mev, noise)
        assert hits[2].energy_mev.sum() == pytest.approx(expected, rel=1e-4)
    noise[3] = -1.0
    assert not len(reader.hits(0.2, 10_000.0, noise)[2].voxel)


def test_binned_showers_refuse_what_the_reader_cannot_hold(simulator):
    linear_simulator = simulator(latents=383, per_latent=np.zeros((383, ATLAS_EM.cells)))
    with pytest.raises(UsageError, match="has 383 latents, fcs-binned draws 382"):
        fcs_binned.adapt(linear_simulator, Options())
    with pytest.raises(UsageError, match="voxels of its own"):
        fcs_binned.adapt(linear_simulator, Options(mesh=(8, 8)))


@pytest.mark.parametrize("fault", ["missing", "short", "nan"])
def test_damaged_edges_of_voxels_are_refused(bundle, fault):
    folder = bundle("fcs-binned")
    with h5py.File(folder.folder / "binning.h5", "r+") as file:
        edges = file["binsize_alpha_layer_2"][:]
        del file["binsize_alpha_layer_2"]
        if fault != "missing":
            file["binsize_alpha_layer_2"] = edges[:-1] if fault == "short" else edges * np.nan
    words = {"missing": "has no binsize", "short": "of 110 voxels", "nan": "not a finite number"}
    with pytest.raises(DataError, match=words[fault]):
        BinnedReader(folder)


# Triton ------------------------------------------------------------------------------------


def test_triton_s_configuration_states_the_ports_of_the_graph(bundle):
    bundle_folder = bundle("triton", per_condition=fractions(l1_6_6=0.5))
    folder = bundle_folder.folder / "caloforge_atlas_em"
    assert {path.name for path in folder.iterdir()} == {"1", "config.pbtxt"}
    config = read_config(folder / "config.pbtxt")
    assert config["max_batch_size"] == "256"
    assert config["input"][1] == {"name": "particle", "data_type": "TYPE_FP32", "dims": ["5"]}
    assert config["output"][0]["dims"] == ["504"]
    reader = TritonReader(bundle_folder)
    cells = reader.graph.run(np.zeros((4, 10), np.float32), PARTICLES.astype(np.float32))
    np.testing.assert_allclose(cells[:, cell(1, 6, 6)], PARTICLES[:, 0] / 2, rtol=1e-6)


def test_triton_serves_counts_of_the_zdc(tmp_path):
    linear_simulator = write_linear_simulator(
        tmp_path / "simulator", ALICE_ZN, np.full(ALICE_ZN.cells, 0.3), sampling="poisson"
    )
    _, verdict = export(linear_simulator, "triton", tmp_path / "bundle", Options())
    assert verdict.passed
    reader = TritonReader(Bundle(tmp_path / "bundle"))
    reference = linear_simulator.reference
    cells = reader.graph.run(reference.latent, reference.conditions)
    assert set(np.unique(cells)) <= set(range(9))


@pytest.mark.parametrize(
    "text", ["", 'name: "x" input [ {', 'name: "x" } {', "\x00", 'max_batch_size: "a" b']
)
def test_damaged_configurations_are_refused(bundle, text):
    folder = bundle("triton")
    (folder.folder / "caloforge_atlas_em/config.pbtxt").write_text(text)
    with pytest.raises((DataError, ValueError)):
        TritonReader(folder)


# All of them -------------------------------------------------------------------------------

TARGETS = ("par04", "ddml", "ddml-library", "fcs-ganv2", "fcs-binned")
NETWORK = {
    "par04": "generator.onnx",
    "ddml": "generator.onnx",
    "fcs-ganv2": "neural_net_22_eta_20_25_High12.onnx",
    "fcs-binned": "generator.onnx",
    "triton": "caloforge_atlas_em/1/model.onnx",
}


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """The light generator of the calorimeter as it is built, exported."""
    import torch

    from caloforge.data.derive import FeatureScaling
    from caloforge.export.onnx_builder import export_simulator
    from caloforge.networks.generators import GeneratorConfig

    torch.manual_seed(3)
    conditions = np.random.default_rng(3).uniform(PARTICLES[0], PARTICLES[-1], (64, 5))
    scaling = FeatureScaling.fit(ATLAS_EM, conditions)
    generator = GeneratorConfig(kind="light").build(ATLAS_EM, scaling)
    folder = tmp_path_factory.mktemp("em") / "simulator"
    fields = {"latent_size": 10, "species": [22]}
    export_simulator(generator, ATLAS_EM, {"name": "x"}, conditions, folder, **fields)
    return folder


@pytest.fixture(scope="module")
def bundles(untrained):
    from caloforge.cli import main

    for target in (*TARGETS, "triton"):
        out = untrained.parent / target
        arguments = ["export", str(untrained), "--target", target, "-n", "8", "-q"]
        assert main([*arguments, "--out", str(out)]) == 0
    return untrained.parent


@pytest.mark.parametrize("target", [*TARGETS, "triton"])
def test_a_real_generator_passes_its_check(caloforge, bundles, target):
    code, out, _ = caloforge("check", bundles / target, "--json", "--repeats", 2)
    record = json.loads(out)
    assert (code, record["target"], record["passed"]) == (0, target, True)


@pytest.mark.parametrize("target", TARGETS)
def test_zdc_simulators_are_refused_by_calorimeter_readers(caloforge, tmp_path, target):
    write_linear_simulator(tmp_path / "simulator", ALICE_ZN, np.zeros(ALICE_ZN.cells))
    arguments = ["export", tmp_path / "simulator", "--target", target, "--out", tmp_path / "out"]
    code, _, err = caloforge(*arguments, "-q")
    assert (code, err.count("\n")) == (2, 1)
    assert "photons of alice_zn" in err
    assert not (tmp_path / "out").exists()


def double_the_output(model):
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["before_doubling" if name == output else name for name in node.output]
    two = onnx.numpy_helper.from_array(np.float32(2), "two")
    model.graph.initializer.append(two)
    model.graph.node.append(onnx.helper.make_node("Mul", ["before_doubling", "two"], [output]))


def lengthen_an_input(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value += 1


@pytest.mark.parametrize("target", sorted(NETWORK))
@pytest.mark.parametrize(("edit", "expected"), [(double_the_output, 4), (lengthen_an_input, 3)])
def test_wrong_and_malformed_networks_are_told_apart(
    caloforge, bundles, tmp_path, target, edit, expected
):
    folder = shutil.copytree(bundles / target, tmp_path / "bundle")
    model = onnx.load(folder / NETWORK[target])
    edit(model)
    onnx.save(model, folder / NETWORK[target])
    rewrite_checksums(folder)
    code, _, err = caloforge("check", folder, "--repeats", 2)
    assert (code, err.count("\n")) == (expected, 1), err


@pytest.mark.parametrize(
    ("name", "value"),
    [("events", np.zeros((2, 3, 12, 90), np.float32)), ("layers", np.zeros((2, 3, 12, 96), int))],
)
def test_libraries_of_another_shape_or_type_are_refused(caloforge, bundles, tmp_path, name, value):
    folder = shutil.copytree(bundles / "ddml-library", tmp_path / "bundle")
    with h5py.File(folder / "library.h5", "r+") as file:
        del file[name]
        file[name] = value
    rewrite_checksums(folder)
    code, _, err = caloforge("check", folder)
    assert (code, err.count("\n")) == (3, 1)
    assert name in err


def test_a_library_that_claims_what_it_does_not_store_is_refused(caloforge, bundles, tmp_path):
    folder = shutil.copytree(bundles / "ddml-library", tmp_path / "bundle")
    shape = h5py.File(folder / "library.h5")["layers"].shape[1:]
    (folder / "library.h5").unlink()
    with h5py.File(folder / "library.h5", "w") as file:
        file.create_dataset("layers", (2_000_000, *shape), "f4", chunks=(1, *shape))
        file["events"] = file["layers"]
    rewrite_checksums(folder)
    code, _, log = caloforge("check", folder, "-q")
    assert code == 3
    assert "claims" in log
    assert len(log.splitlines()) == 1


def test_a_library_of_other_showers_fails(caloforge, bundles, tmp_path):
    folder = shutil.copytree(bundles / "ddml-library", tmp_path / "bundle")
    with h5py.File(folder / "library.h5", "r+") as file:
        file["layers"][0] *= 3
    rewrite_checksums(folder)
    assert caloforge("check", folder)[0] == 4


def test_particles_that_come_straight_in_are_what_readers_ask_for(simulator):
    reference = mesh.straight_reference(simulator())
    assert reference.conditions[:4, 0].tolist() == PARTICLES[:, 0].tolist()
    np.testing.assert_allclose(reference.conditions[:, 1], pi / 2, rtol=1e-6)
    assert not reference.conditions[:, 2:].any()
    assert CheckOptions().repeats == 100


def test_what_an_emulator_does_not_expect_is_one_line(bundle, monkeypatch):
    def surprised(*_):
        return ().index("tower1")

    folder = bundle("par04").folder
    monkeypatch.setattr(par04, "check", surprised)
    with pytest.raises(DataError, match=r"truncated or damaged \(tuple\.index"):
        check_bundle(folder)
