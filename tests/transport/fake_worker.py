"""A worker that speaks the protocol without an engine: cells are random numbers of the seed.

Usage: fake_worker.py FOLDER [SLEEP]. A file FOLDER/die-<index> makes it die at that shot; one with
``once`` inside is removed first, so that the second attempt survives. A file FOLDER/cut-<index>
lets it die once in the middle of that answer. Every start leaves a mark.
"""

import json
import math
import os
import random
import sys
import time
from array import array
from pathlib import Path

folder = Path(sys.argv[1])
sleep = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
out = sys.stdout.buffer
(folder / f"start-{os.getpid()}").touch()
setup = json.loads(sys.stdin.readline())
cells = sum(math.prod(layer["shape"]) for layer in setup["detector"]["layers"])
unknown = [pdg for pdg in setup["pdgs"] if pdg == 14]
if (folder / "refuse").exists():
    sys.exit("no engine today")
out.write(json.dumps({"engine": "fake 1", "unknown": unknown}).encode() + b"\n")
out.flush()
for line in sys.stdin:
    for index, _pdg, energy, *_, seed in json.loads(line):
        death = folder / f"die-{index}"
        if death.exists():
            if death.read_text() == "once":
                death.unlink()
            os._exit(9)
        time.sleep(sleep)
        counts = random.Random(seed).choices(range(9), k=cells)
        arrays = [array("f", counts), array("f", [energy] * (3 if cells == 504 else 0)), array("f")]
        head = {"index": index, "cpu_seconds": 0.5, "sizes": [len(a) for a in arrays]}
        out.write(json.dumps(head).encode() + b"\n")
        data = b"".join(a.tobytes() for a in arrays)
        cut = folder / f"cut-{index}"
        out.write(data[: 4 * (cells // 2)] if cut.exists() else data)
        out.flush()
        if cut.exists():
            cut.unlink()
            os._exit(9)
