"""A stack whose router has a gate before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields

from azure.core.utils import parse_connection_string

from tests.stack.gate.gate import Gate, gate_in_thread
from tests.stack.stack import POLICIES, Stack

_STORAGE = ("blob", "queue", "table")


@dataclass(frozen=True, kw_only=True)
class GatedStack(Stack):
    """A stack that its router reaches through a gate; hosts and tests go past it."""

    gate: Gate

    @property
    def storage_for_router(self) -> str:
        """The connection string that leads through the gate."""
        parts = parse_connection_string(self.storage, case_sensitive_keys=True)
        through = {f"{name.title()}Endpoint": self._through(parts, name) for name in _STORAGE}
        return ";".join(f"{key}={value}" for key, value in {**parts, **through}.items())

    def addresses(self, stream: str) -> Mapping[str, str]:
        """The SOC's addresses, those of the pager and the tickets at the gate."""
        return {
            **super().addresses(stream),
            **{name: self.gate.addresses[name] for name in ("pagerduty", "servicenow")},
        }

    def _through(self, parts: Mapping[str, str], service: str) -> str:
        return f"{self.gate.addresses[service]}/{parts['AccountName']}"


@contextmanager
def gated(stack: Stack) -> Iterator[GatedStack]:
    """The same stack with a gate before its storage, pager and tickets, and policies that lead through it."""
    parts = parse_connection_string(stack.storage, case_sensitive_keys=True)
    services = {name: parts[f"{name.title()}Endpoint"].rpartition("/")[0] for name in _STORAGE}
    services |= {"pagerduty": stack.soc.addresses.pagerduty, "servicenow": stack.soc.addresses.servicenow}
    with gate_in_thread(services) as gate:
        behind = GatedStack(**{one.name: getattr(stack, one.name) for one in fields(stack)}, gate=gate)
        for stream, policy in POLICIES.items():
            behind.write_policy(stream, policy)
        yield behind
