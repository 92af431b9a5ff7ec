"""Accounts and regions: MiniStack keeps the state of all of them in one process, told apart by a request scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from ministack.core.responses import get_account_id, get_region, request_scope

__all__ = ["Scope", "current_scope", "in_scope", "records"]


class Scope(NamedTuple):
    """An account (12 digits) and a region of it."""

    account_id: str
    region: str


def current_scope() -> Scope:
    """The scope of the request that is being served."""
    return Scope(str(get_account_id()), str(get_region()))


def in_scope(scope: Scope) -> AbstractContextManager[None]:
    """Pin `scope` for a block that runs outside a request: a background loop, a thread of a task."""
    pinned: Callable[..., AbstractContextManager[None]] = request_scope
    return pinned(scope.account_id, scope.region)


def records(store: Any) -> Iterator[tuple[Scope, str, Any]]:
    """Every (scope, key, record) of an ``AccountRegionScopedDict``, over all accounts and regions.

    The store's own iterators filter by the current scope, which costs a full scan per scope.
    """
    for (account_id, region, key), record in store.all_items():
        yield Scope(account_id, region), key, record
