"""The only wiring: which rules, which storage, which kinds of destination, and who may talk to whom."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from router import rulebook as rules_room
from router.deliver import LEASE, LONGEST, Answers, Carrier, Deliverer, Sending, deliver_due
from router.destinations import discover
from router.domain.errors import BadFile, BadPolicy, BadSetting, RouterError
from router.domain.ports import Store
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.signals import Stream
from router.intake import Intake
from router.readings import Reader
from router.rulebook import Problem
from router.settings import HUBS, STORAGE, Settings
from router.telemetry import Telemetry

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from router.hub import Consumer, Namespace
    from router.service import Service
    from router.store.azure_storage import Account, AzureStore

type Clock = Callable[[], datetime]

_LOG = logging.getLogger(__name__)

SLOTS = {Lane.PAGE: 64, Lane.TICKET: 64, Lane.ROWS: 8}
"""Sends at a time in each lane of one worker."""

POINTERS = 24
"""Pointers that a worker carries at a time in each lane: batchSize and newBatchThreshold of host.json together."""

CHECKPOINTS = "checkpoints"
"""The container in which `serve` keeps how far it has come."""

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
    async with sendings_over(rules, settings, clock, Telemetry()) as sendings:
        deliverers = [
            Deliverer(
                stream.value,
                spec.name,
                sending,
                outbox=store.outbox,
                clock=clock,
                slots=max(1, SLOTS[spec.lane] // SHARE),
            )
            for stream, spec, sending in sendings
        ]
        yield Delivery(store, rules, deliverers, clock)


@asynccontextmanager
async def sendings_over(
    rules: Rules, settings: Settings, clock: Clock, telemetry: Telemetry
) -> AsyncIterator[list[tuple[Stream, DestinationSpec, Sending]]]:
    """What sends to each destination of some rules, as long as the context lasts; raises MissingSecret."""
    from router.deliver.http import Http
    from router.deliver.logs import Logs

    secrets_of(rules.books.values(), settings)
    async with AsyncExitStack() as stack:
        answers = Answers(
            await stack.enter_async_context(Http(_trust(settings), headers=telemetry.headers)),
            Logs(partial(_credential_for, settings), settings.ca_file),
        )
        stack.push_async_callback(answers.close)
        kinds = discover()
        yield [
            (
                book.stream,
                spec,
                Sending(
                    kinds[spec.kind](spec.config),
                    answers,
                    secrets_of([book], settings),
                    clock,
                    settings.lease or LEASE[spec.lane],
                    telemetry.delivering,
                ),
            )
            for book in rules.books.values()
            for spec in specs_of(book)
        ]


def storage_for(settings: Settings) -> AzureStore:
    """The store in the account that the settings name, made in the loop that uses it; raises BadSetting."""
    from router.store.azure_storage import AzureStore

    return AzureStore(_account_for(settings))


def _account_for(settings: Settings) -> Account:
    from router.store.azure_storage import Account, Address

    found = settings.storage
    credential = _identity(found.client_id) if found.connection_string is None else None
    try:
        return Account(Address(found.connection_string, found.endpoints), credential)
    except ValueError as fault:
        raise BadSetting(f"{STORAGE}: does not say where a storage account is") from fault


def namespace_for(settings: Settings) -> Namespace:
    """The Event Hubs namespace that the settings name; raises BadSetting."""
    from router.hub import Namespace

    found = settings.hubs
    try:
        if found.connection_string is not None:
            return Namespace(connection_string=found.connection_string)
        return Namespace(
            fully_qualified_namespace=found.endpoints["namespace"],
            credential=_identity(found.client_id),
            ca_file=settings.ca_file,
        )
    except ValueError as fault:
        raise BadSetting(f"{HUBS}: does not say where a namespace is") from fault


@asynccontextmanager
async def consumers_over(
    streams: Iterable[Stream], settings: Settings, report: Callable[[RouterError], None]
) -> AsyncIterator[list[Consumer]]:
    """What reads the hubs outside Functions, its checkpoints in the storage account; raises BadSetting and StoreError.

    `report` is told of each trouble; none is the end.
    """
    from router.hub import Consumer

    async with AsyncExitStack() as stack:
        account, namespace = _account_for(settings), namespace_for(settings)
        stack.push_async_callback(account.close)
        stack.push_async_callback(namespace.close)
        container = await account.container(CHECKPOINTS)
        yield [Consumer(namespace, stream.value, container, report) for stream in streams]


@asynccontextmanager
async def service_over(rules: Rules, settings: Settings, clock: Clock) -> AsyncIterator[Service]:
    """The router at work behind hubs and queues, as long as the context lasts.

    Raises MissingSecret, BadSetting and StoreError.
    """
    from router.hub import HubReader
    from router.service import Service
    from router.taking import Company, Taking
    from router.watch import GRACE, HoleFiller, Sweeper

    async with AsyncExitStack() as stack:
        telemetry = Telemetry()
        sendings = await stack.enter_async_context(sendings_over(rules, settings, clock, telemetry))
        store = storage_for(settings)
        stack.push_async_callback(store.close)
        namespace = namespace_for(settings)
        stack.push_async_callback(namespace.close)
        await store.prepare()
        hubs = {stream: HubReader(namespace, stream.value) for stream in rules.books}
        process, alone, company = uuid4().hex, asyncio.Lock(), Company()
        intakes = {stream: intake_over(store, rules, stream) for stream in rules.books}
        takings = {stream: Taking(intake, store.journal, process, company) for stream, intake in intakes.items()}
        yield Service(
            store=store,
            books=rules.books,
            takings=takings,
            carriers={
                (stream.value, spec.name): Carrier(
                    stream.value,
                    spec.name,
                    sending,
                    outbox=store.outbox,
                    clock=clock,
                    slots=POINTERS // SHARE,
                    alone=alone,
                )
                for stream, spec, sending in sendings
            },
            sweepers={
                stream: Sweeper(
                    store,
                    store.outbox,
                    book,
                    intakes[stream],
                    HoleFiller(hubs[stream], store.journal, takings[stream], settings.grace or GRACE),
                    longest=LONGEST,
                    named=[spec.name for spec in specs_of(book)],
                )
                for stream, book in rules.books.items()
            },
            hubs=hubs,
            telemetry=telemetry,
            clock=clock,
        )


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


def _credential_for(settings: Settings, endpoint: str) -> AsyncTokenCredential:
    """The identity that writes to a logs endpoint; one on loopback is no Azure and gets no token of Azure's."""
    from router.deliver.identity import LoopbackCredential, is_loopback

    if is_loopback(endpoint):
        return LoopbackCredential()
    return _identity(settings.identity)


@asynccontextmanager
async def service_at(directory: Path) -> AsyncIterator[Service]:
    """The service as the app settings say; raises what `load_rules` and `service_over` do.

    The rules are those in a directory, unless a setting names another one. Their problems are said in the log.
    """
    settings = Settings()
    rules = load_rules(settings.rules or directory, list(Stream), now())
    for problem in rules.problems:
        _LOG.warning("%s", problem)
    async with service_over(rules, settings, now) as service:
        yield service


def now() -> datetime:
    """The clock's time."""
    return datetime.now(UTC)


def _identity(client_id: str | None) -> AsyncTokenCredential:
    from azure.identity.aio import DefaultAzureCredential

    if client_id is None:
        return DefaultAzureCredential()
    return DefaultAzureCredential(managed_identity_client_id=client_id)


__all__ = [
    "BadPolicy",
    "Delivery",
    "Rules",
    "consumers_over",
    "delivery_over",
    "intake_over",
    "load_rules",
    "namespace_for",
    "reader_over",
    "secrets_of",
    "service_at",
    "service_over",
    "specs_of",
    "storage_for",
]
