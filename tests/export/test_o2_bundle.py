"""``caloforge export`` and ``caloforge check``: what is written, and what is not let through."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from caloforge.detectors import ALICE_ZN, ATLAS_EM
from caloforge.export.bundle import Bundle, CheckOptions, check_bundle
from exported import rewrite_checksums, write_linear_simulator

FILES = {"generator.onnx", "scales.txt", "classifier.onnx", "classifier_scales.txt"}


def uneven(detector):
    """Rates that no transposition, scale or shift leaves alone."""
    nx, ny = detector.layers[0].shape
    x, y = np.indices((nx, ny))
    return (4 * np.exp(-((x - 12) ** 2) / 90 - (y - 25) ** 2 / 40)).ravel()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("o2")
    write_linear_simulator(folder / "simulator", ALICE_ZN, uneven(ALICE_ZN), sampling="poisson")
    return folder


@pytest.fixture(scope="module")
def bundle(exported):
    from caloforge.cli import main

    arguments = ["export", str(exported / "simulator"), "--target", "o2", "-q"]
    assert main([*arguments, "--out", str(exported / "bundle")]) == 0
    return exported / "bundle"


@pytest.fixture
def damaged(bundle, tmp_path):
    """A copy to damage."""
    return shutil.copytree(bundle, tmp_path / "bundle")


def test_checking_needs_neither_torch_nor_onnx(bundle):
    code = (
        "import sys; sys.modules.update(torch=None, onnx=None, onnxscript=None); "
        "from caloforge.cli import main; sys.exit(main(['check', sys.argv[1], '-q']))"
    )
    subprocess.run([sys.executable, "-c", code, bundle], check=True, capture_output=True)


def test_a_bundle_holds_what_o2_reads_and_says_what_it_is(bundle):
    assert {path.name for path in bundle.iterdir()} == FILES | {
        "bundle.json",
        "reference.npz",
        "README.md",
    }
    card = Bundle(bundle).card
    assert set(card.files) == FILES | {"reference.npz"}
    assert card.reader["classifier"]["kind"] == "trained"
    assert card.reader["classifier"]["lost_light"] < 1e-3
    assert "o2-sim" in (bundle / "README.md").read_text()


def test_check_passes_and_names_the_scheme(caloforge, bundle):
    code, out, err = caloforge("check", bundle, "--json", "--repeats", 60)
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["passed"]
    channels = record["findings"]["emulator: mean of channels (o2)"]
    assert channels["common"]["expected"] == pytest.approx(uneven(ALICE_ZN).sum() / 2, rel=0.01)
    code, out, _ = caloforge("check", bundle, "--repeats", 5)
    assert code == 0
    assert "o2 bundle passed" in out


def test_export_says_what_to_paste(caloforge, exported, tmp_path):
    arguments = ["export", exported / "simulator", "--target", "o2", "--classifier", "always"]
    code, out, _ = caloforge(*arguments, "--out", tmp_path / "bundle", "--json")
    assert code == 0
    record = json.loads(out)
    assert set(record["files"]) == FILES
    assert record["paste"].startswith("o2-sim ")
    assert Bundle(tmp_path / "bundle").card.reader["classifier"] == {"kind": "always"}


def test_export_refuses_what_it_cannot_do(caloforge, exported, bundle, tmp_path):
    simulator, out = exported / "simulator", tmp_path / "other"
    conditions = np.array([[1.0, 1.5, 0.0, 0.0, 0.0], [100.0, 1.6, 0.1, 1.0, 1.0]])
    write_linear_simulator(
        tmp_path / "em",
        ATLAS_EM,
        np.zeros(ATLAS_EM.cells),
        sampling="continuous",
        conditions=conditions,
    )
    write_linear_simulator(tmp_path / "long", ALICE_ZN, np.zeros(ALICE_ZN.cells), latents=12)
    refusals = [
        ([simulator, "--target", "o3", "--out", out], "no target o3"),
        ([simulator, "--target", "o2", "--out", bundle], "exists already"),
        ([tmp_path / "em", "--target", "o2", "--classifier", "always", "--out", out], "atlas_em"),
        ([tmp_path / "long", "--target", "o2", "--out", out], "--set generator.latent=10"),
        ([simulator, "--target", "o2", "--mesh", "9x", "--out", out], "--mesh 9x"),
        ([tmp_path / "nowhere", "--target", "o2", "--out", out], "nowhere"),
    ]
    for arguments, message in refusals:
        code, _, err = caloforge("export", *arguments)
        assert (code, len(err.strip().splitlines()[-1:])) == (2, 1), err
        assert message in err
    assert not out.exists()


def edited(path, edit):
    model = onnx.load(path)
    edit(model)
    onnx.save(model, path)


def rename_to_double(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    first = model.graph.input[0].name
    model.graph.node.insert(0, helper.make_node("Cast", [first], ["as_float"], to=1))
    for node in list(model.graph.node)[1:]:
        node.input[:] = ["as_float" if name == first else name for name in node.input]


def shorten_noise(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 12
    del model.graph.value_info[:]


def keep_weights_elsewhere(model):
    tensor = max(model.graph.initializer, key=lambda part: len(part.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def use_a_custom_operator(model):
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def set_opset(model):
    model.opset_import[0].version = 18


def give_a_label(model):
    output = model.graph.output[0]
    label = helper.make_node("Cast", [output.name], ["label"], to=TensorProto.INT64)
    model.graph.node.append(label)
    output.name = "label"
    output.type.tensor_type.elem_type = TensorProto.INT64


def swap_inputs(model):
    inputs = list(model.graph.input)
    del model.graph.input[:]
    model.graph.input.extend(reversed(inputs))


def cut_the_image(model):
    output = model.graph.output[0]
    nodes = [helper.make_node("Slice", [output.name, "from", "to", "axes"], ["cut"])]
    model.graph.node.extend(nodes)
    for name, value in (("from", 0), ("to", 30), ("axes", 1)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    output.name = "cut"
    output.type.tensor_type.shape.dim[1].dim_value = 30


MALFORMED = {
    "float64 noise": ("generator.onnx", rename_to_double, "not float32"),
    "wrong shape": ("generator.onnx", shorten_noise, "Incompatible dimensions"),
    "inputs in the other order": ("generator.onnx", swap_inputs, "its reader gives"),
    "too few values": ("generator.onnx", cut_the_image, "1320 values, O2 reads 1936"),
    "external data": ("generator.onnx", keep_weights_elsewhere, "other files"),
    "custom operator": ("generator.onnx", use_a_custom_operator, "custom operators"),
    "opset too new": ("generator.onnx", set_opset, "opset 18"),
    "integer label": ("classifier.onnx", give_a_label, "int64"),
}


def one_line(caloforge, folder, code, message):
    exit_code, _, err = caloforge("check", folder, "--repeats", 2)
    assert (exit_code, err.count("\n")) == (code, 1), err
    assert message in err


@pytest.mark.parametrize("flaw", MALFORMED)
def test_malformed_graphs_are_refused_in_one_line(caloforge, damaged, flaw):
    name, edit, message = MALFORMED[flaw]
    edited(damaged / name, edit)
    rewrite_checksums(damaged)
    one_line(caloforge, damaged, 3, message)


@pytest.mark.parametrize("name", sorted(FILES | {"reference.npz"}))
def test_missing_files_are_named(caloforge, damaged, name):
    (damaged / name).unlink()
    one_line(caloforge, damaged, 3, f"{name} is missing")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("scales.txt", b"#means\r\n" + b"0\r\n" * 9, "CR LF"),
        ("classifier_scales.txt", b"#means\n1\n", "1 numbers follow #means"),
        ("generator.onnx", b"no model", "no ONNX file"),
        ("classifier.onnx", b"", ""),
        ("reference.npz", b"PK", "reference"),
        ("bundle.json", b"{", "not JSON"),
        ("bundle.json", b"[]", "no caloforge-bundle document"),
        ("bundle.json", b'{"format": "caloforge-bundle", "version": 3}', "version 3"),
        ("bundle.json", b'{"format": "caloforge-bundle", "version": 1}', "Field required"),
    ],
)
def test_damaged_files_are_refused_in_one_line(caloforge, damaged, name, content, message):
    (damaged / name).write_bytes(content)
    one_line(caloforge, damaged, 3, message)


def test_a_file_that_was_exchanged_is_noticed(caloforge, damaged):
    text = (damaged / "scales.txt").read_text()
    (damaged / "scales.txt").write_text(text.replace("3.0", "1.0"))
    one_line(caloforge, damaged, 3, "scales.txt is not the file that bundle.json describes")


def test_names_that_leave_the_folder_and_unknown_readers_are_refused(caloforge, damaged):
    card = json.loads((damaged / "bundle.json").read_text())
    for change, message in (
        ({"files": card["files"] | {"../escape": "0"}}, "not inside the bundle"),
        ({"target": "o3"}, "not known here"),
    ):
        (damaged / "bundle.json").write_text(json.dumps(card | change))
        one_line(caloforge, damaged, 3, message)


def test_what_is_nothing_of_ours_is_refused(caloforge, tmp_path):
    one_line(caloforge, tmp_path, 3, "no bundle, simulator or run")
    code, _, err = caloforge("check", tmp_path / "nowhere")
    assert code == 2
    assert err.count("\n") == 1


def replace_last(operator, replacement):
    """Let the last node of that kind be another one, with the same ports."""

    def edit(model):
        node = [node for node in model.graph.node if node.op_type == operator][-1]
        node.op_type = replacement
        del node.attribute[:]

    return edit


def leave_out_the_transposition(model):
    node = [node for node in model.graph.node if node.op_type == "Transpose"][-1]
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("perm", [0, 1, 2]))


def scale_by_four_per_cent(model):
    names = [node.input[1] for node in model.graph.node if node.op_type == "Add"]
    for tensor in model.graph.initializer:
        if tensor.name in names and tensor.name == "c":
            scaled = numpy_helper.to_array(tensor) * 1.04
            tensor.CopyFrom(numpy_helper.from_array(scaled.astype(np.float32), "c"))


def never_hit(model):
    node = [node for node in model.graph.node if node.op_type == "Cast"][-1]
    model.graph.node.insert(
        len(model.graph.node) - 2, helper.make_node("Not", [node.input[0]], ["not_hit"])
    )
    node.input[0] = "not_hit"


WRONG = {
    "not transposed": ("generator.onnx", leave_out_the_transposition, "tower"),
    "4 % too bright": ("generator.onnx", scale_by_four_per_cent, "channels"),
    "log instead of count": ("generator.onnx", replace_last("Log", "Sqrt"), "channels"),
    "never a hit": ("classifier.onnx", never_hit, "classifier"),
}


@pytest.mark.parametrize("flaw", WRONG)
def test_wrong_bundles_fail_with_code_4(caloforge, damaged, flaw):
    name, edit, message = WRONG[flaw]
    edited(damaged / name, edit)
    rewrite_checksums(damaged)
    code, out, err = caloforge("check", damaged, "--repeats", 10)
    assert (code, err.count("\n")) == (4, 1)
    assert "FAIL" in out
    assert message in err


def test_a_lossy_classifier_fails(caloforge, damaged):
    card = json.loads((damaged / "bundle.json").read_text())
    reader = card["reader"] | {"classifier": {"kind": "trained", "lost_light": 0.002}}
    rewrite_checksums(damaged, reader=reader)
    assert caloforge("check", damaged, "--repeats", 5)[0] == 4


def test_check_reads_simulators_and_showers_too(caloforge, exported, tmp_path):
    from caloforge.data.samples import sample_path

    assert caloforge("check", exported / "simulator")[0] == 0
    assert caloforge("check", sample_path("alice_zn"))[0] == 0
    (tmp_path / "no.h5").write_bytes(b"no")
    assert caloforge("check", tmp_path / "no.h5")[0] == 3


def test_rounding_bundles_pass_too(tmp_path):
    from caloforge.export.bundle import Options, export

    simulator = write_linear_simulator(tmp_path / "simulator", ALICE_ZN, uneven(ALICE_ZN))
    _, verdict = export(simulator, "o2", tmp_path / "bundle", Options())
    assert verdict.passed
    assert check_bundle(tmp_path / "bundle", CheckOptions(repeats=20)).passed
