"""What is exported computes what torch computes, for every reader: opset 17, IR 8, one file."""

import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from caloforge.errors import CaloforgeError, DataError, UsageError
from caloforge.export.onnx_builder import export_simulator
from caloforge.simulator import Simulator
from handmade import DETECTOR, C, K, Z, some_conditions


class Generator(nn.Module):
    """All layers that our generators are made of, with the scaling inside."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([1.0, 3.0]))
        self.trunk = nn.Sequential(nn.Linear(Z + C, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.2))
        self.wide = nn.Linear(8, 8 * 2 * 2)
        self.image = nn.Sequential(
            nn.Unflatten(1, (8, 2, 2)),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Dropout(0.5),
            nn.Upsample(scale_factor=(1, 1)),
            nn.Conv2d(8, 4, 3, padding=1),
            nn.PixelShuffle(2),
            nn.Flatten(),
        )

    def forward(self, latent, conditions):
        energy = torch.log(conditions[:, :1])
        features = torch.cat([energy, conditions[:, 1:] / 5], dim=1) - self.mean
        trunk = self.trunk(torch.cat([latent, features], dim=1))
        return torch.exp(nn.functional.softplus(self.image(self.wide(trunk)))) - 1


class WithoutOnnxForm(nn.Module):
    def forward(self, latent, conditions):
        return torch.special.i0e(latent.sum() + conditions.sum(1, keepdim=True).expand(-1, K))


class NotFinite(nn.Module):
    def forward(self, latent, conditions):
        return conditions.sum(1, keepdim=True).expand(-1, K) / 0 + latent.sum()


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(1)
    generated = Generator()
    with torch.no_grad():
        for _ in range(5):  # running statistics that differ from their start
            generated(torch.randn(64, Z), torch.rand(64, C) * 9 + 0.5)
    return generated


@pytest.fixture(scope="module")
def folder(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "simulator"
    provenance = {"engine": "Geant4", "licence": "CC-BY-4.0"}
    export_simulator(
        generator,
        DETECTOR,
        {"name": "sdi-gan"},
        some_conditions(50) + 0.1,
        folder,
        latent_size=Z,
        provenance=provenance,
    )
    return folder


@pytest.mark.parametrize("rows", [1, 2, 7, 300])
def test_onnx_equals_torch(generator, folder, rows):
    rng = np.random.default_rng(rows)
    latent = rng.normal(size=(rows, Z)).astype(np.float32)
    conditions = (some_conditions(rows) + 0.1).astype(np.float32)
    with torch.no_grad():
        expected = generator.eval()(torch.from_numpy(latent), torch.from_numpy(conditions))
    simulator = Simulator.load(folder)
    actual = simulator.expected(latent, conditions)
    np.testing.assert_allclose(actual, expected.numpy(), atol=1e-5, rtol=1e-5)
    assert simulator.check() < 1e-5


def test_every_reader_can_load_it(folder):
    model = onnx.load(folder / "generator.onnx", load_external_data=False)
    assert model.ir_version == 8
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert not model.functions
    ports = [
        (port.name, [size.dim_param or size.dim_value for size in port.type.tensor_type.shape.dim])
        for port in (*model.graph.input, *model.graph.output)
    ]
    assert ports == [
        ("latent", ["batch", Z]),
        ("conditions", ["batch", C]),
        ("showers", ["batch", K]),
    ]
    assert sorted(path.name for path in folder.iterdir()) == [
        "generator.onnx",
        "reference.npz",
        "simulator.json",
    ]


def test_the_card_says_what_it_was_trained_on(folder):
    card = json.loads((folder / "simulator.json").read_text())
    conditions = some_conditions(50) + 0.1
    for column, name in enumerate(("Energy", "Px")):
        low, high = conditions[:, column].min(), conditions[:, column].max()
        assert card["training_ranges"][name] == pytest.approx([low, high])
    assert (card["format"], card["version"]) == ("caloforge-simulator", 2)
    assert card["provenance"] == {"engine": "Geant4", "licence": "CC-BY-4.0"}
    assert (card["sampling"], card["latent_size"]) == ("rounding", Z)


def test_training_goes_on_undisturbed(generator, tmp_path):
    generator.train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    random = torch.get_rng_state()
    export(generator, tmp_path / "simulator")
    assert generator.training
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())


def export(generator, folder, **options):
    export_simulator(
        generator, DETECTOR, {}, some_conditions(20) + 0.1, folder, latent_size=Z, **options
    )


@pytest.mark.parametrize(
    ("module", "error", "says"),
    [(WithoutOnnxForm(), CaloforgeError, "no ONNX form"), (NotFinite(), DataError, "not finite")],
)
def test_what_cannot_be_exported_leaves_nothing(tmp_path, module, error, says):
    with pytest.raises(error, match=says):
        export(module, tmp_path / "simulator")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_simulator_is_replaced_only_if_asked(generator, folder, tmp_path):
    export(generator, tmp_path / "simulator")
    with pytest.raises(UsageError, match="exists"):
        export(generator, tmp_path / "simulator")
    export(generator, tmp_path / "simulator", overwrite=True)
    assert Simulator.load(tmp_path / "simulator").check() < 1e-5
