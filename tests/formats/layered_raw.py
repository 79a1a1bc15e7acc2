"""Files of the CaloGAN sets and of the CaloChallenge, written by plain h5py."""

from pathlib import Path

import h5py
import numpy as np

ROWS = 7
SHAPES = {"layer_0": (3, 96), "layer_1": (12, 12), "layer_2": (12, 6)}


def deposits(rows=ROWS, seed=0):
    """Cells in MeV that add up to 0.9 E, overflow 0.05 E; energies in GeV."""
    rng = np.random.default_rng(seed)
    energy = rng.uniform(1, 100, (rows, 1))
    arrays = {"energy": energy}
    cells = rng.exponential(1.0, (rows, 504)) * (rng.random((rows, 504)) < 0.6)
    cells *= 900 * energy / cells.sum(axis=1, keepdims=True)
    start = 0
    for name, shape in SHAPES.items():
        stop = start + shape[0] * shape[1]
        arrays[name] = cells[:, start:stop].reshape(-1, *shape)
        start = stop
    arrays["overflow"] = 50 * energy * np.array([0.5, 0.3, 0.2])
    return arrays


def flights(rows=ROWS, seed=1):
    """Starts at z = -288 mm, within 5 degrees of the z axis."""
    rng = np.random.default_rng(seed)
    slope = rng.uniform(-0.08, 0.08, (rows, 2))
    pz = rng.uniform(1, 90, (rows, 1))
    return {
        "px": slope[:, :1] * pz,
        "py": slope[:, 1:] * pz,
        "pz": pz,
        "x0": rng.uniform(-50, 50, (rows, 1)),
        "y0": rng.uniform(-50, 50, (rows, 1)),
        "z0": np.full((rows, 1), -288.0),
        "t0": np.zeros((rows, 1)),
    }


def write(path: Path, arrays, attributes=None):
    """An HDF5 file of these arrays (None: left out), float64 and gzipped as theirs may be."""
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes or {})
        for name, array in arrays.items():
            if array is not None:
                file.create_dataset(name, data=array, compression="gzip")
    return path


def calogan(path, changes=None, attributes=None, *, centred=False):
    """One file of either set, but for what is changed."""
    arrays = deposits() | ({} if centred else flights()) | (changes or {})
    return write(path, arrays, attributes)


BINNING = """<Bins>
 <Bin pid="22" etaMin="0" etaMax="130" name="photon">
  <Layer id="0" r_edges="0,5,10,30" n_bin_alpha="1" />
  <Layer id="1" r_edges="0,2,4" n_bin_alpha="4"/>
  <Layer id="2" r_edges="0" n_bin_alpha="1"/>
  <Layer id="12" r_edges="0,100" n_bin_alpha="2"/>
 </Bin>
</Bins>
"""
"""3 + 8 + 2 voxels; layer 2 is absent."""
VOXELS = 13


def challenge(path, changes=None):
    """A file of the CaloChallenge for that binning: voxel v of row n holds 1000 n + v MeV."""
    rows = np.arange(1.0, 6.0)[:, None]
    showers = 1000 * rows + np.arange(VOXELS)
    return write(
        path,
        {"incident_energies": showers.sum(axis=1)[:, None] * 1.25, "showers": showers}
        | (changes or {}),
    )
