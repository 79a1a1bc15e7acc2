"""Sessions that wrap what CI runs: ``nox``, or ``nox -s tests lint docs``."""

import nox

nox.options.sessions = ["lint", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True

CONSTRAINTS = ("-c", "constraints.txt")


@nox.session
def tests(session: nox.Session) -> None:
    """Default tests; ``nox -s tests -- -m slow`` runs the slow ones."""
    session.install(*CONSTRAINTS, "-e", ".[all,test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, format and types."""
    session.install(*CONSTRAINTS, "-e", ".[all,test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Documentation; a warning is an error."""
    session.install(*CONSTRAINTS, "-e", ".[train,docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/_build/html")
