"""Commands on a state in PostgreSQL: the same as on files, and what is owed again is sent by who serves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router.app.rules import load_rules, new_intake
from router.domain.deliveries import DeliveryState, Settlement
from router.domain.hubs import Arrival
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.ingest.messages import Message
from router.store.claims import Recipient, settle_claims
from router.store.conninfo import parse_address
from router.store.dead_letters import abandon_deliveries
from router.store.documents import document_of_silence, put_document
from router.store.store import Store
from tests.builders import alert_body
from tests.cli.house import House
from tests.cli.transcripts import Transcript
from tests.parse.messages import an_assessment, body_of
from tests.silences import HOUR, a_silence, named
from tests.stack.postgres import Server
from tests.store.opened import open_store, rows_in
from tests.store.within import claim_in, within

BEFORE = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW = BEFORE + timedelta(days=4)
OLD = ("--now", "2026-11-24T12:00:00Z")

type Seed = Callable[[Store], Awaitable[None]]
"""Puts something into a store."""


@pytest.fixture
def both(house: House, postgresql: str) -> Both:
    """A house with two states that hold nothing: a directory, and a database."""
    return Both(house, postgresql)


class Both:
    """The same state in a directory and in a database."""

    def __init__(self, house: House, database: str) -> None:
        self.house = house
        self.database = database

    def hold(self, seed: Seed) -> None:
        """Puts the same into both."""
        asyncio.run(seeded(open_store(self.house.directory / ".state"), seed))
        asyncio.run(seed_database(self.database, seed))

    def say(self, *arguments: str) -> str:
        """What a command says of both, which must be the same but for when something is sent."""
        on_files, in_database = self.house.says(*arguments), self.house.says(*arguments, "--state", self.database)
        assert (on_files.code, on_files.err) == (in_database.code, in_database.err)
        sooner = {
            "the next run sends them": "who serves them sends them within a minute",
            "the next run sends what was routed": "what was routed is sent within a minute",
        }
        expected = on_files.out
        for later, soon in sooner.items():
            expected = expected.replace(later, soon)
        assert in_database.out == expected
        return in_database.out or in_database.err


async def seeded(store: Store, seed: Seed) -> None:
    """Puts something into a store, and closes it."""
    try:
        await seed(store)
    finally:
        await store.close()


async def seed_database(database: str, seed: Seed) -> None:
    """Puts something into a database, whose tables are made."""
    store = open_store(database)
    await store.upgrade()
    await seeded(store, seed)


async def take(store: Store, *bodies: bytes) -> None:
    """Takes messages in on the stream of alerts as they came four days ago, in their order, by the rules of the house."""
    intake = new_intake(store, load_rules(Path("rules"), list(Stream), BEFORE), Stream.CWPP)
    for place, body in enumerate(bodies):
        await intake.ingest([Message(body, f"cwpp/0:{place}", Arrival("cwpp:0:1", place, BEFORE))], BEFORE)


def dead(*bodies: bytes) -> Seed:
    """Messages whose deliveries all died, those to `people` of a refusal and the rest since nothing names where they go."""

    async def seed(store: Store) -> None:
        await take(store, *bodies)
        recipient = Recipient("cwpp", Lane.TICKET, "people")
        while claims := await claim_in(store, recipient, NOW, NOW + timedelta(hours=1), 100):
            await within(
                store,
                settle_claims,
                [Settlement(claim=one, state=DeliveryState.DEAD, at=NOW, error="refused") for one in claims],
            )
        await within(store, abandon_deliveries, "cwpp", [], NOW, NOW)

    return seed


def test_a_signal_or_a_file_is_explained_as_on_files(both: Both, transcript: Transcript) -> None:
    """Its life, as text and as JSON, and what a destination took of it; a file with the silences of the state that is named."""
    ended, other = a_silence("0ld0ld", begins=NOW - 3 * HOUR), a_silence("0ther0", groups=(named("vm-2"),), begins=NOW)
    bodies = (alert_body("alert-1"), alert_body("alert-1", Status="Dismissed"), alert_body("alert-2", Severity="Low"))

    async def seed(store: Store) -> None:
        await dead(*bodies)(store)
        for silence in (a_silence(begins=NOW), ended, other):
            await within(store, put_document, document_of_silence(silence))

    both.hold(seed)
    explain = f"explain {both.house.writes('a.ndjson', alert_body())} --now 2026-11-24T12:00:00Z"
    assert "silence" not in both.house.says(*explain.split()).out
    for command in (
        explain,
        f"{explain} --notice people",
        "explain alert-2",
        "explain ALERT-1",
        "explain alert-1 --notice people",
    ):
        transcript(f"{command} --state .state")
        for form in ("text", "json"):
            named_states = (
                [*command.split(), "--format", form, "--state", state] for state in (".state", both.database)
            )
            on_files, in_database = (both.house.says(*one) for one in named_states)
            assert on_files == in_database


def test_dead_letters_and_the_quarantine_are_seen_to_as_on_files(both: Both) -> None:
    """Listed, shown, redriven, retaken and discarded, by the beginning of an id, or all; each time what is left is the same."""

    async def seed(store: Store) -> None:
        await dead(*(alert_body(f"alert-{number}") for number in range(3)))(store)
        await take(store, b"?\x1b", body_of(an_assessment()), b'"a text"')

    both.hold(seed)
    letters, kept = (
        [one["id"] for one in json.loads(both.say(what, "list", "--format", "json"))]
        for what in ("dead-letters", "quarantine")
    )
    assert (len(letters), len(kept)) == (6, 3)
    for command in (
        *("dead-letters list", f"dead-letters show {letters[0][:12]}", f"dead-letters show --format json {letters[0]}"),
        *(
            f"dead-letters redrive {' '.join(OLD)} {letters[0][:12]}",
            f"dead-letters discard --yes {' '.join(letters[1:3])}",
        ),
        *(
            f"dead-letters redrive {' '.join(OLD)} xyz",
            "dead-letters list",
            f"dead-letters redrive {' '.join(OLD)} --all",
        ),
        *("dead-letters discard --yes --all", "dead-letters list", "quarantine list", f"quarantine show {kept[0]}"),
        *(
            f"quarantine show --format json {kept[1]}",
            "quarantine retake --all",
            f"quarantine discard --yes {kept[0]} xyz",
        ),
        *("quarantine discard --yes --all", "quarantine list"),
    ):
        said = both.say(*command.split())
    assert said == "nothing is in quarantine\n"


def test_a_database_without_tables_or_with_newer_ones_is_refused(house: House, postgres: Server) -> None:
    """They are made only where an operator says so."""
    database = postgres.new_database()
    house.writes("a.ndjson", alert_body())
    commands = (("run", "a.ndjson"), ("state",), ("dead-letters", "list"), ("silences", "list"))
    for command in commands:
        complaint = house.says(*command, "--state", database).complaint
        assert complaint.startswith(f"{parse_address(database).name}: holds no state")
        assert "alert-router state upgrade" in complaint
    assert house.says("state", "upgrade", "--state", database).code == 0
    assert [house.says(*command, "--state", database).code for command in commands] == [0, 0, 0, 0]
    rows_in(database, "UPDATE meta SET value='99' WHERE name='version'")
    for command in commands:
        assert ": holds state of version 99, and this" in house.says(*command, "--state", database).complaint
