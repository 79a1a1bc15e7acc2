"""``caloforge check``: is a bundle, a simulator, a run or a showers file what it should be?"""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.options import Json, Quiet, reporter_of, whole_number
from caloforge.errors import DataError, GateFailed
from caloforge.export.checks import CheckOptions
from caloforge.io.productions import is_production
from caloforge.reporter import Reporter

What = Annotated[
    str,
    typer.Argument(
        metavar="PATH",
        help="A bundle, a run, a simulator (folder or name of a shipped one), a showers file, a "
        "production.",
        show_default=False,
    ),
]
Native = Annotated[
    bool,
    typer.Option(
        "--native", help="o2: also compile a C++ reader and run it on the C API of onnxruntime."
    ),
]
Library = Annotated[
    Path | None,
    typer.Option(
        help="o2: the libonnxruntime.so that the C++ reader opens (implies --native).",
        show_default=False,
    ),
]
Repeats = Annotated[
    int,
    whole_number(
        least=2, most=10**5, help="Showers of each of the 16 stored particles of a bundle."
    ),
]
ROWS = 4096
SIMULATOR_CARDS = ("simulator.json", "simulator/simulator.json")


def command(
    path: What,
    native: Native = False,
    library: Library = None,
    repeats: Repeats = 100,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Check a file, a run, a simulator, or what was exported: exit 3 malformed, 4 wrong."""
    reporter = reporter_of(quiet, json)
    target = Path(path)
    if (target / "bundle.json").is_file():
        check_exported(
            target, CheckOptions(repeats, native or library is not None, library), reporter
        )
    elif target.is_file():
        check_showers(target, reporter)
    elif is_production(target):
        check_production(target, reporter)
    elif target.is_dir() and not any((target / name).is_file() for name in SIMULATOR_CARDS):
        raise DataError(f"{path} is no bundle, simulator or run: no bundle.json, no simulator.json")
    else:
        check_simulator(path, reporter)


def check_exported(folder: Path, options: CheckOptions, reporter: Reporter) -> None:
    """Let the emulator of its reader read a bundle; GateFailed when the showers differ."""
    from caloforge.export.targets import check_bundle

    result = check_bundle(folder, options)
    reporter.result(str(result), result.record())
    if failed := [finding for finding in result.findings if not finding.passed]:
        raise GateFailed(f"{folder}: {failed[0].what}: {failed[0].text}")


def check_simulator(text: str, reporter: Reporter) -> None:
    """Compare a simulator with its stored answers."""
    from caloforge.simulator import Simulator
    from caloforge.simulator.shipped import find_simulator

    simulator = Simulator.load(find_simulator(text))
    deviation = simulator.check()
    line = f"{simulator.folder}: computes what was exported ({deviation:.1e} of the largest cell)"
    reporter.result(line, {"passed": True, "deviation": deviation})


def check_showers(path: Path, reporter: Reporter) -> None:
    """Read every row of a showers file."""
    from caloforge.data.showers import ShowerFile

    with ShowerFile(path) as file:
        for start in range(0, len(file), ROWS):
            file.cells(start, min(start + ROWS, len(file)))
        line = f"{path}: {len(file)} showers of {file.detector.name}, all readable"
        reporter.result(line, {"passed": True, "showers": len(file)})


def check_production(folder: Path, reporter: Reporter) -> None:
    """Compare the shards of a production with its manifest; GateFailed when one is not whole."""
    from caloforge.generate.plan import read_manifest

    manifest = read_manifest(folder)
    plan = manifest.plan
    damaged = []
    with reporter.progress("check", plan.shards, "shards") as advance:
        for record in manifest.shards:
            if not record.is_whole(folder):
                damaged.append(record.file)
            advance()
    result = {
        "passed": manifest.complete and not damaged,
        "showers": manifest.count,
        "shards": plan.shards,
        "finished": len(manifest.shards),
        "damaged": damaged,
    }
    reporter.result(
        f"{folder}: {len(manifest.shards)} of {plan.shards} shards are finished, "
        f"{len(damaged)} of them missing or changed; {manifest.count} of {plan.showers} showers",
        result,
    )
    if not result["passed"]:
        first = f"{damaged[0]} is missing or changed" if damaged else "it is not finished"
        raise GateFailed(f"{folder}: {first}; the same generate command mends it")
