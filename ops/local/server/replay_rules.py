"""Gap: a replay goes to the rules that its destination names (FilterArns), and to no others."""

from __future__ import annotations

from typing import Any

from ministack.services import eventbridge

from ops.local.server.settings import ServerSettings

__all__ = ["SEAMS", "install"]

SEAMS = ("services.eventbridge._invoke_target", "services.eventbridge._replays")


def install(settings: ServerSettings) -> None:
    """Skip the other rules' targets. Installed after the delivery, which it wraps."""
    invoke_target = eventbridge._invoke_target

    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        replay = eventbridge._replays.get(event.get("ReplayName") or "")
        wanted = (replay or {}).get("Destination", {}).get("FilterArns")
        if not wanted or rule.get("Arn") in wanted:
            invoke_target(target, event, rule, view)

    eventbridge._invoke_target = invoke
