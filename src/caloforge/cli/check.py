"""``caloforge check``: is a bundle, a simulator, a run or a showers file what it should be?

``caloforge doctor``: what is installed, what it can run, and what ships with it.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caloforge import __version__
from caloforge.cli.options import Json, Quiet, reporter_of, whole_number
from caloforge.errors import DataError, GateFailed
from caloforge.export.bundle import CheckOptions
from caloforge.io.productions import is_production
from caloforge.reporter import Reporter

if TYPE_CHECKING:
    from rich.table import Table


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
    from caloforge.export.bundle import check_bundle

    result = check_bundle(folder, options)
    reporter.result(str(result), result.record())
    if failures := [finding for finding in result.findings if not finding.passed]:
        raise GateFailed(f"{folder}: {failures[0].what}: {failures[0].text}")


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
    from caloforge.generate.plan import MANIFEST, read_manifest

    if not (folder / MANIFEST).is_file():
        raise GateFailed(
            f"{folder} holds the parts of an array of jobs: the same generate command without "
            "--shard joins them"
        )
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


CORE = (
    "numpy",
    "h5py",
    "scipy",
    "pydantic",
    "typer",
    "rich",
    "onnxruntime",
    "jinja2",
    "matplotlib",
    "particle",
)
OPTIONAL = {
    "torch": "train",
    "onnx": "train",
    "onnxscript": "train",
    "uproot": "root",
    "awkward": "root",
    "mplhep": "plots",
    "dask": "cluster",
    "dask-jobqueue": "cluster",
    "geant4-pybind": "geant4",
    "openvino": "openvino",
    "hdf5plugin": "fast",
    "scikit-learn": "metrics",
    "pyarrow": "tables",
    "pyhepmc": "tables",
    "tensorboard": "tensorboard",
}
USES = {
    "onnxruntime": "generate",
    "openvino": "generate, faster on some processors",
    "torch": "train",
    "geant4-pybind": "transport",
}


def doctor(json: Json = False) -> None:
    """Tell versions, cores, engines, shipped samples and simulators."""
    record = examination()
    reporter_of(False, json).result(as_table(record), record)


def examination() -> dict[str, Any]:
    """All that ``doctor`` tells, as one JSON record."""
    packages = {name: installed(name) for name in (*CORE, *OPTIONAL)}
    return {
        "caloforge": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **hardware(),
        "packages": packages,
        "engines": {name: packages[name] for name in USES},
        "transport": transport_tables(),
        "gpus": gpus(),
        "samples": samples(),
        "simulators": simulators(),
    }


def installed(name: str) -> str | None:
    """Version of an installed distribution, without importing it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def hardware() -> dict[str, Any]:
    """Processor, cores that this process may use, and the thread limit that libraries obey."""
    from caloforge.machine import processor

    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "usable_cores": len(affinity(0)) if affinity else os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }


def transport_tables() -> str:
    """Which data tables Geant4 would read here: official ones or formula stand-ins."""
    from caloforge.transport.data_tables import doctor

    return doctor()["tables"]


def gpus() -> list[str]:
    """Names of the CUDA devices that torch can use; none where torch is missing."""
    if installed("torch") is None:
        return []
    import torch

    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def samples() -> list[dict[str, Any]]:
    """The shipped shower files: the name that verbs take, path and showers in each."""
    import h5py

    from caloforge.data.samples import SAMPLES, sample_path

    records = []
    for name in SAMPLES:
        path = sample_path(name)
        with h5py.File(path) as file:
            records.append({"name": name, "path": path, "showers": len(file["particle"])})
    return records


def simulators() -> list[dict[str, Any]]:
    """The shipped simulators: name and folder."""
    from caloforge.simulator.shipped import shipped_simulator, shipped_simulators

    return [{"name": name, "path": shipped_simulator(name)} for name in shipped_simulators()]


def as_table(record: dict[str, Any]) -> Table:
    """The record for people: what is there, and what to install for what is not."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("caloforge", str(record["caloforge"]))
    table.add_row("python", f"{record['python']} on {record['platform']}")
    table.add_row("processor", record["processor"])
    table.add_row("cores", f"{record['usable_cores']} of {record['cores']} usable")
    table.add_row("threads", f"OMP_NUM_THREADS={record['threads'] or 'not set'}")
    table.add_row("GPUs", ", ".join(record["gpus"]) or "none that torch can use")
    table.add_row("transport", record["transport"])
    for name, release in record["packages"].items():
        purpose = f"  for {USES[name]}" if name in USES else ""
        table.add_row(name, f"{release or advice(name)}{purpose}")
    for kind in ("samples", "simulators"):
        entries = [f"{entry['name']} in {entry['path']}" for entry in record[kind]]
        table.add_row(kind, "\n".join(entries) or "none")
    return table


def advice(name: str) -> str:
    """How to get a package that is missing."""
    from rich.markup import escape

    from caloforge.machine import install

    return escape(f"missing: {install(OPTIONAL[name])}") if name in OPTIONAL else "missing"
