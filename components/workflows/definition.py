"""Definition: states in an order, checked before they are deployed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from components.workflows.states import State

__all__ = ["MAX_BYTES", "Definition"]

MAX_BYTES = 1_048_576
"""Step Functions quotas, "Maximum size of a state machine definition"."""
_MAX_NAME = 80


@dataclass(frozen=True, kw_only=True)
class Definition:
    """The states of a state machine, of a branch or of a map's items.

    Attributes:
        states: each with a name that no other state of the whole state machine has; the first begins.
    """

    states: Sequence[State]

    def document(self) -> dict[str, Any]:
        """As the Amazon States Language writes it, Outputs still inside."""
        return {"StartAt": self.states[0].name, "States": {state.name: state.document() for state in self.states}}

    def everything(self) -> Iterator[State]:
        """Every state, those inside of others too."""
        for state in self.states:
            yield state
            for inner in state.inner():
                yield from inner.everything()

    def problems(self) -> Iterator[str]:
        """A sentence for each mistake that Step Functions would find, or that it would not."""
        if not self.states:
            yield "states has 0 entries; name at least one"
            return
        names = [state.name for state in self.everything()]
        yield from (f"state {name!r} is there twice" for name in sorted({n for n in names if names.count(n) > 1}))
        yield from self._scope_problems()

    def _scope_problems(self) -> Iterator[str]:
        by_name = {state.name: state for state in self.states}
        for state in self.states:
            where = f"state {state.name!r}"
            if not 1 <= len(state.name) <= _MAX_NAME:
                yield f"{where} has {len(state.name)} characters; allowed are 1 to {_MAX_NAME}"
            yield from (f"{where}: {problem}" for problem in state.problems())
            for other in state.successors():
                if other not in by_name:
                    yield f"{where} leads to {other!r}, which is not there; there are {', '.join(by_name)}"
            for inner in state.inner():
                if not inner.states:
                    yield f"{where} has an empty branch"
                else:
                    yield from inner._scope_problems()
        reached = _closure(by_name, {self.states[0].name})
        yield from (f"state {name!r} is never reached" for name in by_name if name not in reached)
        if not all(other in by_name for state in self.states for other in state.successors()):
            return  # where these lead, nobody knows
        ends = {state.name for state in self.states if _ends(state)}
        endless = [name for name in reached if name in by_name and not _closure(by_name, {name}) & ends]
        yield from (f"state {name!r} leads to no end" for name in by_name if name in endless)


def _ends(state: State) -> bool:
    document = state.document()
    return bool(document.get("End")) or document["Type"] in ("Succeed", "Fail")


def _closure(by_name: dict[str, State], names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name in by_name:
            waiting += by_name[name].successors()
    return found
