"""The hit classifier: it may only say no where next to no light is lost."""

from dataclasses import replace

import numpy as np
import pytest

from caloforge.data.samples import sample_path
from caloforge.detectors import ALICE_ZN, ALICE_ZP
from caloforge.errors import CaloforgeError, DataError
from caloforge.export.bundle import Graph
from caloforge.export.hit_classifier import LARGEST_LOSS, Table, read_table, train
from caloforge.export.o2 import hit_graph
from exported import NEUTRONS

DISTANCE_CM = 11260.0
REPEATS = 4


def aimed(x_cm, y_cm, pz=1000.0):
    """Particles whose straight flight meets the front face there.  (N, 9)"""
    conditions = np.tile(NEUTRONS[0], (len(x_cm), 1))
    conditions[:, 1:4] = 0
    conditions[:, 4] = np.asarray(x_cm) * abs(pz) / DISTANCE_CM
    conditions[:, 5] = np.asarray(y_cm) * abs(pz) / DISTANCE_CM
    conditions[:, 6] = pz
    return conditions


@pytest.fixture(scope="module")
def table():
    """Half of the particles hit a face of 3 x 2 cm (half widths); those that miss are dark."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-5, 5, (2, 4000))
    bright = (np.abs(x) < 3) & (np.abs(y) < 2)
    light = np.where(bright, rng.poisson(100, 4000), 0)
    conditions = aimed(x, y).repeat(REPEATS, axis=0)
    return Table(ALICE_ZN, conditions, light.repeat(REPEATS), np.arange(4000).repeat(REPEATS))


def test_it_finds_the_face_and_measures_what_it_loses_on_other_particles(table):
    classifier = train(table)
    assert classifier.ranges_cm["impact_x"] == pytest.approx((-3, 3), abs=0.08)
    assert classifier.ranges_cm["impact_y"] == pytest.approx((-2, 2), abs=0.08)
    assert classifier.lost_light < LARGEST_LOSS
    assert classifier.empty_skipped > 0.9
    assert classifier.test_rows == 800 * REPEATS


def test_lost_light_is_the_share_of_the_light_that_it_says_no_to(table):
    classifier = train(table)
    rng = np.random.default_rng(4)
    table = Table(ALICE_ZN, table.conditions, rng.poisson(5, len(table.light)), table.particle)
    everywhere = train(table)
    assert everywhere.hits(table.conditions).mean() > 0.99
    assert classifier.hits(table.conditions).mean() == pytest.approx(0.24, abs=0.03)


def test_a_loss_that_is_too_large_is_refused(table):
    from caloforge.data.split import split_by_particle

    conditions = np.isin(table.particle, split_by_particle(table.particle, seed=0).train)
    light = np.where(conditions & (np.abs(table.conditions[:, 4]) > 0.05), 0, table.light)
    with pytest.raises(CaloforgeError, match=r"loses .*--hit-classifier always"):
        train(Table(ALICE_ZN, table.conditions, light, table.particle))


def test_nothing_can_be_learned_without_light(table):
    dark = Table(ALICE_ZN, table.conditions, 0 * table.light, table.particle)
    with pytest.raises(DataError, match="no light"):
        train(dark)


def test_the_graph_says_what_the_classifier_says(table, tmp_path, rng):
    classifier = train(table)
    (tmp_path / "classifier.onnx").write_bytes(hit_graph(classifier))
    graph = Graph(tmp_path / "classifier.onnx")
    x, y = rng.uniform(-6, 6, (2, 500))
    conditions = np.concatenate([aimed(x, y), aimed(x, y, pz=-30.0), NEUTRONS])
    hits = graph.run(conditions.astype(np.float32))
    assert hits.shape == (len(conditions), 1)
    assert hits.dtype == np.float32
    expected = classifier.hits(conditions.astype(np.float32).astype(np.float64))
    np.testing.assert_array_equal(hits[:, 0] == 1, expected)
    assert set(hits.ravel()) == {0.0, 1.0}


def test_ranges_that_share_some_columns(table, tmp_path, rng):
    impact = next(feature for feature in ALICE_ZN.features if feature.kind == "impact")
    third = impact.model_copy(update={"name": "third", "of": ("Vx", "Py", "Pz")})
    detector = ALICE_ZN.model_copy(update={"features": (*ALICE_ZN.features, third)})
    classifier = train(replace(table, detector=detector))
    (tmp_path / "classifier.onnx").write_bytes(hit_graph(classifier))
    conditions = aimed(*rng.uniform(-6, 6, (2, 500))).astype(np.float32)
    hits = Graph(tmp_path / "classifier.onnx").run(conditions)[:, 0] == 1
    np.testing.assert_array_equal(hits, classifier.hits(conditions.astype(np.float64)))


@pytest.mark.parametrize(
    "particle",
    [
        [0.5, 0, 0, 0, 0.3, 0.2, 0.0, 139.57, 3],  # at mid-rapidity: never gets there
        [0.5, 0, 0, 0, 0.3, 0.2, 1e-30, 139.57, 3],
        [5.0, 0, 0, 0, 1.0, 1.0, 4.8, 139.57, -3],
        [np.nan] * 9,
    ],
)
def test_what_flies_elsewhere_is_no_hit(table, tmp_path, particle):
    (tmp_path / "classifier.onnx").write_bytes(hit_graph(train(table)))
    hits = Graph(tmp_path / "classifier.onnx").run(np.float32([particle]))
    assert hits.tolist() == [[0.0]]


def test_always_on_is_always_on(tmp_path):
    (tmp_path / "classifier.onnx").write_bytes(hit_graph(None))
    hits = Graph(tmp_path / "classifier.onnx").run(np.float32([[0] * 9, [-1e30] * 9, *NEUTRONS]))
    assert hits.ravel().tolist() == [1.0] * 6


@pytest.mark.parametrize("seed", range(3))
def test_on_real_showers_it_loses_less_than_a_thousandth(seed):
    classifier = train(read_table(sample_path("alice_zn"), ALICE_ZN), seed=seed)
    assert classifier.lost_light < LARGEST_LOSS
    for low, high in classifier.ranges_cm.values():  # the face is 7.04 cm wide
        assert (low, high) == pytest.approx((-3.52, 3.52), abs=0.15)


def test_the_graph_of_protons_knows_where_dispersed_ones_arrive(tmp_path, rng):
    table = read_table(sample_path("alice_zp"), ALICE_ZP)
    classifier = train(table)
    (tmp_path / "classifier.onnx").write_bytes(hit_graph(classifier))
    conditions = np.tile(table.conditions, (2, 1)).astype(np.float32)
    conditions[len(table.conditions) :, 6] *= rng.uniform(1e-3, 2, len(table.conditions))
    expected = classifier.hits(conditions.astype(np.float64))
    hits = Graph(tmp_path / "classifier.onnx").run(conditions)[:, 0] == 1
    assert 0.2 < expected.mean() < 0.8
    assert (hits != expected).mean() < 0.002  # but for single precision at the borders
    assert classifier.lost_light < LARGEST_LOSS
