"""``caloforge doctor``: what is installed, what it can run, and what ships with it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from caloforge import __version__
from caloforge.cli.options import Json, reporter_of

if TYPE_CHECKING:
    from rich.table import Table

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
}
USES = {
    "onnxruntime": "generate",
    "openvino": "generate, faster on some processors",
    "torch": "train",
    "geant4-pybind": "transport",
}


def command(json: Json = False) -> None:
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
    from caloforge.transport.tables import doctor

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
