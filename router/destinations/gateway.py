"""Credentials for a gateway that stands before a receiver: a vendor's forms of them, or a header of the gateway's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from router.destinations.base import Exchange, header_secret
from router.destinations.config import Auth, Config, SecretName
from router.destinations.credentials import authorized
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.deliveries import Attempt

_OURS = frozenset(
    {
        "content-type",
        "content-length",
        "transfer-encoding",
        "connection",
        "content-encoding",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "traceparent",
        "upgrade",
    }
)


def _no_header_of_ours(name: str) -> str:
    if name.lower() in _OURS or name.lower().startswith("webhook-"):
        raise ValueError(f"{name}: the router sets this header itself; name another")
    return name.lower()


class HeaderAuth(Config):
    """A header with a secret: `{header: NAME, value: {secret: NAME}}`."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$", max_length=64), AfterValidator(_no_header_of_ours)]
    value: SecretName


def _form_of(value: Any) -> str:
    # No form is called like a key, since problems are found by their keys.
    is_header = "header" in value if isinstance(value, dict) else isinstance(value, HeaderAuth)
    return "own_header" if is_header else "credentials"


type GatewayAuth = Annotated[
    Annotated[HeaderAuth, Tag("own_header")] | Annotated[Auth, Tag("credentials")], Discriminator(_form_of)
]
"""How a gateway is told who we are."""


def through_gateway(
    request: HttpRequest, auth: GatewayAuth | None, attempt: Attempt, kind: str
) -> Exchange[HttpAnswer]:
    """The answer to a request that bears what the gateway asks for, where there is one.

    Raises Unauthorized where a secret has no value, or one that cannot stand in a header.
    """
    if auth is not None and not isinstance(auth, HeaderAuth):
        return (yield from authorized(request, auth, attempt, kind))
    if auth is not None:
        header = {auth.header: header_secret(auth.value.secret, attempt, kind)}
        request = replace(request, headers={**request.headers, **header})
    answer: HttpAnswer = yield request
    return answer
