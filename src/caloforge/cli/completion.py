"""Names that the shell completes: recipes, detectors, samples, simulators, spectra, targets.

The library writes the script of the shell (``caloforge --install-completion``). Nothing here loads
torch: a name has to appear at once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def recipe_names() -> list[str]:
    """Functions ``(detector) -> Recipe`` of the package, read and not run."""
    names = []
    for path in (PACKAGE / "recipes").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name):
                arguments = [argument.arg for argument in node.args.args]
                if arguments == ["detector"] and node.returns.id == "Recipe":
                    names.append(node.name.replace("_", "-"))
    return sorted(names)


def recipes(incomplete: str) -> list[str]:
    """Names of recipes that begin so."""
    return beginning(incomplete, recipe_names())


def detectors(incomplete: str) -> list[str]:
    """Names of detectors that begin so."""
    from caloforge.detectors import DETECTORS

    return beginning(incomplete, DETECTORS.own)


def samples(incomplete: str) -> list[str]:
    """Names of shipped showers that begin so."""
    from caloforge.data.samples import SAMPLES

    return beginning(incomplete, SAMPLES)


def simulators(incomplete: str) -> list[str]:
    """Names of shipped simulators that begin so."""
    from caloforge.simulator.shipped import shipped_simulators

    return beginning(incomplete, shipped_simulators())


def spectra(incomplete: str) -> list[str]:
    """Names of spectra of all detectors that begin so."""
    from caloforge.detectors import FACTS

    return beginning(incomplete, {name for facts in FACTS.own.values() for name in facts.spectra})


def targets(incomplete: str) -> list[str]:
    """Names of export targets that begin so."""
    from caloforge.export.targets import TARGETS

    return beginning(incomplete, [*TARGETS, "int8", "half"])


def beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    """Those of the names that begin so, in order."""
    return sorted(name for name in names if name.startswith(incomplete))
