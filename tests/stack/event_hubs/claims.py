"""What a connection may do: shared access signatures, checked as the service checks them.

https://learn.microsoft.com/en-us/azure/event-hubs/authenticate-shared-access-signature
"""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote_plus

from tests.stack.event_hubs.amqp.incoming import path_in
from tests.stack.event_hubs.amqp.refused import Refused
from tests.stack.event_hubs.refusals import no_claim

_PREFIX = "SharedAccessSignature "


class Claims:
    """The paths that a connection has shown valid tokens for, each until it expires, in seconds since 1970."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._until: dict[str, float] = {}

    def put_signature(self, audience: str, token: str) -> None:
        """Takes a signature for an audience; raises Refused if it does not hold."""
        self._until[path_in(audience)] = expiry(token, audience, self._keys)

    def put_unchecked(self, audience: str, seconds: float) -> None:
        """Takes a token that cannot be checked here, for so long."""
        self._until[path_in(audience)] = time.time() + seconds

    def require(self, path: str) -> None:
        """Raises Refused unless a token for this path, or for one above it, holds."""
        now = time.time()
        if not any(_is_under(path.lower(), above) and now < end for above, end in self._until.items()):
            raise no_claim(path)


def expiry(token: str, audience: str, keys: Mapping[str, str]) -> float:
    """Until when a signature holds for an audience, in seconds since 1970; raises Refused if it does not."""
    parts = dict(part.partition("=")[::2] for part in token.removeprefix(_PREFIX).split("&"))
    resource, signature, end, name = (parts.get(part, "") for part in ("sr", "sig", "se", "skn"))
    key = keys.get(unquote_plus(name), "")
    right = b64encode(hmac.digest(key.encode(), f"{resource}\n{end}".encode(), "sha256"))
    if not key or not hmac.compare_digest(right, unquote_plus(signature).encode()):
        raise Refused("amqp:unauthorized-access", "InvalidSignature: The token has an invalid signature.")
    if not end.isdecimal() or float(end) < time.time():
        raise Refused("amqp:unauthorized-access", "ExpiredToken: The token is expired.")
    if not _is_under(path_in(audience), path_in(unquote_plus(resource))):
        raise Refused("amqp:unauthorized-access", "InvalidAudience: The token is for another resource.")
    return float(end)


def _is_under(path: str, above: str) -> bool:
    return not above or f"{path}/".startswith(f"{above}/")
