"""The whole SOC, running: its vendors and the door to them, on free ports of 127.0.0.1."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from alert_router_demo.soc.accounts import STREAMS, SocAccount, new_account
from alert_router_demo.soc.authority import NewAuthority, new_authority
from alert_router_demo.soc.control import Control
from alert_router_demo.soc.endpoint import Double, Endpoint, served
from alert_router_demo.soc.jira import JiraDouble
from alert_router_demo.soc.jsm_ops import JsmOpsDouble
from alert_router_demo.soc.logs import LogsIngestion
from alert_router_demo.soc.mail import MailDouble, mail_served
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from alert_router_demo.soc.servicenow import ServiceNowDouble
from alert_router_demo.soc.servicenow_events import EventManagementDouble
from alert_router_demo.soc.slack import SlackDouble
from alert_router_demo.soc.splunk_hec import SplunkHecDouble
from alert_router_demo.soc.teams import TeamsDouble
from alert_router_demo.soc.webhook import PATH, WebhookDouble

WORKFLOW = "0123456789abcdef"  # the one behind Teams


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the SOC answers. URLs have no slash at the end.

    Attributes:
        servicenow, pagerduty, logs: the base URLs of those vendors.
        webhook: the whole URL of the webhook.
        servicenow_events, jira, jsm_ops, slack, teams, splunk_hec: further base URLs.
        control: the base URL of its own door.
        email: the mail server, as `smtp://127.0.0.1:PORT`; None where there is no TLS, without which no mail is sent.
        ca: the certificate authority, a PEM file; None where there is no TLS.
    """

    servicenow: str
    pagerduty: str
    logs: str
    webhook: str
    servicenow_events: str
    jira: str
    jsm_ops: str
    slack: str
    teams: str
    splunk_hec: str
    control: str
    email: str | None = None
    ca: Path | None = None


class Soc:
    """A SOC on loopback. What it received can be read, and its faults set, while it runs.

    Attributes:
        accounts: the credentials of each stream.
        servicenow, pagerduty, logs, webhook, servicenow_events, jira, jsm_ops, slack, teams, splunk_hec, email: the doubles
            of its vendors.
    """

    def __init__(self, *, lag: float = 0.0, keep: int = 10_000) -> None:
        self.accounts: dict[str, SocAccount] = {stream: new_account(stream) for stream in STREAMS}
        known = self.accounts.values()
        self.servicenow = ServiceNowDouble(known, lag=lag)
        self.pagerduty = PagerDutyDouble(known, keep=keep)
        self.logs = LogsIngestion(known, keep=keep)
        self.webhook = WebhookDouble(known, keep=keep)
        self.servicenow_events = EventManagementDouble(known)
        self.jira = JiraDouble({account.jira_user: account.jira_token for account in known})
        self.jsm_ops = JsmOpsDouble(account.routing_key for account in known)
        self.slack = SlackDouble(*(account.slack_path for account in known))
        self.teams = TeamsDouble(WORKFLOW, *(account.teams_signature for account in known))
        self.splunk_hec = SplunkHecDouble(*(account.splunk_token for account in known))
        self.email = MailDouble({account.mail_user: account.mail_password for account in known}, keep=keep)
        self._addresses: Addresses | None = None

    @classmethod
    @asynccontextmanager
    async def running(
        cls, *, lag: float = 0.0, keep: int = 10_000, authority: NewAuthority | None = new_authority
    ) -> AsyncIterator[Self]:
        """Serves a SOC in this event loop; ServiceNow look-ups lag by `lag` seconds, `keep` bounds the bodies kept.

        Without an authority the logs endpoint answers by http, and there is no mail server.
        """
        soc = cls(lag=lag, keep=keep)
        async with soc._served(authority):
            yield soc

    @property
    def addresses(self) -> Addresses:
        """Gives where it answers; RuntimeError while it is not running."""
        if self._addresses is None:
            raise RuntimeError("The SOC is not running; enter Soc.running() or soc_in_thread() first.")
        return self._addresses

    @property
    def endpoints(self) -> tuple[Double, ...]:
        """Gives its vendors."""
        return (
            self.servicenow, self.pagerduty, self.logs, self.webhook, self.servicenow_events, self.jira, self.jsm_ops,
            self.slack, self.teams, self.splunk_hec, self.email,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Gives everything it received, as `GET /_state` shows it: no secret is in it."""
        return self.counts() | {
            "tickets": [{"table": one.table, **one.fields, "journal": one.journal} for one in self.servicenow.tickets],
            "pages": list(self.pagerduty.pages),
            "rows": {stream: list(rows) for stream, rows in list(self.logs.rows.items())},
            "hooks": list(self.webhook.hooks),
            "em_alerts": list(self.servicenow_events.alerts),
            "issues": list(self.jira.issues),
            "alerts": list(self.jsm_ops.alerts),
            "messages": list(self.slack.messages),
            "cards": list(self.teams.cards),
            "events": list(self.splunk_hec.events),
            "mails": self.email.threads(),
        }

    def counts(self) -> dict[str, Any]:
        """Gives the numbers only, as `GET /_counts` shows them; cheap however much arrived."""
        return {
            "requests": {endpoint.name: dict(endpoint.answers) for endpoint in self.endpoints},
            "received": {endpoint.holds: endpoint.count() for endpoint in self.endpoints},
            "duplicates": {
                "tickets": self.servicenow.tickets.duplicates,
                "pages": self.pagerduty.deduplicated,
                "rows": self.logs.duplicates,
                "hooks": self.webhook.duplicates,
                "mails": self.email.duplicates,
            },
        }

    @asynccontextmanager
    async def _served(self, authority: NewAuthority | None) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="soc-")))
            ca, tls = authority(directory) if authority is not None else (None, None)
            control = Control(self.endpoints, self.state, self.counts)
            urls = {
                endpoint.name: await stack.enter_async_context(
                    served(endpoint.application(), tls if endpoint is self.logs else None)
                )
                for endpoint in self.endpoints
                if isinstance(endpoint, Endpoint)
            }
            if tls is not None:
                urls[self.email.name] = await stack.enter_async_context(mail_served(self.email, tls))
            urls[self.webhook.name] += PATH
            door = await stack.enter_async_context(served(control.application()))
            self._addresses = Addresses(**urls, control=door, ca=ca)
            yield
        self._addresses = None


@contextmanager
def soc_in_thread(*, lag: float = 0.0, keep: int = 10_000) -> Iterator[Soc]:
    """Serves a SOC from a thread of its own, for callers without an event loop."""
    ready: Future[tuple[Soc, Callable[[], object]]] = Future()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="soc") as threads:
        serving = threads.submit(asyncio.run, _serve_until_stopped(ready, lag, keep))
        either: tuple[Future[Any], ...] = (ready, serving)
        wait(either, return_when=FIRST_COMPLETED)
        if serving.done():
            serving.result()
        soc, end = ready.result()
        try:
            yield soc
        finally:
            end()


async def _serve_until_stopped(ready: Future[tuple[Soc, Callable[[], object]]], lag: float, keep: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Soc.running(lag=lag, keep=keep) as soc:
        ready.set_result((soc, partial(loop.call_soon_threadsafe, stopped.set)))
        await stopped.wait()
