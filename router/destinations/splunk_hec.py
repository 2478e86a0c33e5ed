"""Splunk, HTTP Event Collector: one event for each notice, or for each decision on record.

Deduplicates nothing: an event that is sent again stands there again. A search tells such events by `key` and `turn` (`key` in
the record): `sourcetype="defender:alert" | dedup key turn`.

Retried: no answer, 408, 425, 429, 5xx, and a success that does not say code 0, by request. One that is too large (413) is
halved. Where Splunk cannot read one event (codes 5, 6, 12, 13, 15), what stands around it is sent again without it.
A code that is about the token or its index, and so about every event, pauses the destination.
Truncated: an event at 100,000 bytes; a request stays below 900,000 by spreading events over requests.

https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector (codes)
https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import orjson
from pydantic import Field

from router.destinations.base import object_of
from router.destinations.config import Config, HttpsUrl, SecretName, base_of
from router.destinations.requests import JSON, error_for, excerpt_of, header_secret, json_object, words_in
from router.destinations.wording.facts import find_time
from router.destinations.wording.fitting import fitted, json_bytes, json_size, json_text, packed
from router.domain.conversation import Conversation, Deduplication, HttpAnswer, HttpRequest, Result
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.domain.signals import AZURE_MONITOR, Stream

NAME = "splunk_hec"

_TAKEN = 0
ABOUT_ONE_EVENT = frozenset({5, 6, 12, 13, 15})  # codes for an event that cannot be read

_ABOUT_ALL = frozenset({1, 2, 3, 4, 7, 10, 11, 14, 16, 21, 22})


class Reply(NamedTuple):
    """Splunk's own code in an answer, and the number of the event at which it stopped; None where it says none."""

    code: int | None
    number: int | None


def find_error(answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
    """What an answer means; Splunk's own code counts for more than the status around it."""
    code = reply_in(answer).code
    error = error_for(answer, NAME, attempt)
    if error is None and code == _TAKEN:
        return None
    if code is None:
        # Whatever stands between us and Splunk may answer 200 with a page for people.
        return error or Unavailable(f"{NAME}: answered {answer.status} without a code of Splunk's")
    if isinstance(error, Unavailable):
        return error
    text = f"{NAME}: answered {answer.status} with code {code} ({excerpt_of('; '.join(words_in(answer)), attempt)})"
    if code in _ABOUT_ALL:
        return Unauthorized(f"{text}; check the token, its indexes, and that it needs no acknowledgement")
    if code in ABOUT_ONE_EVENT:
        # Splunk reads an event only once it knows the token.
        return Rejected(text, status=answer.status, authenticated=True)
    return error or Unavailable(text)


def reply_in(answer: HttpAnswer) -> Reply:
    """Splunk's code and number in an answer, each None where there is none."""
    numbers = json_object(answer)
    code, number = (numbers.get(name) for name in ("code", "invalid-event-number"))
    return Reply(code if type(code) is int else None, number if type(number) is int and number >= 0 else None)


REQUEST_LIMIT = 900_000  # bytes; ours: max_content_length is 800 MB by default, and was 1 MB
EVENT_LIMIT = 100_000  # bytes; ours: maxEventSize is 5 MB by default, and a source type's TRUNCATE less
_SMALL_EVENT = 10_000  # bytes of an event that was too large by itself, on its last try

type Text = Annotated[str, Field(min_length=1, max_length=255)]


class SplunkHecConfig(Config):
    """`{kind: splunk_hec, url: https://..., token: {secret: NAME}}`; `url` is without `/services/collector`.

    `index`, `sourcetype`, `source` and `host` are those of all events; without `index` and `host` the token's count.
    """

    kind: Literal["splunk_hec"]
    url: HttpsUrl
    token: SecretName
    index: Annotated[str, Field(pattern=r"^[a-z0-9_][a-z0-9_-]*$", max_length=255)] | None = None
    sourcetype: Text | None = None
    source: Text = "alert-router"
    host: Text | None = None


class _Event(NamedTuple):
    """An event as it is sent, and the position of its attempt."""

    position: int
    line: bytes


class SplunkHec:
    """Writes events."""

    name: ClassVar[str] = NAME
    lane: ClassVar[Lane] = Lane.ROWS
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    batch: ClassVar[int] = 500
    Config: ClassVar[type[SplunkHecConfig]] = SplunkHecConfig

    def __init__(self, config: SplunkHecConfig) -> None:
        self._url = f"{base_of(config.url)}/services/collector/event"
        self._token = config.token.secret
        self.address = f"{self._url} {config.index}" if config.index else self._url
        self._sourcetype = config.sourcetype
        self._fixed = {name: value for name in ("source", "host", "index") if (value := getattr(config, name))}

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """The conversation that posts the events of attempts, and returns one result for each, in their order."""
        results: list[Result] = [Receipt()] * len(attempts)
        events = [
            _Event(position, _line(self._envelope(attempt), EVENT_LIMIT)) for position, attempt in enumerate(attempts)
        ]
        waiting = deque(packed(events, lambda event: len(event.line) + 1, REQUEST_LIMIT))
        while waiting:
            together = waiting.popleft()
            try:
                headers = {**JSON, "authorization": f"Splunk {header_secret(self._token, attempts[0], NAME)}"}
                body = b"\n".join(event.line for event in together)
                answer: HttpAnswer = yield HttpRequest(method="POST", url=self._url, headers=headers, body=body)
            except DeliveryError as failed:
                error: DeliveryError | None = failed
                again: list[Sequence[_Event]] = []
            else:
                error = find_error(answer, attempts[0])
                again = _to_send_again(together, answer) if isinstance(error, Rejected) else []
            if again:
                waiting.extend(again)
            elif error is not None:
                for event in together:
                    results[event.position] = error
        return results

    def preview(self, attempt: Attempt) -> str:
        """The event, as JSON."""
        return json_text(self._envelope(attempt))

    def _envelope(self, attempt: Attempt) -> dict[str, Any]:
        return {
            "time": _time_of(attempt),
            **self._fixed,
            "sourcetype": self._sourcetype or sourcetype_of(attempt),
            "event": object_of(attempt),
        }


def sourcetype_of(attempt: Attempt) -> str:
    """The source type of what an attempt delivers, where the policy names none."""
    content = attempt.delivery.content
    if not isinstance(content, Notice):
        return "defender:decision"
    if content.stream == Stream.CSPM:
        return "defender:finding"
    return "azure_monitor:alert" if content.product == AZURE_MONITOR else "defender:alert"


def _time_of(attempt: Attempt) -> float:
    """Seconds since 1970 at which the state began to hold, or the decision was made; of the attempt where nothing says."""
    content = attempt.delivery.content
    written = (content.changed or content.started) if isinstance(content, Notice) else content.at
    return round((find_time(written) or attempt.now).timestamp(), 3)


def _line(envelope: dict[str, Any], limit: int) -> bytes:
    line = json_bytes(envelope)
    if len(line) <= limit:
        return line
    room = limit - json_size({**envelope, "event": {}})
    return json_bytes({**envelope, "event": fitted(envelope["event"], room)})


def _to_send_again(events: Sequence[_Event], answer: HttpAnswer) -> list[Sequence[_Event]]:
    """What a refused request leaves to try, in smaller requests; nothing where the refusal stands."""
    code, number = reply_in(answer)
    if answer.status == 413:
        return _halves_of(events) if len(events) > 1 else _cut(events[0])
    if code not in ABOUT_ONE_EVENT or len(events) == 1:
        return []
    return _around(events, number) if number is not None and number <= len(events) else _halves_of(events)


def _halves_of(events: Sequence[_Event]) -> list[Sequence[_Event]]:
    middle = len(events) // 2
    return [events[:middle], events[middle:]]


def _around(events: Sequence[_Event], number: int) -> list[Sequence[_Event]]:
    """What stands before and after the event of that number, and the event alone.

    Splunk counts from 0 for one code and from 1 for another, so that two events may be meant. It does not say whether it
    took what stands before it: an event that is there twice can be told, and one that is missing cannot.
    """
    first = max(number - 1, 0)
    parts = [events[:first], *([event] for event in events[first : number + 1]), events[number + 1 :]]
    return [part for part in parts if part]


def _cut(event: _Event) -> list[Sequence[_Event]]:
    line = _line(orjson.loads(event.line), _SMALL_EVENT)
    return [[event._replace(line=line)]] if len(line) < len(event.line) else []
