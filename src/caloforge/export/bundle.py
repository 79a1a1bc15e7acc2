"""A bundle: the files that another program reads, and bundle.json that says what they are.

What a check of a bundle gives, and an ONNX file as foreign readers load it.

Foreign readers load standard operators, one file, one thread.

The programs that a simulator is exported for; each adapter is loaded when it is called.

A target is a module with ``adapt(simulator, options) -> Contents``, which writes, and
``check(bundle, options) -> CheckResult``, an emulator of the program, written from the program's
contract. Checking needs neither torch nor onnx.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePath
from typing import Annotated, Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError, model_validator

import caloforge
from caloforge.detector import Detector
from caloforge.documents import Document, Record, flaw_of, read_bytes
from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.io.files import sha256_of, write_aside_folder
from caloforge.io.reading import reading
from caloforge.machine import require_seed
from caloforge.report.card import quality_text
from caloforge.simulator import GRAPH, Simulator
from caloforge.simulator.card import LARGEST_CARD_BYTES, PdgNumber, Quality, Range
from caloforge.simulator.engines import Session
from caloforge.simulator.onnx_safety import read_facts, refuse_foreign
from caloforge.simulator.reference import Reference, read_reference
from caloforge.simulator.sampling import Sampling

CARD, REFERENCE = "bundle.json", "reference.npz"


class ReaderFacts(Record):
    """What an emulator has to know of a bundle; each reader has its own."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


Facts = TypeVar("Facts", bound=ReaderFacts)
Cells = Annotated[int, Field(ge=1, le=1024)]
"""Cells along an axis of a reader's mesh."""
Size = Annotated[float, Field(gt=0)]


class BundleCard(Document):
    """What bundle.json says."""

    FORMAT = "caloforge-bundle"
    VERSION = 2
    LARGEST_BYTES = LARGEST_CARD_BYTES

    target: str
    detector: Detector
    latent_size: int = Field(ge=1, le=65536)
    """Latents that the generator has; the reader may draw more."""
    sampling: Sampling
    training_ranges: dict[str, Range]
    files: dict[str, str]
    """SHA-256 of each file that the reader reads, and of the stored answers."""
    reader: dict[str, Any] = Field(default={})
    """What this reader's emulator has to know (mesh, energy range, classifier, ...)."""
    generator_sha256: str
    recipe: dict[str, Any]
    provenance: dict[str, str] = Field(default={})
    caloforge_version: str
    species: tuple[PdgNumber, ...] = ()
    """PDG numbers that the generator was trained on."""
    cpu_seconds: float | None = None
    quality: Quality | None = None
    """Of the simulator; None: not evaluated."""
    weaknesses: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_stay_inside(self) -> Self:
        for name in self.files:
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise ValueError(f"file {name} is not inside the bundle")
        return self


class Bundle:
    """A bundle's folder and card."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.card = read_card(self.folder / CARD)

    def reader(self, facts: type[Facts]) -> Facts:
        """What the reader's emulator has to know; DataError where the card does not tell."""
        try:
            return facts.model_validate(self.card.reader)
        except ValidationError as error:
            raise DataError(f"{self.folder / CARD}: reader.{flaw_of(error)}") from error

    def file(self, name: str) -> Path:
        """Path of a file of the bundle; DataError when the card or the folder lacks it."""
        path = self.folder / name
        if name not in self.card.files:
            raise DataError(f"{self.folder / CARD} names no {name}")
        if not path.is_file():
            raise DataError(f"{path} is missing; export again")
        return path

    def reference(self) -> Reference:
        """Stored latents, conditions and expected cells of the native model."""
        detector = self.card.detector
        sizes = (self.card.latent_size, len(detector.columns), detector.cells)
        return read_reference(self.file(REFERENCE), *sizes)

    def require_checksums(self) -> None:
        """Raise DataError when a file is not the one that was exported."""
        for name, checksum in self.card.files.items():
            if sha256_of(self.file(name)) != checksum:
                raise DataError(f"{self.folder / name} is not the file that {CARD} describes")


def read_card(path: str | Path) -> BundleCard:
    """The card of a bundle; DataError names what is wrong with it, a newer version by number."""
    return BundleCard.read(Path(path))


@dataclass(frozen=True)
class Options:
    """What an adapter may need beside the simulator; each takes what it knows."""

    showers: str | Path | None = None
    """Showers that a classifier is made from, or whose particles fill a library."""
    mesh: tuple[int, ...] | None = None
    """Cells along the axes of a reader's mesh, in the reader's order."""
    count: int = 1000
    """Showers of a library."""
    particle: int | None = None
    """PDG number of the particles; default: the species of the card."""
    seed: int = 0


@dataclass(frozen=True)
class Contents:
    """What an adapter makes: files by name, facts for the reader's emulator, a README."""

    files: Mapping[str, bytes]
    facts: Mapping[str, Any]
    readme: str
    paste: str = ""
    """What the user has to type or to write next, on one line."""
    reference: Reference | None = None
    """The native model's answers to what the reader can ask; default: the simulator's own."""


def generator_bytes(simulator: Simulator) -> bytes:
    """The generator's graph as it was loaded, in few operators."""
    from caloforge.export.few_operators import in_few_operators

    return in_few_operators((simulator.folder / GRAPH).read_bytes())


def require_latents(simulator: Simulator, n_latents: int, reader: str) -> None:
    """Raise UsageError when the generator wants more latents than the reader draws."""
    if simulator.latent_size > n_latents:
        raise UsageError(
            f"{simulator.folder} has {simulator.latent_size} latents, {reader} draws {n_latents}: "
            f"train with --set generator.latent={n_latents}"
        )


LARGEST_GRAPH_BYTES = 2**31 - 1
LARGEST_PULL = 5.0
RELATIVE = 1e-4
"""What float32 arithmetic may change in a sum."""


@dataclass(frozen=True)
class CheckOptions:
    """How thoroughly a bundle is checked."""

    repeats: int = 100
    """Showers of each of the sixteen reference particles, where counts are drawn anew."""
    native: bool = False
    """Whether a compiled reader is run, too, where there is one."""
    library: Path | None = None
    """The runtime that it opens; default: the installed one."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    passed: bool
    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class CheckResult:
    """All findings on one bundle."""

    target: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether every finding is good."""
        return all(finding.passed for finding in self.findings)

    def record(self) -> dict[str, Any]:
        """The result as a JSON document."""
        entries = {
            finding.what: {"passed": finding.passed} | dict(finding.values)
            for finding in self.findings
        }
        return {"target": self.target, "passed": self.passed, "findings": entries}

    def __str__(self) -> str:
        lines = [
            f"{'ok  ' if finding.passed else 'FAIL'}  {finding.what}: {finding.text}"
            for finding in self.findings
        ]
        ending = "passed" if self.passed else "failed"
        return "\n".join([*lines, f"{self.target} bundle {ending}"])


def means_agree(
    what: str,
    labels: tuple[str, ...],
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    error: NDArray[np.float64],
) -> Finding:
    """Whether means agree within their statistical errors.  all (n,)"""
    scale = np.sqrt(error**2 + (RELATIVE * np.abs(expected)) ** 2 + 1e-12)
    pulls = (observed - expected) / scale
    worst = int(np.argmax(np.abs(pulls)))
    text = (
        f"{labels[worst]} {observed[worst]:.5g} against {expected[worst]:.5g} +- {scale[worst]:.2g}"
        f" ({pulls[worst]:+.1f} sigma, the worst of {len(labels)})"
    )
    values = {
        label: {"found": float(f), "expected": float(e), "error": float(s)}
        for label, f, e, s in zip(labels, observed, expected, scale, strict=True)
    }
    return Finding(what, bool(np.abs(pulls).max() <= LARGEST_PULL), text, values)


def numbers_agree(
    what: str, observed: NDArray[Any], expected: NDArray[Any], tolerance: float = RELATIVE
) -> Finding:
    """Whether two arrays agree, as a share of the largest number; default: to float32."""
    scale = float(np.abs(expected).max()) or 1.0
    difference = float(np.abs(observed - expected).max()) / scale
    text = f"largest deviation {difference:.1e} of the largest (allowed {tolerance:.0e})"
    return Finding(what, difference <= tolerance, text, {"deviation": difference})


@dataclass(frozen=True)
class Port:
    """An input or output; symbolic sizes are -1, as in the C API."""

    name: str
    kind: str
    shape: tuple[int, ...]


class Graph:
    """A loaded file: its ports in the order of the file, and a run on one core."""

    def __init__(self, path: Path, *, optimise: bool = True) -> None:
        self.path = path
        self._session = Session(read_model(path), str(path), optimise=optimise)
        session = self._session.session
        self.inputs = tuple(_port(port) for port in session.get_inputs())
        self.outputs = tuple(_port(port) for port in session.get_outputs())

    def run(self, *values: NDArray[np.float32]) -> NDArray[Any]:
        """The first output for inputs in the order of the file; DataError when it fails."""
        feed = {port.name: value for port, value in zip(self.inputs, values, strict=True)}
        return self._session.run(self.outputs[0].name, feed)

    def require_float32(self) -> None:
        """Raise DataError unless each port is float32."""
        for port in (*self.inputs, *self.outputs):
            if port.kind != "tensor(float)":
                raise DataError(f"{self.path}: {port.name} is {port.kind}, not float32")

    def require_inputs(self, *shapes: tuple[int, ...]) -> None:
        """Raise DataError unless the inputs have these shapes once symbolic sizes are 1."""
        input_shapes = [tuple(abs(size) for size in port.shape) for port in self.inputs]
        if input_shapes != list(shapes):
            raise DataError(
                f"{self.path} takes {_shapes(input_shapes)}, its reader gives {_shapes(shapes)}"
            )


def read_model(path: Path) -> bytes:
    """Bytes of an ONNX file that wants nothing but itself; DataError names what else it wants."""
    model = read_bytes(path, largest_bytes=LARGEST_GRAPH_BYTES)
    refuse_foreign(read_facts(model, str(path)), str(path))
    return model


def _port(port: Any) -> Port:
    sizes = tuple(size if isinstance(size, int) else -1 for size in port.shape)
    return Port(port.name, port.type, sizes)


def _shapes(shapes: Any) -> str:
    return " and ".join(str(list(shape)) for shape in shapes) or "nothing"


REPEATS = 25
"""Showers of each reference particle by which a bundle is checked before it is kept."""


class Target(NamedTuple):
    """The module of a target, and who reads what it makes."""

    module: str
    purpose: str
    meshed: bool = False
    """Whether its cells are those of a mesh that can be chosen."""


TARGETS = {
    "o2": Target("caloforge.export.o2", "AliceO2 fast simulation of the ZDC"),
    "par04": Target("caloforge.export.par04", "Geant4 example Par04, ONNX inference", True),
    "ddml": Target("caloforge.export.ddml", "key4hep DDML, RegularGridGANModel", True),
    "ddml-library": Target("caloforge.export.ddml_library", "key4hep DDML, LoadHdf5", True),
    "fcs-ganv2": Target("caloforge.export.fcs", "FastCaloSim, GAN version 2", True),
    "fcs-binned": Target("caloforge.export.fcs_binned", "FastCaloSim, binned showers"),
    "triton": Target("caloforge.export.triton", "NVIDIA Triton inference server"),
}


def target_of_name(name: str) -> Target:
    """The target of that name; UsageError with the names that exist."""
    if name not in TARGETS:
        raise UsageError(f"no target {name}; there are {', '.join(TARGETS)}, int8, half")
    return TARGETS[name]


def export(
    simulator: Simulator,
    target: str,
    folder: str | Path,
    options: Options,
    *,
    overwrite: bool = False,
) -> tuple[Contents, CheckResult]:
    """Write a bundle that its reader's emulator has read and found right.

    Raises UsageError for a simulator that the reader cannot hold, CaloforgeError when the bundle
    does not give the native model's showers.
    """
    require_seed(options.seed)
    reader = target_of_name(target)
    if options.mesh is not None and not reader.meshed:
        names = ", ".join(name for name, other in TARGETS.items() if other.meshed)
        raise UsageError(f"{target} has no mesh to choose; {names} have one")
    require_trained_on(simulator, options.particle)
    adapter: Any = import_module(reader.module)
    contents: Contents = adapter.adapt(simulator, options)
    result = write_bundle(simulator, target, contents, folder, overwrite=overwrite)
    return contents, result


def require_trained_on(simulator: Simulator, pdg: int | None) -> None:
    """UsageError for a particle that the card of a simulator does not name, sign aside."""
    species = simulator.card.species
    if pdg is not None and species and abs(pdg) not in map(abs, species):
        names = ", ".join(map(str, species))
        raise UsageError(f"{simulator.folder} was trained on pdg {names}, not on {pdg}")


def write_bundle(
    simulator: Simulator,
    target: str,
    contents: Contents,
    folder: str | Path,
    *,
    overwrite: bool = False,
) -> CheckResult:
    """Write a bundle aside, let its reader's emulator check it, then move it into place.

    Raises UsageError when the folder exists, CaloforgeError when the check fails.
    """
    folder = Path(folder)
    with write_aside_folder(folder, overwrite=overwrite) as aside:
        for name, content in contents.files.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_bytes(content)
        (contents.reference or simulator.reference).write(aside / REFERENCE)
        (aside / "README.md").write_text(_readme(contents, simulator), encoding="utf-8")
        checksums = {name: sha256_of(aside / name) for name in (*contents.files, REFERENCE)}
        card = BundleCard(
            target=target,
            detector=simulator.detector,
            latent_size=simulator.latent_size,
            sampling=simulator.sampling,
            training_ranges=simulator.card.training_ranges,
            files=checksums,
            reader=dict(contents.facts),
            generator_sha256=simulator.card.generator_sha256,
            recipe=simulator.card.recipe,
            provenance=simulator.card.provenance,
            caloforge_version=caloforge.__version__,
            species=simulator.card.species,
            cpu_seconds=simulator.card.cpu_seconds,
            quality=simulator.card.quality,
            weaknesses=simulator.card.weaknesses,
        )
        (aside / CARD).write_text(card.to_json(indent=1), encoding="utf-8")
        result = check_bundle(aside, CheckOptions(repeats=REPEATS))
        if failures := [finding for finding in result.findings if not finding.passed]:
            raise CaloforgeError(
                f"{target}: {failures[0].what}: {failures[0].text}; nothing is kept"
            )
    return result


def _readme(contents: Contents, simulator: Simulator) -> str:
    """What to paste and to know, and what the card says of the showers."""
    quality = textwrap.indent(quality_text(simulator.card), "    ")
    return f"{contents.readme.rstrip()}\n\n## Quality of the showers\n\n{quality}\n"


def check_bundle(folder: str | Path, options: CheckOptions | None = None) -> CheckResult:
    """Let the emulator of a bundle's reader read it, and compare with the native model.

    Raises DataError for a bundle that the reader cannot use.
    """
    bundle = Bundle(folder)
    if bundle.card.target not in TARGETS:
        raise DataError(f"{folder} is for {bundle.card.target!r}, which is not known here")
    reader: Any = import_module(TARGETS[bundle.card.target].module)
    # An emulator trusts that the fields of a card fit each other.
    with reading(bundle.folder):
        return reader.check(bundle, options or CheckOptions())
