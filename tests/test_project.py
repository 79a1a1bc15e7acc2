"""What holds the project together: arrows between modules, fast start, public names, sizes."""

from __future__ import annotations

import ast
import graphlib
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import caloforge

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "caloforge"

LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("documents", "extensions", "machine", "reporter"),
    ("jobs",),
    ("detector",),
    ("detectors",),
    ("io", "formats", "data", "particles"),
    ("evaluate", "report", "simulator"),
    ("generate", "transport"),
    ("networks",),
    ("objectives",),
    ("recipe",),
    ("recipes",),
    ("export",),
    ("checkpoint", "train", "training"),
    ("api", "demo", "search"),
    ("cli",),
    ("__main__",),
)
"""Arrows point to the left: a module imports its own level and those before it.

``evaluate``, ``report``, ``simulator`` and ``generate`` stand before ``networks``, hence know only
detectors and arrays.
"""

SLOW_TO_IMPORT = ("torch", "scipy.stats", "matplotlib", "pandas", "onnxruntime", "sklearn")
CPU_SECONDS = 1.0
NATURAL_MODULE_LINES, MODULE_LINES = 600, 800
NATURAL_FUNCTION_LINES, FUNCTION_LINES = 60, 100
VAGUE = {"utils", "util", "base", "common", "manager", "helpers", "misc", "core_utils"}

PUBLIC = {
    "caloforge": [
        "CaloforgeError",
        "DataError",
        "Detector",
        "Recipe",
        "ShowerFile",
        "ShowerWriter",
        "Showers",
        "Simulator",
        "UsageError",
        "__version__",
        "detector_of_name",
        "evaluate",
        "export",
        "generate",
        "read",
        "train",
        "use",
        "write",
    ],
    "caloforge.evaluate": [
        "Attribute",
        "CellMetric",
        "CheckResult",
        "ClassifierResult",
        "ConditionalW1",
        "Correlations",
        "Difference",
        "EvaluationResult",
        "Fidelity",
        "GateResult",
        "Measured",
        "Memory",
        "Metric",
        "MetricResult",
        "Readable",
        "Response",
        "ResultRow",
        "Slope",
        "Transfer",
        "Traversal",
        "add_two_sample_metrics",
        "apply_gate",
        "attributes",
        "calogan",
        "calogan_edges",
        "challenge_edges",
        "classify",
        "conditional_w1",
        "correlation",
        "correlations",
        "evaluate",
        "fast_score",
        "fidelity",
        "fpd",
        "kolmogorov_smirnov",
        "kpd",
        "layered_checks",
        "mann_whitney",
        "matched",
        "memorisation",
        "observables",
        "observe",
        "plain_detector",
        "read_back",
        "response",
        "separation_power",
        "showers_of",
        "slopes",
        "transfer",
        "traverse",
        "two_sample_metrics",
        "w1",
        "w1_channels",
        "widened",
    ],
    "caloforge.networks": [
        "CRITICS",
        "ConditionScale",
        "Critic",
        "CriticConfig",
        "CriticOutput",
        "FeatureScaling",
        "GENERATORS",
        "Generator",
        "GeneratorConfig",
        "ResponseScale",
    ],
    "caloforge.objectives": [
        "AttributeRegression",
        "BalancedDiversity",
        "ConditionalMean",
        "DiversitySensitive",
        "EnergyConditioning",
        "EnergyScore",
        "FlippedLabels",
        "GanStep",
        "GradientPenalty",
        "Hinge",
        "Intensity",
        "LatentContrast",
        "LocalScore",
        "LogRatio",
        "Minimax",
        "ModeSeeking",
        "NonFinite",
        "NonSaturating",
        "Objective",
        "Paired",
        "R1",
        "R2",
        "Rows",
        "SelectiveDiversity",
        "ShowerCentre",
        "SoftSparsity",
        "TERMS",
        "Term",
        "Wasserstein",
    ],
    "caloforge.simulator": [
        "CARD",
        "GRAPH",
        "OutsideDomain",
        "REFERENCE",
        "Simulator",
        "SimulatorCard",
        "find_simulator",
        "read_card",
        "shipped_simulators",
    ],
}


@cache
def modules() -> dict[str, Path]:
    """Files of the package by the name that imports them."""
    actual = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        actual[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return actual


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Modules of ours that these nodes import, as far as a file of that name exists."""
    conditions = modules()
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (inside & conditions.keys()) or {node.module}
    return {name for name in names if name in conditions}


def level(module: str) -> int:
    part = module.split(".")[1]
    for number, names in enumerate(LEVELS):
        if part in names:
            return number
    raise AssertionError(f"{module} has no place in the order of imports: add it to LEVELS")


def test_arrows_between_modules_point_one_way() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, path in modules().items()
        for target in sorted(imported(ast.walk(tree(path))))
        if "." in module and "." in target and level(target) > level(module)
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        module: imported(ast.iter_child_nodes(tree(path))) - {module, "caloforge"}
        for module, path in modules().items()
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_no_module_imports_a_private_name_of_another() -> None:
    names = [
        f"{module} takes {alias.name} of {node.module}"
        for module, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("caloforge")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.endswith("__")
    ]
    assert names == []


def loaded_by(code: str) -> dict[str, Any]:
    """Modules that a fresh interpreter holds after some code, and its processor seconds."""
    ending = "import sys, time, json; print(json.dumps([time.process_time(), *sys.modules]))"
    command = [sys.executable, "-c", f"{code}\n{ending}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    seconds, *names = json.loads(output.splitlines()[-1])
    return {"seconds": seconds, "slow": sorted(set(names) & set(SLOW_TO_IMPORT))}


@pytest.mark.parametrize(
    "code",
    [
        "import caloforge",
        "from caloforge.cli import main; main(['--help'])",
        "from caloforge.cli import main; main(['train', '--help'])",
    ],
)
def test_starting_is_fast_and_loads_nothing_heavy(code: str) -> None:
    outcome = loaded_by(code)
    assert outcome["slow"] == []
    assert outcome["seconds"] < CPU_SECONDS


def test_generating_and_judging_load_no_torch() -> None:
    code = "import caloforge.generate, caloforge.evaluate, caloforge.data.showers"
    assert "torch" not in loaded_by(code)["slow"]


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_public_names_change_only_on_purpose(module: str) -> None:
    actual = importlib.import_module(module)
    assert sorted(actual.__all__) == PUBLIC[module]
    assert all(getattr(actual, name) is not None for name in actual.__all__)


def test_lazy_names_fail_as_any_other() -> None:
    with pytest.raises(AttributeError, match="no attribute nothing"):
        _ = caloforge.nothing
    assert set(dir(caloforge)) == set(caloforge.__all__)


def lengths() -> Iterator[tuple[str, int, int, int]]:
    """Every file and function: name, lines, natural length, limit."""
    for module, path in modules().items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        yield module, lines, NATURAL_MODULE_LINES, MODULE_LINES
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                yield f"{module}.{node.name}", lines, NATURAL_FUNCTION_LINES, FUNCTION_LINES


def test_files_and_functions_stay_short() -> None:
    rows = list(lengths())
    for name, lines, natural, _ in rows:
        if lines > natural:
            sys.stdout.write(f"outlier: {name}: {lines} lines, {natural} are natural\n")
    assert [f"{name}: {lines} lines" for name, lines, _, limit in rows if lines > limit] == []


def test_no_module_has_a_vague_name() -> None:
    assert [name for name in modules() if name.rsplit(".", 1)[-1] in VAGUE] == []


def metadata() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_one_version_everywhere() -> None:
    project = metadata()
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] == caloforge.__version__
    assert f"version: {caloforge.__version__}\n" in citation
    assert f"## {caloforge.__version__}" in changes
    assert json.loads((ROOT / ".zenodo.json").read_text())["version"] == caloforge.__version__


def canonical(requirement: str) -> str:
    """Name of a requirement such as ``dask[distributed]>=2024.8; marker``."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=;! ]", requirement)[0]).lower()


def test_constraints_pin_all_that_the_project_names() -> None:
    project = metadata()
    requirements = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        requirements += extra
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]
    pinned = {canonical(pin) for pin in pins}
    assert {canonical(name) for name in requirements} - pinned - {"caloforge"} == set()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins


def test_training_is_the_only_way_to_torch() -> None:
    project = metadata()
    assert "torch" not in {canonical(name) for name in project["dependencies"]}
    everything = project["optional-dependencies"]["all"][0]
    assert not set(re.findall(r"\w+", everything)) & {"openvino", "fast", "tensorboard"}


def readme_commands() -> list[str]:
    """The two commands of the README that a fresh machine needs."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- ci -->\n```(?:sh|bash)\n(.+?)```", text, re.DOTALL)
    assert block is not None
    return [line for line in block[1].splitlines() if line and not line.startswith("#")]


def test_ci_runs_the_readme_word_by_word() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    install, test = readme_commands()
    assert install in script
    assert test in script


def test_contributing_is_short() -> None:
    lines = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60


def test_every_term_and_recipe_has_its_row_in_the_table_of_methods() -> None:
    from caloforge import objectives, recipes

    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE))
    assert {*objectives.TERMS, *recipes.RECIPES} - rows == set()
