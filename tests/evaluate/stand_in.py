"""Showers of a small detector with a condition that decides everything, made by plain numpy."""

import numpy as np

from caloforge.data.showers import Showers
from caloforge.detector import Channels, Condition, Detector, Feature, Layer
from raw_showers import write_showers

SHAPE = (6, 6)
LABELS = ("a", "b", "c", "d", "common")


def scheme(name, parity, corners):
    """Every other cell is common, the others feed the tower of their quadrant."""
    x, y = np.indices(SHAPE)
    tower = np.asarray(corners)[2 * (x >= 3) + (y >= 3)]
    channel = np.where((x + y) % 2 == parity, 4, tower)
    return Channels(scheme=name, labels=LABELS, of_cell=tuple(channel.ravel().tolist()), source="")


SMALL = Detector(
    name="small",
    title="Small",
    quantity="photons",
    unit="counts",
    counts=True,
    layers=(Layer(name="fibres", shape=SHAPE, cell_mm=(2.0, 3.0)),),
    conditions=(
        Condition(name="Energy", unit="GeV"),
        Condition(name="mass", unit="MeV"),
        Condition(name="charge", unit="e"),
    ),
    features=(
        Feature(name="log_energy", kind="log", of=("Energy",)),
        Feature(name="mass", kind="value", of=("mass",)),
        Feature(name="charge", kind="value", of=("charge",)),
    ),
    channels=(scheme("first", 1, (0, 1, 2, 3)), scheme("second", 0, (3, 2, 1, 0))),
)
NEUTRON, PROTON = (939.6, 0.0), (938.3, 1.0)


def energies(particles, seed):
    """Energies of particles, from which everything else follows."""
    return np.random.default_rng(seed).uniform(20, 400, particles)


def particles_of(energy, repeats, kind=NEUTRON):
    """Conditions and particle numbers of the rows."""
    rows = np.repeat(np.arange(len(energy)), repeats)
    conditions = np.column_stack([energy[rows], np.tile(kind, (len(rows), 1))])
    return conditions, rows


def showers(energy, repeats, seed, *, first_particle=0, brightness=1.0, kind=NEUTRON):
    """Gamma-Poisson showers whose mean total is the energy of their particle."""
    rng = np.random.default_rng(seed)
    conditions, rows = particles_of(energy, repeats, kind)
    x, y = np.indices(SHAPE)
    shape = np.exp(-((x - 2.2) ** 2 + (y - 2.7) ** 2) / 4).ravel()
    total = brightness * energy[rows] * rng.gamma(80, 1 / 80, len(rows))
    cells = rng.poisson(total[:, None] * shape / shape.sum()).astype(np.uint16)
    return Showers(SMALL, cells, conditions, rows + first_particle)


def write_raw(path, sample):
    """The sample as a file."""
    columns = (sample.cells, sample.conditions, sample.particle)
    return write_showers(path, sample.detector, *columns, engine="<b>numpy</b>")
