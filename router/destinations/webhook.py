"""A signed webhook, Standard Webhooks 1.0: one message for each notice, to a receiver of your own.

Deduplicates on the receiver's side, by `webhook-id` (the delivery key), which stays the same over all attempts.
Retried: no answer, 408, 425, 429, 5xx. Any other answer but a 2xx is final, redirects and 410 Gone too.
Truncated: the body below 20 KB, as the specification advises: lists first, then texts.

The body is `{"type": "alert.opened", "timestamp": ..., "data": {...}}`, where `data` is what `document_of` gives, or with
`body: ocsf` an OCSF finding in a CloudEvents envelope. Of two secrets each signs each message.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import AfterValidator, Discriminator, Field, Tag

from router.destinations.base import OneByOne, document_of
from router.destinations.config import Auth, Config, HttpsUrl, OneByOneConfig, SecretName
from router.destinations.requests import JSON, Exchange, authorized, error_for, header_secret, secret_named
from router.destinations.wording import ocsf
from router.destinations.wording.fitting import fitted, json_bytes, json_size, json_text
from router.domain.conversation import Deduplication, HttpAnswer, HttpRequest
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Unauthorized
from router.domain.rulebook import Lane

_OURS = frozenset(
    {
        "content-type", "content-length", "transfer-encoding", "connection", "content-encoding", "expect", "host",
        "proxy-authorization", "te", "traceparent", "upgrade",
    }
)  # fmt: skip


def _no_header_of_ours(name: str) -> str:
    if name.lower() in _OURS or name.lower().startswith("webhook-"):
        raise ValueError(f"{name}: the router sets this header itself; name another")
    return name.lower()


class HeaderAuth(Config):
    """A header with a secret: `{header: NAME, value: {secret: NAME}}`."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$", max_length=64), AfterValidator(_no_header_of_ours)]
    value: SecretName


def _auth_form_of(value: Any) -> str:
    # No form is called like a key, since problems are found by their keys.
    is_header = "header" in value if isinstance(value, dict) else isinstance(value, HeaderAuth)
    return "own_header" if is_header else "credentials"


type GatewayAuth = Annotated[
    Annotated[HeaderAuth, Tag("own_header")] | Annotated[Auth, Tag("credentials")], Discriminator(_auth_form_of)
]
"""How a gateway is told who we are."""


BODY_LIMIT = 20_000  # bytes


def _form_of(value: Any) -> str:
    return "many" if isinstance(value, list | tuple) else "one"


type Secrets = Annotated[
    Annotated[SecretName, Tag("one")]
    | Annotated[tuple[SecretName, ...], Field(min_length=1, max_length=4), Tag("many")],
    Discriminator(_form_of),
]


class WebhookConfig(OneByOneConfig):
    """`{kind: webhook, url: https://..., secret: {secret: NAME}}`; `secret` may be a list while it is changed.

    `body` is our own, or ocsf; `auth` is for a gateway before the receiver.
    """

    kind: Literal["webhook"]
    url: HttpsUrl
    secret: Secrets
    body: Literal["own", "ocsf"] = "own"
    auth: GatewayAuth | None = None


class Webhook(OneByOne):
    """Tells a receiver of yours, signed."""

    name: ClassVar[str] = "webhook"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.SERVER
    Config: ClassVar[type[WebhookConfig]] = WebhookConfig

    def __init__(self, config: WebhookConfig) -> None:
        super().__init__(config)
        self.address = config.url
        self._secrets = config.secret if isinstance(config.secret, tuple) else (config.secret,)
        self._is_ocsf = config.body == "ocsf"
        self._auth = config.auth

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that delivers one notice, signed, with what the gateway asks for where there is one."""
        body, id, timestamp = self._body_for(attempt), attempt.delivery.id, str(int(attempt.now.timestamp()))
        signed = f"{id}.{timestamp}.".encode() + body
        headers = {
            **({"content-type": ocsf.CONTENT_TYPE} if self._is_ocsf else JSON),
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(self._signature(signed, attempt, secret) for secret in self._secrets),
        }
        answer: HttpAnswer
        if self._auth is None or isinstance(self._auth, HeaderAuth):
            if self._auth is not None:
                headers[self._auth.header] = header_secret(self._auth.value.secret, attempt, self.name)
            answer = yield HttpRequest(method="POST", url=self.address, headers=headers, body=body)
        else:
            request = HttpRequest(method="POST", url=self.address, headers=headers, body=body)
            answer = yield from authorized(request, self._auth, attempt, self.name)
        if (error := error_for(answer, self.name, attempt)) is not None:
            raise error
        # The webhook-id, by which the receiver knows the message.
        return Receipt(reference=id)

    def preview(self, attempt: Attempt) -> str:
        """The body, as JSON over several lines."""
        return json_text(orjson.loads(self._body_for(attempt)))

    def _body_for(self, attempt: Attempt) -> bytes:
        """The message, made of what is left of a notice that is too long, so that a finding is one whatever is cut."""
        notice, delivery = self.notice_in(attempt), attempt.delivery
        document = document_of(attempt, notice)
        whole = {name: document[name] for name in ("key", "started", "ended", "changed")}

        def message_of(document: Mapping[str, Any]) -> dict[str, Any]:
            if self._is_ocsf:
                return ocsf.message_of({**document, **whole}, delivery.id, attempt.now)
            time = notice.changed or notice.started or attempt.now.isoformat()
            return {"type": f"{notice.kind}.{delivery.change}", "timestamp": time, "data": document}

        body = json_bytes(message_of(document))
        if len(body) <= BODY_LIMIT:
            return body
        return json_bytes(message_of(fitted(document, BODY_LIMIT, lambda cut: json_size(message_of(cut)))))

    def _signature(self, signed: bytes, attempt: Attempt, secret: SecretName) -> str:
        written = secret_named(secret.secret, attempt, self.name).removeprefix("whsec_")
        try:
            key = b64decode(written + "=" * (-len(written) % 4), validate=True)
        except ValueError:
            key = b""
        if not key:
            raise Unauthorized(f"{self.name}: the secret {secret.secret} is not `whsec_` and base64; set it anew")
        return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
