"""A stack whose router has a gate before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields

from tests.stack.gate.gate import Gate, gate_in_thread
from tests.stack.stack import POLICIES, Stack

_SERVICES = ("pagerduty", "servicenow")


@dataclass(frozen=True, kw_only=True)
class GatedStack(Stack):
    """A stack whose SOC the router reaches through a gate; tests go past it."""

    gate: Gate

    def addresses(self, stream: str) -> Mapping[str, str]:
        """The SOC's addresses, those of the pager and the tickets at the gate."""
        return {**super().addresses(stream), **{name: self.gate.addresses[name] for name in _SERVICES}}


@contextmanager
def gated(stack: Stack) -> Iterator[GatedStack]:
    """The same stack with a gate before its pager and tickets, and policies that lead through it."""
    services = {name: stack.addresses("cwpp")[name] for name in _SERVICES}
    with gate_in_thread(services) as gate:
        behind = GatedStack(**{one.name: getattr(stack, one.name) for one in fields(stack)}, gate=gate)
        for stream, policy in POLICIES.items():
            behind.write_policy(stream, policy)
        yield behind
