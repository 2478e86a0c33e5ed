"""An issuer of OpenID Connect on loopback: it signs in whom a test says, and checks what it is asked as a real one does."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from html import escape
from secrets import token_urlsafe
from typing import Any
from urllib.parse import unquote, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from alert_router_demo.soc.endpoint import served
from router.app.settings import SignIn

CLIENT, SECRET = "alert-router", "s3cret:/ %"
ROLES = "Reader=AlertRouter.Reader, Operator=AlertRouter.Operator, Admin=soc-leads"
ANA = {"sub": "4711", "preferred_username": "ana@contoso.example", "roles": ["AlertRouter.Operator"]}


@cache
def rsa(name: str) -> RSAKey:
    """The RSA key of that name: to make one takes a while."""
    return RSAKey.generate_key(2048)


class Issuer:
    """An issuer.

    Attributes:
        url: where it is, which is its name.
        keys: what it publishes, by key id.
        beside: what else it publishes where its keys are.
        key: the id of the one that it signs with; None leaves it out of tokens.
        algorithm: how it signs.
        person: the claims of who signs in.
        forge: makes the token that it gives out of the right claims.
        says: what its discovery document says otherwise.
        asked: how often each of its paths was asked.
        is_lenient: whether it takes a code again and again.
        asks: whether a person must follow a link on its page, as who is not signed in there yet.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, RSAKey | ECKey] = {"one": rsa("one")}
        self.beside: Sequence[object] = ()
        self.key: str | None = "one"
        self.algorithm = "RS256"
        self.person: Mapping[str, Any] = ANA
        self.forge: Callable[[dict[str, Any]], str] = self.signed
        self.says: Mapping[str, Any] = {}
        self.asked = Counter[str]()
        self.now: Callable[[], float] = lambda: 0.0
        self.is_lenient = self.asks = False
        self._codes: dict[str, Mapping[str, str]] = {}

    def signed(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token with those claims."""
        known = {"alg": self.algorithm, **({"kid": self.key} if self.key else {}), **header}
        return jwt.encode(known, dict(claims), self.keys[self.key or "one"], [self.algorithm])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer whatever it is asked."""
        self.asked[request.path] += 1
        match request.path:
            case "/.well-known/openid-configuration":
                paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                named = {name: f"{self.url}/{path}" for name, path in paths.items()}
                return web.json_response({"issuer": self.url, **named, **self.says})
            case "/keys":
                published = [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]
                return web.json_response({"keys": [*self.beside, *published]})
            case "/authorize":
                code, query = token_urlsafe(8), request.query
                self._codes[code] = dict(query)
                back = urlencode({"code": code, "state": query["state"]})
                url = f"{query['redirect_uri']}?{back}"
                if self.asks:
                    return web.Response(
                        text=f'<link rel="icon" href="data:,"><a href="{escape(url)}">Let me in</a>',
                        content_type="text/html",
                    )
                return web.Response(status=303, headers={"location": url})
        return await self._exchange(request)

    async def _exchange(self, request: web.Request) -> web.Response:
        form, authorization = await request.post(), request.headers.get("authorization", "")
        pair = b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        asked = self._codes.get(str(form["code"]))
        challenge = urlsafe_b64encode(sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=").decode()
        if (
            [unquote(one) for one in pair] != [CLIENT, SECRET]
            or asked is None
            or asked["redirect_uri"] != form["redirect_uri"]
            or (asked["code_challenge"], asked["code_challenge_method"]) != (challenge, "S256")
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        if not self.is_lenient:
            del self._codes[str(form["code"])]
        at = int(self.now())
        claims = {"iss": self.url, "aud": CLIENT, "nonce": asked["nonce"], "iat": at, "exp": at + 300, **self.person}
        return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": self.forge(claims)})

    def sign_in(self, url: str) -> SignIn:
        """How people sign in here to a console at some URL."""
        return SignIn(url=url, issuer=self.url, client_id=CLIENT, client_secret=SECRET, roles=ROLES)


@asynccontextmanager
async def issuing(issuer: Issuer, host: str = "127.0.0.1") -> AsyncIterator[Issuer]:
    """Serve an issuer on loopback, by the name of that host."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", issuer.handle)
    async with served(application) as url:
        issuer.url = url.replace("127.0.0.1", host)
        yield issuer
