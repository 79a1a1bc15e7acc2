"""Critics: how real does a shower look for its conditions, and what are its features.

Shapes: N rows, K cells, C conditions, F features.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import layer_norm, leaky_relu

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.errors import UsageError
from caloforge.extensions import Registry
from caloforge.networks import layered_critics
from caloforge.networks.count_critic import CountCritic
from caloforge.networks.critic import Critic, CriticOutput
from caloforge.networks.generators import WIDTH, hidden_layers
from caloforge.networks.kinds import OF_CRITIC, Build, NetworkConfig, networks_of
from caloforge.networks.layer_images import authors_block, strided_encoder
from caloforge.networks.scaling import ConditionScale, ResponseScale
from caloforge.networks.sparsity import Form


class LightCritic(Critic):
    """Strided convolutions beside the read-out channels; conditions join after both.

    The features of each row have unit variance. That does not fix the scale of distances: on a
    fresh critic two real showers of a particle lie 0.000 to 0.011 apart, so diversity terms
    measure distances in units of that of real showers.
    """

    channels: Tensor

    def __init__(self, detector: Detector, scaling: FeatureScaling) -> None:
        super().__init__()
        self.detector = detector
        self.scale = ResponseScale(detector)
        self.conditions = ConditionScale(detector, scaling)
        self.eyes = nn.ModuleDict(
            {layer.name: strided_encoder(layer.shape) for layer in detector.layers}
        )
        channels = torch.from_numpy(detector.scheme().matrix)
        self.register_buffer("channels", channels, persistent=False)
        inputs = self._encode(self.view(torch.zeros(1, detector.cells), torch.zeros(1, 0))).shape[1]
        self.join = nn.Linear(inputs + self.conditions.size, 128)
        self.features = nn.Linear(128 + self.conditions.size, 64)
        self.logit = nn.Linear(64, 1)

    def view(self, showers: Tensor, conditions: Tensor) -> Tensor:
        cells = self.scale.encode(showers)
        # Sums reach far beyond one: a tenth brings them to the size of what the encoders give.
        return torch.cat([cells, self.scale.steady(showers @ self.channels) / 10], dim=1)

    def condition(self, conditions: Tensor) -> Tensor:
        return self.conditions(conditions)

    def judge(self, view: Tensor, condition: Tensor) -> CriticOutput:
        hidden = leaky_relu(self.join(torch.cat([self._encode(view), condition], dim=1)), 0.2)
        features = leaky_relu(self.features(torch.cat([hidden, condition], dim=1)), 0.2)
        features = layer_norm(features, features.shape[1:])
        return CriticOutput(self.logit(features)[:, 0], features)

    def _encode(self, view: Tensor) -> Tensor:
        cells, channels = view[:, : self.detector.cells], view[:, self.detector.cells :]
        images = self.detector.split(cells)
        encoded = [self.eyes[name](image[:, None]) for name, image in images.items()]
        return torch.cat([*encoded, channels], dim=1)


class ReferenceCritic(Critic):
    """The authors' critic: two 3x3 convolutions with pooling, dense 128 and 64.

    Public code of arXiv:2406.03263; the activated 64-vector is the papers' "latent" of the image.
    """

    def __init__(self, detector: Detector, scaling: FeatureScaling) -> None:
        super().__init__()
        self.detector = detector
        self.scale = ResponseScale(detector)
        self.conditions = ConditionScale(detector, scaling)
        if len(detector.layers) != 1:
            raise UsageError(f"{detector.name} has several layers: set critic.kind=light")
        (layer,) = detector.layers
        self.name = layer.name
        self.see = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            *authors_block(nn.BatchNorm2d(32)),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 16, 3),
            *authors_block(nn.BatchNorm2d(16)),
            nn.MaxPool2d((2, 1)),
            nn.Flatten(),
        )
        shape = torch.zeros(2, 1, *layer.shape)
        inputs = self.see(shape).shape[1] + self.conditions.size
        self.features = nn.Sequential(
            nn.Linear(inputs, 128),
            *authors_block(nn.BatchNorm1d(128)),
            nn.Linear(128, 64),
            *authors_block(nn.BatchNorm1d(64)),
        )
        self.logit = nn.Linear(64, 1)

    def view(self, showers: Tensor, conditions: Tensor) -> Tensor:
        return self.scale.encode(showers)

    def condition(self, conditions: Tensor) -> Tensor:
        return self.conditions(conditions)

    def judge(self, view: Tensor, condition: Tensor) -> CriticOutput:
        image = self.detector.split(view)[self.name][:, None]
        features = self.features(torch.cat([self.see(image), condition], dim=1))
        return CriticOutput(self.logit(features)[:, 0], features)


class MlpCritic(Critic):
    """Cells and conditions through two dense layers of 64; the second one is the features."""

    def __init__(self, detector: Detector, scaling: FeatureScaling) -> None:
        super().__init__()
        self.scale = ResponseScale(detector)
        self.conditions = ConditionScale(detector, scaling)
        self.features = hidden_layers(detector.cells + self.conditions.size)
        self.logit = nn.Linear(WIDTH, 1)

    def view(self, showers: Tensor, conditions: Tensor) -> Tensor:
        return self.scale.encode(showers)

    def condition(self, conditions: Tensor) -> Tensor:
        return self.conditions(conditions)

    def judge(self, view: Tensor, condition: Tensor) -> CriticOutput:
        features = self.features(torch.cat([view, condition], dim=1))
        return CriticOutput(self.logit(features)[:, 0], features)


CRITICS: Registry[Build] = Registry(
    "critic",
    "networks",
    {
        "counts": CountCritic,
        "light": LightCritic,
        "reference": ReferenceCritic,
        "mlp": MlpCritic,
        "layered": layered_critics.layered,
        "standardised": layered_critics.StandardisedCritic,
        "calogan": layered_critics.calogan,
        "conditional-calogan": layered_critics.conditional_calogan,
    },
    networks_of(OF_CRITIC),
    "a critic is a class or a function of (detector, scaling)",
)


class CriticConfig(NetworkConfig):
    """Which critic is built; its sizes come from the detector."""

    PLAYER = "critic"
    KINDS = CRITICS

    hottest: int = Field(default=2, ge=0, le=65536)
    """Hottest cells that it sees beside the sum of squares; kind ``counts`` only."""
    minibatch: bool = True
    """Whether it compares the rows of a batch; networks of layers only."""
    occupancy: Form | None = "root"
    """How lit cells are counted, None: not at all; networks of layers only."""

    def build(self, detector: Detector, scaling: FeatureScaling) -> nn.Module:
        """The critic for a detector, with its scaling inside."""
        return self.make(detector, scaling)
