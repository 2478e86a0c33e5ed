"""A destination at work against a vendor on loopback: real requests, through the shell that production uses."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from alert_router_demo.soc.endpoint import Endpoint, served
from router.app.clock import now
from router.deliver.answers import Answers
from router.deliver.http import Http
from router.deliver.logs import Logs
from router.deliver.tokens import Tokens
from router.domain.asks import Result
from router.domain.decisions import Change
from router.domain.notices import Attempt, Delivery, Notice
from router.domain.ports import DestinationKind
from tests.destinations.builders import NOW, a_delivery, a_notice
from tests.waiting import PATIENCE

type Send = Callable[..., Awaitable[Sequence[Result]]]
"""Sends some deliveries in one conversation, and gives their results."""


def at_work(
    endpoint: Endpoint,
    make: Callable[[str], tuple[DestinationKind, Mapping[str, str]]],
    play: Callable[[Send], Awaitable[None]],
) -> None:
    """Serves a vendor, makes a destination and its secrets from its base URL, and plays with it."""
    asyncio.run(_at_work(endpoint, make, play))


async def _at_work(
    endpoint: Endpoint,
    make: Callable[[str], tuple[DestinationKind, Mapping[str, str]]],
    play: Callable[[Send], Awaitable[None]],
) -> None:
    async with served(endpoint.application()) as url, Http(ssl.create_default_context(), timeout=PATIENCE) as http:
        answers = Answers(http, Logs(http, lambda where: pytest.fail(where), now), Tokens(http, time.monotonic, now))
        kind, secrets = make(url)

        async def send(*deliveries: Delivery) -> Sequence[Result]:
            attempts = [Attempt(delivery=one, number=1, now=NOW, secrets=secrets) for one in deliveries]
            return await answers.converse(kind, attempts)

        await play(send)


def opened(**notice: object) -> Delivery:
    """The delivery of the first turn."""
    return a_delivery(a_notice(**notice))


def a_life(**notice: object) -> tuple[Delivery, Delivery, Delivery]:
    """A signal opened, updated and resolved."""

    def delivery_of(turn: int, change: Change) -> Delivery:
        content: Notice = a_notice(turn=turn, **notice)
        return a_delivery(content, change)

    return delivery_of(1, Change.OPENED), delivery_of(2, Change.UPDATED), delivery_of(3, Change.RESOLVED)
