r"""A transport engine of one's own behind ``caloforge transport``, in 30 lines.

    caloforge transport alice_zn --spectrum photons -n 100 --repeats 4 --out toy.h5 \
        --engine-command "python examples/external_engine.py {particles} {out} {seed}"

Replace the loop by a call of AliRoot, O2 or FLUKA: read the csv, give one shower for each of its
rows in its order, write a showers file. The showers here are Poisson spots, good for nothing.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from caloforge.data.showers import Showers, write
from caloforge.detectors import ALICE_ZN


def main(particles: Path, out: Path, seed: int) -> None:
    """Spots of 0.5 photons a GeV around the impact point."""
    with particles.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    conditions = np.array([[float(row[name]) for name in ALICE_ZN.columns] for row in rows])
    energy, px, py, pz = conditions[:, [0, 4, 5, 6]].T
    layer, rng = ALICE_ZN.layers[0], np.random.default_rng(seed)
    spots = [
        np.exp(-np.abs(layer.centres_mm(axis) - 112_600 * (p / np.abs(pz))[:, None]) / 5)
        for axis, p in ((0, px), (1, py))
    ]
    image = spots[0][:, :, None] * spots[1][:, None, :]
    image *= 0.5 * (energy / image.sum(axis=(1, 2)))[:, None, None]
    showers = Showers(
        ALICE_ZN,
        rng.poisson(image).reshape(len(rows), -1).astype(np.uint16),
        conditions,
        np.array([int(row["particle"]) for row in rows]),
        np.array([int(row["pdg"]) for row in rows], np.int32),
    )
    write(out, showers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
