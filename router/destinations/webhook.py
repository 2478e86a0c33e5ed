"""A signed webhook, Standard Webhooks 1.0: one message for each notice, to whoever receives it.

Deduplicates on the receiver's side, by `webhook-id` (the delivery key), which stays the same over all attempts.
Retried: no answer, 408, 425, 429, 5xx. Any other answer but a 2xx is final, redirects and 410 Gone too.
Truncated: the body below 20 KB, as the specification advises: lists first, then texts.

The body is `{"type": "alert.opened", "timestamp": ..., "data": {...}}`: `type` is the signal's kind and what changed,
`timestamp` when it did, `data` what `document_of` says. To change the secret without a gap name both, the new one
first: each message is then signed with each.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from router.destinations.base import JSON, OneRequest, secret_named
from router.destinations.config import Config, HttpsUrl, SecretName
from router.destinations.documents import document_of
from router.destinations.text import fitted, json_bytes
from router.domain.asks import HttpAnswer, HttpRequest
from router.domain.errors import Unauthorized
from router.domain.notices import Attempt, Receipt
from router.domain.ports import Deduplication
from router.domain.rulebook import Lane

BODY_LIMIT = 20_000  # bytes


def _form_of(value: Any) -> str:
    return "many" if isinstance(value, list | tuple) else "one"


type Secrets = Annotated[
    Annotated[SecretName, Tag("one")]
    | Annotated[tuple[SecretName, ...], Field(min_length=1, max_length=4), Tag("many")],
    Discriminator(_form_of),
]


class WebhookConfig(Config):
    """`{kind: webhook, url: https://..., secret: {secret: NAME}}`; `secret` may be a list while it is changed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "webhook", "url": "https://soc.example.com/hook", "secret": {"secret": "WEBHOOK_SECRET"}},
                {
                    "kind": "webhook",
                    "url": "https://soc.example.com/hook",
                    "secret": [{"secret": "WEBHOOK_SECRET_NEXT"}, {"secret": "WEBHOOK_SECRET"}],
                },
            ]
        }
    )

    kind: Literal["webhook"]
    url: HttpsUrl
    secret: Secrets


class Webhook(OneRequest):
    """Tells a receiver of yours, signed."""

    name: ClassVar[str] = "webhook"
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.SERVER
    Config: ClassVar[type[WebhookConfig]] = WebhookConfig

    def __init__(self, config: WebhookConfig) -> None:
        self._url = config.url
        self._secrets = config.secret if isinstance(config.secret, tuple) else (config.secret,)

    def address(self) -> str:
        """The receiver's address."""
        return self._url

    def request_for(self, attempt: Attempt) -> HttpRequest:
        """The signed message."""
        body = self._body_for(attempt)
        id, timestamp = attempt.delivery.id, str(int(attempt.now.timestamp()))
        signed = f"{id}.{timestamp}.".encode() + body
        headers = {
            **JSON,
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(self._signature(signed, attempt, secret) for secret in self._secrets),
        }
        return HttpRequest(method="POST", url=self._url, headers=headers, body=body)

    def receipt_from(self, answer: HttpAnswer, attempt: Attempt) -> Receipt:
        """The webhook-id, by which the receiver knows the message."""
        return Receipt(reference=attempt.delivery.id)

    def _body_for(self, attempt: Attempt) -> bytes:
        notice = self.notice_in(attempt)
        data = document_of(attempt.delivery, notice)
        message = {
            "type": f"{notice.kind}.{attempt.delivery.change}",
            "timestamp": notice.changed or notice.started or attempt.now.isoformat(),
            "data": data,
        }
        body = json_bytes(message)
        if len(body) <= BODY_LIMIT:
            return body
        room = BODY_LIMIT - len(json_bytes({**message, "data": {}}))
        return json_bytes({**message, "data": fitted(data, room)})

    def _signature(self, signed: bytes, attempt: Attempt, secret: SecretName) -> str:
        written = secret_named(secret.secret, attempt, self.name).removeprefix("whsec_")
        try:
            key = b64decode(written + "=" * (-len(written) % 4), validate=True)
        except binascii.Error:
            key = b""
        if not key:
            raise Unauthorized(f"{self.name}: the secret {secret.secret} is not `whsec_` and base64; set it anew")
        return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
