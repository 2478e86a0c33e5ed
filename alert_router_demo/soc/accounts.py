"""Who may call the loopback SOC: one account per stream, with dummy secrets made when it starts."""

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

STREAMS = ("cwpp", "cspm")


@dataclass(frozen=True, slots=True)
class SocAccount:
    """The credentials of one stream of the router at every endpoint.

    Attributes:
        name: the stream's name.
        servicenow_user, servicenow_password, servicenow_token: its user at ServiceNow, with a password and a bearer token.
        routing_key: its key at PagerDuty.
        logs_token: its bearer token at the data collection endpoint.
        webhook_secret: the secret that its webhook signs with.
    """

    name: str
    servicenow_user: str
    servicenow_password: str = field(repr=False)
    servicenow_token: str = field(repr=False)
    routing_key: str = field(repr=False)
    logs_token: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def new_account(name: str) -> SocAccount:
    """Gives an account whose secrets have the vendors' own shapes and never existed before."""
    return SocAccount(
        name=name,
        servicenow_user=f"{name}-router",
        servicenow_password=secrets.token_hex(16),
        servicenow_token=secrets.token_hex(32),
        routing_key=secrets.token_hex(16),
        logs_token=secrets.token_hex(32),
        webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
    )


def basic_credentials(accounts: Iterable[SocAccount]) -> dict[str, SocAccount]:
    """Gives, for each `Authorization` header that ServiceNow accepts, the account behind it."""
    known: dict[str, SocAccount] = {}
    for account in accounts:
        pair = f"{account.servicenow_user}:{account.servicenow_password}".encode()
        known[f"Basic {base64.b64encode(pair).decode()}"] = account
        known[f"Bearer {account.servicenow_token}"] = account
    return known
