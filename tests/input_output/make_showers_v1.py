"""How showers-v1.h5 was made, by plain h5py; never run again: the file guards version 1.

python -m tests.input_output.make_showers_v1 tests/input_output/showers-v1.h5
"""

import sys
from pathlib import Path

import h5py
import numpy as np

from tests.input_output.raw import numbers, write_raw


def main(path: Path) -> None:
    write_raw(path, compression="gzip")
    flat = np.concatenate([numbers()[f"showers/{x}"].reshape(10, -1) for x in ("front", "back")], 1)
    with h5py.File(path, "a") as file:
        file["channels"] = np.column_stack([flat[:, 0::2].sum(1), flat[:, 1::2].sum(1)])
        file["channels"].attrs["scheme"] = np.bytes_("halves")
        file["channels"].attrs["labels"] = np.array([b"even", b"odd"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
