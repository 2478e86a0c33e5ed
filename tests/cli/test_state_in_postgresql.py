"""Commands on a state in PostgreSQL: the same as on files, and what is owed again is sent by who serves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from alert_router_demo.soc import Status
from router.app.rules import load_rules, new_intake
from router.domain.decisions import Change
from router.domain.deliveries import LEASE, DeliveryState, Settlement
from router.domain.hubs import Arrival
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.ingest.messages import Message
from router.store.claims import Recipient, settle_claims
from router.store.conninfo import parse_address
from router.store.dead_letters import abandon_deliveries
from router.store.deliveries import add_deliveries
from router.store.documents import document_of_silence, put_document
from router.store.store import Store
from tests.builders import RESOURCE, alert_body
from tests.cli.house import House, a_suppression
from tests.cli.serving import serving
from tests.parse.messages import an_assessment, body_of
from tests.silences import HOUR, a_silence, named
from tests.stack.postgres import Server
from tests.stack.stack import Stack, stack_running
from tests.store.builders import a_delivery
from tests.store.opened import engine_over, open_store, rows_in
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


def quarantined(*bodies: bytes) -> Seed:
    """Messages that were not understood on the stream of alerts."""
    return lambda store: take(store, *bodies)


def test_a_preview_is_the_same_as_on_files(both: Both) -> None:
    """What a rule would have held, and what it would hold now."""
    on_host = {"AlertType": "VM_Example", "Entities": [{"Type": "host", "HostName": "web-01"}]}
    both.hold(lambda store: take(store, alert_body("a", **on_host), alert_body("b", AlertType="VM_Example")))
    rule = both.house.writes("rules/cwpp/suppressions/web.json", a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    preview = ("rules", "preview", "--now", "2026-11-24T12:00:00Z", rule)
    (found,) = json.loads(both.say(*preview, "--format", "json"))
    assert (found["looked_at"], found["signals"], found["standing"]["signals"]) == (2, 1, 1)
    both.say(*preview)


def test_dead_letters_are_listed_and_shown_as_on_files(both: Both) -> None:
    """In a table and as JSON, to the letter."""
    both.hold(dead(*(alert_body(f"alert-{number}") for number in range(3))))
    assert len(both.say("dead-letters", "list").splitlines()) == 7
    letters = json.loads(both.say("dead-letters", "list", "--format", "json"))
    assert {letter["error"] for letter in letters} == {"refused", "no_destination: the policy no longer names it"}
    for letter in letters:
        both.say("dead-letters", "show", letter["id"][:12])
        both.say("dead-letters", "show", "--format", "json", letter["id"])
    assert both.say("dead-letters", "show", "xyz").startswith("xyz: is no id in the list")


def test_a_signal_is_explained_as_on_files(both: Both) -> None:
    """Its life, as text and as JSON, and what a destination took of it."""
    both.hold(
        dead(alert_body("alert-1"), alert_body("alert-1", Status="Dismissed"), alert_body("alert-2", Severity="Low"))
    )
    for format in ("text", "json"):
        assert "below the floor" in both.say("explain", "alert-2", "--format", format)
        assert "refused" in both.say("explain", "ALERT-1", "--format", format)
    assert both.say("explain", "alert-1", "--notice", "people").startswith("people: took nothing of it")


def test_a_file_is_explained_with_the_silences_of_a_state_as_on_files(both: Both) -> None:
    """Where a state is named: then a silence that holds the signal there decides, and each is answered for."""
    ended, other = a_silence("0ld0ld", begins=NOW - 3 * HOUR), a_silence("0ther0", groups=(named("vm-2"),), begins=NOW)

    async def seed(store: Store) -> None:
        for silence in (a_silence(begins=NOW), ended, other):
            await within(store, put_document, document_of_silence(silence))

    both.hold(seed)
    name = both.house.writes("a.ndjson", alert_body())
    explain = ("explain", name, "--now", NOW.isoformat())
    assert "silence" not in both.house.says(*explain).out
    for more, named_there in (
        ((), "no, the silence ended at 2026-11-24T11:00:00Z"),
        ((), "a.ndjson:1: suppressed, silence: ab12cd until 2026-11-24T14:00:00Z"),
        ((), "yes, until 2026-11-24T14:00:00Z; ana@contoso.example made it: patching"),
        ((), "['vm-2'] is not met"),
        (("--format", "json"), '"suppressed_by": "silence:ab12cd"'),
        (("--notice", "people"), "people: is told nothing: the signal is suppressed"),
    ):
        on_files = both.house.says(*explain, *more, "--state", ".state")
        in_database = both.house.says(*explain, *more, "--state", both.database)
        assert (on_files.code, on_files.err) == (0, "")
        assert on_files == in_database
        assert named_there in " ".join(on_files.out.split())


def test_dead_letters_are_redriven_and_discarded_as_on_files(both: Both) -> None:
    """Some by the beginning of their ids, or all; each time what is left is the same."""
    both.hold(dead(*(alert_body(f"alert-{number}") for number in range(3))))
    first, second, third, *_ = json.loads(both.say("dead-letters", "list", "--format", "json"))
    said = both.say("dead-letters", "redrive", *OLD, first["id"][:12])
    assert said == "redriven: 1; who serves them sends them within a minute\n"
    assert both.say("dead-letters", "discard", "--yes", second["id"], third["id"], second["id"]) == "discarded: 2\n"
    assert both.say("dead-letters", "redrive").startswith("redrive: name ids, or --all")
    assert both.say("dead-letters", "redrive", *OLD, "xyz").startswith("xyz: is no id")
    assert len(both.say("dead-letters", "list").splitlines()) == 4
    assert (
        both.say("dead-letters", "redrive", *OLD, "--all")
        == "redriven: 3; who serves them sends them within a minute\n"
    )
    assert both.say("dead-letters", "discard", "--yes", "--all") == "discarded: 0\n"


def test_letters_of_one_signal_are_redriven_together(both: Both) -> None:
    """An opening and the updates after it bring the resolution along; each is counted, and none stands in another's way."""
    changes = [Change.OPENED, *[Change.UPDATED] * 10, Change.RESOLVED]
    deliveries = [a_delivery(turn, change) for turn, change in enumerate(changes, start=1)]

    async def seed(store: Store) -> None:
        await within(store, add_deliveries, deliveries, BEFORE)
        await within(store, abandon_deliveries, "cwpp", [], NOW, NOW)

    both.hold(seed)
    assert (
        both.say("dead-letters", "redrive", *OLD, "--all")
        == "redriven: 12; who serves them sends them within a minute\n"
    )
    assert both.say("dead-letters", "list") == "no dead letters\n"


def test_many_letters_are_seen_to_at_once(house: House, postgresql: str) -> None:
    """However many there are, each is redriven or discarded once."""
    asyncio.run(seed_database(postgresql, dead(*(alert_body(f"alert-{number}") for number in range(25)))))
    there = ("--state", postgresql)
    letters = json.loads(house.says("dead-letters", "list", *there, "--format", "json").out)
    ids = [letter["id"] for letter in letters]
    assert len(set(ids)) == 50
    most = house.says("dead-letters", "redrive", *there, *OLD, *ids[:40])
    assert most.out == "redriven: 40; who serves them sends them within a minute\n"
    assert house.says("dead-letters", "discard", "--yes", *there, "--all").out == "discarded: 10\n"
    assert house.says("dead-letters", "list", *there).out == "no dead letters\n"


def test_the_quarantine_is_the_same_as_on_files(both: Both) -> None:
    """Listed, shown, retaken and discarded."""
    both.hold(quarantined(b"?\x1b", body_of(an_assessment()), b'"a text"'))
    assert len(both.say("quarantine", "list").splitlines()) == 4
    kept = json.loads(both.say("quarantine", "list", "--format", "json"))
    for one in kept:
        both.say("quarantine", "show", one["id"])
        both.say("quarantine", "show", "--format", "json", one["id"])
    retaken = both.say("quarantine", "retake", "--all").splitlines()
    assert sorted(line.split(": ")[1].split(",")[0] for line in retaken[:-1]) == ["routed", "stays", "stays"]
    assert retaken[-1] == "retaken: 1; what was routed is sent within a minute"
    assert both.say("quarantine", "discard", "--yes", kept[0]["id"], "xyz").startswith("xyz: is no id in the list")
    assert both.say("quarantine", "discard", "--yes", "--all") == "discarded: 2\n"
    assert both.say("quarantine", "list") == "nothing is in quarantine\n"


@pytest.mark.parametrize("command", [("run", "a.ndjson"), ("state",), ("dead-letters", "list"), ("silences", "list")])
def test_a_database_without_tables_or_with_newer_ones_is_refused(
    house: House, postgres: Server, command: tuple[str, ...]
) -> None:
    """They are made only where an operator says so."""
    database = postgres.new_database()
    house.writes("a.ndjson", alert_body())
    for _ in range(2):
        complaint = house.says(*command, "--state", database).complaint
        assert complaint.startswith(f"{parse_address(database).name}: holds no state")
        assert "alert-router state upgrade" in complaint
    assert house.says("state", "upgrade", "--state", database).code == 0
    assert house.says(*command, "--state", database).code == 0
    rows_in(database, "UPDATE meta SET value='99' WHERE name='version'")
    assert ": holds state of version 99, and this" in house.says(*command, "--state", database).complaint


def test_a_run_leaves_to_others_what_they_have_claimed(house: House, postgresql: str) -> None:
    """Who claimed it may be sending it; when the lease is over it is anybody's."""

    async def claim(store: Store) -> None:
        await take(store, alert_body("alert-1"))
        recipient = Recipient("cwpp", Lane.TICKET, "people")
        assert len(await claim_in(store, recipient, NOW, NOW + HOUR, 100)) == 1

    asyncio.run(seed_database(postgresql, claim))
    run = ("run", "--state", postgresql, house.writes("none.ndjson", b""))
    assert house.says(*run, "--now", NOW.isoformat()).code == 0
    assert (len(house.lines("everything.ndjson")), len(house.lines("people.ndjson"))) == (1, 0)
    assert house.says(*run, "--now", (NOW + 2 * HOUR).isoformat()).code == 0
    assert (len(house.lines("everything.ndjson")), len(house.lines("people.ndjson"))) == (1, 1)


@pytest.mark.parametrize("wrong", [-10, 10])
def test_a_machine_whose_clock_is_wrong_works_by_the_servers(house: House, postgres: Server, wrong: int) -> None:
    """It takes nothing that another one has, ends no silence early, and dates what it decides and what people do."""
    database = postgres.new_database()
    ahead = timedelta(minutes=-wrong)
    with psycopg.connect(database, autocommit=True) as server:
        server.execute(_OTHER_CLOCK)
        server.execute("SELECT set_ahead(%s)", [ahead])

    def by_the_server() -> datetime:
        return datetime.now(UTC) + ahead

    async def seed(store: Store) -> None:
        await store.upgrade()
        now = by_the_server()
        assert abs(store.now() - now) < _NEAR
        intake = new_intake(store, load_rules(Path("rules"), list(Stream), now), Stream.CWPP)
        await intake.ingest([Message(alert_body("taken"), "cwpp/0:0", Arrival("cwpp:0:1", 0, now))], now)
        recipient = Recipient("cwpp", Lane.TICKET, "people")
        assert len(await claim_in(store, recipient, now, now + LEASE[Lane.TICKET], 100)) == 1
        silence = a_silence(begins=now - timedelta(seconds=1), lasts=timedelta(minutes=5), groups=(named("vm-1"),))
        await within(store, put_document, document_of_silence(silence))

    right = engine_over(database, clock=by_the_server, machine=by_the_server)
    asyncio.run(seeded(right, seed))
    there = ("--state", database)
    message = alert_body("silenced"), alert_body("routed", AzureResourceId=f"{RESOURCE}-9")
    house.writes("a.ndjson", b"\n".join(message))
    decisions = house.routes(*there, "a.ndjson")
    assert [one["outcome"] for one in decisions] == ["suppressed", "routed"]
    assert [abs(datetime.fromisoformat(one["at"]) - by_the_server()) < _NEAR for one in decisions] == [True, True]
    assert len(house.lines("people.ndjson")) == 1

    (listed,) = json.loads(house.says("silences", "list", *there, "--format", "json").out)
    assert listed["state"] == "active"
    as_ana = (*there, "--author", "ana", "--reason", "works", "--format", "json")
    held = json.loads(house.says("destinations", "hold", "people", "--for", "2h", *as_ana).out)
    made = json.loads(
        house.says("silences", "add", "--stream", "cwpp", "--resource", "vm-2", "--for", "2h", "--yes", *as_ana).out
    )
    for end in (held["until"], made["ends"]):
        assert abs(datetime.fromisoformat(end) - 2 * HOUR - by_the_server()) < _NEAR


_NEAR = timedelta(minutes=5)

_OTHER_CLOCK = """
CREATE FUNCTION set_ahead(ahead interval) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
    EXECUTE format('CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
        $$ SELECT pg_catalog.clock_timestamp() + %L::interval $$', ahead);
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
END $f$
"""
"""Has a database say another time than this machine does: what differs is the same as if this machine's clock were wrong."""


@pytest.fixture
def stack(postgresql: str) -> Iterator[Stack]:
    """A stack whose state is in a database."""
    with stack_running(postgresql) as stack:
        yield stack


def test_what_is_owed_again_is_sent_by_who_serves(stack: Stack, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that the pager refused and somebody redrives; a message that somebody retakes."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    stack.soc.pagerduty.faults.add(Status(400))
    stack.hubs.append("cwpp", 0, alert_body("alert-1"))
    stack.hubs.append("cwpp", 1, body_of(an_assessment()))
    with serving(stack) as one:
        one.until(lambda: "oncall" in house.says("dead-letters", "list").out)
        one.until(lambda: "wrong_stream" in house.says("quarantine", "list").out)
        assert stack.soc.pagerduty.pages == []
        assert house.says("dead-letters", "redrive", "--all").out.startswith("redriven: 1;")
        one.until(lambda: len(stack.soc.pagerduty.pages) == 1)
        retaken = house.says("quarantine", "retake", "--all", "--rules", stack.rules)
        assert retaken.out.endswith("retaken: 1; what was routed is sent within a minute\n")
        one.until(lambda: len(stack.soc.servicenow.tickets) == 2)
        assert one.stop() == 0
    assert house.says("dead-letters", "list").out == "no dead letters\n"
    assert house.says("quarantine", "list").out == "nothing is in quarantine\n"
