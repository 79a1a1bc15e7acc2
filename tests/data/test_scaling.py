"""Feature scaling: against loops, fitted or not there at all."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from caloforge.data.derive import FeatureScaling, evaluate_features, features
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile, read
from caloforge.detector.features import Feature
from caloforge.detectors import ALICE_ZN, ALICE_ZP, ATLAS_EM, ATLAS_EM_POLAR
from caloforge.errors import DataError
from caloforge.evaluate.paired import impact_mm


@pytest.fixture(scope="module")
def conditions():
    with ShowerFile(sample_path("alice_zn"), ALICE_ZN) as file:
        return file.conditions[::97]


def naive_groove(kind, vertex_x, momentum_x, vertex_y, momentum_y, momentum_z):
    """Grooves of 0.6 mm in the middle of cells of 1.6 mm, 1 m deep."""
    parts = []
    for vertex, momentum in ((vertex_x, momentum_x), (vertex_y, momentum_y)):
        slope = momentum / abs(momentum_z)
        cells = (vertex + 11260 * slope) / 0.16
        offset = 0.16 * (cells - math.floor(cells) - 0.5)
        left = 0.03 - offset if slope > 0 else 0.03 + offset
        depth = left / (abs(slope) + 1e-9) if abs(offset) < 0.03 else 0.0
        parts.append(min(depth, 100.0) / 100.0)
    part = min(parts)
    return part if kind == "groove" else float(part >= 1)


def naive(feature, row):
    values = [row[ALICE_ZN.columns.index(name)] for name in feature.of]
    if feature.kind == "log":
        return math.log(values[0])
    if feature.kind == "value":
        return values[0]
    if feature.kind in ("groove", "through"):
        return naive_groove(feature.kind, *values)
    vertex_cm, momentum, momentum_z = values
    impact_cm = vertex_cm + 11260 * momentum / abs(momentum_z)
    if feature.kind == "impact":
        return impact_cm
    wave = {"sine": math.sin, "cosine": math.cos}[feature.kind]
    return wave(2 * math.pi * impact_cm / feature.wavelength_cm)


@pytest.mark.parametrize("kind", ["features", "plain"])
def test_encode_is_its_loop(conditions, kind):
    scaling = FeatureScaling.fit(ALICE_ZN, conditions, kind)
    feature_map = features(ALICE_ZN, kind)
    assert scaling.features == feature_map
    table = [[naive(feature, row) for feature in feature_map] for row in conditions]
    np.testing.assert_allclose(
        evaluate_features(feature_map, ALICE_ZN.columns, conditions), table, rtol=1e-9, atol=1e-12
    )
    for number in range(len(feature_map)):
        column = [row[number] for row in table]
        mean = sum(column) / len(column)
        std = math.sqrt(sum((value - mean) ** 2 for value in column) / len(column))
        expected = [(value - mean) / std for value in column]
        np.testing.assert_allclose(scaling.encode(conditions)[:, number], expected, atol=2e-5)
    assert scaling.encode(conditions).dtype == np.float32


def test_plain_are_the_nine_conditions():
    assert [feature.name for feature in features(ALICE_ZN, "plain")] == list(ALICE_ZN.columns)
    assert {feature.kind for feature in features(ALICE_ZN, "plain")} == {"value"}


def test_constant_features_are_shifted_to_zero(conditions):
    constant = conditions.copy()
    constant[:, ALICE_ZN.column("mass")] = 939.565413
    scaling = FeatureScaling.fit(ALICE_ZN, constant, "plain")
    assert scaling.std[7] == 1.0
    np.testing.assert_allclose(scaling.encode(constant)[:, 7], 0, atol=1e-6)


def test_json_round_trip(conditions):
    scaling = FeatureScaling.fit(ALICE_ZN, conditions)
    assert FeatureScaling.model_validate_json(scaling.model_dump_json()) == scaling


def test_an_unfitted_scaling_cannot_exist(conditions):
    with pytest.raises(ValidationError):
        FeatureScaling()
    with pytest.raises(DataError, match="no rows"):
        FeatureScaling.fit(ALICE_ZN, conditions[:0])
    fitted = FeatureScaling.fit(ALICE_ZN, conditions).model_dump()
    count = len(ALICE_ZN.features)
    for bad in ({"std": (0.0,) * count}, {"mean": (math.nan,) * count}, {"mean": (0.0,)}):
        with pytest.raises(ValidationError):
            FeatureScaling.model_validate(fitted | bad)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("Energy", 0.0, "log_energy is undefined for Energy = 0"),
        ("Energy", -3.0, "log_energy is undefined for Energy = -3"),
        ("Pz", 0.0, "impact_x is undefined for Vx = .*, Px = .*, Pz = 0"),
    ],
)
def test_undefined_features_name_the_row(conditions, column, value, words):
    bad = conditions.copy()
    bad[4, ALICE_ZN.column(column)] = value
    with pytest.raises(DataError, match=f"row 4: {words}"):
        FeatureScaling.fit(ALICE_ZN, conditions).encode(bad)


def test_wrong_number_of_conditions(conditions):
    with pytest.raises(DataError, match="8 conditions, expected 9"):
        FeatureScaling.fit(ALICE_ZN, conditions).encode(conditions[:, :8])


def test_dispersion_shifts_the_impact_point_in_x_by_charge_over_momentum():
    features = {feature.name: feature for feature in ALICE_ZP.features}
    bent, straight = features["impact_dispersed_x"], features["impact_x"]
    for charge, momentum, shift_cm in ((1, 1380, 0), (1, 690, 12), (2, 690, 36), (0, 1380, -12)):
        row = np.array([[momentum, 1e-3, 0, 0, 0.2, 0, -momentum, 938.272, charge]], dtype=float)
        expected = 1e-3 + 11252 * 0.2 / momentum
        actual = evaluate_features((straight, bent), ALICE_ZP.columns, row)
        assert actual == pytest.approx(np.array([[expected, expected + shift_cm]]))
        wave = features["sine_dispersed_x_11.2cm"]
        actual = evaluate_features((wave,), ALICE_ZP.columns, row)
        assert actual == pytest.approx(math.sin(2 * math.pi * (expected + shift_cm) / 11.2))


def test_protons_arrive_where_they_are_dispersed_to():
    row = np.array([[690, 1e-3, 0, 0, 0.2, 0.1, 690, 938.272, 1]])
    expected = [10 * (1e-3 + 11252 * 0.2 / 690 + 12), 10 * 11252 * 0.1 / 690]
    assert impact_mm(ALICE_ZP, row) == pytest.approx(np.array([expected]))
    assert impact_mm(ALICE_ZN, row) == pytest.approx(
        np.array([[10 * (1e-3 + 11260 * 0.2 / 690), 10 * 11260 * 0.1 / 690]])
    )


def test_a_dispersion_needs_the_charge():
    fields = ALICE_ZP.features[2].model_dump() | {"of": ("Vx", "Px", "Pz")}
    with pytest.raises(ValidationError, match="takes 4"):
        Feature.model_validate(fields)


def test_features_show_where_showers_of_the_proton_sample_are():
    """One line through the bent impact point finds the centres; through the straight one not."""
    showers = read(sample_path("alice_zp"))
    image = showers.cells.reshape(-1, 56, 30).astype(float)
    lit = image.sum(axis=(1, 2)) > 80
    columns_cm = 0.4 * (np.arange(56) - 27.5)
    centre_cm = (image[lit].sum(axis=2) @ columns_cm) / image[lit].sum(axis=(1, 2))
    point = {f.name: f for f in ALICE_ZP.features}
    for name, least, most in (("impact_dispersed_x", 0.05, 0.25), ("impact_x", 1.0, 3.0)):
        place = evaluate_features((point[name],), ALICE_ZP.columns, showers.conditions[lit])[:, 0]
        line = np.polyval(np.polyfit(place, centre_cm, 1), place)
        assert least < np.std(centre_cm - line) < most


def test_features_follow_a_slanted_track_through_the_depth():
    """By vectors: start at (x0, y0), go along p, and stop at the depth."""
    features = {feature.name: feature for feature in ATLAS_EM.features}
    polar = {feature.name: feature for feature in ATLAS_EM_POLAR.features}
    rng = np.random.default_rng(0)
    for _ in range(5):
        p = np.array([*rng.normal(0, 10, 2), rng.uniform(30, 90)])
        length = math.sqrt(p @ p)
        x0, y0 = rng.uniform(-50, 50, 2)
        row = np.array([[length, math.acos(p[1] / length), math.atan(-p[0] / p[2]), x0, y0]])
        for depth_cm in (0, 6, 16, 41):
            place_cm = np.array([x0, y0]) / 10 + depth_cm * p[:2] / p[2]
            expected = tuple(features[f"impact_{axis}_at_{depth_cm}cm"] for axis in "xy")
            actual = evaluate_features(expected, ATLAS_EM.columns, row)[0]
            np.testing.assert_allclose(actual, place_cm, rtol=1e-9)
            plain = np.array([[length, math.acos(p[2] / length), math.atan2(p[1], p[0]), x0, y0]])
            same = tuple(polar[feature.name] for feature in expected)
            actual = evaluate_features(same, ATLAS_EM_POLAR.columns, plain)[0]
            np.testing.assert_allclose(actual, place_cm, rtol=1e-9)
            wave = features[f"sine_y_at_{depth_cm}cm_4cm"]
            actual = evaluate_features((wave,), ATLAS_EM.columns, row)[0, 0]
            assert actual == pytest.approx(math.sin(2 * math.pi * place_cm[1] / 4))


def test_networks_see_slow_particles_alike_in_single_precision():
    """The authors' set goes down to 1 GeV, where the formula of dispersion leads metres away."""
    rng = np.random.default_rng(0)
    energy = np.exp(rng.normal(np.log(547), 1.5, 2000)).clip(1.5, 7000)
    sideways = rng.normal(0, 0.3, (2, 2000)).clip(-1, 1)
    forward = np.sqrt(energy**2 - (sideways**2).sum(axis=0)) * rng.choice([-1, 1], 2000)
    zeros = np.zeros((3, 2000))
    conditions = np.column_stack([energy, *zeros, *sideways, forward, energy, np.sign(forward)])
    scaling = FeatureScaling.fit(ALICE_ZP, conditions)
    single = evaluate_features(scaling.features, scaling.columns, conditions.astype("f4"))
    double = evaluate_features(scaling.features, scaling.columns, conditions)
    assert (np.abs(single - double) / np.array(scaling.std)).max() < 2e-3
    place = [feature.name for feature in scaling.features].index("impact_dispersed_x")
    assert np.abs(double[:, place]).max() == pytest.approx(4 * 11.2)
