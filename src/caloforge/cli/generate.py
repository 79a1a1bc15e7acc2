"""``caloforge generate``: showers by the million from a simulator, without torch."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from caloforge.cli import options
from caloforge.cli.options import (
    Force,
    Json,
    Out,
    ParticlesFile,
    PdgNumbers,
    Quiet,
    Seed,
    Workers,
    reporter_of,
    showers_file,
    whole_number,
)
from caloforge.machine import MOST_THREADS

WhichSimulator = Annotated[
    str,
    typer.Argument(
        metavar="SIMULATOR",
        autocompletion=options.simulators,
        help="A simulator folder, a run folder, or the name of a shipped simulator (alice_zn).",
        show_default=False,
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        parser=showers_file,
        metavar="FILE",
        help="Showers file whose particles are used, again and again; default: the shipped sample.",
        show_default=False,
    ),
]
SpectrumName = Annotated[
    str | None,
    typer.Option(
        "--spectrum",
        autocompletion=options.spectra,
        help="Named particles instead: spectator-neutrons, photons, hadron-mix, ...",
        show_default=False,
    ),
]
Number = Annotated[
    int | None,
    whole_number("-n", "--showers", help="How many; default: as many as FILE has rows."),
]
Batch = Annotated[
    int | None,
    whole_number(most=1024, help="Showers at once; changes no shower.  [default: 64]"),
]
Threads = Annotated[
    int | None,
    whole_number(most=MOST_THREADS, help="Threads of the network.  [default: 1]"),
]
EngineName = Annotated[
    str | None,
    typer.Option("--engine", help="onnxruntime or openvino.  [default: the faster one, measured]"),
]
Scheme = Annotated[
    str | None, typer.Option(help="Read-out scheme of the channel sums; default: the detector's.")
]
NoImages = Annotated[bool, typer.Option("--no-images", help="Write channel sums only.")]
FormatName = Annotated[
    Literal["hdf5", "root"] | None,
    typer.Option("--format", help="Default: ROOT for --out *.root, else HDF5."),
]
PackingName = Annotated[
    Literal["portable", "fast"],
    typer.Option("--compression", help="fast: readers need hdf5plugin, extra fast."),
]
Shards = Annotated[
    int | None,
    whole_number(most=10**6, help="Write a folder of so many shards, which can go on."),
]
ShardSize = Annotated[
    int | None, whole_number(help="Showers of a shard, rounded up to a multiple of 1024.")
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="K/N",
        help="Make only the share of job K of an array of N jobs; the same command without it "
        "joins their manifests.",
        show_default=False,
    ),
]
Executor = Annotated[
    Literal["iterative", "futures", "dask"],
    typer.Option(help="Who makes shards: this process, processes beside it, a Dask cluster."),
]
Cluster = Annotated[
    str, typer.Option(help="Of Dask: local, slurm, htcondor, or a scheduler's address.")
]
ClusterOptions = Annotated[
    Path | None, typer.Option(help="JSON of what the cluster's class takes (queue, walltime, ...).")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the plan and the batch job; make nothing.")
]
Outside = Annotated[
    Literal["warn", "skip", "clamp", "strict"],
    typer.Option(
        help="Particles outside what the simulator was trained for: make them and warn, leave them "
        "out, move them to the nearest edge, or refuse."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="The same as --outside strict.")]


def command(
    simulator: WhichSimulator,
    out: Out,
    like: Like = None,
    particles: ParticlesFile = None,
    pdg: PdgNumbers = None,
    spectrum: SpectrumName = None,
    showers: Number = None,
    seed: Seed = 0,
    engine: EngineName = None,
    batch: Batch = None,
    threads: Threads = None,
    scheme: Scheme = None,
    no_images: NoImages = False,
    file_format: FormatName = None,
    compression: PackingName = "portable",
    shards: Shards = None,
    shard_size: ShardSize = None,
    shard: Shard = None,
    executor: Executor = "iterative",
    workers: Workers = 1,
    cluster: Cluster = "local",
    cluster_options: ClusterOptions = None,
    dry_run: DryRun = False,
    outside: Outside = "warn",
    strict: Strict = False,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Generate showers with a simulator: images, channel sums and conditions.

    One file, or with --shards or --shard-size a folder of them: interrupted, the same command goes
    on; the arrays depend neither on workers nor on interruptions.
    """
    from caloforge.generate.options import GenerateOptions

    arguments = dict(locals())
    reporter = reporter_of(arguments.pop("quiet"), arguments.pop("json"))
    arguments |= {"pdg": tuple(arguments.pop("pdg") or ())}
    arguments.pop("GenerateOptions")
    outcome = GenerateOptions(**arguments).carry_out(reporter)
    reporter.result(str(outcome), outcome.record())
