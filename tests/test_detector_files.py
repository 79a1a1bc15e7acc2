"""Detectors described in files: our JSON, a binning.xml; and what is refused of them."""

import json

import numpy as np
import pytest

from caloforge.data.showers import write
from caloforge.detectors import DETECTORS
from caloforge.detectors.files import detector_of_record, find_detector, record_of
from caloforge.errors import DataError, UsageError
from caloforge.evaluate.inputs import showers_of
from caloforge.recipe import Recipe
from caloforge.recipes.find import find_recipe
from tests.formats.layered_raw import BINNING

SMALL = {
    "format": "caloforge-detector",
    "version": 1,
    "name": "odd",
    "energy": "E",
    "layers": [
        {"name": "front", "shape": [3, 5], "cell_mm": [10, 20]},
        {"name": "back", "shape": [4, 1], "cell_mm": [5, 5], "depth_mm": 30},
    ],
    "conditions": [{"name": "E", "unit": "GeV"}, {"name": "tilt", "unit": "rad"}],
}


def described(tmp_path, record):
    path = tmp_path / "detector.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record))
    return find_detector(str(path))


def test_the_usual_fields_may_be_left_out(tmp_path):
    actual = described(tmp_path, SMALL)
    assert (actual.cells, actual.unit, actual.quantity, actual.counts) == (
        19,
        "GeV",
        "energy",
        False,
    )
    assert [feature.of for feature in actual.features] == [("E",), ("tilt",)]
    assert actual.read_out(np.ones((1, 19), np.float32)).tolist() == [[15.0, 4.0]]
    assert actual.layers[1].depth_mm == 30


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_comes_back_from_its_own_record(tmp_path, name):
    detector = DETECTORS[name]
    assert detector_of_record(json.loads(json.dumps(record_of(detector)))) == detector
    assert described(tmp_path, record_of(detector)).fingerprint == detector.fingerprint


def changed(**fields):
    return SMALL | fields


def giant(number):
    return {"name": f"layer{number}", "shape": [1000, 1000], "cell_mm": [1, 1]}


RINGS = {"name": "front", "shape": [3, 2], "cell_mm": [1, 1], "ring_edges_mm": [0, 4, 9]}
BAD_JSON = {
    "no JSON": ("{", "not JSON"),
    "no object": ("[1]", "not an object"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "foreign": (changed(format="caloforge-recipe"), "caloforge-recipe version 1, not"),
    "newer": (changed(version=2), "version 2, not caloforge-detector version 1"),
    "unknown field": (changed(colour="red"), "colour: Extra inputs"),
    "no layers": (changed(layers=[]), "has no layers"),
    "no conditions": (changed(conditions=[], energy=None), "has no conditions"),
    "layers are text": (changed(layers="many"), "layers: "),
    "shape": (changed(layers=[SMALL["layers"][0] | {"shape": [3, 0]}]), "shape"),
    "giant": (changed(layers=[SMALL["layers"][0] | {"shape": [10**9, 10**9]}]), "cells, more than"),
    "giants": (changed(layers=[giant(number) for number in range(9)]), "9000000 cells"),
    "two of a name": (changed(layers=[SMALL["layers"][0]] * 2), "share a name: front, front"),
    "path": (changed(name="../odd"), "'../odd' is no name"),
    "dataset": (changed(layers=[SMALL["layers"][0] | {"name": "a/b"}]), "'a/b' is no name"),
    "thin cells": (changed(layers=[SMALL["layers"][0] | {"cell_mm": [0, 1]}]), "cells of front"),
    "wide cells": (
        json.dumps(SMALL).replace("[10, 20]", "[10, Infinity]"),
        "Infinity is no number",
    ),
    "no number": (
        json.dumps(SMALL).replace("[10, 20]", "[10, NaN]"),
        "NaN is no number",
    ),
    "thick": (json.dumps(SMALL).replace('"depth_mm": 30', '"depth_mm": 1e300'), "1e\\+300 mm deep"),
    "far": (json.dumps(SMALL).replace('"depth_mm": 30', '"depth_mm": 1e999'), "1e999 is beyond"),
    "open ring": (
        json.dumps(changed(layers=[RINGS])).replace("9", "1e999"),
        "1e999 is beyond",
    ),
    "energy": (changed(energy="tilt2"), "energy is tilt2"),
    "channels": (
        changed(channels=[{"scheme": "s", "labels": ["a"], "of_cell": [0], "source": "x"}]),
        "scheme s describes 1 cells",
    ),
    "ships": (changed(name="atlas_em"), "name of a detector that ships"),
}


@pytest.mark.parametrize("fault", BAD_JSON)
def test_bad_json_is_one_line_with_the_path(tmp_path, fault):
    record, words = BAD_JSON[fault]
    with pytest.raises(DataError, match=words) as caught:
        described(tmp_path, record)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


def binned(tmp_path, text):
    path = tmp_path / "binning set-1.xml"
    path.write_text(text)
    return find_detector(str(path))


def test_a_binning(tmp_path):
    actual = binned(tmp_path, BINNING)
    assert actual.name == "binning_set_1"
    assert [(layer.name, layer.shape) for layer in actual.layers] == [
        ("layer_0", (1, 3)),
        ("layer_1", (4, 2)),
        ("layer_12", (2, 1)),
    ]
    assert actual.energy == "E"
    other = binned(tmp_path, BINNING.replace("0,2,4", "0,2,5"))
    assert other.fingerprint != actual.fingerprint


def test_fastcalosim_puts_a_particle_around_the_bins(tmp_path):
    inside = BINNING.replace("<Bins>", '<Bins><Particle pid="22">')
    inside = inside.replace("</Bins>", "</Particle></Bins>")
    assert binned(tmp_path, inside).layers == binned(tmp_path, BINNING).layers


BOMB = '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + BINNING
BAD_XML = {
    "broken": (BINNING[:100], "not XML"),
    "empty": ("", "not XML"),
    "no bins": ("<Bins/>", "has 0 sets of layers"),
    "two": ("<r>" + BINNING * 2 + "</r>", r"has 2 sets of layers \(pid: 22, 22\)"),
    "doctype": ("<!DOCTYPE Bins>" + BINNING, "DOCTYPE"),
    "bomb": (BOMB, "DOCTYPE"),
    "external": ('<!DOCTYPE b SYSTEM "file:///etc/passwd">' + BINNING, "DOCTYPE"),
    "outside": ('<Layer id="0" r_edges="0,1" n_bin_alpha="1"/>', "outside any Bin"),
    "no edges": (BINNING.replace('r_edges="0,2,4"', ""), "Layer without r_edges"),
    "words": (BINNING.replace("0,2,4", "0,two,4"), "are no numbers"),
    "infinite": (BINNING.replace("0,2,4", "0,2,inf"), "not finite"),
    "falling": (BINNING.replace("0,2,4", "0,4,2"), "must rise"),
    "negative": (BINNING.replace("0,2,4", "-1,2,4"), "must rise"),
    "no sectors": (BINNING.replace('alpha="4"', 'alpha="0"'), "no number of sectors"),
    "half": (BINNING.replace('alpha="4"', 'alpha="4.5"'), "no number of sectors"),
    "giant": (BINNING.replace('alpha="4"', 'alpha="9999999"'), "cells, more than"),
    "enormous": (BINNING.replace('alpha="4"', 'alpha="' + "9" * 5000 + '"'), "no number"),
    "twice": (BINNING.replace('id="12"', 'id="1"'), "has layer_1 twice"),
    "id": (BINNING.replace('id="12"', 'id="../x"'), "Layer of id"),
    "two bytes": ('<?xml version="1.0" encoding="gbk"?>' + BINNING, "not XML"),
    "seven bits": ('<?xml version="1.0" encoding="utf-7"?>' + BINNING, "not XML"),
    "no encoding": ('<?xml version="1.0" encoding="nonsense"?>' + BINNING, "not XML"),
    "no codec": ('<?xml version="1.0" encoding="hex"?>' + BINNING, "not XML"),
    "overflow": (BINNING.replace("0,2,4", "0,1e308"), r"cells of layer_1 are \(inf, "),
    "underscore": (BINNING.replace("0,2,4", "0,2,1_0"), "'0,2,1_0' are no numbers"),
    "digits": (BINNING.replace("0,2,4", "0,2,\u0664"), "are no numbers"),
    "sector digits": (BINNING.replace('alpha="4"', 'alpha="\u0664"'), "no number of sectors"),
    "id digits": (BINNING.replace('id="12"', 'id="\u0661\u0662"'), "Layer of id"),
}


@pytest.mark.parametrize("fault", BAD_XML)
def test_bad_xml_is_one_line_with_the_path(tmp_path, fault):
    text, words = BAD_XML[fault]
    with pytest.raises(DataError, match=words) as caught:
        binned(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


def test_a_long_pid_is_cut_and_made_one_line(tmp_path):
    binning = BINNING.replace('pid="22"', 'pid="2&#10;2&#x9b;' + "9" * 5000 + '"')
    with pytest.raises(
        DataError, match=r"has 2 sets of layers \(pid: 2\?2\?9{36}\.\.\.\)"
    ) as caught:
        binned(tmp_path, "<r>" + binning * 2 + "</r>")
    assert str(caught.value).isprintable()


def test_names_files_and_what_is_neither(tmp_path):
    assert find_detector("alice_zn") is DETECTORS["alice_zn"]
    with pytest.raises(UsageError, match="there are alice_zn"):
        find_detector("alice_zz")
    with pytest.raises(DataError, match="no such file"):
        find_detector(str(tmp_path / "none.json"))
    big = tmp_path / "big.xml"
    with big.open("wb") as file:
        file.truncate(2**25)
    with pytest.raises(DataError, match="more than any description"):
        find_detector(str(big))


def test_a_recipe_carries_its_detector(tmp_path):
    described(tmp_path, SMALL)
    recipe = find_recipe("dcgan", str(tmp_path / "detector.json"), ["training.steps=5"], None)
    assert recipe.detector == "odd"
    (tmp_path / "detector.json").unlink()
    assert Recipe.from_json(recipe.to_json()).resolve() == detector_of_record(SMALL)
    plain = find_recipe("dcgan", "alice_zn", [], None)
    assert "described" not in json.loads(plain.to_json())
    with pytest.raises(UsageError, match="describes odd, but names alice_zn"):
        find_recipe("dcgan", "alice_zn", [], None).from_json(
            json.dumps(json.loads(recipe.to_json()) | {"detector": "alice_zn"})
        )


def test_training_doubts_energies_in_mev(tmp_path, caloforge):
    described(tmp_path, SMALL)
    rng = np.random.default_rng(0)
    conditions = rng.uniform(1, 9, (40, 2))
    cells = rng.exponential(1000 / 19, (40, 19)) * conditions[:, :1]
    detector = detector_of_record(SMALL)
    write(tmp_path / "mev.h5", showers_of(detector, cells, conditions, np.arange(40)))
    arguments = ("train", "calibrated", "--detector", tmp_path / "detector.json")
    settings = ("--set", "training.steps=1", "--set", "generator.kind=mlp", "--out", tmp_path / "r")
    code, _, err = caloforge(*arguments, "--data", tmp_path / "mev.h5", *settings)
    assert code == 0
    assert "MeV taken for GeV" in err


VECTOR = {"name": "px", "unit": "GeV", "vector": "P", "axis": "x"}
LAYERS = [{"name": "front", "shape": [2, 2], "cell_mm": [1, 1]}]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quantum": 0}, "quantum"),
        ({"channels": []}, "channels is empty"),
        (
            {
                "layers": LAYERS,
                "channels": [
                    {"scheme": "two", "labels": ["a", "b"], "of_cell": [0, 1, 2, 0], "source": "x"}
                ],
            },
            "of_cell goes beyond the labels, -1 to 1",
        ),
        (
            {
                "layers": LAYERS,
                "energy": None,
                "conditions": [VECTOR],
                "symmetries": [{"transpose": True}],
            },
            "vector P has no y component",
        ),
    ],
)
def test_a_detector_that_does_not_agree_with_itself_is_refused(tmp_path, fields, message):
    with pytest.raises(DataError, match=message):
        described(tmp_path, changed(**fields))
