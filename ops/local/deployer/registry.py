"""Which function creates which resource type, and which one answers which provider function.

A creator declares the properties that it uses. A program that sets another one is refused, so that nothing of the
architecture is left out without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from ops.local.deployer.clients import Clients
from ops.local.deployer.errors import UnknownPropertyError, UnknownTypeError
from ops.local.deployer.images import Images
from ops.local.deployer.names import autoname
from ops.local.deployer.shapes import to_parameters
from ops.local.errors import LocalError

__all__ = [
    "IGNORED_PROPERTIES",
    "Context",
    "Created",
    "Request",
    "answers",
    "create",
    "created_types",
    "creates",
    "invoke",
]

IGNORED_PROPERTIES = frozenset({"tags", "tagsAll", "region", "skipDestroy", "forceDestroy", "forceDelete"})
"""Accepted on every type: they change nothing here (tags), are read by `Request` itself (region), or concern only
the deletion of a resource, and the local environment is thrown away as a whole."""


@dataclass(frozen=True)
class Context:
    """What every creator shares during one deployment."""

    clients: Clients
    images: Images


@dataclass(frozen=True)
class Created:
    """A resource that now exists: Pulumi's id of it and its output properties beside the inputs."""

    id: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One resource (or function call) of the program.

    Attributes:
        type: the type token, e.g. ``aws:sqs/queue:Queue``.
        name: the logical name; empty for a function.
        inputs: properties in the provider's camel case, without secret wrappers, whole numbers as int.
        region: where it is created.
    """

    type: str
    name: str
    inputs: Mapping[str, Any]
    region: str
    context: Context

    def __getitem__(self, key: str) -> Any:
        """A required input."""
        try:
            return self.inputs[key]
        except KeyError:
            raise LocalError(f"the property {key!r} is required and not set") from None

    def get(self, key: str, default: Any = None) -> Any:
        return self.inputs.get(key, default)

    def pick(self, *keys: str, **renamed: str) -> dict[str, Any]:
        """The inputs named, where set; ``aws_name="pulumiName"`` gives one another name."""
        chosen = {key: self.inputs[key] for key in keys if key in self.inputs}
        return chosen | {new: self.inputs[old] for new, old in renamed.items() if old in self.inputs}

    def physical_name(self, *, key: str = "name", suffix: str = "", max_length: int = 255) -> str:
        """The name that the program set, or one as the provider would make it."""
        return self.inputs.get(key) or autoname(self.name, suffix=suffix, max_length=max_length)

    def client(self, service: str) -> Any:
        return self.context.clients.get(service, self.region)

    def call(self, service: str, operation: str, **values: Any) -> Any:
        """Call AWS with values spelt and typed as in Pulumi; None means unset. Answers what boto3 answers."""
        client = self.client(service)
        return getattr(client, operation)(**to_parameters(client, operation, values))


_Creator = Callable[[Request], Created]
_Answer = Callable[[Request], Mapping[str, Any]]
_CREATORS: dict[str, tuple[_Creator, frozenset[str]]] = {}
_ANSWERS: dict[str, _Answer] = {}


def creates(type_token: str, *properties: str) -> Callable[[_Creator], _Creator]:
    """Register a creator of `type_token` that uses exactly `properties` (and those every type may have)."""

    def register(creator: _Creator) -> _Creator:
        assert type_token not in _CREATORS, f"two creators of {type_token}"
        _CREATORS[type_token] = (creator, frozenset(properties))
        return creator

    return register


def answers(function_token: str) -> Callable[[_Answer], _Answer]:
    """Register what answers the provider function `function_token`, e.g. ``aws:index/getRegion:getRegion``."""

    def register(answer: _Answer) -> _Answer:
        assert function_token not in _ANSWERS, f"two answers to {function_token}"
        _ANSWERS[function_token] = answer
        return answer

    return register


def created_types() -> frozenset[str]:
    """Every type that can be created."""
    return frozenset(_CREATORS)


def create(request: Request) -> Created:
    """Create the resource in the embedded AWS.

    Raises:
        UnknownTypeError: no creator for this type.
        UnknownPropertyError: the creator does not use a property that is set.
        LocalError: AWS refused; the message is one sentence with AWS's error code.
    """
    if request.type not in _CREATORS:
        raise UnknownTypeError(
            f"the local environment cannot create resources of type {request.type!r} yet; "
            "add a creator to ops/local/deployer/resources, or leave the pattern out of the stack's settings"
        )
    creator, properties = _CREATORS[request.type]
    unknown = request.inputs.keys() - properties - IGNORED_PROPERTIES
    if unknown:
        raise UnknownPropertyError(
            f"the local environment does not know what to do with {', '.join(map(repr, sorted(unknown)))} "
            f"of {request.type}; it knows {', '.join(sorted(properties))}"
        )
    return _explained(creator, request)


def invoke(request: Request) -> Mapping[str, Any]:
    """Answer a provider function. Raises like `create`."""
    if request.type not in _ANSWERS:
        raise UnknownTypeError(
            f"the local environment cannot answer the function {request.type!r} yet; "
            "add an answer to ops/local/deployer/resources"
        )
    return _explained(_ANSWERS[request.type], request)


_Answered = TypeVar("_Answered")


def _explained(function: Callable[[Request], _Answered], request: Request) -> _Answered:
    try:
        return function(request)
    except ClientError as error:
        detail = error.response["Error"]
        message = detail.get("Message") or "(the embedded AWS gives no reason)"
        raise LocalError(f"{error.operation_name} answered {detail['Code']}: {message}") from error
