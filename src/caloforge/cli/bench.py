"""``caloforge bench``: speed on this machine, never a speed-up without a measured time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caloforge.cli.options import Force, Json, Quiet, reporter_of

if TYPE_CHECKING:
    from caloforge.detector import Detector

command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Measure speed on this machine.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@command.callback()
def bench() -> None:
    """Measure speed on this machine."""


WhichSimulator = Annotated[
    str | None,
    typer.Argument(
        metavar="[SIMULATOR]",
        help="Folder, run, or shipped name; default: the shipped one of the file's detector, else "
        "the light network untrained (speed only).",
        show_default=False,
    ),
]
TransportFile = Annotated[
    Path | None,
    typer.Option("--transport", help="Showers of `caloforge transport` with their CPU seconds."),
]
Rounds = Annotated[int, typer.Option(min=2, help="Timings of each row.")]
OutJson = Annotated[
    Path | None, typer.Option("--out", "-o", help="Write the figures as JSON.", show_default=False)
]


@command.command("speed")
def speed(
    simulator: WhichSimulator = None,
    transport: TransportFile = None,
    rounds: Rounds = 7,
    out: OutJson = None,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """CPU time of a simulator and its speed-up over transport, by energy, on the same particles."""
    import tempfile

    from caloforge.data.showers import ShowerFile
    from caloforge.errors import UsageError
    from caloforge.files import write_aside
    from caloforge.reporter import to_json
    from caloforge.simulator import Simulator
    from caloforge.simulators import find_simulator, shipped_simulators
    from caloforge.transport.speed import speed_up

    if transport is None:
        raise UsageError("no speed-up without a measured transport time: give --transport FILE")
    reporter = reporter_of(quiet, json)
    with ShowerFile(transport) as file:
        detector = file.detector
    with tempfile.TemporaryDirectory() as scratch:
        name = simulator or (detector.name if detector.name in shipped_simulators() else None)
        folder = find_simulator(name) if name else _untrained(detector, transport, Path(scratch))
        found = speed_up(
            transport, Simulator.load(folder), trained=bool(name), rounds=rounds, reporter=reporter
        )
    if out is not None:
        with write_aside(out, overwrite=force) as aside:
            aside.write_text(to_json(found.record()) + "\n", encoding="utf-8")
    reporter.result(found.table(), found.record())


def _untrained(detector: "Detector", transport: Path, scratch: Path) -> Path:
    """The light network with random weights, exported for a detector that has no simulator."""
    import torch

    from caloforge.data.scaling import FeatureScaling
    from caloforge.data.showers import ShowerFile
    from caloforge.export.onnx import export_simulator
    from caloforge.networks.generators import GeneratorConfig

    with ShowerFile(transport) as file:
        conditions = file.conditions
    config = GeneratorConfig()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = config.build(detector, FeatureScaling.fit(detector, conditions))
    folder = scratch / "light-untrained"
    export_simulator(generator, detector, {}, conditions, folder, latent_size=config.latent)
    return folder
