"""The base class: identity, children and published outputs are the same for every component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.core.errors import ComponentError
from components.core.naming import check_name

__all__ = ["Component"]


def _type_token(cls: type[Component]) -> str:
    """``eda:<folder>:<Class>``, from the nearest class of this library: a subclass elsewhere keeps the identity.

    A type token is part of every URN below it, so changing one replaces all of the component's resources.
    """
    for candidate in cls.__mro__:
        package, _, rest = candidate.__module__.partition(".")
        if package == "components" and candidate is not Component:
            return f"eda:{rest.split('.')[0]}:{candidate.__name__}"
    raise ComponentError(f"{cls.__name__}: derive from a component of this library, not from Component itself")


class Component(pulumi.ComponentResource):
    """A ComponentResource whose children hang below it and whose outputs are registered once.

    A subclass's constructor reads as a list: validate, normalise, create, publish.

    Native Pulumi ``transforms`` in `opts` are the escape hatch to any input of any child.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        check_name(name)
        super().__init__(_type_token(type(self)), name, None, opts)
        self.name = name

    def child(
        self,
        *,
        depends_on: Sequence[pulumi.Resource] | None = None,
        ignore_changes: Sequence[str] | None = None,
        delete_before_replace: bool | None = None,
        replace_on_changes: Sequence[str] | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of a child. The caller's own options are never merged in: they reach children through the parent."""
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=list(depends_on) if depends_on else None,
            ignore_changes=list(ignore_changes) if ignore_changes else None,
            delete_before_replace=delete_before_replace,
            replace_on_changes=list(replace_on_changes) if replace_on_changes else None,
        )

    def publish(self, outputs: Mapping[str, Any]) -> None:
        """Register the outputs; the last statement of a constructor."""
        self.register_outputs(dict(outputs))
