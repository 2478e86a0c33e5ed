"""The only wiring: which rules, which storage, which kinds of destination, and who may talk to whom."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from router import rulebook as rules_room
from router.deliver import Answers, Deliverer, deliver_due
from router.destinations import discover
from router.domain.errors import BadFile, BadPolicy
from router.domain.ports import Store
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.signals import Stream
from router.intake import Intake
from router.readings import Reader
from router.rulebook import Problem
from router.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

type Clock = Callable[[], datetime]

SLOTS = {Lane.PAGE: 64, Lane.TICKET: 64, Lane.ROWS: 8}
"""Sends at a time in each lane of one worker."""

SHARE = 4
"""One destination may take at most one in so many of a lane's slots, so that its trouble never delays another's."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rulebooks of the streams asked for, and what is left to say about the files they were made from."""

    books: Mapping[Stream, Rulebook]
    problems: tuple[Problem, ...]


def load_rules(directory: Path, streams: Sequence[Stream], now: datetime) -> Rules:
    """The rulebooks of some streams; raises BadPolicy with every problem where one of their policies cannot be used."""
    loaded = rules_room.load_all(directory, discover(), now)
    books = {stream: book for stream in streams if (book := loaded[stream].rulebook) is not None}
    # What is wrong with a file that both streams share is said once.
    problems = tuple(dict.fromkeys(problem for stream in streams for problem in loaded[stream].problems))
    if len(books) < len(streams):
        raise BadPolicy([str(problem) for problem in problems if problem.level == "problem"])
    return Rules(books, problems)


def intake_over(store: Store, rules: Rules, only: Stream | None) -> Intake:
    """The intake of those rules over a store; `only` is the stream that messages come from, where they come from one."""
    return Intake(store, rules.books, rules_room.load_catalogue(), only)


def reader_over(rules: Rules, only: Stream | None) -> Reader:
    """What reads messages without taking them in; `only` as for the intake."""
    return Reader(rules.books, rules_room.load_catalogue(), only)


class Delivery:
    """Room 3, wired for some rulebooks: sends what is due."""

    def __init__(self, store: Store, rules: Rules, deliverers: Sequence[Deliverer], clock: Clock) -> None:
        self._store = store
        self._rules = rules
        self._deliverers = deliverers
        self._clock = clock

    async def deliver_due(self) -> None:
        """Delivers until nothing is due now; raises StoreError."""
        named = [(stream.value, [spec.name for spec in specs_of(book)]) for stream, book in self._rules.books.items()]
        await deliver_due(self._deliverers, self._store.outbox, self._clock, named)


@asynccontextmanager
async def delivery_over(store: Store, rules: Rules, settings: Settings, clock: Clock) -> AsyncIterator[Delivery]:
    """Room 3 over a store, as long as the context lasts; raises MissingSecret before anything is sent."""
    from router.deliver.http import Http
    from router.deliver.logs import Logs

    secrets_of(rules.books.values(), settings)
    secrets = {book.stream: secrets_of([book], settings) for book in rules.books.values()}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(Http(_trust(settings)))
        logs = Logs(_credential_for, settings.ca_file)
        stack.push_async_callback(logs.close)
        kinds = discover()
        deliverers = [
            Deliverer(
                book.stream.value,
                spec.name,
                kinds[spec.kind](spec.config),
                outbox=store.outbox,
                answers=Answers(http, logs),
                secrets=secrets[book.stream],
                clock=clock,
                slots=max(1, SLOTS[spec.lane] // SHARE),
            )
            for book in rules.books.values()
            for spec in specs_of(book)
        ]
        yield Delivery(store, rules, deliverers, clock)


def specs_of(book: Rulebook) -> list[DestinationSpec]:
    """Every destination of a stream, the record's second home among them."""
    return [*book.destinations.values(), *([book.record] if book.record is not None else [])]


def secrets_of(books: Iterable[Rulebook], settings: Settings) -> dict[str, str]:
    """Every secret that the rules of some streams name; raises MissingSecret naming all that are missing."""
    return settings.secrets({name for book in books for name in _secret_names(book)})


def _secret_names(book: Rulebook) -> set[str]:
    pagers = {entry.owner.pager for entry in book.owners if entry.owner.pager is not None}
    return pagers.union(*(spec.secrets for spec in specs_of(book)))


def _trust(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError as fault:  # ssl's own errors are such, too
            raise BadFile(f"{settings.ca_file}: ALERT_ROUTER_CA_FILE names no readable file of certificates") from fault
    return context


def _credential_for(endpoint: str) -> AsyncTokenCredential:
    """The identity that writes to a logs endpoint; one on loopback is no Azure and gets no token of Azure's."""
    from router.deliver.identity import LoopbackCredential, is_loopback

    if is_loopback(endpoint):
        return LoopbackCredential()
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()


__all__ = [
    "BadPolicy",
    "Delivery",
    "Rules",
    "delivery_over",
    "intake_over",
    "load_rules",
    "reader_over",
    "secrets_of",
    "specs_of",
]
