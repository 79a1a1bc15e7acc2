"""The showers that ship with the package; README.md beside them is their card."""

from pathlib import Path

from caloforge.errors import UsageError

SAMPLES = {
    "alice_zn": "zn.h5",
    "alice_zp": "zp.h5",
}


def sample_path(detector: str) -> Path:
    """The shipped file of a detector's showers; UsageError with the names that exist."""
    if detector not in SAMPLES:
        raise UsageError(f"no showers of {detector} ship; there are {', '.join(SAMPLES)}")
    return Path(__file__).with_name(SAMPLES[detector])
