"""Sign-in by OpenID Connect: the authorization code flow with PKCE, and an ID token that is verified here.

https://openid.net/specs/openid-connect-core-1_0.html, https://www.rfc-editor.org/rfc/rfc9700. Pure: requests to the issuer are
yielded, and the time is an argument. The issuer's own host alone is asked, so what its discovery document names must be there.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_of
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import orjson
from joserfc import jws, jwt
from joserfc.errors import ClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet, import_key

from router.app.settings import SignIn
from router.domain.conversation import Asking, HttpAnswer, HttpRequest
from router.domain.readable import one_line

_REGISTRY = jws.JWSRegistry(algorithms=["RS256", "PS256", "ES256"], strict_check_header=False)
"""The signatures that are taken: none that could be made with what an issuer publishes."""

_REGISTRY.max_header_length = 8 * 1024  # An issuer may send its certificates along.

_LEEWAY = 60
"""Seconds that the issuer's clock may be from the state's."""

_LONGEST_PATH, _LONGEST_NAME = 1_000, 200
"""Characters of a path to go on to, and of a name."""

# Its first part has nothing that a browser, or what stands before the console, could take for the beginning of a host, nor does
# anything lead up again.
_OWN_PATH = re.compile(
    r"/(?!sign-)(?![^?]*(?:\.|%2[eE]){2})[a-z][a-z-]*(?:/[\w.~!$&'()*+,;=:@%-]+)*(?:\?[!-\[\]-~]*)?", re.ASCII
)


class SignInFailed(Exception):
    """Why a person is not let in, in words for them, and the status of the page that says it."""

    def __init__(self, words: str, status: int = 401) -> None:
        super().__init__(words)
        self.status = status


class KeyUnknown(SignInFailed):
    """No key that the issuer is known to have can have signed a token."""


class Provider(NamedTuple):
    """What an issuer says of itself: where people sign in, where a code is exchanged, what to ask for, and its keys."""

    authorization: str
    token: str
    scope: str
    keys: KeySet


class Person(NamedTuple):
    """Whom a token names: for people, and as the issuer tells people apart; and the roles and groups that it gives."""

    name: str
    subject: str
    claims: Sequence[str]


class SignInAttempt(NamedTuple):
    """A sign-in under way: what goes out and must come back, each made of what this browser alone has."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def of(cls, secret: str, salt: str, path: str) -> SignInAttempt:
        """Return the attempt of a browser that has a secret, and goes on to a path then; `salt` is another one each time."""
        begins = f"{salt}.{_written(path.encode())}"
        made = (hmac_of(secret.encode(), f"{name}.{begins}".encode(), "sha256") for name in cls._fields)
        state, nonce, verifier = map(_written, made)
        return cls(f"{begins}.{state}", nonce, verifier)

    @classmethod
    def named_by(cls, state: str, secret: str) -> tuple[SignInAttempt, str]:
        """Return the attempt that came back, and the path to go on to; raises SignInFailed where this browser began none."""
        salt, _, rest = state.partition(".")
        try:
            path = urlsafe_b64decode(f"{rest.partition('.')[0]}==").decode()
        except ValueError:
            path = ""
        attempt = cls.of(secret, salt, path)
        if not secret or not compare_digest(attempt.state.encode(), state.encode("utf-8", "replace")):
            raise SignInFailed("This sign-in began in another browser, or too long ago.", 400)
        return attempt, path


def own_path(text: str) -> str:
    """Return a path of the console with its query, and for any other text the first page: a sign-in leads nowhere else."""
    return text if len(text) <= _LONGEST_PATH and _OWN_PATH.fullmatch(text) else "/alerts"


def ask_provider(issuer: str) -> Asking[Provider]:
    """Ask an issuer about itself, and for its keys; raises SignInFailed where that cannot be used."""
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    document = _object_in((yield HttpRequest(method="GET", url=url)))
    if document.get("issuer") != issuer:
        raise SignInFailed("The issuer calls itself otherwise than the setting does.", 502)
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    authorization, token, jwks = (_endpoint_in(document, name, issuer) for name in names)
    scope = "openid profile email" + (" groups" if "groups" in _texts_in(document, "scopes_supported") else "")
    if not (keys := _keys_in((yield HttpRequest(method="GET", url=jwks)))):
        raise SignInFailed("The issuer's keys cannot be read.", 502)
    return Provider(authorization, token, scope, KeySet(keys))


def authorization_url(provider: Provider, to: SignIn, attempt: SignInAttempt, back: str) -> str:
    """Return where a browser signs in; it comes `back` with a code."""
    query = {
        "response_type": "code",
        "client_id": to.client_id,
        "redirect_uri": back,
        "scope": provider.scope,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": _written(sha256(attempt.verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    return f"{provider.authorization}{'&' if '?' in provider.authorization else '?'}{urlencode(query)}"


def ask_token(provider: Provider, to: SignIn, attempt: SignInAttempt, code: str, back: str) -> Asking[str]:
    """Exchange a code for an ID token, which is not verified yet; raises SignInFailed where there is none for it."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": attempt.verifier}
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if to.client_secret is None:
        form["client_id"] = to.client_id
    else:
        # Which each takes that gives out secrets: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
        pair = f"{quote(to.client_id, safe='')}:{quote(to.client_secret, safe='')}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    answer = yield HttpRequest(method="POST", url=provider.token, headers=headers, body=urlencode(form).encode())
    if answer.status == 400:
        raise SignInFailed("The issuer does not take what came back: a code is good once, for some minutes.", 400)
    return _text_in(_object_in(answer), "id_token")


def verified(token: str, provider: Provider, to: SignIn, attempt: SignInAttempt, now: datetime) -> Person:
    """Return whom an ID token names; raises SignInFailed where it is not the issuer's, for us, for this sign-in, and good now.

    https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
    """
    try:
        claims = jwt.decode(token, provider.keys, registry=_REGISTRY).claims
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": to.issuer},
            aud={"essential": True, "value": to.client_id},
            # Of several audiences it says to which it was given.
            azp={"essential": len(_texts_in(claims, "aud")) > 1, "value": to.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": attempt.nonce},
            sub={"essential": True},
        ).validate(claims)
    except InvalidKeyIdError as fault:
        raise KeyUnknown(
            "The token is signed with no key that the issuer is known to have; try again in a minute."
        ) from fault
    except ClaimError as fault:
        raise SignInFailed(f"The token is not for this sign-in, or not good now: {fault.claim}.") from fault
    # What is no token fails in as many ways as there are: in base64, in JSON, in numbers that are no key.
    except (JoseError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as fault:
        raise SignInFailed("The issuer sent no token that is signed by it in a way that is taken.") from fault
    names = (one_line(_text_in(claims, name)).strip() for name in ("preferred_username", "email", "name", "sub"))
    subject = (_text_in(claims, "oid") or _text_in(claims, "sub"))[:_LONGEST_NAME]
    # The id comes last: a name may be anything, and another one's tomorrow.
    name = f"{next(filter(None, names), '?')[:_LONGEST_NAME]} ({one_line(subject)})"
    return Person(name, subject, (*_texts_in(claims, "roles"), *_texts_in(claims, "groups")))


def _text_in(found: Mapping[str, Any], name: str) -> str:
    return value if isinstance(value := found.get(name), str) else ""


def _texts_in(found: Mapping[str, Any], name: str) -> list[str]:
    value = found.get(name)
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _object_in(answer: HttpAnswer) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.body) if answer.status == 200 else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise SignInFailed(f"The issuer answered {answer.status}, and nothing that can be used.", 502)
    return found


def _keys_in(answer: HttpAnswer) -> list[Key]:
    """Return the keys that may sign; what is no such key is passed over: https://www.rfc-editor.org/rfc/rfc7517#section-5."""
    found, published = list[Key](), _object_in(answer).get("keys")
    for one in published if isinstance(published, list) else ():
        with suppress(JoseError, ValueError, TypeError, LookupError, AttributeError):
            if one.get("kty") in ("RSA", "EC") and one.get("use", "sig") == "sig":
                found.append(import_key(one))
    return found


def _endpoint_in(document: Mapping[str, Any], name: str, issuer: str) -> str:
    begins = "{0.scheme}://{0.netloc}/".format(urlsplit(issuer))
    if not (url := _text_in(document, name)).startswith(begins) or not (url.isascii() and url.isprintable()):
        raise SignInFailed(f"The issuer's {name} is not on its own host.", 502)
    return url


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
