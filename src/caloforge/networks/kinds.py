"""Networks by the name of their kind, and the settings that each of them takes.

A generator is a class (``nn.Module``) or a function of ``(detector, scaling, latent)``; a critic is
one of ``(detector, scaling)``. What else it takes has a name and a default, behind ``*``.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    PydanticUserError,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)
from torch import Tensor, nn

from caloforge.data.derive import FeatureScaling
from caloforge.detector import Detector
from caloforge.documents import Record
from caloforge.errors import UsageError
from caloforge.extensions import Registry, defined_in, name_of

Build = Callable[..., nn.Module]


OF_GENERATOR = ("detector", "scaling", "latent")
OF_CRITIC = ("detector", "scaling")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@typing.runtime_checkable
class BeginsFromShowers(typing.Protocol):
    """A network that takes starting values from real showers, before its first step."""

    def begin(self, showers: Tensor, conditions: Tensor) -> None:
        """Take them, in physical units.  (n, K), (n, C)"""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights, as of every ``nn.Module``."""
        ...


def networks_of(arguments: tuple[str, ...]) -> Callable[[ModuleType], Iterator[tuple[str, Build]]]:
    """What finds the networks of a module that are made of these arguments."""

    def find(module: ModuleType) -> Iterator[tuple[str, Build]]:
        for piece in defined_in(module):
            if inspect.isclass(piece) and not issubclass(piece, nn.Module):
                continue
            parameters = inspect.signature(piece).parameters.values()
            if tuple(p.name for p in parameters if p.kind in POSITIONAL) == arguments:
                yield name_of(piece), piece

    return find


class NetworkConfig(Record):
    """Which network is built; its sizes come from the detector."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    PLAYER: ClassVar[str]
    KINDS: ClassVar[Registry[Build]]

    kind: str = "light"
    options: dict[str, JsonValue] = Field(default={})
    """Settings of a network from outside this package, as ``generator.options.width``."""

    @model_validator(mode="after")
    def _exists(self) -> NetworkConfig:
        build = self.KINDS.require(self.kind, f"{self.PLAYER}.kind: ")
        where, possible = f"{self.PLAYER}.options", settings_of(build).keys() - self.own_settings()
        for name, value in self.options.items():
            if name not in possible:
                names = ", ".join(sorted(possible)) or "none"
                raise UsageError(f"{where}: {self.kind} has no option {name}; it has {names}")
            require_fits(build, name, value, f"{where}.{name}")
        return self

    @model_serializer(mode="wrap")
    def _without_empty_options(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        record: dict[str, Any] = write(self)
        if not record["options"]:
            del record["options"]
        return record

    @classmethod
    def own_settings(cls) -> set[str]:
        """Settings that stand in the recipe beside ``kind``."""
        return cls.model_fields.keys() - NetworkConfig.model_fields.keys()

    def make(self, *arguments: Any) -> nn.Module:
        """The network of this kind, with the settings that it takes."""
        build = self.KINDS[self.kind]
        own = self.own_settings() & settings_of(build).keys()
        return build(*arguments, **{name: getattr(self, name) for name in own}, **self.options)

    def build(self, detector: Detector, scaling: FeatureScaling) -> nn.Module:
        """The network for a detector, with its scaling inside."""
        raise NotImplementedError


def settings_of(build: Build) -> dict[str, inspect.Parameter]:
    """What a network takes by name."""
    parameters = inspect.signature(build).parameters
    return {n: p for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def require_fits(build: Build, name: str, value: JsonValue, where: str) -> None:
    """UsageError for a value of another type than the network says it takes."""
    function = build.__init__ if inspect.isclass(build) else build
    try:
        TypeAdapter(typing.get_type_hints(function)[name]).validate_python(value, strict=True)
    except (KeyError, NameError, PydanticUserError):
        return  # it says nothing that can be checked
    except ValidationError as error:
        raise UsageError(f"{where}: {error.errors()[0]['msg']} (got {value!r})") from error
