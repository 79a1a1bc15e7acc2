"""What can go wrong, by whom it can be mended; each error is one line and carries its exit code."""

LONGEST_LINE = 800
"""Characters of an error; long enough for two deep paths and a reason."""


def printable(text: str) -> str:
    r"""The text with what a terminal would act on, or could not write, as escapes.

    Line ends and tabs stay.

    >>> printable("a\x1b[31m")
    'a\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text
    )


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    r"""The text as one printable line of bounded length; what is too long lacks its middle.

    >>> one_line("first\n second")
    'first second'
    """
    line = printable(" ".join(text.split()))
    if len(line) <= longest:
        return line
    return f"{line[: longest // 2]} ... {line[len(line) - longest // 2 :]}"


def reason_of(error: BaseException, longest: int = 120) -> str:
    """The first line of what an error of others says, or its type where it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return one_line(lines[0], longest)


class CaloforgeError(Exception):
    """A failure that is explained in one line: what, where, what to do.

    Example:
        >>> from caloforge import detector_of_name
        >>> try:
        ...     detector_of_name("alice_xx")
        ... except CaloforgeError as error:
        ...     print(error.exit_code, str(error).partition(";")[0])
        2 no detector alice_xx
    """

    exit_code = 1

    def __str__(self) -> str:
        return one_line(super().__str__())


class UsageError(CaloforgeError):
    """The command or the configuration asks for something that cannot be: exit code 2.

    Example:
        >>> UsageError.exit_code
        2
    """

    exit_code = 2


class DataError(CaloforgeError):
    """A file or an array does not hold what it should: exit code 3.

    Example:
        >>> from pathlib import Path
        >>> from caloforge import read
        >>> try:
        ...     read(Path("nothing.h5"))
        ... except DataError as error:
        ...     print(error)
        nothing.h5: no such file
    """

    exit_code = 3


class GateFailed(CaloforgeError):  # noqa: N818 - reads as what happened
    """The showers were evaluated and did not pass."""

    exit_code = 4


class Terminated(CaloforgeError):  # noqa: N818 - reads as what happened
    """SIGTERM arrived; a checkpoint was written before leaving."""

    exit_code = 143
