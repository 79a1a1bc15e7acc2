"""Branch ZDCResponseImage of AliceO2, made by uproot as closely as uproot can write.

A file of O2 itself cannot be had. What ROOT writes is in test_o2_root.py; here are two forms that
are quickly made in any variety: nested records, and members in branches of their own, as ROOT names
those of a split vector, with one flat list of pixels an event.
"""

import json
import sys
from itertools import pairwise

import numpy as np
import pytest

from caloforge.data.samples import sample_path
from caloforge.data.showers import read
from extras import needs

SHAPES = {"alice_zn": (44, 44), "alice_zp": (56, 30)}
# Three events of 2, 0 and 3 particles; rows 0 and 3 are repeats of one particle.
EVENTS = (2, 0, 3)
PDG = np.array([2212, 2112, 1000020040, 2212, 22])
TOGETHER = [0, 3, 1, 2, 4]


def particles():
    rng = np.random.default_rng(5)
    table = rng.uniform(1, 100, (5, 8))
    table[3] = table[0]
    return dict(zip(("fE", "fVx", "fVy", "fVz", "fPx", "fPy", "fPz", "fCalcMass"), table.T,
                    strict=True))  # fmt: skip


def images(name):
    return np.random.default_rng(len(name)).poisson(0.3, (5, *SHAPES[name]))


def per_event(rows):
    """Lists of events of what is given by particle."""
    edges = np.cumsum((0, *EVENTS))
    return [rows[first:last] for first, last in pairwise(edges)]


def nested(path, tree="o2sim", branch="ZDCResponseImage", drop=(), shapes=SHAPES):
    uproot, awkward = needs("uproot"), needs("awkward")
    conditions = particles() | {"fPdgCode": PDG}
    images_by_name = {
        name: images(name)[:, : shape[0], : shape[1]] for name, shape in shapes.items()
    }
    rows = [
        {
            "first": {
                key: values[row].item() for key, values in conditions.items() if key not in drop
            },
            "second": {
                place: {"mNx": 1, "mImageData": images_by_name[name][row].tolist()}
                for place, name in (("first", "alice_zn"), ("second", "alice_zp"))
            },
        }
        for row in range(5)
    ]
    with uproot.recreate(path) as file:
        file.mkrntuple(tree, {branch: awkward.Array(per_event(rows))})
    return path


def split(path):
    uproot, awkward = needs("uproot"), needs("awkward")
    flat = {f"first.{key}": values for key, values in (particles() | {"fPdgCode": PDG}).items()}
    branches = {name: awkward.Array(per_event(values)) for name, values in flat.items()}
    for place, name in (("first", "alice_zn"), ("second", "alice_zp")):
        rows = per_event(images(name).astype("i4"))
        branches[f"second.{place}.mImageData"] = awkward.unflatten(
            np.concatenate([event.ravel() for event in rows]), [event.size for event in rows]
        )
    dotted = {f"ZDCResponseImage.{name}": values for name, values in branches.items()}
    with uproot.recreate(path) as file:
        tree = file.mktree("o2sim", {name: values.type.content for name, values in dotted.items()})
        tree.extend(dotted)
    return path


@pytest.mark.parametrize("make", [nested, split])
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_images_of_o2(tmp_path, caloforge, make, name):
    source, out = make(tmp_path / "o2sim.root"), tmp_path / "out.h5"
    code, _, err = caloforge("data", "convert", source, "--detector", name, "--out", out)
    assert code == 0, err
    showers = read(out)
    assert showers.detector.name == name
    assert np.array_equal(showers.cells.reshape(-1, *SHAPES[name]), images(name)[TOGETHER])
    assert showers.particle.tolist() == [0, 0, 1, 2, 3]
    assert showers.pdg.tolist() == PDG[TOGETHER].tolist()
    conditions = particles()
    order = ("fE", "fVx", "fVy", "fVz", "fPx", "fPy", "fPz")
    for column, member in enumerate(order):
        assert np.array_equal(showers.conditions[:, column], conditions[member][TOGETHER])
    np.testing.assert_allclose(showers.conditions[:, 7], 1000 * conditions["fCalcMass"][TOGETHER])
    assert showers.conditions[:, 8].tolist() == [1, 1, 0, 2, 0]  # units of e, ions included
    assert "AliceO2" in showers.provenance["engine"]


def refused(caloforge, source, tmp_path, *words, code=3, detector="alice_zn"):
    out = tmp_path / "out.h5"
    options = ("--detector", detector) if detector else ()
    exit_code, output, err = caloforge("data", "convert", source, "--out", out, "-q", *options)
    assert (exit_code, output) == (code, ""), err
    assert len(err.splitlines()) == 1
    for word in (str(source), *words):
        assert word in err, err
    assert not out.exists()


def test_the_detector_must_be_named(tmp_path, caloforge):
    source = nested(tmp_path / "a.root")
    refused(caloforge, source, tmp_path, "--detector alice_zn or alice_zp", code=2, detector=None)
    refused(caloforge, source, tmp_path, "alice_zn or alice_zp", code=2, detector="atlas_em")


def test_files_without_the_branch_or_its_members(tmp_path, caloforge):
    other = nested(tmp_path / "other.root", branch="ZDCHit")
    refused(caloforge, other, tmp_path, "no tree has a branch ZDCResponseImage", "o2sim")
    short = nested(tmp_path / "short.root", drop=("fCalcMass",))
    refused(caloforge, short, tmp_path, "fCalcMass")


def test_images_of_another_size(tmp_path, caloforge):
    source = nested(tmp_path / "a.root", shapes={"alice_zn": (44, 43), "alice_zp": (30, 30)})
    refused(caloforge, source, tmp_path, "43 pixels, not 44")
    refused(caloforge, source, tmp_path, "30 pixels, not 56", detector="alice_zp")


def test_damaged_files(tmp_path, caloforge):
    source = nested(tmp_path / "a.root")
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    refused(caloforge, source, tmp_path, "truncated or damaged")
    source.write_bytes(b"root")
    refused(caloforge, source, tmp_path, "truncated or damaged")
    source.write_bytes(2 * content)
    refused(caloforge, source, tmp_path, "two files, one behind the other")


def test_without_uproot_it_says_what_to_install(tmp_path, caloforge, monkeypatch):
    source = nested(tmp_path / "a.root")
    monkeypatch.setitem(sys.modules, "uproot", None)
    code, _, err = caloforge(
        "data", "convert", source, "--detector", "alice_zn", "--out", tmp_path / "out.h5", "-q"
    )
    assert code == 1
    assert "pip install" in err
    assert "[root]'" in err


def test_showers_as_a_tree(tmp_path, caloforge):
    uproot = needs("uproot")
    out = tmp_path / "out.root"
    code, output, err = caloforge(
        "data", "export", "alice_zp", "--to", "root", "--out", out, "--json"
    )
    assert code == 0, err
    assert json.loads(output) == {"out": str(out), "rows": 2080}
    ours = read(sample_path("alice_zp"))
    with uproot.open(out) as file:
        tree = file["showers"]
        assert np.array_equal(tree["fibres"].array(library="np"), ours.cells.reshape(-1, 56, 30))
        assert np.array_equal(tree["Px"].array(library="np"), ours.conditions[:, 4])
        assert np.array_equal(tree["particle"].array(library="np"), ours.particle)
        assert np.array_equal(tree["pdg"].array(library="np"), ours.pdg)
        sums = tree["channels"].array(library="np")
        assert np.array_equal(sums.sum(axis=1), ours.total())
        assert json.loads(str(file["description"]))["detector_hash"] == ours.detector.fingerprint
    assert caloforge("data", "export", "alice_zp", "--to", "root", "--out", out, "-q")[0] == 2
