"""The shell's side of the conversation with a destination: it asks, we do it and tell it what came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from router.deliver.files import append
from router.domain.conversation import (
    AccessToken,
    AppendLines,
    Ask,
    HttpAnswer,
    HttpRequest,
    LogRows,
    MailAnswer,
    Result,
    SendMail,
)
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError
from router.domain.ports.destinations import DestinationKind

if TYPE_CHECKING:
    from router.deliver.http import Http
    from router.deliver.logs_ingestion import Logs
    from router.deliver.mail import Mail
    from router.deliver.tokens import Tokens


class ConversationRunner:
    """Does what destinations ask for."""

    def __init__(self, http: Http, logs: Logs, tokens: Tokens, mail: Mail) -> None:
        self._http = http
        self._logs = logs
        self._tokens = tokens
        self._mail = mail

    async def close(self) -> None:
        """Lets go of who we are at logs endpoints; the HTTP connections belong to who made them."""
        await self._logs.close()

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
                append(ask)
            case AccessToken():
                return await self._tokens.find(ask)
            case SendMail():
                return await self._mail.submit(ask, ends)
        return None

    async def converse(
        self, kind: DestinationKind, attempts: Sequence[Attempt], ends: float = math.inf
    ) -> Sequence[Result]:
        """Holds one whole conversation, which whoever calls breaks off when it `ends`, in the loop's time.

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
