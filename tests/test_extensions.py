"""Own pieces in a module outside the repository, as docs/extending.md has it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from caloforge import extensions
from caloforge.detectors import DETECTORS, detector_of_name
from caloforge.errors import UsageError
from caloforge.evaluate.metrics.metric import Samples, own_results, version_of
from caloforge.evaluate.noise_floor import NO_CACHE
from caloforge.evaluate.paired import paired_metrics
from caloforge.networks import GENERATORS
from caloforge.recipe import Recipe, override
from caloforge.recipes import recipe_of_name
from caloforge.recipes.find import read_recipe
from small_run import set_options, write_part_of_sample

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
Command = Callable[..., tuple[int, str, str]]


def blocks(language: str) -> list[str]:
    section = PAGE.read_text(encoding="utf-8").split("\n## A method")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture(scope="module")
def showers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_part_of_sample(tmp_path_factory.mktemp("showers") / "zn.h5")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the module of the page; imports are forgotten after a test."""
    (tmp_path / "my_pieces.py").write_text(blocks("python")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(extensions, "_sources", {})
    monkeypatch.setattr(extensions, "_searched_groups", set())
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "") and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process would begin."""
    monkeypatch.setattr(extensions, "_sources", {})
    del sys.modules["my_pieces"]


OPTIONS = set_options(
    "generator.kind=DenseGenerator",
    "generator.options.width=16",
    "training.steps=4",
    "training.checkpoint_interval=2",
)


def test_a_run_with_own_pieces_resumes_only_by_import(
    caloforge: Command, showers: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = caloforge(
        *("train", "total-gan", "--import", "my_pieces", "--data", showers, "--out", "run"),
        *("--threads", 1, *OPTIONS),
    )
    assert code == 0, err
    for record in (
        json.loads((folder / "run" / "recipe.json").read_text()),
        json.loads((folder / "run" / "simulator" / "simulator.json").read_text())["recipe"],
    ):
        (module,) = record["modules"]
        assert (module["name"], module["version"]) == ("my_pieces", "0.1")
        assert "TotalDifference" in record["objective"]
        assert record["generator"]["options"] == {"width": 16}

    forget(monkeypatch)
    resume = ("train", "run", "--out", "run", "--resume", "--threads", 1)
    code, _, err = caloforge(*resume)
    assert code == 2
    assert "written with my_pieces 0.1: give --import my_pieces" in err
    assert err.count("\n") == 1
    code, _, err = caloforge("data", "info", "run")
    assert code == 0
    assert "my_pieces" not in sys.modules
    # The graph is enough to generate.
    code, _, err = caloforge("generate", "run", "-n", 8, "--out", "made.h5", "-q")
    assert code == 0, err

    with (folder / "my_pieces.py").open("a") as stream:
        stream.write("# edited\n")
    code, _, err = caloforge(*resume, "--import", "my_pieces.py")
    assert code == 0, err
    assert "module my_pieces 0.1 (was 0.1)" in err


@pytest.mark.slow
def test_the_commands_of_the_page_run(caloforge: Command, showers: Path, folder: Path) -> None:
    lines = re.sub(r"\\\n\s*", " ", blocks("sh")[0]).splitlines()
    more = {
        "train": ["--data", showers, "--threads", 1],
        "search": ["--data", showers, "--seeds", 1, *OPTIONS],
        "evaluate": ["--classifier", "none", "--out", "report.html"],
        "export": ["--hit-classifier", "always"],
    }
    for line in lines:
        verb, *words = line.replace("alice_zn", str(showers)).split()[1:]
        extra = [
            *more.get(verb, []),
            *(OPTIONS if verb == "train" and "total-gan" in words else []),
        ]
        code, _, err = caloforge(verb, *words, *extra)
        assert code == 0, (line, err)
        if verb == "evaluate":
            numbers = json.loads((folder / "report.json").read_text())["two_sample"]
            assert "hottest" in [row["name"] for row in numbers]
    best = json.loads((folder / "scan" / "best.json").read_text())
    assert best["modules"][0]["name"] == "my_pieces"
    assert best["generator"]["options"]["width"] in (64, 128)


@pytest.mark.slow
def test_workers_of_dask_import_the_modules(folder: Path) -> None:
    pytest.importorskip("distributed")
    from caloforge.jobs import Call, Executor

    extensions.use("my_pieces")
    calls = [Call(kind_is_known, ("DenseGenerator",))]
    for name in ("futures", "dask"):
        (outcomes,) = Executor(name, workers=1).run(calls)
        assert outcomes.result() == "my_pieces"


def kind_is_known(kind: str) -> str:
    return GENERATORS[kind].__module__


def test_a_script_uses_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(blocks("python")[1], names)
    recipe = names["recipe"]
    assert isinstance(recipe, Recipe)
    assert "my_pieces" in capsys.readouterr().out
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert override(recipe_of_name("wgan-gp"), ["objective.TotalDifference.weight=0.3"]).modules


FLAWS = {
    "syntax.py": ("x = (1\n", "--import syntax, line 1: SyntaxError: '(' was never closed"),
    "fails.py": ("import math\nx = 1 / 0\n", "--import fails, line 2: ZeroDivisionError"),
    "lacks.py": (
        "import nothing_there\n",
        "--import lacks, line 1: ModuleNotFoundError: No module",
    ),
    "leaves.py": ("raise SystemExit(3)\n", "--import leaves, line 1: SystemExit: 3"),
    "json.py": ("", "json is"),
    "taken.py": (
        "from caloforge.objectives import Term\nclass R1(Term):\n    def generator(self, p): ...\n",
        "taken: there is a term R1 already",
    ),
}


@pytest.mark.parametrize("file", FLAWS)
def test_a_module_that_fails_is_one_line(caloforge: Command, folder: Path, file: str) -> None:
    text, message = FLAWS[file]
    (folder / file).write_text(text)
    code, out, err = caloforge(
        "train", "dcgan", "--import", file, "--set", "objective.Nothing.weight=1", "--dry-run"
    )
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_names_that_are_none_are_one_line(caloforge: Command) -> None:
    for words, message in (
        (["--import", "no_such"], "--import no_such: there is no module of this name"),
        (["--import", "a-b"], "give the name of a module or a .py file"),
        (["--import", "no_such.py"], "no such file"),
        (["--set", "generator.kind=Dense"], "no generator Dense; there are calogan"),
        (["--import", "my_pieces", "--set", "generator.kind=Dense"], "my_pieces has none: a gener"),
        (
            [
                "--import",
                "my_pieces",
                *set_options("generator.kind=DenseGenerator"),
                "--set",
                "generator.options.widht=3",
            ],
            "DenseGenerator has no option widht; it has width",
        ),
        (
            [
                "--import",
                "my_pieces",
                *set_options("generator.kind=DenseGenerator"),
                "--set",
                "generator.options.width=wide",
            ],
            "generator.options.width: Input should be a valid int",
        ),
        (
            ["--set", "generator.kind=mlp", "--set", "generator.options.width=3"],
            "has no option width; it has none",
        ),
    ):
        code, _, err = caloforge("train", "dcgan", "--dry-run", *words)
        assert code == 2
        assert message in err, (words, err)
        assert err.count("\n") == 1


def test_installed_packages_offer_pieces_by_entry_points(folder: Path) -> None:
    info = folder / "my_package-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.5\n")
    groups = ("terms", "networks", "recipes", "detectors")
    (info / "entry_points.txt").write_text(
        "".join(f"[caloforge.{group}]\nmine = my_package\n" for group in groups)
    )
    text = blocks("python")[0].replace('__version__ = "0.1"', "")
    module_text = "\nfrom caloforge.detectors import ALICE_ZN\n"
    module_text += 'SHED = ALICE_ZN.model_copy(update={"name": "shed"})\n'
    (folder / "my_package.py").write_text(text + module_text)
    sys.path.append(str(folder))
    recipe = recipe_of_name("total-gan")
    recipe = override(recipe, ["generator.kind=DenseGenerator", "objective.R1.weight=1"])
    assert [str(origin) for origin in recipe.modules] == ["my_package 1.5"]
    assert detector_of_name("shed").name == "shed"
    travels = override(recipe.made_for(DETECTORS["shed"]), [])
    assert travels.described is not None
    (folder / "recipe.json").write_text(travels.to_json())
    assert read_recipe(folder / "recipe.json", Recipe) == travels


def test_own_metrics_join_the_tables(folder: Path, showers: Path) -> None:
    from caloforge import read

    (folder / "more.py").write_text(
        "import numpy as np\nfrom caloforge.evaluate import CellMetric, Metric\n"
        "def mean(pair, weights):\n"
        "    return np.full((len(weights), 1), pair.other.cells.mean() / pair.real.cells.mean())\n"
        "PAIRED = Metric('my_mean', 'my mean', ideal=1.0, function=mean)\n"
        "def fails(real, made):\n    raise RuntimeError('too hot')\n"
    )
    real = read(showers)
    extensions.use("more")
    extensions.use("my_pieces")
    (metric,) = [m for m in paired_metrics(real.detector) if m.name == "my_mean"]
    assert len(version_of(metric)[0]) == 64
    samples = Samples(real, real, None, None, 0, None, NO_CACHE, np.random.default_rng(0))
    (row,) = own_results(samples)
    assert row.name == "hottest"
    assert row.value.value == pytest.approx(1, abs=0.2)
    assert row.floor.error is not None
    (folder / "clash.py").write_text((folder / "more.py").read_text().replace("my_mean", "w1"))
    extensions.use("clash")
    with pytest.raises(UsageError, match="a metric w1 already"):
        paired_metrics(real.detector)
