"""The showers that ship with the package; README.md beside them is their card."""

from pathlib import Path

from caloforge.errors import UsageError

SAMPLES = {
    "alice_zn": "zn.h5",
    "alice_zn/part-2": "zn_part_2.h5",
    "alice_zp": "zp.h5",
    "alice_zp/part-2": "zp_part_2.h5",
    "atlas_em": "em_eplus.h5",
    "atlas_em/part-2": "em_eplus_part_2.h5",
    "atlas_em/eplus-centred": "em_eplus_centred.h5",
    "atlas_em/gamma": "em_gamma.h5",
    "atlas_em/piplus": "em_piplus.h5",
}
"""By detector, the one that is meant where nothing else is said; others behind a slash.

``part-2`` holds more particles of the same kind; it joins the training rows, so that validation and
test particles stay those of the first part.
"""


def sample_path(name: str) -> Path:
    """The shipped file of that name; UsageError with the names that exist."""
    if name not in SAMPLES:
        raise UsageError(f"no showers of {name} ship; there are {', '.join(SAMPLES)}")
    return Path(__file__).with_name(SAMPLES[name])
