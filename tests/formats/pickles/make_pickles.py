"""Pickles by the pandas and numpy that run this, as they lie beside it.

    python make_pickles.py FOLDER

Made on 24 November 2026 with pandas 0.25.3 / numpy 1.16.6 (Python 3.6), 1.1.5 / 1.19.5 (3.7),
1.3.5 / 1.24.4 (3.8), 2.0.3 / 1.26.4 (3.10), 3.1.1 / 2.4.6 (3.11). Old Pythons run this file.
Tables with a column of text were added on 28 November 2026, of 3.1.1 only: without pyarrow, and
with pyarrow 26.0.1, in which pandas then keeps all texts, names of columns included.
"""

import os
import pickle
import sys

import numpy as np
import pandas as pd

try:
    import pyarrow  # noqa: F401

    ARROW = "-pyarrow"
except ImportError:
    ARROW = ""

COLUMNS = ["Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge"]


def main(folder):
    """A table of mixed types and an array of each protocol that this Python has."""
    rows = np.arange(18.0).reshape(2, 9)[[0, 1, 0]] + 0.5
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["std_proton"] = [0.1, 0.2, 0.1]
    table["group_number_proton"] = [0, 1, 0]
    table = table[["std_proton", *COLUMNS[::-1], "group_number_proton"]]
    text = table.assign(name=["photon", None, "pion"])
    array = np.array([[0, 1, 2], [3, 4, 765]], dtype="f8")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for what, value in (("table", table), ("array", array), ("text-table", text)):
            version = pd.__version__ + ARROW
            name = "pandas-{}-protocol{}-{}.pkl".format(version, protocol, what)  # noqa: UP032
            with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123
                pickle.dump(value, file, protocol)


if __name__ == "__main__":
    main(sys.argv[1])
