"""What can go wrong, by whom it can be mended; each error is one line and carries its exit code."""


class CaloforgeError(Exception):
    """A failure that is explained in one line: what, where, what to do."""

    exit_code = 1


class UsageError(CaloforgeError):
    """The command or the configuration asks for something that cannot be."""

    exit_code = 2


class DataError(CaloforgeError):
    """A file or an array does not hold what it should."""

    exit_code = 3


class GateFailed(CaloforgeError):  # noqa: N818 - reads as what happened
    """A judgement was made and the showers did not pass it."""

    exit_code = 4


class Terminated(CaloforgeError):  # noqa: N818 - reads as what happened
    """SIGTERM arrived; a checkpoint was written before leaving."""

    exit_code = 143
