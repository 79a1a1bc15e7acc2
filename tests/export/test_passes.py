"""Each rewrite of a graph computes the same function, and leaves alone what it does not know."""

import copy

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from caloforge.export.passes import (
    collapse,
    convolve_phases,
    fold_batch_norm,
    on_phases,
    shuffle_after_convolution,
    simplify,
    stack_waves,
    taps,
)


def model(nodes, shape, weights, output="y"):
    """A graph with input x of this shape (any batch) and these weights."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
        for name, sizes in (("x", ["batch", *shape]), (output, [None] * (len(shape) + 1)))
    ]
    initialisers = [
        numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()
    ]
    graph = helper.make_graph(nodes, "small", ports[:1], ports[1:], initialisers)
    onnx_model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(onnx_model)
    return onnx_model


def run(generated, x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(generated.SerializeToString(), options)
    return session.run(None, {"x": x})[0]


def operators(generated):
    return [node.op_type for node in generated.graph.node]


def assert_same(before, rewrite, x, times=1):
    """Apply a rewrite so many times and compare what both graphs compute."""
    after = copy.deepcopy(before)
    assert rewrite(after) == times
    onnx.checker.check_model(after, full_check=True)
    expected = run(before, x)
    actual = run(after, x)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    return after


def floats(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


# ---- batch normalisation -----------------------------------------------------------------------


def normalisation(rng, channels, **constants):
    names = ("gain", "offset", "mean", "variance")
    weights = {name: floats(rng, channels) for name in names}
    weights["variance"] = rng.uniform(0.2, 3, channels).astype(np.float32)
    return helper.make_node("BatchNormalization", ["h", *names], ["y"], **constants), weights


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("transposed", [0, 1])
def test_a_dense_layer_takes_up_its_normalisation(rng, bias, transposed):
    norm, weights = normalisation(rng, 5, epsilon=0.1)
    weights["w"] = floats(rng, *((5, 7) if transposed else (7, 5)))
    weights |= {"b": floats(rng, 5)} if bias else {}
    inputs = ["x", "w", *(["b"] if bias else [])]
    dense = helper.make_node("Gemm", inputs, ["h"], transB=transposed)
    after = assert_same(model([dense, norm], (7,), weights), fold_batch_norm, floats(rng, 9, 7))
    assert operators(after) == ["Gemm"]
    assert len(after.graph.initializer) == 2


def test_a_convolution_takes_up_its_normalisation(rng):
    norm, weights = normalisation(rng, 5)
    weights["w"] = floats(rng, 5, 3, 2, 2)
    convolution = helper.make_node("Conv", ["x", "w"], ["h"], pads=[1, 1, 1, 1])
    onnx_model = model([convolution, norm], (3, 6, 4), weights)
    assert operators(assert_same(onnx_model, fold_batch_norm, floats(rng, 4, 3, 6, 4))) == ["Conv"]


def test_a_product_that_is_read_twice_stays(rng):
    norm, weights = normalisation(rng, 5)
    weights["w"] = floats(rng, 7, 5)
    norm.output[0] = "n"
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["h"]),
        norm,
        helper.make_node("Add", ["n", "h"], ["y"]),
    ]
    assert fold_batch_norm(model(nodes, (7,), weights)) == 0


# ---- upsampling and convolution ------------------------------------------------------------------

SHAPES = [(2, 3, 3), (2, 1, 3), (2, 5, 3), (3, 4, 4), (3, 1, 4), (4, 5, 5)]


def upsampled_convolution(x, w, scale):
    """Looped twin: repeat every cell, then a valid convolution.  (cin, n, m) -> (cout, ...)"""
    cin, n, m = x.shape
    large = np.zeros((cin, scale * n, scale * m))
    for i in range(scale * n):
        for j in range(scale * m):
            large[:, i, j] = x[:, i // scale, j // scale]
    cout, _, kx, ky = w.shape
    y = np.zeros((cout, scale * n - kx + 1, scale * m - ky + 1))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            y[:, i, j] = np.tensordot(w, large[:, i : i + kx, j : j + ky], axes=3)
    return y


@pytest.mark.parametrize(("scale", "kernel_x", "kernel_y"), SHAPES)
def test_the_collapsed_kernel_is_the_formula(rng, scale, kernel_x, kernel_y):
    x, w = rng.normal(size=(3, 5, 4)), rng.normal(size=(2, 3, kernel_x, kernel_y))
    expected = upsampled_convolution(x, w, scale)
    small = collapse(w, (scale, scale))
    assert small.shape[-2:] == (taps(kernel_x, scale), taps(kernel_y, scale))
    for i in range(expected.shape[1]):
        for j in range(expected.shape[2]):
            (p, r), (q, s) = divmod(i, scale), divmod(j, scale)
            window = x[:, p : p + small.shape[-2], q : q + small.shape[-1]]
            actual = np.tensordot(small[:, r, s], window, axes=3)
            np.testing.assert_allclose(actual, expected[:, i, j], atol=1e-12)


def resize(scale, **changes):
    attributes = {
        "mode": "nearest",
        "nearest_mode": "floor",
        "coordinate_transformation_mode": "asymmetric",
    } | changes
    return helper.make_node("Resize", ["x", "", "factors"], ["u"], **attributes)


def upsampling_model(rng, scale, kernel, *, bias=True, resize_given=None, **conv_given):
    weights = {
        "factors": np.array([1, 1, scale, scale], dtype=np.float32),
        "w": floats(rng, 4, 3, *kernel),
        **({"b": floats(rng, 4)} if bias else {}),
    }
    inputs = ["u", "w", *(["b"] if bias else [])]
    nodes = [
        resize(scale, **(resize_given or {})),
        helper.make_node("Conv", inputs, ["y"], **conv_given),
    ]
    return model(nodes, (3, 6, 5), weights)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("scale", "kernel"), [(2, (3, 3)), (3, (4, 4)), (2, (3, 1))])
def test_upsampling_and_convolution_become_a_shuffle(rng, scale, kernel, bias):
    onnx_model = upsampling_model(rng, scale, kernel, bias=bias)
    after = assert_same(onnx_model, shuffle_after_convolution, floats(rng, 2, 3, 6, 5))
    assert operators(after) == ["Conv", "DepthToSpace"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": (2, 2)},
        {"pads": [1, 1, 1, 1]},
        {"strides": [2, 2]},
        {"dilations": [2, 2]},
        {"auto_pad": "SAME_UPPER"},
        {"resize_given": {"mode": "linear"}},
        {"resize_given": {"nearest_mode": "ceil"}},
        {"resize_given": {"coordinate_transformation_mode": "half_pixel"}},
    ],
)
def test_what_is_not_exact_stays(rng, changes):
    onnx_model = upsampling_model(rng, 2, **({"kernel": (3, 3)} | changes))
    before = onnx_model.SerializeToString()
    assert shuffle_after_convolution(onnx_model) == 0
    assert onnx_model.SerializeToString() == before


# ---- convolution on phases -----------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["LeakyRelu", "Relu", "Tanh"])
@pytest.mark.parametrize(("scale", "kernel", "outputs"), [(2, 3, 1), (2, 5, 4), (3, 4, 2)])
def test_a_convolution_moves_before_the_shuffle(rng, scale, kernel, outputs, activation):
    weights = {"w": floats(rng, outputs, 3, kernel, kernel), "b": floats(rng, outputs)}
    nodes = [
        helper.make_node("DepthToSpace", ["x"], ["s"], blocksize=scale, mode="CRD"),
        helper.make_node(activation, ["s"], ["a"]),
        helper.make_node("Conv", ["a", "w", "b"], ["y"]),
    ]
    onnx_model = model(nodes, (3 * scale**2, 5, 6), weights)
    after = assert_same(onnx_model, convolve_phases, floats(rng, 2, 3 * scale**2, 5, 6))
    assert operators(after) == [activation, "Conv", "DepthToSpace"]


@pytest.mark.parametrize(
    "change", [{"outputs": 5}, {"mode": "DCR"}, {"pads": [1, 1, 1, 1]}, {"softmax": True}]
)
def test_a_convolution_that_does_not_fit_stays(rng, change):
    outputs, mode = change.get("outputs", 1), change.get("mode", "CRD")
    pads = {"pads": change["pads"]} if "pads" in change else {}
    weights = {"w": floats(rng, outputs, 3, 3, 3)}
    nodes = [
        helper.make_node("DepthToSpace", ["x"], ["s"], blocksize=2, mode=mode),
        helper.make_node("Softmax" if change.get("softmax") else "Relu", ["s"], ["a"]),
        helper.make_node("Conv", ["a", "w"], ["y"], **pads),
    ]
    assert convolve_phases(model(nodes, (12, 5, 6), weights)) == 0


def test_the_kernel_between_phases_has_the_same_sum(rng):
    weight = rng.normal(size=(2, 3, 3, 3))
    large = on_phases(weight, 2)
    assert large.shape == (8, 12, 2, 2)
    np.testing.assert_allclose(large.sum(), 4 * weight.sum())


# ---- waves ---------------------------------------------------------------------------------------


def waves_model(factors, columns=2, twice=False):
    """Waves of every column of x, and the column itself, in a mixed order."""
    weights = {"axis": np.array([1], dtype=np.int64)}
    nodes, inputs = [], []
    for column in range(columns):
        weights[f"i{column}"] = np.array(column, dtype=np.int64)
        nodes.append(helper.make_node("Gather", ["x", f"i{column}"], [f"c{column}"], axis=1))
        nodes.append(helper.make_node("Unsqueeze", [f"c{column}", "axis"], [f"u{column}"]))
        inputs.append(f"u{column}")
        for number, factor in enumerate(factors):
            name = f"{column}_{number}"
            weights[f"f{name}"] = np.array(factor, dtype=np.float32)
            nodes.append(helper.make_node("Mul", [f"c{column}", f"f{name}"], [f"m{name}"]))
            for kind in ("Sin", "Cos") if number else ("Cos",):
                nodes.append(helper.make_node(kind, [f"m{name}"], [f"{kind}{name}"]))
                nodes.append(
                    helper.make_node("Unsqueeze", [f"{kind}{name}", "axis"], [f"{kind}u{name}"])
                )
                inputs.append(f"{kind}u{name}")
    inputs += inputs[-2:] if twice else []
    nodes.append(helper.make_node("Concat", inputs, ["y"], axis=1))
    return model(nodes, (columns,), weights)


@pytest.mark.parametrize("twice", [False, True])
def test_waves_become_tables(rng, twice):
    onnx_model = waves_model((0.5, 2.0, 7.5), twice=twice)
    after = assert_same(onnx_model, stack_waves, floats(rng, 33, 2))
    assert operators(after).count("Sin") == operators(after).count("Cos") == 2
    assert len(after.graph.node) < len(onnx_model.graph.node)


def test_a_few_waves_stay():
    assert stack_waves(waves_model((3.0,), columns=1)) == 0


# ---- whole generators --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reference", "profile", "light", "o2"])
def test_generators_keep_their_answers(kind):
    torch = pytest.importorskip("torch")
    from caloforge.data.derive import FeatureScaling
    from caloforge.data.samples import sample_path
    from caloforge.data.showers import ShowerFile
    from caloforge.detectors import ALICE_ZN
    from caloforge.export.onnx_builder import graph_bytes, make_reference
    from caloforge.networks.generators import GeneratorConfig
    from caloforge.simulator.engines import OnnxRuntime

    torch.manual_seed(5)
    with ShowerFile(sample_path("alice_zn")) as file:
        conditions = file.conditions
    scaling = FeatureScaling.fit(ALICE_ZN, conditions)
    generator = GeneratorConfig(kind=kind).build(ALICE_ZN, scaling).eval()
    for part in generator.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(part.weight, 0.8, 1.6)
            torch.nn.init.normal_(part.bias, 0, 0.2)
    reference = make_reference(generator, 10, conditions)
    graph_content = graph_bytes(generator, reference)
    generated = onnx.load_model_from_string(graph_content)
    assert not {"Resize", "BatchNormalization"} & set(operators(generated))
    assert simplify(copy.deepcopy(generated)) == dict.fromkeys(
        simplify(copy.deepcopy(generated)), 0
    )
    engine = OnnxRuntime(graph_content, 1, "generator")
    actual = engine.run(reference.latent, reference.conditions)
    assert reference.difference(actual) < 1e-5
