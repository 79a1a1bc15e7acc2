"""``caloforge export``: a trained simulator as the files that another program reads."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from caloforge.cli import options
from caloforge.cli.options import (
    Force,
    Json,
    Out,
    Quiet,
    Seed,
    pdg_number,
    reporter_of,
    whole_number,
)
from caloforge.reporter import Reporter

if TYPE_CHECKING:
    from caloforge.simulator import SimulatorCard

Source = Annotated[
    str,
    typer.Argument(
        metavar="SIMULATOR",
        autocompletion=options.simulators,
        help="A run folder, a simulator folder, or the name of a shipped simulator (alice_zn).",
        show_default=False,
    ),
]
TargetName = Annotated[
    str,
    typer.Option(
        "--target",
        autocompletion=options.targets,
        help="Reader: o2, par04, ddml, ddml-library, fcs-ganv2, fcs-binned, triton; or int8, half.",
    ),
]
ShowersFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Showers that the hit classifier (o2) is made from, or whose particles fill a library "
        "(ddml-library); default: what the run was trained on, else the shipped sample.",
        show_default=False,
    ),
]
HitClassifier = Annotated[
    Literal["trained", "always"],
    typer.Option("--hit-classifier", help="Hit classifier of o2: made from showers, or always on."),
]
FormerShowersFile = Annotated[Path | None, typer.Option("--showers", hidden=True)]
FormerHitClassifier = Annotated[
    Literal["trained", "always"] | None, typer.Option("--classifier", hidden=True)
]
Mesh = Annotated[
    str | None,
    typer.Option(
        help="Mesh of par04, ddml, ddml-library and fcs-ganv2, such as 9x16x48.", show_default=False
    ),
]
Number = Annotated[
    int, whole_number("-n", "--number", most=10**8, help="Showers of a library (ddml-library).")
]
Pdg = Annotated[
    int | None,
    pdg_number(
        "Which of the particles that it was trained on; default: the card's.",
        show_default=False,
    ),
]
INT8, HALF = "int8", "half"
"""No other reader: the same simulator with 8-bit products, or weights in half precision."""


def command(
    simulator: Source,
    out: Out,
    target: TargetName,
    data: ShowersFile = None,
    hit_classifier: HitClassifier = "trained",
    mesh: Mesh = None,
    number: Number = 1000,
    pdg: Pdg = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
    former_data: FormerShowersFile = None,
    former_classifier: FormerHitClassifier = None,
) -> None:
    """Write a simulator for another program, and let an emulator of that program read it."""
    from caloforge.export.bundle import Options, export, target_of_name
    from caloforge.simulator import Simulator
    from caloforge.simulator.shipped import find_simulator

    reporter = reporter_of(quiet, json)
    showers, classifier = data or former_data, former_classifier or hit_classifier
    if target == INT8:
        return write_int8(simulator, out, showers, seed, force, reporter)
    if target == HALF:
        return write_half(simulator, out, force, reporter)
    target_of_name(target)
    model = Simulator.load(find_simulator(simulator))
    model.check()
    warn_of_quality(model.card, reporter)
    source = showers or trained_on(model.folder)
    if target == "o2" and classifier == "trained":
        source = showers or known_showers(model.folder, model.detector.name, reporter)
    elif target == "o2":
        source = None
    options = Options(source, parse_mesh(mesh), number, pdg, seed)
    contents, result = export(model, target, out, options, overwrite=force)
    record = {"bundle": out, "target": target, "files": sorted(contents.files)}
    text = f"{result}\nwritten to {out}: {', '.join(sorted(contents.files))}\n{contents.paste}"
    reporter.result(text, record | {"paste": contents.paste, "check": result.record()})
    return None


def warn_of_quality(card: "SimulatorCard", reporter: Reporter) -> None:
    """Say when the gate rejected what is exported."""
    from caloforge.report.card import gate_text

    if card.quality is not None and card.quality.accepted is False:
        reporter.warn(f"the gate: {gate_text(card.quality)}; the card says what is off")


def write_int8(
    simulator: str, out: Path, showers: Path | None, seed: int, force: bool, reporter: Reporter
) -> None:
    """A simulator with 8-bit products, if W1 of 50 000 showers allows it."""
    from caloforge.export.int8 import quantise
    from caloforge.simulator import Simulator
    from caloforge.simulator.shipped import find_simulator

    model = Simulator.load(find_simulator(simulator))
    model.check()
    source = showers or known_showers(model.folder, model.detector.name, reporter)
    result = quantise(model, source, out, seed=seed, overwrite=force, reporter=reporter)
    reporter.result(f"{result}\nwritten to {out}", result.record() | {"out": out})


def write_half(simulator: str, out: Path, force: bool, reporter: Reporter) -> None:
    """A simulator with weights in half precision, if its answers stay."""
    from caloforge.export.half_precision import halve
    from caloforge.simulator import GRAPH, Simulator

    model = Simulator.load(simulator)
    model.check()
    difference = halve(model, out, overwrite=force)
    sizes = [(folder / GRAPH).stat().st_size for folder in (model.folder, out)]
    text = f"{sizes[0]} -> {sizes[1]} bytes, cells move by {difference:.1e} of the largest one"
    reporter.result(
        f"{text}\nwritten to {out}", {"out": out, "bytes": sizes[1], "moved": difference}
    )


def parse_mesh(text: str | None) -> tuple[int, ...] | None:
    """Numbers of cells, such as 9x16x48; UsageError for anything else."""
    from caloforge.errors import UsageError

    if text is None:
        return None
    parts = text.split("x")
    if not all(re.fullmatch("[1-9][0-9]{0,3}", part, re.ASCII) for part in parts):
        raise UsageError(f"--mesh {text[:40]}: write numbers of cells, such as 9x16x48")
    return tuple(map(int, parts))


def trained_on(folder: Path) -> Path | None:
    """The showers that the run of a simulator was trained on, if they are still there."""
    from caloforge.training.folder import RunFolder

    data = RunFolder(folder.parent).data
    return data if data is not None and data.is_file() else None


def known_showers(folder: Path, detector: str, reporter: Reporter) -> Path:
    """What a run was trained on, else the shipped sample; UsageError when there is neither."""
    from caloforge.data.samples import SAMPLES, sample_path
    from caloforge.errors import UsageError

    if (data := trained_on(folder)) is not None:
        return data
    if detector not in SAMPLES:
        raise UsageError(f"no showers of {detector} ship: give --data FILE")
    sample = sample_path(detector)
    reporter.say(f"showers: the shipped sample {sample}; name others with --data")
    return sample
