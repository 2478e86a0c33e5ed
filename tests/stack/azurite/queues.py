"""A queue of Azure Storage over its REST API: https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import Self
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx

_VERSION = "2021-12-02"
_PATIENCE = 15.0


class StorageError(Exception):
    """Storage refused a request, or did not answer."""


@dataclass(slots=True)
class QueueMessage:
    """A message that was taken; `receipt` is its taker's, and changes when it is hidden for longer."""

    id: str
    content: str
    dequeued: int
    inserted: datetime
    expires: datetime
    visible: datetime
    receipt: str


class Queue:
    """One queue of an account. One that is missing holds nothing, and the first message makes it."""

    def __init__(self, connection: str, name: str) -> None:
        said = dict(part.split("=", 1) for part in connection.split(";") if part)
        self._account, self._key = said["AccountName"], base64.b64decode(said["AccountKey"])
        self._url = f"{said['QueueEndpoint']}/{name}"
        # Azurite closes a connection that was idle for five seconds, and must not do so under a request.
        limits = httpx.Limits(keepalive_expiry=1)
        self._client = httpx.AsyncClient(timeout=_PATIENCE, limits=limits, verify=False, trust_env=False)  # noqa: S501

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets go of its connections."""
        await self._client.aclose()

    async def put(self, content: str) -> None:
        """Puts a message in, which can be seen at once."""
        body = f"<QueueMessage><MessageText>{escape(content)}</MessageText></QueueMessage>"
        if await self._ask("POST", "/messages", body=body) is None:
            await self._ask("PUT")
            await self._ask("POST", "/messages", body=body)

    async def take(self, most: int = 1, *, hidden: int = 30) -> list[QueueMessage]:
        """Takes messages that can be seen, and hides them for so many seconds."""
        return [
            QueueMessage(
                id=one["MessageId"],
                content=one["MessageText"],
                dequeued=int(one["DequeueCount"]),
                inserted=parsedate_to_datetime(one["InsertionTime"]),
                expires=parsedate_to_datetime(one["ExpirationTime"]),
                visible=parsedate_to_datetime(one["TimeNextVisible"]),
                receipt=one["PopReceipt"],
            )
            for one in _messages(await self._ask("GET", "/messages", numofmessages=most, visibilitytimeout=hidden))
        ]

    async def seen(self) -> list[str]:
        """The first 32 messages that can be seen."""
        found = await self._ask("GET", "/messages", numofmessages=32, peekonly="true")
        return [one["MessageText"] for one in _messages(found)]

    async def count(self) -> int:
        """How many messages there are, those that are hidden as well."""
        found = await self._ask("GET", comp="metadata")
        return int(found.headers["x-ms-approximate-messages-count"]) if found is not None else 0

    async def hide(self, message: QueueMessage, seconds: int) -> None:
        """Hides a message that was taken for so many seconds from now."""
        path = f"/messages/{message.id}"
        changed = await self._ask("PUT", path, popreceipt=message.receipt, visibilitytimeout=seconds)
        message.receipt = changed.headers["x-ms-popreceipt"] if changed is not None else message.receipt

    async def delete(self, message: QueueMessage) -> None:
        """Deletes a message that was taken."""
        await self._ask("DELETE", f"/messages/{message.id}", popreceipt=message.receipt)

    async def clear(self) -> None:
        """Deletes every message."""
        await self._ask("DELETE", "/messages")

    async def _ask(self, method: str, path: str = "", body: str = "", **query: str | int) -> httpx.Response | None:
        """The answer to a request; None where the queue, or the message, is missing."""
        request = self._client.build_request(method, self._url + path, params=query, content=body.encode())
        headers = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": _VERSION}
        # SharedKeyLite of https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
        comp = f"?comp={query['comp']}" if "comp" in query else ""
        signed = [method, "", "", "", *(f"{name}:{value}" for name, value in headers.items())]
        text = "\n".join([*signed, f"/{self._account}{request.url.path}{comp}"])
        signature = base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()
        request.headers.update(headers | {"Authorization": f"SharedKeyLite {self._account}:{signature}"})
        try:
            answer = await self._client.send(request)
        except httpx.TransportError as fault:
            raise StorageError(f"{self._url}: {type(fault).__name__} {fault}") from fault
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.is_error:
            raise StorageError(f"{self._url}: {answer.status_code} {answer.headers.get('x-ms-error-code', '')}")
        return answer


def _messages(answer: httpx.Response | None) -> list[dict[str, str]]:
    if answer is None:
        return []
    return [{part.tag: part.text or "" for part in one} for one in ElementTree.fromstring(answer.content)]  # noqa: S314
