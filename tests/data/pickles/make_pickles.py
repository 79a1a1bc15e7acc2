"""Pickles by the pandas and numpy that run this, as they lie beside it.

    python make_pickles.py FOLDER

Made on 24 November 2026 with pandas 0.25.3 / numpy 1.16.6 (Python 3.6), 1.1.5 / 1.19.5 (3.7),
1.3.5 / 1.24.4 (3.8), 2.0.3 / 1.26.4 (3.10), 3.1.1 / 2.4.6 (3.11). Old Pythons run this file.
"""

import os
import pickle
import sys

import numpy as np
import pandas as pd

COLUMNS = ["Energy", "Vx", "Vy", "Vz", "Px", "Py", "Pz", "mass", "charge"]


def main(folder):
    """A table of mixed types and an array of each protocol that this Python has."""
    rows = np.arange(18.0).reshape(2, 9)[[0, 1, 0]] + 0.5
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["std_proton"] = [0.1, 0.2, 0.1]
    table["group_number_proton"] = [0, 1, 0]
    table = table[["std_proton", *COLUMNS[::-1], "group_number_proton"]]
    array = np.array([[0, 1, 2], [3, 4, 765]], dtype="f8")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for what, value in (("table", table), ("array", array)):
            name = "pandas-{}-protocol{}-{}.pkl".format(pd.__version__, protocol, what)  # noqa: UP032
            with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123
                pickle.dump(value, file, protocol)


if __name__ == "__main__":
    main(sys.argv[1])
