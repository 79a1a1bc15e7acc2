"""Particles as the files of the ALICE authors have them: on their mass shell, some repeated."""

import numpy as np

COLUMNS = ["Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge"]
# Rows 0, 2 and 5 are one particle, rows 1 and 3 another.
OWNER = np.array([0, 1, 0, 1, 2, 0])
TOGETHER = [0, 2, 5, 1, 3, 4]
PDG = np.array([22, -211, 2212])[OWNER]
MASS_MEV = np.array([0.0, 139.57, 938.272])
CHARGE = np.array([0.0, -1.0, 1.0])


def particles(seed=1, dtype="f8"):
    """Conditions of six rows: E (GeV), vertex (cm), momentum (GeV/c), mass (MeV), charge (e)."""
    rng = np.random.default_rng(seed)
    vertex, transverse = rng.normal(0, 1e-3, (3, 3)), rng.normal(0, 0.3, (3, 2))
    momentum = np.column_stack([transverse, rng.choice([-1, 1], 3) * rng.uniform(1, 5000, 3)])
    energy = np.sqrt((momentum**2).sum(axis=1) + (MASS_MEV / 1000) ** 2)
    conditions = np.column_stack([energy, vertex, momentum, MASS_MEV, CHARGE])
    return conditions.astype(dtype)[OWNER]
