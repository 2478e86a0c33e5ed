"""A receiver of Standard Webhooks 1.0, with a verification of its own.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from alert_router_demo.soc.accounts import SocAccount
from alert_router_demo.soc.endpoint import Endpoint

PATH = "/hook"
TOLERANCE = 300  # seconds that a timestamp may be off, inclusive
BODY_LIMIT = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Hook:
    """One message that was accepted.

    Attributes:
        account: who signed it.
        id: its `webhook-id`.
        timestamp: its `webhook-timestamp`.
        body: its body as text.
    """

    account: str
    id: str
    timestamp: int
    body: str


class WebhookDouble(Endpoint):
    """A receiver that accepts what one of its accounts signed.

    Attributes:
        hooks: the newest `keep` messages.
        ids: how often each `webhook-id` was accepted.
        accepted: how many messages were accepted.
    """

    name = "webhook"
    holds = "hooks"

    def __init__(
        self, accounts: Iterable[SocAccount], *, keep: int = 10_000, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._keys = {account.name: _key_in(account.webhook_secret) for account in accounts}
        self._clock = clock
        self.hooks: deque[Hook] = deque(maxlen=keep)
        self.ids: Counter[str] = Counter()
        self.accepted = 0

    @property
    def duplicates(self) -> int:
        """Gives how many messages came under an id that had been accepted before."""
        return self.accepted - len(self.ids)

    def count(self) -> int:
        """Gives how many messages were accepted."""
        return self.accepted

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the receiver's path."""
        return (web.post(PATH, self._receive),)

    def error_body(self, status: int, message: str) -> Any:
        """Gives `{"error"}`; the specification leaves the body open."""
        return {"error": message}

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if len(body) > BODY_LIMIT:
            return self.error(413, "body above 1 MiB")
        account = find_signer(self._keys, request.headers, body, self._clock())
        if account is None:
            return self.error(401, "signature or timestamp not accepted")
        identity = request.headers["webhook-id"]
        self.ids[identity] += 1
        self.accepted += 1
        timestamp = int(request.headers["webhook-timestamp"])
        self.hooks.append(Hook(account, identity, timestamp, body.decode("utf-8", "replace")))
        return web.Response(status=204)


def find_signer(keys: Mapping[str, bytes], headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """Finds the account whose key signed the message, if its timestamp is within the tolerance of `now` (Unix time)."""
    identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not identity or not (timestamp.isascii() and timestamp.isdecimal()) or abs(now - int(timestamp)) > TOLERANCE:
        return None
    signed = f"{identity}.{timestamp}.".encode() + body
    signatures = headers.get("webhook-signature", "").split()
    given = [one.removeprefix("v1,").encode() for one in signatures if one.startswith("v1,")]
    for name, key in keys.items():
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        if any(hmac.compare_digest(expected, one) for one in given):
            return name
    return None


def _key_in(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))
