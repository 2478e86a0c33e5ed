"""Who may call the loopback SOC: one account per stream, with dummy secrets made when it starts."""

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

STREAMS = ("cwpp", "cspm")


@dataclass(frozen=True, slots=True)
class SocAccount:
    """The credentials of one stream of the router at every endpoint.

    Attributes:
        name: the stream's name.
        servicenow_user, servicenow_password, servicenow_token: its user at ServiceNow, with a password and a bearer token.
        routing_key: its key at PagerDuty, and that of its integration at JSM Operations.
        logs_token: its bearer token at the data collection endpoint.
        webhook_secret: the secret that its webhook signs with.
        jira_user, jira_token: its user at Jira, with an API token that is good as a bearer token, too.
        slack_path: the path of its webhook at Slack.
        teams_signature: the signature in its address of the workflow behind Teams.
        splunk_token: its token at Splunk's collector.
        mail_user, mail_password: its user at the mail server.
    """

    name: str
    servicenow_user: str
    servicenow_password: str = field(repr=False)
    servicenow_token: str = field(repr=False)
    routing_key: str = field(repr=False)
    logs_token: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    jira_user: str
    jira_token: str = field(repr=False)
    slack_path: str = field(repr=False)
    teams_signature: str = field(repr=False)
    splunk_token: str = field(repr=False)
    mail_user: str
    mail_password: str = field(repr=False)


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
        jira_user=f"{name}-router@soc.example",
        jira_token=secrets.token_urlsafe(48),
        slack_path=f"/services/T{secrets.token_hex(4).upper()}/B{secrets.token_hex(4).upper()}/{secrets.token_hex(12)}",
        teams_signature=secrets.token_urlsafe(32),
        splunk_token=str(uuid4()),
        mail_user=f"{name}-router",
        mail_password=secrets.token_urlsafe(24),
    )


def basic_credentials(accounts: Iterable[SocAccount]) -> dict[str, SocAccount]:
    """Gives, for each `Authorization` header that ServiceNow accepts, the account behind it."""
    known: dict[str, SocAccount] = {}
    for account in accounts:
        pair = f"{account.servicenow_user}:{account.servicenow_password}".encode()
        known[f"Basic {base64.b64encode(pair).decode()}"] = account
        known[f"Bearer {account.servicenow_token}"] = account
    return known
