"""Random numbers inside graphs are the runtime's own; tests want the same ones in every run."""

import onnxruntime
import pytest


@pytest.fixture(autouse=True, scope="module")
def _same_numbers_in_every_run():
    onnxruntime.set_seed(20261124)
