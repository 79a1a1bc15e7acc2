"""How thoroughly a bundle is checked."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class How:
    """What a check may be asked for."""

    repeats: int = 100
    """Showers of each of the sixteen reference particles, where counts are drawn anew."""
    native: bool = False
    """Whether a compiled reader is run, too, where there is one."""
    library: Path | None = None
    """The runtime that it opens; default: the installed one."""


__all__ = ["How"]
