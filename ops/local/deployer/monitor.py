"""Pulumi's test monitor with a real cloud behind it: what the program registers is created in the embedded AWS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor

from ops.local.deployer.errors import ResourceError
from ops.local.deployer.registry import Context, Request, create, invoke
from ops.local.errors import LocalError

__all__ = ["LocalMocks", "LocalMonitor"]

# How the Pulumi wire format marks a special value, and which mark is a secret (pulumi.runtime.rpc).
_SPECIAL = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_PROVIDER = "pulumi:providers:"
_NO_TRANSFORMS = "the local environment does not run transforms; set the input itself in the local stack"
_STACK = "pulumi:pulumi:Stack"


def _plain(value: Any) -> Any:
    """Without secret wrappers, and with whole numbers as int: the wire format has only doubles."""
    if isinstance(value, Mapping):
        if value.get(_SPECIAL) == _SECRET:
            return _plain(value.get("value"))
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class LocalMocks(pulumi.runtime.Mocks):
    """Creates resources and answers functions. Called from several threads at once.

    Attributes:
        resource_types: type token of each resource created so far, components excluded.
    """

    def __init__(self, context: Context, on_created: Callable[[int], None]) -> None:
        self._context = context
        self._on_created = on_created
        self._provider_regions: dict[str, str] = {}
        self._lock = threading.Lock()
        self.resource_types: list[str] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = _plain(args.inputs)
        if not args.custom:
            return None, inputs
        if args.typ.startswith(_PROVIDER):
            self._provider_regions[args.name] = inputs.get("region") or self._context.clients.region
            return args.name, inputs
        request = Request(
            type=args.typ,
            name=args.name,
            inputs=inputs,
            region=self._region(inputs, args.provider),
            context=self._context,
        )
        created = create(request)
        with self._lock:
            self.resource_types.append(args.typ)
            count = len(self.resource_types)
        self._on_created(count)
        return created.id, {**inputs, **created.outputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        inputs = _plain(args.args)
        request = Request(
            type=args.token,
            name="",
            inputs=inputs,
            region=self._region(inputs, args.provider),
            context=self._context,
        )
        return dict(invoke(request)), []

    def _region(self, inputs: Mapping[str, Any], provider: str | None) -> str:
        """The resource's own `region`, else its provider's, else the stack's."""
        # A provider reference is its URN and id: urn:pulumi:<stack>::<project>::<type>::<name>::<id>
        name = provider.split("::")[3] if provider else ""
        return str(inputs.get("region") or self._provider_regions.get(name, self._context.clients.region))


class LocalMonitor(MockMonitor):
    """Names the resource in every error: the mocks alone do not know the URN.

    Attributes:
        failure: the first resource that could not be created, or None.
    """

    def __init__(self, mocks: LocalMocks) -> None:
        super().__init__(mocks)
        self.failure: ResourceError | None = None

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes it: a resource directly below the stack does not carry the stack's type."""
        below_stack = parent.split("::")[2:3] == [_STACK]
        urn: str = super().make_urn("" if below_stack else parent, type_, name)
        return urn

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the name is Pulumi's
        try:
            if request.transforms:
                raise LocalError(_NO_TRANSFORMS)
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's is untyped
        except LocalError as error:
            raise self._failed(request, str(error)) from error
        except Exception as error:
            raise self._failed(request, f"{type(error).__name__}: {error}") from error

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: N802  # the name is Pulumi's
        raise LocalError(_NO_TRANSFORMS)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802  # the name is Pulumi's
        raise self._failed(
            request, f"the local environment starts empty, so there is no {request.id!r} to read; create it instead"
        )

    def _failed(self, request: Any, reason: str) -> ResourceError:
        error = ResourceError(self.make_urn(request.parent, request.type, request.name), reason)
        self.failure = self.failure or error
        return error
