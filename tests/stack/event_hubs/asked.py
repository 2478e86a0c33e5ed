"""The nodes that are asked by messages: `$cbs` takes tokens, `$management` tells about hubs and partitions.

https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol-guide
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from tests.stack.event_hubs.amqp import Refused, Section, described, sections, text, timestamp
from tests.stack.event_hubs.hubs import Namespace

CBS, MANAGEMENT = "$cbs", "$management"

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""What the service gives where there is no time."""

_STATUSES = {"amqp:unauthorized-access": 401, "amqp:not-found": 404}


def answered(node: str, message: bytes, namespace: Namespace) -> bytes:
    """The message that answers the question in a message, whether or not it is refused."""
    parts = {part: value for part, value, _ in sections(message)}
    asked = {text(name): text(value) for name, value in parts[Section.APPLICATION_PROPERTIES].items()}
    value: dict[str, Any] | None = None
    try:
        if node == MANAGEMENT:
            value = _description(asked, namespace)
        elif asked["type"] == "servicebus.windows.net:sastoken":
            _check(text(parts[Section.VALUE]), namespace.key)
        about = {"status-code": 202 if value is None else 200, "status-description": "OK"}
    except Refused as refusal:
        status = _STATUSES.get(refusal.condition, 400)
        about = {"status-code": status, "status-description": refusal.description, "error-condition": refusal.condition}
    id, nothing = parts[Section.PROPERTIES][0], [None] * 5
    answer = described(Section.PROPERTIES, [*nothing, id, *nothing, None, None])
    return answer + described(Section.APPLICATION_PROPERTIES, about) + described(Section.VALUE, value)


def _check(token: str, key: str) -> None:
    """Raises Refused for a signature that does not hold. A JWT is taken at its word: nobody here could have issued it.

    https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature
    """
    parts = dict(part.partition("=")[::2] for part in token.removeprefix("SharedAccessSignature ").split("&"))
    right = b64encode(hmac.digest(key.encode(), f"{parts['sr']}\n{parts['se']}".encode(), "sha256"))
    if not hmac.compare_digest(right, unquote_plus(parts["sig"]).encode()):
        raise Refused("amqp:unauthorized-access", "InvalidSignature: The token has an invalid signature.")


def _description(asked: dict[str, Any], namespace: Namespace) -> dict[str, Any]:
    hub = namespace.hub(asked["name"])
    about: dict[str, Any] = {"name": hub.name, "type": asked["type"]}
    if asked["type"] == "com.microsoft:eventhub":
        ids = [str(id) for id in range(len(hub.partitions))]
        return about | {"created_at": timestamp(hub.created), "partition_count": len(ids), "partition_ids": ids}
    partition = hub.partitions[int(asked["partition"])]
    partition.asked += 1
    last = partition.last
    return about | {
        "partition": asked["partition"],
        "begin_sequence_number": partition.begin,
        "last_enqueued_sequence_number": partition.last_sequence,
        "last_enqueued_offset": str(last.offset if last else -1),
        "last_enqueued_time_utc": timestamp(last.enqueued if last else _NEVER),
        "is_partition_empty": not partition.events,
    }
