"""Requests that say who we are: by a token, a user and password, or OAuth 2.0 client credentials; and secret addresses."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from urllib.parse import urlsplit

from router.destinations.base import Exchange, header_secret, secret_named
from router.destinations.config import Auth, BasicAuth, BearerAuth, ClientCredentials, SecretName
from router.domain.conversation import AccessToken, HttpAnswer, HttpRequest
from router.domain.deliveries import Attempt
from router.domain.errors import Unauthorized

_PORTS = {"https": 443, "http": 80}


def authorized(request: HttpRequest, auth: Auth, attempt: Attempt, kind: str) -> Exchange[HttpAnswer]:
    """The answer to a request that bears our credentials; raises Unauthorized where a secret has no value.

    A token of client credentials that is refused is replaced once: a vendor may take it back before it expires.
    """
    if not isinstance(auth, ClientCredentials):
        answer: HttpAnswer = yield _bearing(request, _authorization(auth, attempt, kind))
        return answer
    wanted = AccessToken(
        url=auth.token_url,
        client_id=auth.client_id,
        client_secret=secret_named(auth.client_secret.secret, attempt, kind),
        scope=auth.scope,
    )
    token: str = yield wanted
    answer = yield _bearing(request, f"Bearer {token}")
    if answer.status == 401:
        token = yield replace(wanted, refused=token)
        answer = yield _bearing(request, f"Bearer {token}")
    # Nobody further on knows of the token, so nobody would keep it out of what is said of the answer.
    return replace(answer, body=answer.body.replace(token.encode(), b"***"))


def secret_url(secret: SecretName, origin: str, attempt: Attempt, kind: str) -> str:
    """The address that a secret holds; raises Unauthorized where it does not lead to the origin that the rules name.

    The error names the secret and never what it holds.
    """
    written = secret_named(secret.secret, attempt, kind)
    if not _leads_to(origin, written):
        raise Unauthorized(f"{kind}: the secret {secret.secret} holds no address at {origin}; set it anew")
    return written


def _leads_to(origin: str, written: str) -> bool:
    if not (written.isascii() and written.isprintable()) or " " in written or "\\" in written:
        return False
    try:
        url, named = urlsplit(written), urlsplit(origin)
        places = [(one.scheme, one.hostname, one.port or _PORTS.get(one.scheme)) for one in (url, named)]
    except ValueError:
        return False
    return places[0] == places[1] and "@" not in url.netloc and not url.fragment


def _bearing(request: HttpRequest, authorization: str) -> HttpRequest:
    return replace(request, headers={**request.headers, "authorization": authorization})


def _authorization(auth: BearerAuth | BasicAuth, attempt: Attempt, kind: str) -> str:
    if isinstance(auth, BearerAuth):
        return f"Bearer {header_secret(auth.bearer.secret, attempt, kind)}"
    user = secret_named(auth.user.secret, attempt, kind) if isinstance(auth.user, SecretName) else auth.user
    written = f"{user}:{secret_named(auth.password.secret, attempt, kind)}"
    return f"Basic {b64encode(written.encode('utf-8', 'replace')).decode()}"
