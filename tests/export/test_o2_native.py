"""O2's calls in C++, through the C API of the installed onnxruntime."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from caloforge.detectors import ALICE_ZN, ALICE_ZP
from caloforge.errors import CaloforgeError, DataError
from caloforge.export.bundle import Options, export
from caloforge.export.o2 import NativeReader, O2Reader, installed_library, native_reader, raw_input
from exported import NEUTRONS, write_linear_simulator

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


@pytest.fixture(scope="module")
def program():
    with native_reader() as compiled:
        yield compiled


def whole_rates(detector):
    """Rates that are drawn without chance: 0 to 2 photons by condition and latent."""
    constant = np.arange(detector.cells) % 3.0
    per_latent = np.zeros((10, detector.cells))
    per_latent[9] = np.arange(detector.cells) % 2
    return {"constant": constant, "per_latent": per_latent}


@pytest.mark.parametrize("detector", [ALICE_ZN, ALICE_ZP])
def test_cpp_and_emulator_agree_to_the_photon(program, detector, tmp_path):
    simulator = write_linear_simulator(tmp_path / "simulator", detector, **whole_rates(detector))
    export(simulator, "o2", tmp_path / "bundle", Options())
    raw = raw_input(NEUTRONS.repeat(2, axis=0))
    noise = np.zeros((len(raw), 10), dtype=np.float32)
    noise[:, 9] = np.arange(len(raw))
    answers, microseconds = program.respond(tmp_path / "bundle", detector.name, raw, noise)
    assert 1 < microseconds < 1e5
    emulator = O2Reader(tmp_path / "bundle", detector.name)
    for row, answer in enumerate(answers):
        expected = emulator.respond(raw[row], noise[row])
        assert answer.simulated == expected.simulated
        np.testing.assert_array_equal(answer.photons, expected.photons)
        np.testing.assert_array_equal(answer.sectors, expected.sectors)
        assert answer.photons.sum() > 0


@pytest.mark.slow
def test_check_runs_the_program_on_request(caloforge, tmp_path):
    simulator = write_linear_simulator(
        tmp_path / "simulator", ALICE_ZN, np.full(ALICE_ZN.cells, 0.3), sampling="poisson"
    )
    export(simulator, "o2", tmp_path / "bundle", Options())
    code, out, _ = caloforge("check", tmp_path / "bundle", "--native")
    assert code == 0
    assert f"ok    {installed_library().name}: mean of channels (o2)" in out


def test_what_the_program_says_is_passed_on_in_one_line(program, tmp_path):
    simulator = write_linear_simulator(tmp_path / "simulator", ALICE_ZN, np.ones(ALICE_ZN.cells))
    export(simulator, "o2", tmp_path / "bundle", Options())
    raw, noise = raw_input(NEUTRONS), np.zeros((4, 10), dtype=np.float32)
    text = (tmp_path / "bundle/scales.txt").read_text()
    for content, message in ((text.replace("\n", "\r\n"), "nine means"), ("#means\nx\n", "stof")):
        (tmp_path / "bundle/scales.txt").write_bytes(content.encode())
        with pytest.raises(DataError, match=message):
            program.respond(tmp_path / "bundle", "alice_zn", raw, noise)


def test_what_a_library_says_beside_its_answers_is_no_time(tmp_path):
    program = tmp_path / "o2_reader"
    answer = "1" + " 0" * (5 + ALICE_ZN.cells)
    program.write_text(f"#!/bin/sh\ncat >&2\necho '{answer}'\necho 77.5\n")
    program.chmod(0o755)
    compiled = NativeReader(program, installed_library())
    noise = np.zeros((4, 10), dtype=np.float32)
    answers, microseconds = compiled.respond(tmp_path, "alice_zn", raw_input(NEUTRONS), noise)
    assert (len(answers), microseconds) == (1, 77.5)


def test_a_library_that_is_none_is_refused(program, tmp_path):
    other = replace(program, library=tmp_path / "libnothing.so")
    with pytest.raises(DataError, match="libnothing"):
        other.respond(
            tmp_path, "alice_zn", raw_input(NEUTRONS), np.zeros((4, 10), dtype=np.float32)
        )


def test_a_missing_compiler_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CaloforgeError, match=r"no g\+\+"), native_reader():
        pass
