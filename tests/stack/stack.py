"""The whole of Azure that the router sees, on loopback: hubs, its state, and a SOC, and the rules and settings that lead there.

`with stack_running() as stack:` starts it; `stack.environment` is what a router is given, `stack.host()` runs
function_app.py as Azure does. What that keeps in a storage account of its own is in memory here.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from alert_router_demo.soc import Soc, soc_in_thread
from tests.builders import RULES
from tests.stack.event_hubs import EventHubs, event_hubs_in_thread
from tests.stack.functions_host import Checkpoints, Conditions, FunctionsHost, Queues
from tests.stack.postgres import postgres_running
from tests.store.opened import Store, engine_over

ROOT = Path(__file__).parents[2]

POLICIES = {
    "cwpp": """
stream: cwpp
floor: {{default: Medium}}
destinations:
  oncall: {{kind: pagerduty, url: "{pagerduty}", routing_key: {{secret: CWPP_ROUTING_KEY}}}}
  tickets: {{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: CWPP_PASSWORD}}}}}}
  sentinel: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-1, table: ASimAlertEventLogs}}
routes:
  - {{name: page, when: {{at_least: High}}, to: [oncall]}}
  - {{name: tickets, when: {{at_least: Medium}}, to: [tickets]}}
always: [sentinel]
otherwise: [tickets]
record: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-2, table: AlertRouterDecisions_CL}}
""",
    "cspm": """
stream: cspm
floor: {{default: Medium}}
destinations:
  backlog: {{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: CSPM_PASSWORD}}}}}}
  posture: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-3, table: DefenderFindings_CL}}
routes:
  - {{name: backlog, when: {{at_least: High}}, to: [backlog]}}
always: [posture]
otherwise: [backlog]
record: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-4, table: AlertRouterDecisions_CL}}
""",
}


@dataclass(frozen=True)
class Stack:
    """A stack that runs; `directory` holds the rules, which a test may change before a router reads them, `state` is the
    URL of the state."""

    hubs: EventHubs
    soc: Soc
    directory: Path
    state: str
    checkpoints: Checkpoints = field(default_factory=dict)
    queues: Queues = field(default_factory=lambda: defaultdict(deque))

    @property
    def rules(self) -> Path:
        """The rules directory."""
        return self.directory / "rules"

    @cached_property
    def environment(self) -> dict[str, str]:
        """What a router's process is given: how to reach all of it, and what the rules call secret."""
        given = {
            "ALERT_ROUTER_STATE": self.state,
            "EVENT_HUBS": self.hubs.connection_string,
            "ALERT_ROUTER_RULES": str(self.rules),
            "ALERT_ROUTER_CA_FILE": str(self.soc.addresses.ca),
        }
        for stream, account in self.soc.accounts.items():
            given[f"{stream.upper()}_ROUTING_KEY"] = account.routing_key
            given[f"{stream.upper()}_PASSWORD"] = account.servicenow_password
        return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | given

    def host(self, app: Path = ROOT, /, *, conditions: Conditions, **more: str) -> FunctionsHost:
        """A Functions host for function_app.py, or for another app; `more` are further app settings."""
        return FunctionsHost(
            app,
            env=self.environment | more,
            hubs=self.hubs,
            checkpoints=self.checkpoints,
            queues=self.queues,
            conditions=conditions,
        )

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The state, to look into; made in the loop that uses it."""
        store = engine_over(self.state)
        try:
            yield store
        finally:
            await store.close()

    def write_policy(self, stream: str, text: str) -> None:
        """Puts a policy in place of a stream's own, the SOC's addresses put in."""
        path = self.rules / stream / "policy.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format_map(self.addresses(stream)))

    def write_policies(self) -> None:
        """Puts the stack's policies in place of each stream's own."""
        for stream, policy in POLICIES.items():
            self.write_policy(stream, policy)

    def addresses(self, stream: str) -> Mapping[str, str]:
        """What policies call the SOC's addresses, and its user for a stream."""
        return {
            **{name: str(address) for name, address in asdict(self.soc.addresses).items()},
            "user": self.soc.accounts[stream].servicenow_user,
        }


async def _make(state: str) -> None:
    """Makes the tables in a database."""
    store = engine_over(state)
    await store.upgrade()
    await store.close()


@contextmanager
def stack_running(state: str | None = None) -> Iterator[Stack]:
    """Runs a stack, with a PostgreSQL of its own unless an empty database is given."""
    with ExitStack() as held:
        directory = Path(held.enter_context(TemporaryDirectory(prefix="stack-")))
        hubs = held.enter_context(event_hubs_in_thread())
        soc = held.enter_context(soc_in_thread(keep=1_000_000))
        state = held.enter_context(postgres_running()).new_database() if state is None else state
        asyncio.run(_make(state))
        stack = Stack(hubs, soc, directory, state)
        stack.write_policies()
        (stack.rules / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
        yield stack
