"""``caloforge data``: look into files of showers, draw them, convert foreign ones into ours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from caloforge.cli.options import (
    Force,
    Json,
    Out,
    Quiet,
    finite_number,
    pdg_number,
    reporter_of,
    showers_file,
    whole_number,
)

if TYPE_CHECKING:
    from caloforge.formats import Layout

command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look into shower files, draw them, convert foreign ones.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[
    Path,
    typer.Argument(
        parser=showers_file,
        metavar="FILE",
        help="A showers file, or the name of a shipped one (atlas_em, atlas_em/gamma).",
        show_default=False,
    ),
]
Described = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A showers file or the name of a shipped one (alice_zn); or a simulator: its folder, "
        "a run's, or simulator/NAME of a shipped one (simulator/alice_zn).",
        show_default=False,
    ),
]
Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE...",
        help="File to convert, or that of the images and that of their particles.",
        show_default=False,
    ),
]
DetectorName = Annotated[
    str | None,
    typer.Option(
        "--detector",
        help="Detector: a name, or a file (.json, binning.xml); default: what the files say.",
    ),
]
CellValues = Annotated[
    Literal["raw", "log1p"] | None,
    typer.Option("--values", help="How npz files and pickles write cells; default: detected."),
]
CompressionName = Annotated[
    Literal["portable", "smallest", "none"],
    typer.Option("--compression", help="gzip 1, gzip 9, or none."),
]

AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Read pickles; nothing of them is executed.")
]
OneType = Annotated[
    int | None,
    pdg_number("PDG id of all rows, where files do not tell.", show_default=False),
]
FaceZ = Annotated[
    float | None,
    finite_number(
        "--face-z",
        help="Where the front face is, in mm, in the frame of the files (CaloGAN's: -240).",
        show_default=False,
    ),
]
Fraction = Annotated[
    float | None,
    finite_number(
        "--sampling-fraction",
        least=0,
        help="Part of the deposited energy that cells hold, where absorbers are left out.",
        show_default=False,
    ),
]
EnergyUnit = Annotated[
    Literal["GeV", "MeV"] | None,
    typer.Option(
        "--energy-unit",
        help="Unit of the particles' energies and momenta; default: what the format says.",
    ),
]
ClipNegative = Annotated[
    bool, typer.Option("--clip-negative", help="Take negative deposits for 0, and count them.")
]
Notes = Annotated[
    list[str] | None,
    typer.Option("--note", metavar="NAME=TEXT", help="Add to the provenance; repeat as needed."),
]
Types = Annotated[
    list[int] | None,
    pdg_number("Keep rows of this PDG id; repeat for several."),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION<NUMBER", help="Keep rows of which this is true ('E>50', 'x0=0')."
    ),
]
Bits = Annotated[
    int | None,
    whole_number(
        most=23, help="Round deposits (not counts) to so many bits of mantissa; 10 keep 0.05 %."
    ),
]


def _notes(texts: list[str] | None) -> dict[str, str]:
    """Provenance from ``NAME=TEXT``."""
    from caloforge.errors import UsageError

    notes = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--note {text}: write NAME=TEXT")
        notes[name] = value
    return notes


CellsKey = Annotated[
    str | None,
    typer.Option(
        "--cells",
        metavar="KEY[,KEY]",
        help="Own files (npz, HDF5, ROOT): the array of all cells (N, K), or one a layer.",
    ),
]
ConditionsKey = Annotated[
    str | None,
    typer.Option(
        "--conditions",
        metavar="KEY[,KEY]",
        help="Own files: the array of conditions (N, columns), or the arrays of single columns.",
    ),
]
ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAME,NAME",
        help="What the columns are, as for --particles; pdg and particle, too; - leaves one out.",
    ),
]
UnitNames = Annotated[
    str | None,
    typer.Option(
        "--units", metavar="UNIT,UNIT", help="Unit of each column; - is the detector's unit."
    ),
]
CellsUnit = Annotated[
    Literal["eV", "keV", "MeV", "GeV"] | None,
    typer.Option("--cells-unit", help="Unit of the cells of own files; default: the detector's."),
]


def _layout(
    cells: str | None,
    conditions: str | None,
    columns: str | None,
    units: str | None,
    cells_unit: str | None,
) -> "Layout | None":
    """The layout of own files; None where no array is named."""
    from caloforge.errors import UsageError
    from caloforge.formats import Layout

    options = (cells, conditions, columns, units, cells_unit)
    if not any(options):
        return None
    if not (cells and conditions):
        raise UsageError("own files need both --cells KEY and --conditions KEY")
    keys, table, names, of_each = (
        tuple(part.strip() for part in (text or "").split(",") if part) for text in options[:4]
    )
    return Layout(keys, table, names, of_each, cells_unit or "")


LayoutName = Annotated[
    Literal["calogan", "calochallenge", "root"],
    typer.Option("--to", help="Layout: the CaloGAN sets', the CaloChallenge's, or a ROOT tree."),
]
TheirFace = Annotated[
    float, finite_number("--face-z", help="Front face in their frame, in mm (calogan).")
]
TheirStart = Annotated[
    float, finite_number("--start-z", help="Where their particles start, in mm (calogan).")
]


@command.command("info", short_help="Tell what is in a file of showers.")
def info(what: Described, quiet: Quiet = False, json: Json = False) -> None:
    """Tell what is in a file of showers, and whether it can test a claim about diversity; or what
    the card of a simulator says: training, domain, quality, weaknesses.
    """
    from caloforge.data.info import describe, summarise
    from caloforge.report.card import card_text
    from caloforge.report.tables import COLUMNS, folded
    from caloforge.simulator import CARD
    from caloforge.simulator.card import read_card
    from caloforge.simulator.shipped import simulator_of

    reporter = reporter_of(quiet, json)
    if (folder := simulator_of(what)) is not None:
        card = read_card(folder / CARD)
        reporter.result(card_text(card), card.record)
        return
    summary = summarise(showers_file(what), reporter=reporter)
    for warning in summary.warnings:
        reporter.warn(warning)
    reporter.result(folded(describe(summary), COLUMNS), summary.record())


@command.command("convert", short_help="Convert foreign files into ours.")
def convert(
    sources: Sources,
    out: Out,
    detector: DetectorName = None,
    values: CellValues = None,
    compression: CompressionName = "portable",
    pdg: OneType = None,
    face_z: FaceZ = None,
    sampling_fraction: Fraction = None,
    energy_unit: EnergyUnit = None,
    clip_negative: ClipNegative = False,
    cells: CellsKey = None,
    conditions: ConditionsKey = None,
    columns: ColumnNames = None,
    units: UnitNames = None,
    cells_unit: CellsUnit = None,
    allow_pickle: AllowPickle = False,
    note: Notes = None,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Convert showers of the ALICE authors, O2, the transport jobs, CaloGAN or the CaloChallenge,
    our ROOT trees, or own files whose arrays --cells and --conditions name, into our format.
    """
    from caloforge import formats
    from caloforge.detectors.files import find_detector
    from caloforge.formats.file_format import matching

    reporter = reporter_of(quiet, json)
    target_detector = find_detector(detector) if detector else None
    request = formats.ConversionRequest(
        matching(sources),
        detector=target_detector,
        values=values,
        pdg=pdg,
        face_z_mm=face_z,
        sampling_fraction=sampling_fraction,
        energy_unit=energy_unit,
        clip_negative=clip_negative,
        layout=_layout(cells, conditions, columns, units, cells_unit),
        allow_pickle=allow_pickle,
        reporter=reporter,
    )
    rows = formats.convert(
        request, out, overwrite=force, compression=compression, notes=_notes(note)
    )
    reporter.result(f"{out}: {rows} showers", {"out": str(out), "rows": rows})


@command.command("plot", short_help="Draw showers, means and spectra of a file.")
def plot(
    file: File,
    out: Out,
    style: Annotated[
        str, typer.Option(help="plain; alice, atlas, cms or lhcb with the extra plots.")
    ] = "plain",
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw showers of a file, its mean image and its spectra as one figure (.png, .pdf, .svg)."""
    from caloforge.io.files import require_possible_file
    from caloforge.report import overview, save, styled
    from caloforge.report.pictures import require_picture_ending

    reporter = reporter_of(quiet, json)
    require_picture_ending(out)
    require_possible_file(out, overwrite=force)
    with styled(style):
        save(overview(file, reporter=reporter), out, overwrite=force)
    reporter.result(f"{out}: drawn from {file}", {"out": str(out), "file": str(file)})


@command.command("select", short_help="Write some showers of a file.")
def select(
    file: File,
    out: Out,
    pdg: Types = None,
    where: Where = None,
    bits: Bits = None,
    note: Notes = None,
    compression: CompressionName = "portable",
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write some showers of a file: particles of some types, conditions within bounds."""
    from caloforge.data.selection import Choice
    from caloforge.data.selection import select as write_selected

    reporter = reporter_of(quiet, json)
    choice = Choice(tuple(pdg or ()), tuple(where or ()), bits)
    rows = write_selected(
        file,
        choice,
        out,
        notes=_notes(note),
        overwrite=force,
        compression=compression,
        reporter=reporter,
    )
    reporter.result(f"{out}: {rows} showers", {"out": str(out), "rows": rows})


@command.command("export", short_help="Write the layout of another set.")
def export(
    file: File,
    out: Out,
    to: LayoutName,
    pdg: OneType = None,
    face_z: TheirFace = -240.0,
    start_z: TheirStart = -288.0,
    force: Force = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write showers in the layout of the CaloGAN sets or the CaloChallenge (MeV), or as a tree."""
    from caloforge.formats.writing import Frame, Order, write_foreign
    from caloforge.io.root import write_root

    reporter = reporter_of(quiet, json)
    if to == "root":
        rows = write_root(file, out, overwrite=force, reporter=reporter)
    else:
        order = Order(file, to, Frame(face_z, start_z), pdg)
        rows = write_foreign(order, out, overwrite=force, reporter=reporter)
    reporter.result(f"{out}: {rows} showers", {"out": str(out), "rows": rows})
