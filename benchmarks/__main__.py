"""``python -m benchmarks``: speed on this machine, never a speed-up without a measured time."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caloforge.cli import CONTEXT, run
from caloforge.cli.options import Force, Json, Quiet, reporter_of, require_heeded
from caloforge.reporter import Reporter

if TYPE_CHECKING:
    from benchmarks.report import Benchmark
    from caloforge.detector import Detector

command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Measure speed on this machine.",
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
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
Against = Annotated[
    Path | None,
    typer.Option(help="JSON of an older run: fail where a ratio fell by a fifth."),
]
OutJson = Annotated[
    Path | None, typer.Option("--out", "-o", help="Write the figures as JSON.", show_default=False)
]


OVER_TRANSPORT = ("simulator", "transport", "rounds", "out", "force", "quiet", "json")
"""What ``speed --transport`` heeds."""


@command.command("speed")
def speed(
    context: typer.Context,
    simulator: WhichSimulator = None,
    transport: TransportFile = None,
    detector: Annotated[
        str, typer.Option(help="Whose generators, without --transport.")
    ] = "alice_zn",
    rounds: Rounds = 7,
    against: Against = None,
    out: OutJson = None,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """CPU time of generators against the published one in torch; with --transport, against it."""
    from caloforge.errors import UsageError

    reporter = reporter_of(quiet, json)
    if transport is not None:
        require_heeded(context, "--transport", *OVER_TRANSPORT)
        return over_transport(simulator, transport, rounds, out, force, reporter)
    if simulator is not None:
        raise UsageError("no speed-up without a measured transport time: give --transport FILE")
    from benchmarks.contenders import bench_speed

    result = bench_speed(detector, rounds=rounds, reporter=reporter)
    return finish(result, against, out, force, reporter)


@command.command("train")
def train(
    rounds: Annotated[int, typer.Option(min=2, help="Steps of each pair.")] = 3,
    against: Against = None,
    out: OutJson = None,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """CPU time of a training step of our pair of networks against the authors' pair."""
    from benchmarks.training import bench_train

    reporter = reporter_of(quiet, json)
    finish(bench_train(rounds=rounds, reporter=reporter), against, out, force, reporter)


@command.command("end-to-end")
def end_to_end(
    simulator: Annotated[str, typer.Argument(metavar="SIMULATOR")] = "alice_zn",
    showers: Annotated[int, typer.Option("-n", min=1024, help="Showers of a production.")] = 20_000,
    engine: Annotated[str, typer.Option(help="onnxruntime or openvino.")] = "onnxruntime",
    workers: Annotated[bool, typer.Option(help="Measure a second worker, too.")] = True,
    against: Against = None,
    out: OutJson = None,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Showers to HDF5 on one core, stage by stage: rate, memory, bytes; and a second worker."""
    from benchmarks.end_to_end import bench_end_to_end, packings_here
    from caloforge.simulator.shipped import find_simulator

    reporter = reporter_of(quiet, json)
    result = bench_end_to_end(
        find_simulator(simulator),
        showers=showers,
        packings=packings_here(),
        engine=engine,
        scaling=workers,
        reporter=reporter,
    )
    finish(result, against, out, force, reporter)


def finish(
    result: "Benchmark", against: Path | None, out: Path | None, force: bool, reporter: Reporter
) -> None:
    """Write and show a benchmark, then compare its ratios with an older one's."""
    from benchmarks.report import require_no_loss
    from caloforge.io.files import write_aside
    from caloforge.reporter import to_json

    if out is not None:
        with write_aside(out, overwrite=force) as aside:
            aside.write_text(to_json(result.record()) + "\n", encoding="utf-8")
    reporter.result(result.table(), result.record())
    if against is not None:
        for line in require_no_loss(result, against):
            reporter.say(line)


def over_transport(
    simulator: str | None,
    transport: Path,
    rounds: int,
    out: Path | None,
    force: bool,
    reporter: Reporter,
) -> None:
    """The speed-up over transport, by energy, on the same particles."""
    import tempfile

    from benchmarks.transport_speed import speed_up
    from caloforge.data.showers import ShowerFile
    from caloforge.io.files import write_aside
    from caloforge.reporter import to_json
    from caloforge.simulator import Simulator
    from caloforge.simulator.shipped import find_simulator, shipped_simulators

    with ShowerFile(transport) as file:
        detector = file.detector
    with tempfile.TemporaryDirectory() as scratch:
        name = simulator or (detector.name if detector.name in shipped_simulators() else None)
        folder = find_simulator(name) if name else _untrained(detector, transport, Path(scratch))
        result = speed_up(
            transport, Simulator.load(folder), trained=bool(name), rounds=rounds, reporter=reporter
        )
    if out is not None:
        with write_aside(out, overwrite=force) as aside:
            aside.write_text(to_json(result.record()) + "\n", encoding="utf-8")
    reporter.result(result.table(), result.record())


def _untrained(detector: "Detector", transport: Path, scratch: Path) -> Path:
    """The light network with random weights, exported for a detector that has no simulator."""
    import numpy as np
    import torch

    from caloforge.data.derive import FeatureScaling
    from caloforge.data.showers import ShowerFile
    from caloforge.detectors import facts_of
    from caloforge.export.onnx_builder import export_simulator
    from caloforge.networks.generators import GeneratorConfig
    from caloforge.transport import draw

    spectrum = min(facts_of(detector).spectra)
    with ShowerFile(transport) as file:  # a wide range: random weights must not meet outliers
        conditions = np.concatenate([draw(spectrum, detector, 2000, 0).conditions, file.conditions])
    config = GeneratorConfig()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = config.build(detector, FeatureScaling.fit(detector, conditions))
    folder = scratch / "light-untrained"
    export_simulator(generator, detector, {}, conditions, folder, latent_size=config.latent)
    return folder


if __name__ == "__main__":
    sys.exit(run(command, "python -m benchmarks"))
