"""A detector is one module with all its facts; what reads the facts meets a new one by itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from caloforge.data import kinematics
from caloforge.detector import Detector, Layer
from caloforge.detector.features import Grooves
from caloforge.detector.matter import BRASS, FibreStack
from caloforge.detector.readout import by_layer
from caloforge.detectors import (
    ALICE_ZN,
    DETECTORS,
    FACTS,
    DetectorFacts,
    facts_of,
    register,
    species,
    zdc,
)
from caloforge.detectors.species import SPECIES, species_of
from caloforge.detectors.spectra import OverTheFace, Spectators
from caloforge.errors import UsageError
from caloforge.export import fcs
from caloforge.formats import writing
from caloforge.particles import conditions_of
from caloforge.transport import fibres, formulas

COPPER_BOX = Detector(
    name="copper_box",
    title="a fibre calorimeter of this test",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(Layer(name="fibres", shape=(6, 10), cell_mm=(2.0, 3.0), depth_mm=500.0),),
    conditions=zdc.CONDITIONS,
    features=zdc.features(
        half_width_cm=1.5,
        grooves=Grooves(width_cm=0.08, pitch_cm=0.2, depth_cm=80.0),
        distance_cm=5000.0,
    ),
    channels=(by_layer({"fibres": 60}, "this test"),),
    distance_cm=5000.0,
)
NEW = DetectorFacts(
    detector=COPPER_BOX,
    spectra={"neutrons": Spectators(2112), "mix": OverTheFace((22, 211), (5.0, 50.0))},
    matter=FibreStack(absorber=BRASS, groove_mm=0.8, fibre_diameter_mm=0.5, source="this test"),
    spectator=2112,
)


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(FACTS, "own", dict(FACTS.own))
    monkeypatch.setattr(DETECTORS, "own", dict(DETECTORS.own))
    register(NEW)


@pytest.mark.usefixtures("registered")
def test_a_new_fibre_calorimeter_is_one_module_and_one_row(caloforge, tmp_path):
    from caloforge.detectors.files import find_detector
    from caloforge.transport.arrival import arrivals
    from caloforge.transport.geometry import geometry_of
    from caloforge.transport.request import draw

    detector = find_detector("copper_box")
    for name in NEW.spectra:
        particles = draw(name, detector, 300, seed=1)
        arrived = arrivals(detector, geometry_of(detector), particles.conditions)
        assert arrived.hits.mean() > 0.5
        assert set(particles.pdg.tolist()) <= set(SPECIES)
    with pytest.raises(UsageError, match="it has mix, neutrons"):
        draw("eplus", detector, 1, 0)
    code, out, _ = caloforge("data", "info", "--help")
    assert code == 0
    assert out


@pytest.mark.usefixtures("registered")
def test_a_name_belongs_to_one_detector():
    register(NEW)
    with pytest.raises(UsageError, match="a detector copper_box already"):
        register(DetectorFacts(COPPER_BOX.model_copy(update={"unit": "GeV"})))


def test_a_detector_that_is_not_registered_has_its_description_alone():
    facts = facts_of(COPPER_BOX)
    assert facts == DetectorFacts(COPPER_BOX)
    assert facts.matter is None


@pytest.mark.parametrize("name", sorted(FACTS))
def test_facts_agree_with_each_other(name):
    facts = FACTS[name]
    assert facts.detector is DETECTORS[name]
    assert Detector.model_validate(json.loads(facts.detector.model_dump_json())) == facts.detector
    for law in facts.spectra.values():
        pdg, conditions = law(np.random.default_rng(0), facts.detector, 50)
        assert conditions.shape == (50, len(facts.detector.columns))
        assert np.isfinite(conditions).all()
        assert set(pdg.tolist()) <= set(SPECIES)
    if facts.alice is not None:
        assert "o2" in facts.detector.schemes
    if facts.spectator is not None:
        assert SPECIES[facts.spectator].mass_mev > 900


@pytest.mark.parametrize("pdg", SPECIES)
def test_masses_are_those_of_the_particle_data_group(pdg):
    from particle import Particle

    particle = Particle.from_pdgid(pdg)
    assert SPECIES[pdg].mass_mev == pytest.approx(particle.mass, rel=2e-9)
    assert SPECIES[pdg].charge == particle.charge


@pytest.mark.parametrize(
    ("pdg", "mass_mev"),
    [
        (1000010020, 1875.6129), (1000020040, 3727.3794), (-1000020040, 3727.3794),
        (1000080160, 14895.0807), (1000010010, 938.27209), (1000000010, 939.56542),
    ],
)  # fmt: skip
def test_masses_of_nuclei_are_without_the_electrons_of_the_atom(pdg, mass_mev):
    assert species_of(pdg).mass_mev == pytest.approx(mass_mev, abs=1e-3)


@pytest.mark.parametrize("pdg", [22, 11, -13, 211, 2212, 2112, 1000080160, -1000010020])
def test_all_that_reads_and_writes_particles_has_one_mass(pdg):
    mass_mev = species_of(pdg).mass_mev
    conditions = conditions_of(ALICE_ZN, pdg=pdg, kinetic_gev=0.5)
    assert conditions[0, ALICE_ZN.column("mass")] == pytest.approx(mass_mev)
    start = writing._starts(np.array([0.5]), {"x0": np.zeros(1)}, [pdg], writing.Frame())
    assert start["pz"][0] ** 2 == pytest.approx(0.5**2 + 2 * 0.5 * mass_mev / 1000)
    if pdg in fcs.NETWORKS:
        lowest = fcs.kinetic_range("All", pdg, (8, 22)).lowest_mev
        assert (lowest + mass_mev) ** 2 == pytest.approx(2**16 + mass_mev**2)
    if pdg == 11:
        assert mass_mev == formulas.ELECTRON_MEV == kinematics.ELECTRON_MEV
        assert mass_mev == fibres.FAST_PARTICLES_MEV["e-"]


def test_the_unit_of_masses_is_defined_once():
    root = Path(species.__file__).parents[1]
    places = [path for path in root.rglob("*.py") if "\nMEV_PER_GEV =" in path.read_text("utf-8")]
    assert places == [Path(species.__file__)]
