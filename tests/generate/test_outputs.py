"""What a production writes: HDF5 in two packings, ROOT, channels alone; and batch jobs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from caloforge.data.showers import ShowerFile, read
from extras import needs
from production_runs import arrays, finish, order, shards

FEW = 3000


def cut(one_file):
    return {name: values[:FEW] for name, values in arrays([one_file]).items()}


def test_channels_alone(caloforge, shop, tmp_path, one_file):
    out = tmp_path / "folder"
    assert caloforge(*order(shop, out, "--no-images", "-q", showers=FEW))[0] == 0
    files = sorted(out.glob("channels-*-of-00002.h5"))
    assert len(files) == 2
    actual = np.concatenate([h5py.File(path)["channels"][:] for path in files])
    np.testing.assert_array_equal(actual, cut(one_file)["channels"])


@pytest.mark.extras
def test_fast_packing_is_read_back(caloforge, shop, tmp_path, one_file):
    needs("hdf5plugin")
    out = tmp_path / "folder"
    assert caloforge(*order(shop, out, "--compression", "fast", "-q", showers=FEW))[0] == 0
    first = shards(out)[0]
    with ShowerFile(first) as file:
        assert file.channels_scheme == "halves"
    actual = np.concatenate([read(path).cells for path in shards(out)])
    expected = cut(one_file)
    both = [expected[f"showers/{name}"].reshape(FEW, -1) for name in ("front", "back")]
    np.testing.assert_array_equal(actual, np.concatenate(both, axis=1))
    with h5py.File(first) as file:
        properties = file["showers/front"].id.get_create_plist()
        numbers = [properties.get_filter(place)[0] for place in range(properties.get_nfilters())]
    assert 32008 in numbers


@pytest.mark.extras
def test_fast_packing_without_its_plugin_says_what_to_install(caloforge, tmp_path, shop):
    needs("hdf5plugin")
    out = tmp_path / "out.h5"
    command = order(shop, out, "--compression", "fast", "-q", sharded=False, showers=10)
    assert caloforge(*command)[0] == 0
    without = "import sys; sys.modules['hdf5plugin'] = None; from caloforge.cli import main;"
    for arguments, code in ((["data", "info", str(out)], 3), ([*command, "--force"], 1)):
        script = f"{without} sys.exit(main({arguments!r}))"
        process = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert process.returncode == code, process.stderr
        assert "[fast]'" in process.stderr
        assert process.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [(), ("--no-images",)], ids=["images", "channels"])
def test_root_files_hold_the_same(caloforge, shop, tmp_path, one_file, options):
    uproot = needs("uproot")
    out = tmp_path / "folder"
    assert caloforge(*order(shop, out, "--format", "root", "-q", *options, showers=FEW))[0] == 0
    paths = sorted(out.glob("*.root"))
    assert len(paths) == 2
    trees = [uproot.open(path)["showers"].arrays(library="np") for path in paths]
    actual = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
    expected = cut(one_file)
    for name in ("front", "back"):
        assert (name in actual) == (not options)
        if not options:
            np.testing.assert_array_equal(actual[name], expected[f"showers/{name}"])
            assert actual[name].dtype == np.uint16
    for name in ("channels", "particle", "pdg"):
        np.testing.assert_array_equal(actual[name], expected[name])
    np.testing.assert_array_equal(actual["Energy"], expected["conditions"][:, 0])
    description = json.loads(str(uproot.open(paths[0])["description"]))
    assert (description["format"], description["seed"]) == ("caloforge-showers", "3")
    assert description["labels"] == ["left", "right"]


def test_the_ending_of_a_single_file_asks_for_root(caloforge, shop, tmp_path):
    uproot = needs("uproot")
    out = tmp_path / "out.root"
    command = order(shop, out, "-q", sharded=False, showers=10)
    assert caloforge(*command)[0] == 0
    assert uproot.open(out)["showers"].num_entries == 10
    assert caloforge(*command)[0] == 2


MANUAL = Path(__file__).parents[2] / "docs" / "production.md"


@pytest.mark.parametrize(("cluster", "title"), [("slurm", "Slurm"), ("htcondor", "HTCondor")])
def test_the_batch_jobs_of_the_manual_are_what_a_dry_run_shows(shop, tmp_path, cluster, title):
    needs("dask_jobqueue")
    section = MANUAL.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    blocks = dict(re.findall(r"```(json|text)\n(.+?)```", section, re.DOTALL))
    options_file = tmp_path / "cluster.json"
    options_file.write_text(blocks["json"])
    out = tmp_path / "folder"
    where = ("--executor", "dask", "--cluster", cluster, "--cluster-options", options_file)
    code, output, log = finish([*order(shop, out, *where, "--workers", 50, "--dry-run", "-q")])
    assert (code, log) == (0, "")
    assert "20000 showers in 10 shards of 2048" in output
    assert "distributed.cli.dask_worker" in output
    for line in blocks["text"].splitlines():
        assert line in output.splitlines()
    assert not out.exists()


def test_a_cluster_refuses_what_it_does_not_know(shop, tmp_path):
    needs("dask_jobqueue")
    options_file = tmp_path / "cluster.json"
    options_file.write_text('{"colour": "blue"}')
    where = ("--executor", "dask", "--cluster", "slurm", "--cluster-options", options_file)
    code, _, log = finish([*order(shop, tmp_path / "p", *where, "--dry-run", "-q")])
    assert code == 2, log
    assert "--cluster-options: SLURMCluster says:" in log.splitlines()[0]
    assert "colour" in log.splitlines()[0]
