"""The starter's rules, their destinations directed at the SOC on loopback.

Only addresses and users change, and where an issue goes in Jira, after the rules are loaded, so that their hash is that
of the files. A file stays where it is; a kind that the SOC has no endpoint for is left out, and said so. One webhook is
the demo's own: nobody ships an address for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import replace
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from alert_router_demo.soc import Addresses, Soc, SocAccount
from alert_router_demo.soc.running import WORKFLOW
from alert_router_demo.soc.teams import hook_of
from router.app.rules import Rules, pagers_of
from router.app.settings import Settings
from router.cli.streams import complain
from router.destinations.config import Auth, BasicAuth, BearerAuth, ClientCredentials, SecretName, SettingName
from router.destinations.email import EmailConfig
from router.destinations.file import FileConfig
from router.destinations.jira import PRIORITIES, IssueResolution, JiraConfig
from router.destinations.jsm_ops import JsmOpsConfig
from router.destinations.log_analytics import LogAnalyticsConfig
from router.destinations.pagerduty import PagerDutyConfig
from router.destinations.servicenow import ServiceNowConfig
from router.destinations.servicenow_events import ServiceNowEventsConfig
from router.destinations.slack import SlackConfig
from router.destinations.splunk_hec import SplunkHecConfig
from router.destinations.teams import TeamsConfig
from router.destinations.webhook import HeaderAuth, Webhook, WebhookConfig
from router.domain.rulebook import DestinationSpec, Rulebook
from router.domain.signals import Stream

_WEBHOOK = "demo-webhook"
_WEBHOOK_SECRET = "DEMO_WEBHOOK_SECRET"

_ISSUES: dict[str, object] = {
    "project": "SEC",
    "issue_type": "Task",
    "priorities": PRIORITIES,
    "fields": {},
    "resolve": IssueResolution(),
}
"""What the SOC's Jira knows of projects, fields and workflows, in place of what the user's does."""

type Changes = Mapping[str, object]
"""Keys of a destination's config, and what they are at the SOC."""


def connected(rules: Rules, soc: Soc) -> tuple[Rules, Settings]:
    """The rules as they reach the SOC, and the settings that let them in; says on stderr what is left out."""
    switchboard = _Switchboard(soc.addresses)
    books = {stream: switchboard.connected(book, soc.accounts[stream]) for stream, book in rules.books.items()}
    trust = {"ALERT_ROUTER_CA_FILE": str(soc.addresses.ca)} if soc.addresses.ca is not None else {}
    return replace(rules, books=books), Settings(values=trust | switchboard.secrets)


@dataclass(frozen=True, slots=True)
class _Switchboard:
    """Connects destinations, and gives every secret that is named a value that the SOC accepts."""

    addresses: Addresses
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    holders: dict[str, SocAccount] = field(default_factory=dict, repr=False)
    """Whose each secret is: two streams may name the same one."""

    def connected(self, book: Rulebook, account: SocAccount) -> Rulebook:
        """A stream's rules, whose destinations come in under an account."""
        book = _with_demo_webhook(book) if book.stream is Stream.CWPP else book
        redirected = {
            name: self._find_redirected(spec, account, book.stream) for name, spec in book.destinations.items()
        }
        destinations = {name: spec for name, spec in redirected.items() if spec is not None}
        self.secrets.update(dict.fromkeys(pagers_of(book), account.routing_key))

        def left(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name for name in names if name in destinations)

        return replace(
            book,
            destinations=destinations,
            routes=tuple(replace(route, to=left(route.to)) for route in book.routes),
            always=left(book.always),
            otherwise=left(book.otherwise),
            record=self._find_redirected(book.record, account, book.stream) if book.record is not None else None,
        )

    def _find_redirected(self, spec: DestinationSpec, account: SocAccount, stream: Stream) -> DestinationSpec | None:
        holder = next((self.holders[name] for name in spec.secrets if name in self.holders), account)
        found = _find_changes(spec.config, holder, self.addresses)
        if found is None:
            complain(f"{stream} {spec.name}: left out, the demo's SOC has no endpoint for kind {spec.kind}")
            return None
        changes, secret = found
        self.holders.update(dict.fromkeys(spec.secrets, holder))
        self.secrets.update(dict.fromkeys(spec.secrets, secret))
        config: Any = spec.config
        return replace(spec, config=config.model_copy(update=changes))


def _find_changes(config: object, account: SocAccount, addresses: Addresses) -> tuple[Changes, str] | None:
    """What changes in a config, and the value of the secrets that it names; None where the SOC has no such endpoint."""
    match config:
        case FileConfig():
            return {}, ""
        case LogAnalyticsConfig(rule=SettingName(setting=name)):
            return {"endpoint": addresses.logs, "rule": f"dcr-{name.lower().replace('_', '-')}"}, ""
        case LogAnalyticsConfig():
            return {"endpoint": addresses.logs}, ""
        case PagerDutyConfig():
            return {"url": addresses.pagerduty}, account.routing_key
        case JsmOpsConfig():
            return {"url": addresses.jsm_ops}, account.routing_key
        case SlackConfig():
            return {"origin": addresses.slack}, addresses.slack + account.slack_path
        case TeamsConfig():
            return {"origin": addresses.teams}, addresses.teams + hook_of(WORKFLOW, account.teams_signature)
        case SplunkHecConfig():
            return {"url": addresses.splunk_hec}, account.splunk_token
        case EmailConfig(auth=auth) if addresses.email is not None:
            at = urlsplit(addresses.email)
            auth = _at_the_soc(auth, account.mail_user)
            return {"host": at.hostname, "port": at.port, "auth": auth}, account.mail_password
        case WebhookConfig(auth=auth):
            return {"url": addresses.webhook, "auth": _at_the_soc(auth, "")}, account.webhook_secret
        case ServiceNowConfig(auth=auth) | ServiceNowEventsConfig(auth=auth):
            url = addresses.servicenow if isinstance(config, ServiceNowConfig) else addresses.servicenow_events
            secret = account.servicenow_password if isinstance(auth, BasicAuth) else account.servicenow_token
            return {"url": url, "auth": _at_the_soc(auth, account.servicenow_user)}, secret
        case JiraConfig(auth=auth):
            auth = _at_the_soc(auth, account.jira_user)
            return {"url": addresses.jira, "auth": auth, "site": None, **_ISSUES}, account.jira_token
    return None


def _at_the_soc(auth: Auth | HeaderAuth | None, user: str) -> Auth | HeaderAuth | None:
    """Credentials as the SOC knows them: its own user, and a token at once where somebody else would be asked for one."""
    match auth:
        case BasicAuth():
            return auth.model_copy(update={"user": user or auth.user})
        case ClientCredentials(client_secret=secret):
            return BearerAuth(bearer=secret)
    return auth


def _with_demo_webhook(book: Rulebook) -> Rulebook:
    config = WebhookConfig(kind="webhook", url="https://soc.invalid", secret=SecretName(secret=_WEBHOOK_SECRET))
    spec = DestinationSpec(
        name=_WEBHOOK, kind=Webhook.name, lane=Webhook.lane, config=config, secrets=(_WEBHOOK_SECRET,)
    )
    return replace(book, destinations={**book.destinations, _WEBHOOK: spec}, always=(*book.always, _WEBHOOK))
