"""One destination's sends: what each attempt is given, what is done for the destination, and how long that may take."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from router.domain.conversation import (
    AccessToken,
    AppendLines,
    Ask,
    DestinationKind,
    HttpAnswer,
    HttpRequest,
    LogRows,
    MailAnswer,
    Result,
    SendMail,
)
from router.domain.deliveries import NO_BACKGROUND, Attempt, Background, Claim, Delivery
from router.domain.errors import DeliveryError, Rejected, Unavailable
from router.domain.keys import ABOUT
from router.domain.notices import Notice, RecordEntry

if TYPE_CHECKING:
    from router.deliver.http import Http
    from router.deliver.logs_ingestion import Logs
    from router.deliver.mail import Mail
    from router.deliver.tokens import Tokens

SHARE_OF_LEASE = 0.8
"""One conversation, however many requests it needs, may take that share of the lease: it ends while the claim is ours."""


class SendObserver(Protocol):
    """Follows one send, and is given its results."""

    def record_results(self, results: Sequence[Result]) -> None: ...


type Tracing = Callable[[Sequence[Claim]], AbstractContextManager[SendObserver]]
"""Gives the context in which claims are sent in one conversation."""

type Converse = Callable[[DestinationKind, Sequence[Attempt], float], Awaitable[Sequence[Result]]]
"""Holds one conversation, as `ConversationRunner.converse` does."""


class Sender:
    """Sends to one destination. `lease` is how long a claim is this worker's alone; `tracing` follows each send.

    `batch` is how many deliveries one send may carry; `console_url` is where people reach the console, if a setting says it.
    """

    def __init__(
        self,
        kind: DestinationKind,
        converse: Converse,
        secrets: Mapping[str, str],
        clock: Callable[[], datetime],
        lease: timedelta,
        tracing: Tracing,
        console_url: str | None = None,
    ) -> None:
        self._kind = kind
        self._converse = converse
        self._secrets = secrets
        self._clock = clock
        self._tracing = tracing
        self._console_url = console_url
        self.lease = lease
        self.batch = kind.batch

    async def attempt_delivery(self, claims: Sequence[Claim], beside: Mapping[str, Background]) -> Sequence[Result]:
        """Send claims in one conversation; return one result for each, in their order. Raises nothing.

        `beside` is what the state knows beside them, by their ids.
        """
        longest = self.lease.total_seconds() * SHARE_OF_LEASE
        try:
            with self._tracing(claims) as observer:
                ends = asyncio.get_running_loop().time() + longest
                async with asyncio.timeout_at(ends):
                    now = self._clock()
                    attempts = [self._attempt(one, now, beside.get(one.id, NO_BACKGROUND)) for one in claims]
                    results = await self._converse(self._kind, attempts, ends)
                observer.record_results(results)
                return results
        except TimeoutError:
            return [Unavailable(f"no end within {longest:.0f} s")] * len(claims)
        except Exception as fault:  # noqa: BLE001  One of the program's two: a fault of ours must not stop the lane.
            return [Rejected(f"internal: {type(fault).__name__}")] * len(claims)

    def _attempt(self, claim: Claim, now: datetime, background: Background) -> Attempt:
        return Attempt(
            delivery=claim.delivery,
            number=claim.number,
            now=now,
            secrets=self._secrets,
            opening=claim.opening,
            since=claim.born,
            is_note=claim.is_note,
            is_untold=claim.is_untold,
            background=background,
            page=page_of(self._console_url, claim.delivery),
        )


_ABOUT = {"ends_soon": "ends", "holds_nothing": "rules"}
"""The pages of notices about rules, silences and holds, by their types; where anything ended, changes say what came out."""


def page_of(console_url: str | None, delivery: Delivery) -> str | None:
    """Return the console's page of what a delivery is about; None without a console, or for what was not understood."""
    content = delivery.content
    key = content.signal if isinstance(content, RecordEntry) else delivery.key
    if console_url is None or key is None:
        return None
    if isinstance(content, Notice) and key.startswith(ABOUT):
        return f"{console_url}/{_ABOUT.get(content.type or '', 'changes?since=7d')}"
    return f"{console_url}/signals/{key}"


class ConversationRunner:
    """Does what destinations ask for."""

    def __init__(self, http: Http, logs: Logs, tokens: Tokens, mail: Mail) -> None:
        self._http = http
        self._logs = logs
        self._tokens = tokens
        self._mail = mail

    async def answer(self, ask: Ask, ends: float = math.inf) -> HttpAnswer | MailAnswer | str | None:
        """What came of an ask; raises the DeliveryError that is to be raised into the destination.

        `ends` is when the conversation is broken off, in the loop's time: what cannot be taken back is not begun too late.
        """
        match ask:
            case HttpRequest():
                return await self._http.send(ask)
            case LogRows():
                await self._logs.upload(ask)
            case AppendLines():
                _append(ask)
            case AccessToken():
                return await self._tokens.find(ask)
            case SendMail():
                return await self._mail.submit(ask, ends)
        return None

    async def converse(
        self, kind: DestinationKind, attempts: Sequence[Attempt], ends: float = math.inf
    ) -> Sequence[Result]:
        """Hold one whole conversation, which the caller breaks off when it `ends`, in the loop's time.

        A DeliveryError that the destination lets through is every attempt's result.
        """
        conversation = kind.conversation_for(attempts)
        try:
            ask = next(conversation)
            while True:
                try:
                    answer = await self.answer(ask, ends)
                except DeliveryError as trouble:
                    ask = conversation.throw(trouble)
                else:
                    ask = conversation.send(answer)
        except StopIteration as end:
            results: Sequence[Result] = end.value
            return results
        except DeliveryError as trouble:
            return [trouble] * len(attempts)


def _append(ask: AppendLines) -> None:
    """Appends lines in one write and has them on disk before it returns; raises Unavailable naming the file."""
    path = Path(ask.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A pipe that nothing reads would keep the whole process waiting.
        with open(path, "ab", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK, 0o666)) as file:
            os.set_blocking(file.fileno(), True)
            file.write(b"\n" + ask.lines if _is_torn(path) else ask.lines)
            file.flush()
            if path.is_file():  # a device or a pipe has nothing to sync
                os.fsync(file.fileno())
    except OSError as fault:
        raise Unavailable(f"{path}: cannot be written: {fault.strerror or fault}") from fault


def _is_torn(path: Path) -> bool:
    """Whether the last line has no end, as a write leaves it that was cut off; no where that cannot be told."""
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return False
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False
