"""The file that HDF5 writes through: it remembers a full disk instead of telling HDF5.

HDF5 meets a failed write again at every later flush and close, and prints each time. Here the
first failure is kept, later writes are dropped, and ``check`` raises it where it can be handled.
"""

import io
from typing import Any


class Sink(io.FileIO):
    """A raw file for reading and writing that swallows failed writes until asked."""

    failure: OSError | None = None

    def write(self, content: Any) -> int:
        """Write all of it, unless writing has failed before."""
        left = memoryview(content).cast("B")
        size = len(left)
        while len(left) and self.failure is None:
            try:
                left = left[super().write(left) or 0 :]
            except OSError as error:
                self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the size, unless writing has failed."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self.failure is not None:
            raise self.failure
