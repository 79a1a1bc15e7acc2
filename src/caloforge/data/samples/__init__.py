"""The showers that ship with the package; README.md beside them is their card."""

from pathlib import Path

from caloforge.detectors import FACTS
from caloforge.errors import UsageError

SAMPLES = {
    f"{name}/{kind}" if kind else name: file
    for name, facts in FACTS.items()
    for kind, file in facts.samples.items()
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


def further_samples(detector: str) -> tuple[str, ...]:
    """Names of the shipped parts beside the first, whose particles join the training rows."""
    return tuple(name for name in SAMPLES if name.startswith(f"{detector}/part-"))


def showers_path(name: str | Path) -> Path:
    """A shipped file by its name where there is no such file, any other by its path."""
    shipped = str(name) in SAMPLES and not Path(name).exists()
    return sample_path(str(name)) if shipped else Path(name)
