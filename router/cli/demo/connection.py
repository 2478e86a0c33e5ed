"""The shipped rules, their destinations pointed at the SOC on loopback.

Only addresses and users change, after the rules are loaded, so that their hash is that of the files. The webhook is
the demo's own: nobody ships an address for that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from router.assembly import Rules
from router.cli.demo.soc import Account, Addresses, Soc
from router.destinations.config import BasicAuth, SecretName
from router.destinations.log_analytics import LogAnalyticsConfig
from router.destinations.pagerduty import PagerDutyConfig
from router.destinations.servicenow import ServiceNowConfig
from router.destinations.webhook import Webhook, WebhookConfig
from router.domain.rulebook import DestinationSpec, Rulebook
from router.domain.signals import Stream
from router.settings import Settings

type Secrets = dict[str, str]

_WEBHOOK = "demo-webhook"
_WEBHOOK_SECRET = "DEMO_WEBHOOK_SECRET"


def connected(rules: Rules, soc: Soc) -> tuple[Rules, Settings]:
    """The rules as they reach the SOC, and the settings that let them in."""
    secrets: Secrets = {"ALERT_ROUTER_CA_FILE": str(soc.addresses.ca)}
    books = {
        stream: _connected(book, soc.accounts[stream], soc.addresses, secrets) for stream, book in rules.books.items()
    }
    return replace(rules, books=books), Settings(values=secrets)


def _connected(book: Rulebook, account: Account, addresses: Addresses, secrets: Secrets) -> Rulebook:
    def pointed(spec: DestinationSpec) -> DestinationSpec:
        return replace(spec, config=_pointed(spec.config, account, addresses, secrets))

    destinations = {name: pointed(spec) for name, spec in book.destinations.items()}
    always = book.always
    if book.stream is Stream.CWPP:
        secrets[_WEBHOOK_SECRET] = account.webhook_secret
        destinations[_WEBHOOK] = _webhook_at(addresses.webhook)
        always = (*always, _WEBHOOK)
    record = pointed(book.record) if book.record is not None else None
    return replace(book, destinations=destinations, always=always, record=record)


def _pointed(config: object, account: Account, addresses: Addresses, secrets: Secrets) -> Any:
    match config:
        case PagerDutyConfig():
            secrets[config.routing_key.secret] = account.routing_key
            return config.model_copy(update={"url": addresses.pagerduty})
        case ServiceNowConfig(auth=BasicAuth() as auth):
            secrets[auth.password.secret] = account.servicenow_password
            user = auth.model_copy(update={"user": account.servicenow_user})
            return config.model_copy(update={"url": addresses.servicenow, "auth": user})
        case LogAnalyticsConfig():
            return config.model_copy(update={"endpoint": addresses.logs})
        case _:
            raise TypeError(f"{type(config).__name__}: the demo's SOC has no such endpoint")


def _webhook_at(url: str) -> DestinationSpec:
    config = WebhookConfig(kind="webhook", url=url, secret=SecretName(secret=_WEBHOOK_SECRET))
    return DestinationSpec(
        name=_WEBHOOK, kind=Webhook.name, lane=Webhook.lane, config=config, secrets=(_WEBHOOK_SECRET,)
    )
