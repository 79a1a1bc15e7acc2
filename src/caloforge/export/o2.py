"""AliceO2's fast simulation of the ZDC: the files that it reads, and what it does with them.

Shapes: N particles, 10 noise numbers, 9 conditions, Z latents, K cells = nx ny. Contract: AliceO2
``Detectors/ZDC``. ``fastsimulation/src/FastSimulations.cxx`` loads and runs the graphs at batch 1
on one thread and scales its inputs by a file (``Utils.cxx``, parse_block); ``simulation/src/
Detector.cxx`` (BeginPrimary, FastSimToHits) fills the inputs and takes the output for [y][x] values
of ln(1 + photons), which it truncates to whole photons.

Our generators take physical units, so the file holds means 0 and scales 1, which loses no bit; the
scale of the charge is 3, because O2 counts it in thirds of e. Counts are drawn inside the graph,
which leaves the truncation nothing to cut.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from caloforge.detector import Detector
from caloforge.detector.features import Feature
from caloforge.detectors import FACTS, facts_of
from caloforge.detectors.facts import AliceNames
from caloforge.documents import read_bytes
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.export import hit_classifier
from caloforge.export.bundle import (
    LARGEST_PULL,
    Bundle,
    CheckOptions,
    CheckResult,
    Contents,
    Finding,
    Graph,
    Options,
    ReaderFacts,
    generator_bytes,
    means_agree,
    require_latents,
)
from caloforge.export.drawing import Turns, draw
from caloforge.export.onnx_builder import FLOAT, OnnxBuilder, Output, Ports, Value, wrap
from caloforge.simulator import Simulator
from caloforge.simulator.reference import Reference
from caloforge.simulator.sampling import variance_of

LATENTS = 10
CONDITIONS = 9
CHARGE = 8
"""Column of the charge, which O2 gives in thirds of the elementary charge."""
FILES = ("generator.onnx", "scales.txt", "classifier.onnx", "classifier_scales.txt")
SECTORS = ("common", "tower1", "tower2", "tower3", "tower4")
SCHEME = "o2"
SOURCE = Path(__file__).with_name("o2_reader.cpp")
"""O2's sequence of calls in C++, through the C API of a given ONNX Runtime library."""
COMPILER = "g++"
SECONDS = 600
OFFSET = 0.01
SLOPE = 4e-6
"""What is added to a count, absolutely and relatively: more than float32 loses in ln and exp."""
BOUNDED = ("Energy", "mass", "charge")
"""Conditions kept in their training range; the others give the direction and stay as they are."""
SMALLEST, LARGEST = 2.0**-126, float(np.finfo(np.float32).max)
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
ENOUGH = 5.0
"""Photons, over all repeats, from which a fibre takes part in the comparison of images."""
LARGEST_LOSS = 1e-3


def adapt(simulator: Simulator, options: Options) -> Contents:
    """The four files of O2; without showers the classifier lets every particle pass.

    Raises UsageError for another detector and for a generator of more than 10 latents.
    """
    detector = simulator.detector
    alice = facts_of(detector).alice
    if alice is None or detector.layers[0].shape != FACTS[detector.name].detector.layers[0].shape:
        names = ", ".join(name for name, other in FACTS.items() if other.alice)
        raise UsageError(f"O2 has no fast simulation of {detector.name}; it has {names}")
    require_latents(simulator, LATENTS, "O2")
    classifier = None
    if options.showers is not None:
        table = hit_classifier.read_table(options.showers, detector)
        classifier = hit_classifier.train(table, seed=options.seed)
    text = identity_scales().text().encode("ascii")
    files = dict(
        zip(FILES, (generator_graph(simulator), text, hit_graph(classifier), text), strict=True)
    )
    particles = simulator.reference.conditions.astype(np.float64)
    facts: dict[str, Any] = {
        "classifier": classifier.record() if classifier else {"kind": "always"},
        "reference_hits": (
            classifier.hits(particles) if classifier else np.ones(len(particles), bool)
        ).tolist(),
    }
    paste = command_line(alice)
    return Contents(files, facts, readme(detector.name, paste, facts["classifier"]), paste)


def identity_scales() -> Scales:
    """Means and scales that hand the graph physical conditions, the charge in units of e."""
    scales = np.ones(CONDITIONS, dtype=np.float32)
    scales[CHARGE] = 3
    return Scales(np.zeros(CONDITIONS, dtype=np.float32), scales)


def generator_graph(simulator: Simulator) -> bytes:
    """Noise (N, 10) and particle (N, 9) in, ln(1 + photons) out as O2 addresses it.  (N, ny, nx)"""
    nx, ny = simulator.detector.layers[0].shape
    low, high = bounds(simulator)

    def before(noise: Value, particle: Value) -> tuple[Value, Value]:
        latents = noise.leading(simulator.latent_size, LATENTS)
        return latents, particle.at_least(low).at_most(high)

    def after(rates: Value, noise: Value, _: Value) -> Value:
        turns = Turns.of(noise, LATENTS, nx * ny)
        values = draw(rates, simulator.sampling, encoded, turns).reshape(-1, nx, ny)
        return values.builder.apply("Transpose", values, perm=[0, 2, 1])

    inputs: Ports = {"noise": ["batch", LATENTS], "particle": ["batch", CONDITIONS]}
    output = Output("log_photons", ["batch", ny, nx])
    return wrap(generator_bytes(simulator), inputs, output, before, after)


def encoded(counts: Value) -> Value:
    """The ln(1 + photons) of whole photons that truncation leaves whole."""
    return counts.builder.log(counts * (1 + SLOPE) + (1 + OFFSET))


def bounds(simulator: Simulator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest value of each condition that reaches the generator.  (9,), (9,)"""
    high = np.full(CONDITIONS, np.finfo(np.float32).max)
    low = -high
    for name in BOUNDED:
        column = simulator.detector.column(name)
        low[column], high[column] = simulator.card.training_ranges[name]
    return low.astype(np.float32), high.astype(np.float32)


def hit_graph(classifier: hit_classifier.HitClassifier | None) -> bytes:
    """Particle (N, 9) in; 1 where the generator is to run, else 0, out.  (N, 1)"""
    from caloforge.export.few_operators import in_few_operators

    builder = OnnxBuilder("hit")
    particle = Value("particle", builder)
    hit = passes(particle, classifier) if classifier else always(particle)
    builder.rename(hit, "hit")
    ports: Ports = {"particle": ["batch", CONDITIONS]}
    return in_few_operators(builder.model(ports, Output("hit", ["batch", 1])))


def always(particle: Value) -> Value:
    """1 for every particle.  (N, 1)"""
    return particle.builder.apply("Cast", abs(particle.columns(0, 1)) > -1.0, to=FLOAT)


def passes(particle: Value, classifier: hit_classifier.HitClassifier) -> Value:
    """1 where the impact point is one that can give light, else 0.  (N, 1)"""
    builder = particle.builder
    ranges = [classifier.ranges_cm[feature.name] for feature in classifier.features]
    low, high = np.array(ranges, dtype=np.float32).T
    place = impact_points(particle, classifier.detector, classifier.features)
    inside = abs(place - (low + high) / 2) < (high - low) / 2
    return builder.apply("ReduceMin", builder.apply("Cast", inside, to=FLOAT), axes=[1])


def impact_points(particle: Value, detector: Detector, features: Sequence[Feature]) -> Value:
    """The impact point along each axis, all at once where they differ in their columns only.

    (N, 9) -> (N, n)
    """
    columns = [[detector.column(name) for name in feature.of] for feature in features]
    first = features[0].model_dump(exclude={"name", "of"})
    if any(feature.model_dump(exclude={"name", "of"}) != first for feature in features):
        points = [
            feature.value(particle.builder, *(particle.chosen([column]) for column in of))
            for feature, of in zip(features, columns, strict=True)
        ]
        return particle.builder.apply("Concat", *points, axis=1)
    rows = (row[:1] if len(set(row)) == 1 else row for row in zip(*columns, strict=True))
    return features[0].value(particle.builder, *(particle.chosen(row) for row in rows))


def command_line(names: AliceNames) -> str:
    """The o2-sim command that uses a bundle."""
    which = names.o2_parameter
    keys = {
        "useZDCFastSim": "true",
        "ZDCFastSimClassifierPath": "$BUNDLE/classifier.onnx",
        "ZDCFastSimClassifierScales": "$BUNDLE/classifier_scales.txt",
        f"ZDCFastSimModelPath{which}": "$BUNDLE/generator.onnx",
        f"ZDCFastSimModelScales{which}": "$BUNDLE/scales.txt",
    }
    keys |= {"buildBeamLine": "false"}
    settings = ";".join(f"ZDCSimParam.{key}={value}" for key, value in keys.items())
    return f'o2-sim --configKeyValues "{settings};SimCutParams.maxAbsZTracking=1200"'


def readme(detector: str, paste: str, hits: Mapping[str, Any]) -> str:
    """What to paste, and what to know."""
    loss = f", loses {hits['lost_light']:.3%} of the light" if "lost_light" in hits else " on"
    return README.format(detector=detector, paste=paste, classifier=f"{hits['kind']}{loss}")


README = """# {detector} for AliceO2

    BUNDLE=$PWD
    {paste}

`maxAbsZTracking` stops transport before the ZDC; without it hits of full simulation are added.
`buildBeamLine=false` leaves out the beam line that nothing flies through then (O2 since September
2026, AliceO2 PR 15752; an older O2 refuses the key: leave it out).

- `caloforge check .` repeats what O2 does and compares with the native model.
- Hit classifier: {classifier}. O2 has one for both detectors: this one knows {detector} only.
- Counts are drawn inside the graph; O2's truncation takes nothing from them. Neither O2's noise nor
  the graph's can be seeded: productions do not repeat number by number. Workers that are forked
  draw different showers as long as O2 seeds their noise after the fork.
- Energy, mass and charge are kept in the training range (`bundle.json`).
- Opset 17, IR 8: onnxruntime 1.16 or later.
"""


@dataclass(frozen=True)
class Scales:
    """Means and scales of the nine conditions, as O2 holds them."""

    means: NDArray[np.float32]
    scales: NDArray[np.float32]

    def apply(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """(raw - mean) / scale in single precision.  (N, 9) -> (N, 9)"""
        return (raw - self.means) / self.scales

    def text(self) -> str:
        """The file, with numbers that read back as the same float32."""
        means, scales = ("".join(f"{value!s}\n" for value in part) for part in self._parts())
        return f"#means\n{means}\n#scales\n{scales}"

    def _parts(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.means.astype(np.float32), self.scales.astype(np.float32)


def read_scales(path: Path) -> Scales:
    """Means and scales of a file; DataError where O2 would stop or switch fast simulation off."""
    try:
        text = read_bytes(path, largest_bytes=1 << 20).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {error}") from error
    if "\r" in text:
        raise DataError(f"{path} has lines that end in CR LF; O2 reads LF only")
    lines = iter(text.split("\n"))
    blocks = [parse_block(lines, option, path) for option in ("#means", "#scales")]
    for option, block in zip(("#means", "#scales"), blocks, strict=True):
        if len(block) != CONDITIONS:
            raise DataError(f"{path}: {len(block)} numbers follow {option}, O2 wants {CONDITIONS}")
    means, scales = (np.array(block, dtype=np.float32) for block in blocks)
    if not (np.isfinite(means).all() and np.isfinite(scales).all() and scales.all()):
        raise DataError(f"{path}: a scale is 0 or a number is not finite; O2 divides by it")
    return Scales(means, scales)


def parse_block(lines: Iterator[str], option: str, path: Path) -> list[float]:
    """Numbers behind a line ``option``, up to an empty line; lines before it are skipped."""
    for line in lines:
        if line == option:
            break
    numbers = []
    for line in lines:
        if not line:
            break
        numbers.append(stof(line, path))
    return numbers


def stof(line: str, path: Path) -> float:
    """What ``std::stof`` makes of a line; DataError where it throws."""
    match = NUMBER.match(line)
    if match is None:
        raise DataError(f"{path}: O2 stops at {line!r}, which is no number")
    value = float(match[0])
    if value and not SMALLEST <= abs(value) <= LARGEST:
        raise DataError(f"{path}: O2 stops at {line.strip()}, which float32 cannot hold")
    return value


@dataclass(frozen=True)
class Response:
    """What O2 makes of one particle: whole photons of each fibre, and of each sector."""

    simulated: bool
    """Whether the classifier let the generator run."""
    photons: NDArray[np.int64]
    """(nx, ny), as O2 addresses them: pixel [x][y]."""
    sectors: NDArray[np.int64]
    """Common, then towers 1 to 4; a hit exists where there is light.  (5,)"""


class O2Reader:
    """The four files of a bundle, loaded as O2 loads them.

    Raises DataError where O2 would throw, or would go on without fast simulation.
    """

    def __init__(self, folder: Path, detector: str) -> None:
        generator, scales, classifier, classifier_scales = (folder / name for name in FILES)
        facts = FACTS.get(detector)
        if facts is None or facts.alice is None:
            raise DataError(f"{folder}: O2 has no fast simulation of {detector}")
        self.shape = facts.detector.layers[0].shape
        self.sector_of = SECTOR_MAPS[facts.alice.o2_towers](*self.shape)
        self.classifier_scales = read_scales(classifier_scales)
        self.classifier = load(classifier, (CONDITIONS,))
        self.scales = read_scales(scales)
        self.generator = load(generator, (LATENTS, CONDITIONS))
        self._try_out()

    def respond(self, raw: NDArray[np.float32], noise: NDArray[np.float32]) -> Response:
        """One primary particle.  raw (9,) in O2's units, noise (10,)"""
        if not self.is_hit(raw):
            return Response(False, np.zeros(self.shape, np.int64), np.zeros(5, np.int64))
        photons = truncated(self.image(raw, noise), self.shape)
        sectors = np.bincount(self.sector_of.ravel(), photons.ravel(), len(SECTORS))
        return Response(True, photons, sectors.astype(np.int64))

    def is_hit(self, raw: NDArray[np.float32]) -> bool:
        """Whether the classifier's first number rounds (a half away from 0) to something else."""
        answer = self.classifier.run(scaled(self.classifier_scales, raw)).ravel()
        return bool(np.floor(np.abs(answer[0]) + 0.5) != 0)

    def image(self, raw: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
        """The generator's output as it lies in memory.  (values,)"""
        return self.generator.run(noise.reshape(1, -1), scaled(self.scales, raw)).ravel()

    def _try_out(self) -> None:
        """The first call, so that a graph that cannot answer is found when it is loaded."""
        zeros = np.zeros(CONDITIONS, dtype=np.float32)
        if not self.classifier.run(zeros.reshape(1, -1)).size:
            raise DataError(f"{self.classifier.path} gives no number")
        values, n_values = self.image(zeros, zeros[:1].repeat(LATENTS)), np.prod(self.shape)
        if values.size < n_values:
            raise DataError(
                f"{self.generator.path} gives {values.size} values, O2 reads {n_values}"
            )


def load(path: Path, lengths: tuple[int, ...]) -> Graph:
    """A graph whose inputs take that many numbers each, once symbolic sizes are 1."""
    graph = Graph(path)
    graph.require_float32()
    if len(graph.inputs) != len(lengths):
        raise DataError(f"{path} has {len(graph.inputs)} inputs, O2 gives {len(lengths)}")
    graph.require_inputs(*((1, length) for length in lengths))
    return graph


def raw_input(conditions: NDArray[np.floating]) -> NDArray[np.float32]:
    """Physical conditions in O2's units: charge in thirds of e.  (N, 9) -> (N, 9)"""
    raw = conditions.astype(np.float32)
    raw[:, CHARGE] *= 3
    return raw


def scaled(scales: Scales, raw: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row of the graph's input.  (9,) -> (1, 9)"""
    return scales.apply(raw).reshape(1, -1)


def truncated(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Whole photons of pixel [x][y], which O2 finds at ``nx * y + x``.  (values,) -> (nx, ny)

    The conversion to int drops the fraction; what is not positive is no photon.
    """
    nx, ny = shape
    photons = np.expm1(values[: nx * ny].astype(np.float32)).reshape(ny, nx).T
    if not np.isfinite(photons).all():
        raise DataError("the generator gives values that are not finite; O2 would convert them")
    return np.maximum(photons.astype(np.int64), 0)


def neutron_sectors(nx: int, ny: int) -> NDArray[np.int64]:
    """Sector of each fibre of the ZN: every other one common, else its quadrant.  (nx, ny)"""
    x, y = np.indices((nx, ny))
    quadrant = 1 + (x >= nx // 2) + 2 * (y >= ny // 2)
    return np.where((x + y) % 2 == 0, 0, quadrant)


def proton_sectors(nx: int, ny: int) -> NDArray[np.int64]:
    """Sector of each fibre of the ZP: every other one common, else its strip.  (nx, ny)"""
    x, y = np.indices((nx, ny))
    return np.where((x + y) % 2 == 0, 0, 4 * x // nx + 1)


SECTOR_MAPS: dict[str, Callable[[int, int], NDArray[np.int64]]] = {
    "quadrants": neutron_sectors,
    "strips": proton_sectors,
}


@dataclass(frozen=True)
class Observed:
    """What the reader made of each reference particle, many times."""

    simulated: NDArray[np.bool_]
    """(n,)"""
    photons: NDArray[np.int64]
    """(n, R, K)"""
    sectors: NDArray[np.int64]
    """(n, R, 5)"""


def check(bundle: Bundle, options: CheckOptions) -> CheckResult:
    """Compare with the stored answers, by the emulator and, if asked for, by the C++ program.

    Raises DataError for a bundle that O2 cannot use.
    """
    detector, loss = bundle.card.detector, classifier_loss(bundle)
    for name in FILES:
        bundle.file(name)
    reader = O2Reader(bundle.folder, detector.name)
    reference = bundle.reference()
    bundle.require_checksums()
    start = time.perf_counter()
    raw, noise = repeated(reference, options.repeats)
    responses = [reader.respond(*row) for row in zip(raw, noise, strict=True)]
    seconds = (time.perf_counter() - start) / len(raw)
    findings = compare(bundle, reference, observed_of(responses, len(reference.latent)), "emulator")
    findings.append(loss)
    if options.native:
        with native_reader(options.library) as program:
            answers, microseconds = program.respond(bundle.folder, detector.name, raw, noise)
            observed = observed_of(answers, len(reference.latent))
            findings += compare(bundle, reference, observed, program.library.name)
        if np.isfinite(microseconds):
            text = f"{microseconds:.0f} us a particle, classifier and generator (median)"
            values = {"microseconds": microseconds}
            findings.append(Finding(f"{program.library.name}: time", True, text, values))
    text = f"{1e6 * seconds:.0f} us a particle, Python included"
    findings.append(Finding("time", True, text, {"microseconds": 1e6 * seconds}))
    return CheckResult("o2", tuple(findings))


def repeated(reference: Reference, repeats: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each reference particle R times in a row, in O2's units.  (n R, 9), (n R, 10)"""
    raw, noise = raw_input(reference.conditions), full_noise(reference.latent)
    return raw.repeat(repeats, axis=0), noise.repeat(repeats, axis=0)


def full_noise(latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Latents filled up to the ten that O2 draws; the generator ignores the rest.  (N, 10)"""
    return np.pad(latents, ((0, 0), (0, LATENTS - latents.shape[1])))


def observed_of(responses: list[Response], particles: int) -> Observed:
    """Responses by particle and repeat."""
    if not responses or len(responses) % particles:
        raise DataError(f"the reader gave {len(responses)} answers for {particles} particles")
    simulated = np.array([response.simulated for response in responses]).reshape(particles, -1)
    photons = np.stack([response.photons.ravel() for response in responses])
    sectors = np.stack([response.sectors for response in responses])
    shape = (particles, len(responses) // particles, -1)
    return Observed(
        np.asarray(simulated.all(axis=1)),
        photons.reshape(shape),
        sectors.reshape(shape),
    )


class ClassifierFacts(ReaderFacts):
    """The hit classifier, and the part of the light that it loses."""

    kind: str = "none"
    lost_light: float = Field(default=0.0, ge=0, le=1)


class O2Facts(ReaderFacts):
    """Which stored particles hit, and by what classifier."""

    reference_hits: tuple[bool, ...] = ()
    classifier: ClassifierFacts = ClassifierFacts()


def compare(bundle: Bundle, reference: Reference, observed: Observed, reader: str) -> list[Finding]:
    """Classifier, channel means, and the image fibre by fibre."""
    hit = np.array(bundle.reader(O2Facts).reference_hits, dtype=bool)
    if hit.shape != observed.simulated.shape:
        raise DataError(f"{bundle.folder}: the card does not say which reference particles hit")
    same = int((hit == observed.simulated).sum())
    text = f"{same} of {len(hit)} reference particles as when exported"
    hits = Finding(f"{reader}: classifier", same == len(hit), text, {"agree": same})
    if not (both := hit & observed.simulated).any():
        return [hits, Finding(f"{reader}: channels", False, "no particle gives light", {})]
    expected = reference.response[both].astype(np.float64)
    channels = compare_channels(bundle, expected, observed.sectors[both], reader)
    return [hits, channels, compare_images(bundle, expected, observed.photons[both], reader)]


def compare_channels(
    bundle: Bundle, expected: NDArray[np.float64], sectors: NDArray[np.int64], reader: str
) -> Finding:
    """Mean light of the sectors, against the native model's by our own scheme."""
    detector = bundle.card.detector
    labels = detector.scheme(SCHEME).labels
    order = [labels.index(sector) for sector in SECTORS]
    native = detector.read_out(expected, SCHEME)[:, order].mean(axis=0)
    variance = variance_of(expected, bundle.card.sampling)
    error = np.sqrt(detector.read_out(variance, SCHEME)[:, order].sum(axis=0) / sectors.shape[1])
    what = f"{reader}: mean of channels ({SCHEME})"
    means = sectors.mean(axis=(0, 1))
    return means_agree(what, SECTORS, means, native, error / len(expected))


def compare_images(
    bundle: Bundle, expected: NDArray[np.float64], photons: NDArray[np.int64], reader: str
) -> Finding:
    """Chi square of the summed image: a transposed or shifted one has an enormous one."""
    repeats = photons.shape[1]
    variance = variance_of(expected, bundle.card.sampling).sum(axis=0) * repeats
    usable = variance >= ENOUGH
    if not usable.any():
        return Finding(f"{reader}: image", True, "too little light to compare fibres", {})
    difference = photons.sum(axis=(0, 1)) - repeats * expected.sum(axis=0)
    squares = float((difference[usable] ** 2 / variance[usable]).sum())
    count = int(usable.sum())
    pull = (squares - count) / float(np.sqrt((2 + 1 / variance[usable]).sum()))
    text = f"chi square {squares:.0f} of {count} fibres ({pull:+.1f} sigma)"
    values = {"chi_square": squares, "fibres": count}
    return Finding(f"{reader}: image", pull <= LARGEST_PULL, text, values)


def classifier_loss(bundle: Bundle) -> Finding:
    """What the classifier lost on particles that it was not made from."""
    facts = bundle.reader(O2Facts).classifier
    fraction = facts.lost_light
    text = f"{facts.kind}, loses {fraction:.3%} of the light of particles not used for it"
    return Finding("hit classifier", fraction < LARGEST_LOSS, text, {"lost_light": fraction})


@dataclass(frozen=True)
class NativeReader:
    """A compiled reader and the library that it opens."""

    program: Path
    library: Path

    def respond(
        self, folder: Path, detector: str, raw: NDArray[np.float32], noise: NDArray[np.float32]
    ) -> tuple[list[Response], float]:
        """What it makes of rows of conditions in O2's units and noise, and in what time.

        (N, 9), (N, 10). The time is the median of those that are simulated, in us; else NaN.
        """
        generator, scales, classifier, classifier_scales = (folder / name for name in FILES)
        nx, ny = FACTS[detector].detector.layers[0].shape
        files = [self.library, classifier, classifier_scales, generator, scales]
        rows = np.concatenate([raw, noise], axis=1)
        text = "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in rows)
        command = [str(part) for part in (self.program, *files, nx, ny)]
        process = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=SECONDS
        )
        if process.returncode:
            raise DataError(f"{folder}: {self.library.name} says: {process.stderr.strip()[:300]}")
        *lines, microseconds = process.stdout.splitlines()
        return [_response(line, nx, ny) for line in lines], float(microseconds)


@contextmanager
def native_reader(library: Path | None = None) -> Iterator[NativeReader]:
    """The compiled reader for as long as the block lasts.

    Raises CaloforgeError without a compiler.
    """
    if shutil.which(COMPILER) is None:
        raise CaloforgeError(f"no {COMPILER} to compile {SOURCE.name} with")
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "o2_reader"
        command = [COMPILER, "-std=c++17", "-O1", str(SOURCE), "-o", str(program), "-ldl"]
        process = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        if process.returncode:
            raise CaloforgeError(f"{SOURCE.name} does not compile: {process.stderr[:300]}")
        yield NativeReader(program, library or installed_library())


def installed_library() -> Path:
    """The shared library inside the installed onnxruntime wheel."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    libraries = sorted(folder.glob("libonnxruntime.so*")) + sorted(
        folder.glob("libonnxruntime*.dylib")
    )
    if not libraries:
        raise CaloforgeError(f"{folder} holds no libonnxruntime; name one with --library")
    return libraries[0]


def _response(line: str, nx: int, ny: int) -> Response:
    numbers = np.array(line.split(), dtype=np.int64)
    return Response(bool(numbers[0]), numbers[6:].reshape(nx, ny), numbers[1:6])
