"""Small pickles that would hang a reader or ask for gigabytes."""

import subprocess
import sys

import numpy as np

from tests.formats.test_pickles import Code, Spelled, array, framed, program, spell


def tower(kind):
    """A value that holds itself ten times, twelve times over: small, unless somebody walks it."""
    empty, close = {list: (b"]", b"l"), tuple: (b")", b"t")}[kind]
    code = empty + b"q\x00"
    for floor in range(12):
        code += b"0(" + 10 * bytes([ord("h"), floor]) + close + bytes([ord("q"), floor + 1])
    return Code(code)


def bombs():
    text = Code(b"X" + (10**6).to_bytes(4, "little") + 10**6 * b"x" + b"q\x00")
    again = b"c_codecs\nencode\nq\x01" + 300 * b"h\x01(h\x00X\x06\x00\x00\x00latin1tR"
    axes = (tower(tuple), tower(tuple))
    kind = Spelled("numpy", "dtype", ("f8", 0, 1))
    names = objects((2,), [tower(list), "Energy"])
    places = objects((1,), [tower(tuple)])
    values = array(np.ones((1, 1)))
    return {
        "place 2**26 of the memo": b"\x80\x04]r\x00\x00\x00\x04.",
        "place 2**30 of the memo": b"\x80\x04]r\x00\x00\x00\x40.",
        "names of columns": framed(names, [], 1),
        "type": program(Spelled("numpy", "dtype", (tower(list), 0, 1))),
        "key": program(Code(b"}" + spell(tower(tuple)) + b"Ns")),
        "keys": program(Code(b"}(" + spell(tower(tuple)) + b"Nu")),
        "key of a closed dictionary": program(Code(b"(" + spell(tower(tuple)) + b"Nd")),
        "set": b"\x80\x04\x8f(" + spell(tower(tuple)) + b"\x90.",
        "frozen set": b"\x80\x04(" + spell(tower(tuple)) + b"\x91.",
        "places of columns": framed(objects((1,), ["Energy"]), [(values, places)], 1),
        "axes": program(
            Spelled("numpy.core.numeric", "_frombuffer", (b"8 bytes.", kind, (1, 1), "K", axes))
        ),
        "bytes of one text": b"\x80\x02(" + text.text + again + b"l.",
    }


def objects(shape, content):
    kind = Spelled("numpy", "dtype", ("O8", 0, 1), (3, "|", None, None, None, -1, -1, 63))
    return Spelled("numpy.core.multiarray", "_reconstruct", (1,), (1, shape, kind, False, content))


def test_small_files_neither_hang_nor_take_gigabytes(tmp_path):
    """In a process that can be given up."""
    paths = []
    for number, (name, content) in enumerate(bombs().items()):
        paths.append(tmp_path / f"{number}-{name}.pkl")
        paths[-1].write_bytes(content)
    script = """
import sys
from pathlib import Path
from caloforge.formats.pickled import unpickle
from caloforge.errors import DataError
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
for path in map(Path, sys.argv[1:]):
    print(path.name, flush=True)
    try:
        unpickle(path, allow=True)
    except DataError as error:
        assert str(error).startswith(str(path)), error
    else:
        sys.exit("was read")
    assert peak() - before < 100_000, peak() - before
"""
    command = [sys.executable, "-c", script, *paths]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert process.returncode == 0, process.stdout.splitlines()[-1] + process.stderr
