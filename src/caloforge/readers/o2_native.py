"""O2's sequence of calls in C++, through the C API of a given ONNX Runtime library."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caloforge.errors import CaloforgeError, DataError
from caloforge.readers.o2 import FILES, LATENTS, SHAPES, Response

SOURCE = Path(__file__).with_name("o2_reader.cpp")
COMPILER = "g++"
SECONDS = 600


@dataclass(frozen=True)
class NativeReader:
    """A compiled reader and the library that it opens."""

    program: Path
    library: Path

    def respond(
        self, folder: Path, detector: str, raw: NDArray[np.float32], noise: NDArray[np.float32]
    ) -> list[Response]:
        """What it makes of rows of conditions in O2's units and noise.  (N, 9), (N, 10)"""
        generator, scales, classifier, classifier_scales = (folder / name for name in FILES)
        nx, ny = SHAPES[detector]
        files = [self.library, classifier, classifier_scales, generator, scales]
        rows = np.concatenate([raw, noise], axis=1)
        text = "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in rows)
        command = [str(part) for part in (self.program, *files, nx, ny)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise DataError(f"{folder}: {self.library.name} says: {done.stderr.strip()[:300]}")
        return [_response(line, nx, ny) for line in done.stdout.splitlines()]


@contextmanager
def native_reader(library: Path | None = None) -> Iterator[NativeReader]:
    """The compiled reader for as long as the block lasts.

    Raises CaloforgeError without a compiler.
    """
    if shutil.which(COMPILER) is None:
        raise CaloforgeError(f"no {COMPILER} to compile {SOURCE.name} with")
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "o2_reader"
        command = [COMPILER, "-std=c++17", "-O1", str(SOURCE), "-o", str(program), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise CaloforgeError(f"{SOURCE.name} does not compile: {done.stderr[:300]}")
        yield NativeReader(program, library or installed_library())


def installed_library() -> Path:
    """The shared library inside the installed onnxruntime wheel."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    found = sorted(folder.glob("libonnxruntime.so*")) + sorted(folder.glob("libonnxruntime*.dylib"))
    if not found:
        raise CaloforgeError(f"{folder} holds no libonnxruntime; name one with --library")
    return found[0]


def full_noise(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Latents filled up to the ten that O2 draws; the generator ignores the rest.  (N, 10)"""
    return np.pad(latents, ((0, 0), (0, LATENTS - latents.shape[1])))


def _response(line: str, nx: int, ny: int) -> Response:
    numbers = np.array(line.split(), dtype=np.int64)
    return Response(bool(numbers[0]), numbers[6:].reshape(nx, ny), numbers[1:6])


__all__ = ["NativeReader", "full_noise", "installed_library", "native_reader"]
