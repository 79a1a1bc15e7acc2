"""``caloforge generate``: showers by the million from a simulator, without torch."""

from pathlib import Path
from typing import Annotated

import typer

from caloforge.cli.options import Force, Json, Out, Quiet, Seed, reporter_of

WhichSimulator = Annotated[
    str,
    typer.Argument(
        metavar="SIMULATOR",
        help="A simulator folder, a run folder, or the name of a shipped simulator (alice_zn).",
        show_default=False,
    ),
]
Like = Annotated[
    Path | None,
    typer.Option(
        help="Showers file whose particles are used, again and again; default: the shipped sample.",
        show_default=False,
    ),
]
Number = Annotated[
    int | None,
    typer.Option("-n", "--showers", min=1, help="How many; default: as many as FILE has rows."),
]
Batch = Annotated[int, typer.Option(min=1, max=1024, help="Showers at once; changes no shower.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the network.")]
Scheme = Annotated[
    str | None, typer.Option(help="Read-out scheme of the channel sums; default: the detector's.")
]
NoImages = Annotated[bool, typer.Option("--no-images", help="Write channel sums only.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse conditions outside the training range.")
]


def command(
    simulator: WhichSimulator,
    out: Out,
    like: Like = None,
    showers: Number = None,
    seed: Seed = 0,
    batch: Batch = 256,
    threads: Threads = 1,
    scheme: Scheme = None,
    no_images: NoImages = False,
    strict: Strict = False,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Generate showers with a simulator: images, channel sums and conditions, in one file."""
    from caloforge.generate import Particles, generate
    from caloforge.simulator import Simulator
    from caloforge.simulators import find_simulator

    reporter = reporter_of(quiet, json)
    loaded = Simulator.load(find_simulator(simulator), threads=threads)
    loaded.check()
    particles = Particles.like(like or _sample(loaded.detector.name), loaded.detector)
    production = generate(
        loaded,
        particles,
        out,
        showers=showers or len(particles),
        seed=seed,
        batch=batch,
        scheme=scheme,
        images=not no_images,
        strict=strict,
        overwrite=force,
        reporter=reporter,
    )
    reporter.result(str(production), production.record())


def _sample(detector: str) -> Path:
    """The shipped showers of a detector."""
    from caloforge.data.samples import sample_path

    return sample_path(detector)
