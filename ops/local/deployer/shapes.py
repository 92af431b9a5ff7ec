"""Turn property values as Pulumi serialises them into the parameters that boto3 expects.

Pulumi's AWS provider and the AWS API use the same words in another case and with looser types (`maximumRetryAttempts:
3.0`, numbers as text). Botocore's own model of the operation says how each member is spelt and which type it has, so
one conversion serves every service, and a property that the API does not know is an error instead of being dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient
from botocore.model import ListShape, MapShape, Shape, StructureShape

from ops.local.deployer.errors import UnknownPropertyError
from ops.local.errors import LocalError

__all__ = ["to_parameters"]


def to_parameters(client: BaseClient, operation: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments for ``client.<operation>``.

    Args:
        client: a boto3 client.
        operation: the client's method, e.g. ``put_targets``.
        values: member names in any case; None means unset, at every depth.

    Raises:
        UnknownPropertyError: a name that the operation's input does not have.
        LocalError: a value that cannot be of the member's type.
    """
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    if model.input_shape is None:
        return {}
    converted = _convert(values, model.input_shape, model.name)
    assert isinstance(converted, dict)
    return converted


def _convert(value: Any, shape: Shape, path: str) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(value, shape, path)
    if isinstance(shape, ListShape):
        if not isinstance(value, list | tuple):
            raise _mistyped(path, value, "a list")
        return [_convert(item, shape.member, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            raise _mistyped(path, value, "an object")
        return {key: _convert(item, shape.value, f"{path}.{key}") for key, item in value.items() if item is not None}
    return _scalar(value, shape.type_name, path)


def _structure(value: Any, shape: StructureShape, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _mistyped(path, value, "an object")
    members = {name.lower(): name for name in shape.members}
    result: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        name = members.get(key.lower())
        if name is None:
            raise UnknownPropertyError(
                f"{path}.{key}: the AWS API has no such member; it has {', '.join(sorted(shape.members))}"
            )
        result[name] = _convert(item, shape.members[name], f"{path}.{name}")
    return result


def _scalar(value: Any, type_name: str, path: str) -> Any:
    match type_name:
        case "boolean":
            if isinstance(value, bool):
                return value
            if value in ("true", "false"):
                return value == "true"
            raise _mistyped(path, value, "true or false")
        case "integer" | "long":
            number = _number(value, path)
            if not number.is_integer():
                raise _mistyped(path, value, "a whole number")
            return int(number)
        case "float" | "double":
            return _number(value, path)
        case "string":
            return _text(value, path)
        case _:  # blob and timestamp: botocore checks them
            return value


def _number(value: Any, path: str) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise _mistyped(path, value, "a number") from None


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else str(value)
    raise _mistyped(path, value, "a text")


def _mistyped(path: str, value: Any, allowed: str) -> LocalError:
    return LocalError(f"{path}: {value!r:.80} is not {allowed}")
