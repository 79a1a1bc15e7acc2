"""The figure of the README: showers of a consistent and of a diverse test particle.

Run ``python validation/shipped/figure.py``; it writes ``showers.png`` beside it.
"""

from pathlib import Path

import numpy as np

from caloforge.data.samples import sample_path
from caloforge.data.showers import Showers, read
from caloforge.data.split import split_by_particle
from caloforge.report.canvas import save
from caloforge.report.images import shower_rows
from caloforge.simulator import Simulator
from caloforge.simulator.shipped import shipped_simulator

HERE = Path(__file__).parent
SHOWN = 5


def relative_spread(showers: Showers, particle: int) -> float:
    """Standard deviation of the total over its mean."""
    total = showers.rows(np.flatnonzero(showers.particle == particle)).total()
    return float(total.std() / total.mean()) if total.min() > 0 else np.nan


def row(showers: Showers) -> tuple[np.ndarray, list[str]]:
    """Images of a few showers and the sum under each."""
    images = showers.detector.split(showers.cells[:SHOWN])["fibres"]
    return images, [f"{total:.0f} photons" for total in showers.total()[:SHOWN]]


def main() -> None:
    simulator = Simulator.load(shipped_simulator("alice_zn"))
    sample = read(sample_path("alice_zn"))
    test = split_by_particle(sample.particle, (0.8, 0.1, 0.1), seed=0).test
    bright = [
        p for p in test if sample.rows(np.flatnonzero(sample.particle == p)).total().mean() > 300
    ]
    spreads = np.array([relative_spread(sample, p) for p in bright])
    rows = {}
    for name, place in (("consistent", np.nanargmin(spreads)), ("diverse", np.nanargmax(spreads))):
        real = sample.rows(np.flatnonzero(sample.particle == bright[place]))
        made = simulator.generate(real.conditions, seed=1)
        rows[f"{name}, GEANT"] = row(real)
        rows[f"{name}, caloforge"] = row(
            Showers(real.detector, made, real.conditions, real.particle, None, None, {})
        )
    drawn = shower_rows(rows, sample.detector.layers[0], label="photons")
    save(drawn, HERE / "showers.png")


if __name__ == "__main__":
    main()
