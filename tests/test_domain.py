"""What a simulator may be asked for is checked as physics, not as a box for each number."""

import json
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from caloforge.data.samples import sample_path
from caloforge.detectors import ALICE_ZN, ATLAS_EM, FACTS
from caloforge.errors import DataError
from caloforge.io.showers import read, write
from caloforge.simulator import OutsideDomain, Simulator, read_card, shipped_simulators
from caloforge.simulator.domain import Domain
from caloforge.simulator.limits import memory_limit
from caloforge.transport.request import draw
from exported import write_linear_simulator

NEUTRON, PHOTON, KAON = (939.565, 0), (0.0, 0), (493.677, 1)
IMPACT = {"impact_x": [-3.7, 3.7], "impact_y": [-3.6, 3.6]}


def particle(energy=900.0, kind=NEUTRON, x_cm=0.5, y_cm=-1.0, side=1):
    """Conditions of a particle that flies to a point of the face."""
    mass, charge = kind
    momentum = np.sqrt(energy**2 - (mass / 1000) ** 2)
    slopes = np.array([x_cm, y_cm]) / 11260.0
    along = momentum / np.sqrt(1 + (slopes**2).sum())
    return np.array(
        [energy, 1e-4, 0, 2.0, *(slopes * along), side * along, mass, charge], dtype=float
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A simulator trained on neutrons and photons of 10 to 1500 GeV."""
    place = tmp_path_factory.mktemp("domain") / "simulator"
    trained = np.stack([particle(10.0, PHOTON), particle(1500.0), particle(100.0)])
    write_linear_simulator(place, ALICE_ZN, np.full(ALICE_ZN.cells, 0.1), conditions=trained)
    card = json.loads((place / "simulator.json").read_text())
    fields = {"version": 2, "species": [22, 2112], "impact_ranges_cm": IMPACT}
    (place / "simulator.json").write_text(json.dumps(card | fields))
    return place


@pytest.fixture
def simulator(folder):
    return Simulator.load(folder)


def test_particles_like_those_of_training_are_inside(simulator):
    rows = [particle(), particle(50, PHOTON), particle(1500, x_cm=3.6), particle(side=-1)]
    assert simulator.outside(np.stack(rows)) == {}
    wide_vertex = particle()
    wide_vertex[1:4] = [0.05, -0.05, 30.0]  # what counts is where it meets the face
    assert simulator.outside(wide_vertex[None]) == {}
    in_float32 = np.stack(rows).astype(np.float32)
    assert simulator.outside(in_float32) == {}


def changed(column, value):
    row = particle()
    row[ALICE_ZN.column(column)] = value
    return row


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (changed("mass", 0.939565), "species"),  # in GeV
        (particle(kind=KAON), "species"),
        (changed("charge", 1), "species"),
        (particle(9000.0), "Energy"),
        (particle(5.0), "Energy"),
        (changed("Energy", 1200.0), "mass shell"),
        (changed("Px", 300.0), "mass shell"),
        (particle(x_cm=4.6), "impact_x"),
        (particle(y_cm=-30.0), "impact_y"),
    ],
)
def test_what_was_not_trained_on_is_outside(simulator, row, rule):
    assert rule in simulator.outside(np.stack([particle(), row, particle()]))
    assert simulator.domain.inside(np.stack([particle(), row])).tolist() == [True, False]
    with pytest.warns(OutsideDomain, match=rule):
        simulator.generate(row[None])
    with pytest.raises(DataError, match=rule):
        simulator.generate(row[None], outside="strict")


def test_clamping_moves_energies_along_the_flight(simulator):
    rows = np.stack([particle(4000.0, x_cm=2.0), particle(1.0), particle()])
    clamped_rows = simulator.domain.clamped(rows)
    assert simulator.outside(clamped_rows) == {}
    np.testing.assert_array_equal(clamped_rows[2], rows[2])
    direction = [row[4:7] / np.linalg.norm(row[4:7]) for row in (rows[0], clamped_rows[0])]
    np.testing.assert_allclose(*direction, rtol=1e-12)
    np.testing.assert_allclose(
        clamped_rows[0, 0] ** 2, (clamped_rows[0, 4:7] ** 2).sum() + 0.939565**2
    )
    with pytest.raises(DataError, match="cannot be clamped, of 1 particles: species in 1"):
        simulator.domain.clamped(particle(kind=KAON)[None])
    counts = simulator.generate(rows, seed=3, outside="clamp")
    np.testing.assert_array_equal(counts, simulator.generate(clamped_rows, seed=3))


def test_cards_without_species_take_those_in_their_ranges(folder, tmp_path):
    card = json.loads((folder / "simulator.json").read_text())
    for name in ("species", "impact_ranges_cm"):
        del card[name]
    (tmp_path / "old.json").write_text(json.dumps(card | {"version": 1}))
    domain = Domain(read_card(tmp_path / "old.json"))
    assert "species" in domain.violations(changed("mass", 0.939565)[None])
    assert "Vz" in domain.violations(changed("Vz", 99.0)[None])


def test_generate_says_what_is_outside_and_does_what_is_asked(caloforge, folder, tmp_path):
    rows = np.stack([particle(), particle(kind=KAON), particle(5000.0), particle(70, PHOTON)])
    some = read(sample_path("alice_zn")).rows(np.arange(4))
    pdg = np.array([2112, 321, 2112, 22], np.int32)
    write(tmp_path / "particles.h5", replace(some, conditions=rows, particle=np.arange(4), pdg=pdg))
    command = ["generate", folder, "--like", tmp_path / "particles.h5", "-n", 4]
    code, _, log = caloforge(*command, "--out", tmp_path / "warned.h5")
    assert code == 0
    assert "species in 1" in log
    assert "Energy in 1" in log
    code, _, log = caloforge(*command, "--out", tmp_path / "strict.h5", "--outside", "strict")
    assert (code, (tmp_path / "strict.h5").exists()) == (3, False)
    code, _, log = caloforge(*command, "--out", tmp_path / "skip.h5", "--outside", "skip", "-q")
    assert (code, log) == (0, "")
    assert set(read(tmp_path / "skip.h5").pdg.tolist()) == {2112, 22}
    code, _, log = caloforge(*command, "--out", tmp_path / "clamp.h5", "--outside", "clamp", "-q")
    assert code == 3  # a kaon has no nearest species
    assert "species" in log


@pytest.mark.parametrize("name", shipped_simulators())
def test_shipped_spectra_lie_inside_shipped_simulators(name):
    simulator = Simulator.load(name)
    for spectrum in FACTS[simulator.detector.name].spectra:
        particles = draw(spectrum, simulator.detector, 50_000, seed=11)
        if set(particles.pdg.tolist()) <= set(simulator.card.species):
            assert simulator.outside(particles.conditions) == {}, spectrum


def test_other_detectors_have_a_range_for_each_condition(tmp_path):
    trained = np.array([[1.0, 1.49, -0.08, -50, -50], [100.0, 1.65, 0.08, 50, 50]])
    simulator = write_linear_simulator(
        tmp_path / "simulator",
        ATLAS_EM,
        np.zeros(ATLAS_EM.cells),
        sampling="continuous",
        conditions=trained,
    )
    assert simulator.outside(trained) == {}
    assert simulator.outside(np.array([[50_000.0, 1.57, 0, 0, 0]])) == {"E": 1}  # MeV
    assert simulator.outside(np.array([[50.0, 1.57, 0.5, 0, 80]])) == {"phi": 1, "y0": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory")
def test_two_threads_that_load_at_once_leave_no_limit_of_memory():
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    is_inside = threading.Event()

    def load():
        with memory_limit(0):
            is_inside.set()
            time.sleep(0.05)

    first = threading.Thread(target=load)
    first.start()
    is_inside.wait()
    with memory_limit(0):
        first.join()
    after = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, before)
    assert after == before
