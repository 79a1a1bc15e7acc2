"""Damaged files of every format that people may bring: python tests/fuzz.py --mutants 20 --seed 1

Each mutant is a valid file with bytes changed, cut out, doubled or replaced by what is known to
hurt. It is read as the command line reads it. Prints one JSON line of counts; a process that dies
names its last mutant on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from caloforge.cli import explain, main
from caloforge.machine import peak_memory_mb

TESTS = Path(__file__).parent
SECONDS = 20
LARGEST_MB = 1000.0
ADDRESS_SPACE = 2**34
LONGEST_LINE = 1000
HURTS = (
    b"\x00" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x1b[31m", b"\r\n",
    b"\xef\xbb\xbf", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 5000, b"[" * 20_000,
    b"{" * 2_000, b'"', b"null", b"../../x", b"\xed\xb0\x80", b"<!DOCTYPE x>", b"-0.0", b"2112.5",
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """Files of a format, which of them is damaged, and how they are read."""

    make: Callable[[Path], Path]
    read: Callable[[Path], int]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to four changes."""
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(0, len(content) + 1))
        stop = min(len(content), start + int(rng.integers(1, 65)))
        piece = content[start:stop]
        way = int(rng.integers(0, 7))
        if way == 0 and piece:
            flipped = bytearray(piece)
            flipped[0] ^= 1 << int(rng.integers(0, 8))
            piece = bytes(flipped)
        elif way == 1:
            piece = b""
        elif way == 2:
            piece = piece * int(rng.integers(2, 50))
        elif way == 3:
            piece = rng.bytes(len(piece))
        elif way == 4:
            piece = HURTS[int(rng.integers(0, len(HURTS)))]
        elif way == 5:
            hurt = HURTS[int(rng.integers(0, 4))]
            piece, stop = hurt, start + len(hurt)
        else:
            content, piece, stop = content[:start], b"", start
        content = content[:start] + piece + content[stop:]
    return content


def command(*words: object) -> int:
    return main([str(word) for word in words])


def called(function: Callable[..., object], *arguments: object) -> int:
    """Exit code that the command line would give to what a function raises."""
    try:
        function(*arguments)
    except Exception as error:
        code, line = explain(error)
        sys.stderr.write(f"caloforge: {line}\n")
        return code
    return 0


def convert(path: Path, *options: object) -> int:
    return command("data", "convert", path, *options, "--out", path.parent / "out.h5", "-q")


def copied(name: str) -> Callable[[Path], Path]:
    """A maker of a copy of a file of the tests, or of the package."""

    def make(folder: Path) -> Path:
        return Path(shutil.copy(TESTS / name, folder))

    return make


def alice(folder: Path, which: str) -> Path:
    for source in (TESTS / "cases" / "npz_fortran").iterdir():
        shutil.copy(source, folder)
    return folder / f"data_nonrandom_{which}.npz"


def plain_npz(folder: Path, **arrays: Any) -> Path:
    path = folder / "a.npz"
    np.savez(path, **arrays)
    return path


def light_table(folder: Path) -> Path:
    axes = {"beta": np.linspace(0.6, 1, 4), "cosine": np.linspace(-1, 1, 5), "impact": np.zeros(1)}
    return plain_npz(folder, **axes, photons_per_mm=np.ones((4, 5, 1)))


def pickled(folder: Path, which: str) -> Path:
    for kind in ("array", "table"):
        source = TESTS / "formats" / "pickles" / f"pandas-2.0.3-protocol4-{kind}.pkl"
        shutil.copy(source, folder / f"{kind}.pkl")
    return folder / f"{which}.pkl"


def read_pickle(path: Path) -> int:
    from caloforge.formats.pickled import unpickle

    return called(lambda: unpickle(path, allow=True))


def read_particles(path: Path) -> int:
    from caloforge.detectors import ALICE_ZN
    from caloforge.transport.request import read_particles as read

    return called(read, path, ALICE_ZN)


def read_light(path: Path) -> int:
    from caloforge.transport.light import Table

    return called(Table.read, path)


def transport_output(folder: Path) -> Path:
    """A file as the ZDC transport jobs write it."""
    with h5py.File(TESTS / "cases" / "real8.h5") as ours, h5py.File(folder / "a.h5", "w") as file:
        file["showers"] = next(iter(ours["showers"].values()))[()]
        for name in ("conditions", "particle", "pdg", "cpu_seconds"):
            file[name] = ours[name][()]
        for name in ("columns", "units"):
            file["conditions"].attrs[name] = ours.attrs[name]
        file.attrs["detector"], file.attrs["engine"] = "alice_zn", "tests"
    return folder / "a.h5"


def simulator(folder: Path, which: str) -> Path:
    source = TESTS.parent / "src" / "caloforge" / "simulators" / "alice_zn"
    for name in ("generator.onnx", "reference.npz", "simulator.json"):
        shutil.copy(source / name, folder)
    return folder / which


def read_card(path: Path) -> int:
    from caloforge.simulator import read_card as read

    return called(read, path)


def read_reference(path: Path) -> int:
    from caloforge.simulator import read_card as read
    from caloforge.simulator.reference import read_reference

    card = read(path.with_name("simulator.json"))
    sizes = (card.latent_size, len(card.detector.columns), card.detector.cells)
    return called(read_reference, path, *sizes)


def read_recipe(path: Path) -> int:
    from caloforge.recipe import Recipe

    return called(lambda: Recipe.from_json(path.read_text(encoding="utf-8", errors="replace")))


def read_gate(path: Path) -> int:
    from caloforge.detectors import ALICE_ZN
    from caloforge.evaluate.gate.limits import read_gate as read

    return called(read, str(path), ALICE_ZN)


def read_detector(path: Path) -> int:
    from caloforge.detectors.files import find_detector

    return called(find_detector, str(path))


GATE = "../src/caloforge/evaluate/gate/alice_zn.json"
MINE = TESTS / "cases" / "detector_bom.json"
BINNING = TESTS / "cases" / "binning_small.xml"
ZN = ("--detector", "alice_zn")
FORMATS: dict[str, Format] = {
    "showers": Format(copied("cases/real8.h5"), lambda p: command("data", "info", p, "-q")),
    "calogan": Format(copied("cases/calogan_my.h5"), lambda p: convert(p, "--detector", MINE)),
    "challenge": Format(copied("cases/cc_ok.hdf5"), lambda p: convert(p, "--detector", BINNING)),
    "transport": Format(transport_output, convert),
    "images npz": Format(lambda f: alice(f, "responses"), convert),
    "particles npz": Format(lambda f: alice(f, "particles"), convert),
    "pickled array": Format(lambda f: pickled(f, "array"), read_pickle),
    "pickled table": Format(lambda f: pickled(f, "table"), read_pickle),
    "o2": Format(copied("formats/root/o2sim-split99.root"), lambda p: convert(p, *ZN)),
    "particles h5": Format(copied("cases/one_shower_real.h5"), read_particles),
    "particles csv": Format(copied("cases/parts_ok.csv"), read_particles),
    "light table": Format(light_table, read_light),
    "detector json": Format(copied("cases/detector_bom.json"), read_detector),
    "binning xml": Format(copied("cases/binning_small.xml"), read_detector),
    "card": Format(lambda f: simulator(f, "simulator.json"), read_card),
    "answers": Format(lambda f: simulator(f, "reference.npz"), read_reference),
    "recipe": Format(copied("cases/recipe_bom.json"), read_recipe),
    "gate": Format(copied(GATE), read_gate),
}


class TooSlow(BaseException):
    """A mutant took longer than SECONDS."""


def _too_slow(number: int, frame: object) -> None:
    raise TooSlow


def faults_of(path: Path, kind: Format) -> tuple[int, list[str]]:
    """Exit code of one mutant, and what it did that no file may do."""
    before, memory = sorted(path.parent.iterdir()), peak_memory_mb()
    log, code = io.StringIO(), -1
    faults = []
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stderr(log), contextlib.redirect_stdout(io.StringIO()):
            code = kind.read(path)
    except TooSlow:
        faults.append("hang")
    except BaseException as error:
        faults.append(f"traceback: {type(error).__name__}: {error!s:.200}")
    finally:
        signal.alarm(0)
    lines = [line for line in log.getvalue().split("\n") if line]
    if code not in (0, 1, 2, 3):
        faults.append(f"exit code {code}")
    if not all(line.isprintable() and len(line) <= LONGEST_LINE for line in lines):
        faults.append("unprintable or endless line")
    if code > 0 and len([line for line in lines if not line.startswith("warning: ")]) != 1:
        faults.append(f"{len(lines)} lines")
    if peak_memory_mb() - memory > LARGEST_MB:
        faults.append("memory")
    if code and sorted(path.parent.iterdir()) != before:
        faults.append("half output")
    return code, faults


def require_readable(kind: Format) -> None:
    """The whole file reads; what a first reading imports takes the time of no mutant."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        code = kind.read(kind.make(Path(folder)))
    if code:
        raise SystemExit(f"the file itself is refused with exit code {code}")


def fuzz(names: list[str], mutants: int, seed: int) -> dict[str, Any]:
    """Counts of what mutants of these formats did."""
    counts: dict[str, Any] = {"mutants": 0, "codes": {}, "faults": []}
    signal.signal(signal.SIGALRM, _too_slow)
    for name in names:
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        require_readable(FORMATS[name])
        for number in range(mutants):
            with tempfile.TemporaryDirectory() as folder:
                path = FORMATS[name].make(Path(folder))
                path.write_bytes(damaged(path.read_bytes(), rng))
                sys.stderr.write(f"\r{name} {number}")
                code, actual = faults_of(path, FORMATS[name])
                keep = os.environ.get("KEEP_MUTANTS")
                if actual and keep:
                    shutil.copy(
                        path, Path(keep) / f"{name.replace(' ', '_')}-{number}{path.suffix}"
                    )
            counts["mutants"] += 1
            counts["codes"][str(code)] = counts["codes"].get(str(code), 0) + 1
            counts["faults"] += [f"{name} {number}: {fault}" for fault in actual]
    return counts


def run() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutants", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("formats", nargs="*", default=list(FORMATS))
    options = parser.parse_args()
    # What asks for more dies of it here, instead of the machine.
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    start = time.monotonic()
    counts = fuzz(options.formats, options.mutants, options.seed)
    counts["seconds"] = round(time.monotonic() - start, 1)
    print(json.dumps(counts))  # noqa: T201 - its one result


if __name__ == "__main__":
    run()
