"""``python -m benchmarks speed``: generators against the published one of their detector.

Shapes: B rows, Z latents, C conditions, K cells. All weights are random: what is timed does not
depend on them. Beside it stand whether the rewritten graphs still answer as torch does, and what
the networks reach once they are trained.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.contests import Contest, contest_of, untrained
from benchmarks.operations import multiply_adds
from benchmarks.quality import NOT_TRAINED, legend, quality_of
from benchmarks.report import Benchmark, Row
from benchmarks.timing import Timings, Work, take_turns
from caloforge.data.samples import sample_path
from caloforge.data.showers import ShowerFile
from caloforge.detector import Detector
from caloforge.export import o2
from caloforge.export.bundle import Options
from caloforge.export.onnx_builder import export_simulator
from caloforge.reporter import SILENT, Reporter
from caloforge.simulator import GRAPH, Simulator
from caloforge.simulator.engines import ENGINES, installed_engines
from caloforge.simulator.sampling import NegativeBinomial, draw_latents, stream

BATCHES = (1, 32, 256)
REFERENCE, REWRITTEN = "reference, torch eager", "reference rewritten"
SAME_FUNCTION = "the same function"
SGEMM, SGEMM_SIZE = "sgemm", 1024
TIMES = {1: 40}
"""Calls of one timing: one shower alone takes less than the clock is good for."""
EAGER_TIMES = {1: 4}
CLUMPS = NegativeBinomial(excess=0.2)
"""The law of counts that the bundle of O2 draws by, as the recipes have it."""


@dataclass(frozen=True)
class Contender:
    """Something that answers latents and conditions."""

    name: str
    run: Callable[[NDArray[np.float32], NDArray[np.float32]], Any]
    operations: int | None = None
    """Multiply-adds of a row."""
    exact: bool = False
    """Whether it has to answer as the reference does."""
    batches: tuple[int, ...] = BATCHES
    quality: str = NOT_TRAINED
    """Of the trained network."""


def bench_speed(
    detector: str = "alice_zn",
    *,
    rounds: int = 7,
    batches: tuple[int, ...] = BATCHES,
    reporter: Reporter = SILENT,
) -> Benchmark:
    """All contenders at all batch sizes, on one thread; UsageError for an unpublished detector."""
    contest = contest_of(detector)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
            field = contenders(contest, Path(scratch))
            rows: list[Row] = []
            ceilings: list[float] = []
            for batch in batches:
                timed_rows, ceiling = _at_batch(contest, field, batch, rounds, reporter)
                rows += timed_rows
                ceilings.append(ceiling)
    finally:
        torch.set_num_threads(threads)
    figures = {"sgemm 1024^3, GFLOP/s": float(np.median(ceilings))}
    return Benchmark(contest.what, rows, figures, [legend(contest.detector), NO_TRANSPORT])


NO_TRANSPORT = "speed-up over transport: not stated without a measured time (--transport FILE)"


def contenders(contest: Contest, scratch: Path) -> list[Contender]:
    """The reference first."""
    detector = contest.detector
    with ShowerFile(sample_path(detector.name)) as file:
        conditions = file.conditions
    configs = {REWRITTEN: contest.reference, **contest.others}
    networks = {name: untrained(config, detector, conditions) for name, config in configs.items()}
    for name, network in networks.items():
        latents, law = configs[name].latent, CLUMPS if detector.counts else None
        export_simulator(
            network,
            detector,
            {},
            conditions,
            scratch / name,
            latent_size=latents,
            sampling=law,
        )
    qualities = {name: quality_of(detector, config) for name, config in configs.items()}
    eager = _eager(networks[REWRITTEN], contest.reference.latent)
    field = [Contender(REFERENCE, eager, quality=qualities[REWRITTEN])]
    for name, config in configs.items():
        field += _graphs(name, scratch / name, config.latent, qualities[name])
    bundle = contest.bundle
    if bundle is None:
        return field
    return [*field, _o2_bundle(scratch / bundle, detector, qualities[bundle])]


def _eager(network: nn.Module, size: int) -> Callable[..., Any]:
    def run(latents: NDArray[np.float32], conditions: NDArray[np.float32]) -> Any:
        return network(torch.from_numpy(latents[:, :size]), torch.from_numpy(conditions)).numpy()

    return run


def _graphs(label: str, folder: Path, size: int, quality: str) -> list[Contender]:
    """A generator's exported graph on every engine that is installed."""
    model = (folder / GRAPH).read_bytes()
    operations = multiply_adds(model)
    return [
        Contender(
            f"{label}, {name}",
            _first(ENGINES[name](model, 1, label).run, size),
            operations,
            exact=label == REWRITTEN,
            quality=SAME_FUNCTION if label == REWRITTEN else quality,
        )
        for name in installed_engines()
    ]


def _first(run: Callable[..., Any], size: int) -> Callable[..., Any]:
    """Gives a generator as many latents as it wants."""
    return lambda latents, conditions: run(np.ascontiguousarray(latents[:, :size]), conditions)


def _o2_bundle(folder: Path, detector: Detector, quality: str) -> Contender:
    """What O2 runs for one particle: the hit classifier, then the generator that draws counts."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    contents = o2.adapt(Simulator.load(folder), Options(showers=sample_path(detector.name)))
    graphs = [entry for name, entry in contents.files.items() if name.endswith(".onnx")]
    sessions = [
        onnxruntime.InferenceSession(graph, settings, providers=["CPUExecutionProvider"])
        for graph in graphs
    ]
    feeds = [[port.name for port in session.get_inputs()] for session in sessions]

    def run(latents: NDArray[np.float32], conditions: NDArray[np.float32]) -> Any:
        inputs = {latents.shape[1]: latents, conditions.shape[1]: conditions}
        for session, names in zip(sessions, feeds, strict=True):
            sizes = {port.name: port.shape[-1] for port in session.get_inputs()}
            session.run(None, {name: inputs[sizes[name]] for name in names})

    name = "o2 bundle: classifier + generator"
    return Contender(name, run, batches=(1,), quality=quality)


def _at_batch(
    contest: Contest, field: list[Contender], batch: int, rounds: int, reporter: Reporter
) -> tuple[list[Row], float]:
    """Rows of one batch size, and the core's sgemm in GFLOP/s."""
    entered = [contender for contender in field if batch in contender.batches]
    latents, conditions = inputs(contest, batch)
    left = torch.randn(SGEMM_SIZE, SGEMM_SIZE)
    right = torch.randn(SGEMM_SIZE, SGEMM_SIZE)
    work: dict[str, Work] = {SGEMM: lambda: torch.mm(left, right)}
    for entry in entered:
        work[entry.name] = _repeat(entry, latents, conditions, _times(entry, batch))
    timings = take_turns(work, rounds, reporter, f"batch {batch}")
    rate = 2 * SGEMM_SIZE**3 / timings.median(SGEMM) / 1e9
    expected = np.asarray(entered[0].run(latents, conditions))
    rows = [
        _row(entry, batch, timings, _error(entry, expected, latents, conditions))
        for entry in entered
    ]
    return rows, rate


def _times(entry: Contender, batch: int) -> int:
    return (EAGER_TIMES if entry.name == REFERENCE else TIMES).get(batch, 1)


def _repeat(
    entry: Contender,
    latents: NDArray[np.float32],
    conditions: NDArray[np.float32],
    times: int,
) -> Work:
    def call() -> None:
        for _ in range(times):
            entry.run(latents, conditions)

    return call


def inputs(contest: Contest, batch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Latents, and conditions of real particles.  (B, Z), (B, C)"""
    with ShowerFile(sample_path(contest.detector.name)) as file:
        rows = np.linspace(0, len(file) - 1, batch).astype(int)
        conditions = file.conditions[rows].astype(np.float32)
    return draw_latents(stream(0, 0, 0), batch, contest.latents), conditions


def _error(
    entry: Contender,
    expected: NDArray[np.float32],
    latents: NDArray[np.float32],
    conditions: NDArray[np.float32],
) -> float | None:
    if not entry.exact:
        return None
    scale = float(np.abs(expected).max()) or 1.0
    return float(np.abs(entry.run(latents, conditions) - expected).max()) / scale


def _row(entry: Contender, batch: int, timings: Timings, error: float | None) -> Row:
    """A contender's figures at a batch size."""
    scale = _times(entry, batch) / EAGER_TIMES.get(batch, 1)
    seconds = timings.median(entry.name) / _times(entry, batch)
    ratio = timings.ratio(REFERENCE, entry.name)
    share = None
    if entry.operations is not None:
        own = 2 * entry.operations * batch * _times(entry, batch)
        share = timings.ratio(SGEMM, entry.name).median * own / (2 * SGEMM_SIZE**3)
    return Row(
        name=entry.name,
        batch=batch,
        microseconds=seconds / batch * 1e6,
        ratio=ratio.median * scale,
        ratio_low=ratio.low * scale,
        ratio_high=ratio.high * scale,
        sgemm_share=share,
        error=error,
        quality=entry.quality,
    )


__all__ = ["BATCHES", "bench_speed", "contenders"]
