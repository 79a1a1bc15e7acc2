"""The old place of ``caloforge.io.files``."""

from caloforge.io.files import (
    new_folder,
    remove_unfinished,
    require_possible_folder,
    sha256_of,
    write_aside,
    write_aside_folder,
)

__all__ = [
    "new_folder",
    "remove_unfinished",
    "require_possible_folder",
    "sha256_of",
    "write_aside",
    "write_aside_folder",
]
