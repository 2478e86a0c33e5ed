"""Talks with a vendor on loopback, without an outbox: by deliveries, or by the changes of one signal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from alert_router_demo.soc.endpoint import Endpoint, served
from router.deliver.sender import ConversationRunner
from router.domain.conversation import DestinationKind, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Delivery, Receipt
from tests.destinations.builders import NOW, a_delivery, a_notice
from tests.vendors.room import the_shell

type Make = Callable[[str], DestinationKind]
"""A destination at the vendor's base URL."""

type Send = Callable[..., Awaitable[Sequence[Result]]]
"""Sends some deliveries in one conversation, and gives their results."""


def at_work(
    vendor: Endpoint,
    make: Callable[[str], tuple[DestinationKind, Mapping[str, str]]],
    play: Callable[[Send], Awaitable[None]],
) -> None:
    """Serves a vendor, makes a destination and its secrets from its base URL, and plays with it."""

    async def played() -> None:
        async with served(vendor.application()) as url, the_shell() as answers:
            kind, secrets = make(url)

            async def send(*deliveries: Delivery) -> Sequence[Result]:
                attempts = [Attempt(delivery=one, number=1, now=NOW, secrets=secrets) for one in deliveries]
                return await answers.converse(kind, attempts)

            await play(send)

    asyncio.run(played())


class Line:
    """A destination that speaks to a double; `secrets` are those that it may know."""

    def __init__(self, kind: DestinationKind, answers: ConversationRunner, secrets: Mapping[str, str]) -> None:
        self.kind = kind
        self.answers = answers
        self.secrets = secrets

    async def tell(
        self,
        change: Change = Change.OPENED,
        *,
        opening: Result | None = None,
        number: int = 1,
        turn: int | None = None,
        now: datetime = NOW,
        **notice: Any,
    ) -> Result:
        """Delivers one notice; `opening` is what the opening brought."""
        turn = turn if turn is not None else 1 if change is Change.OPENED else 2
        delivery = a_delivery(a_notice(turn=turn, **notice), change)
        receipt = opening if isinstance(opening, Receipt) else None
        attempt = Attempt(delivery=delivery, number=number, now=now, secrets=self.secrets, opening=receipt)
        (result,) = await self.answers.converse(self.kind, [attempt])
        return result


def on_the_line[T](
    vendor: Endpoint, make: Make, secrets: Mapping[str, str], talk: Callable[[Line], Awaitable[T]], path: str = ""
) -> T:
    """What came of a talk with a double that is served on loopback; `path` is where its API begins."""

    async def spoken() -> T:
        async with served(vendor.application()) as url, the_shell() as answers:
            return await talk(Line(make(url + path), answers, secrets))

    return asyncio.run(spoken())
