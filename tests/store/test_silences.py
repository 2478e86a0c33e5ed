"""Silences in every store: each worker obeys them within half a minute, and what they held and still stands comes out once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.cli.silence_records import add_silence, change_silence, stored_silences
from router.cli.silences_add import preview_of
from router.decide.preview import silence_matcher
from router.deliver.destination_holds import ChangeAction, read_changes
from router.domain.catalogue import Catalogue
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage
from router.domain.notices import Notice, Release
from router.domain.rulebook import By, Grouping, Rulebook
from router.domain.severity import Severity
from router.domain.silences import Silence, SilenceBounds
from router.ingest.intake import Intake, release_held
from router.ingest.state_cache import SilenceReader
from router.store.documents import document_of_silence, find_document, list_documents, put_document
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip
from tests.silences import HOUR, a_silence, machine, named, weekly
from tests.store.acts import run
from tests.store.life import Life
from tests.store.within import within

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ANA = "ana@contoso.example"


def put(store: Store, *silences: Silence) -> None:
    """Stores silences as if a person had made them, over whatever is there."""
    for silence in silences:
        before = run(within(store, find_document, DocumentKind.SILENCE, silence.id))
        document = document_of_silence(silence, before.version if before is not None else None)
        assert run(within(store, put_document, document)) is not None


def release_by(
    ended: timedelta | None,
    *,
    since: timedelta = timedelta(),
    messages: int = 1,
    author: str | None = ANA,
    id: str = "ab12cd",
) -> Release:
    """What a notice says that a silence had held."""
    return Release(
        kind="silence",
        name=id,
        author=author,
        since=f"{NOW + since:%Y-%m-%dT%H:%M:%SZ}",
        ended=f"{NOW + ended:%Y-%m-%dT%H:%M:%SZ}" if ended is not None else None,
        messages=messages,
    )


type Step = timedelta | Silence | Rulebook | bytes | dict[str, object]
"""Time goes by until so long after NOW; a person makes a silence; rules change; the silence is damaged; an alert comes."""


type Ticketed = tuple[timedelta, str, Change, Release | None]
"""When tickets are told, of which alert, which change, and what had held it."""


def tickets_in(store: Store, *steps: Step) -> list[Ticketed]:
    """What tickets are told in a history."""
    life = Life(store)
    found = []
    for step in steps:
        match step:
            case timedelta():
                life.now = NOW + step
                life.release()
            case Silence():
                put(store, step)
            case Rulebook():
                life.book = step
            case bytes():
                document = run(within(store, find_document, DocumentKind.SILENCE, "ab12cd"))
                assert document is not None
                run(within(store, put_document, replace(document, body=step)))
            case _:
                life.alert(**step)  # type: ignore[arg-type]
        claims = [one.delivery for one in life.deliver() if one.delivery.destination == "tickets"]
        found += [
            (life.now - NOW, one.content.id, one.change, one.content.release)
            for one in claims
            if isinstance(one.content, Notice)
        ]
    return found


def bounded(**bounds: Any) -> Rulebook:
    """Rules that say what silences may do."""
    return replace(a_rulebook(), silences=SilenceBounds(**bounds))


def opened(at: timedelta, release: Release | None, id: str = "alert-1") -> Ticketed:
    """That a ticket is opened then."""
    return (at, id, Change.OPENED, release)


ALERT: dict[str, object] = {"id": "alert-1"}
OTHER: dict[str, object] = {"id": "alert-2"}
UPDATE, END = ALERT | {"Severity": "Medium"}, ALERT | {"Status": "Resolved"}
AGAIN, SAMPLE = ALERT | {"Description": "again"}, ALERT | {"AlertType": "SIMULATED_VM_Test"}
SCANNED, SCANNER = ALERT | {"Entities": [an_ip("10.20.0.5")]}, a_rulebook(a_rule(expires=NOW + 3 * HOUR))
WEEKLY = a_silence(lasts=30 * DAY, every=weekly(1, begins="11:00", ends="13:00"))
TWO = a_silence("two", begins=NOW + HOUR, groups=(machine("web-1"),))
ON_WEB_1 = ALERT | {"Entities": [{"Type": "host", "HostName": "web-1"}]}
DAILY = [a_silence(f"{day}", begins=NOW + day * DAY, lasts=DAY, made=NOW) for day in range(9)]
LATER = a_silence("later", begins=NOW + 9 * DAY + HOUR, made=NOW)
SOON = a_silence(begins=NOW + MINUTE)
REFUSING = bounded(refuse=Severity.HIGH)
LONG, SHORT = bounded(longest=7 * DAY), bounded(longest=3 * HOUR)
BY_RULE = replace(release_by(3 * HOUR, since=HOUR), kind="rule", name="scanner", author=None)
AT_ONCE = opened(timedelta(), None)

HISTORIES: dict[str, tuple[Sequence[Step], Sequence[Ticketed]]] = {
    "at its end": (
        [a_silence(), ALERT, MINUTE, AGAIN, 2 * HOUR - SECOND, 2 * HOUR, 2 * HOUR],
        [opened(2 * HOUR, release_by(2 * HOUR, messages=2))],
    ),
    "ended before": ([a_silence(), ALERT, HOUR, a_silence(ended=NOW + HOUR), HOUR], [opened(HOUR, release_by(HOUR))]),
    "extended": (
        [a_silence(), ALERT, a_silence(lasts=4 * HOUR), 2 * HOUR, 2 * HOUR, 4 * HOUR],
        [opened(4 * HOUR, release_by(4 * HOUR))],
    ),
    "two overlap for as long as one may last": (
        [
            SHORT,
            a_silence("one"),
            TWO,
            ON_WEB_1,
            2 * HOUR,
            replace(TWO, until=NOW + 4 * HOUR),
            3 * HOUR - SECOND,
            3 * HOUR,
        ],
        [opened(3 * HOUR, release_by(3 * HOUR, since=2 * HOUR, id="two"))],
    ),
    "a chain lasts as long as one may": (
        [LONG, *DAILY, 7 * DAY - SECOND, ALERT, 7 * DAY, OTHER, 9 * DAY, LATER, 9 * DAY + HOUR, {"id": "alert-3"}],
        [opened(7 * DAY, release_by(7 * DAY, since=7 * DAY - SECOND, id="6")), opened(7 * DAY, None, "alert-2")],
    ),
    "an update of what is open": (
        [ALERT, SOON, MINUTE, UPDATE, MINUTE + 2 * HOUR],
        [AT_ONCE, (MINUTE + 2 * HOUR, "alert-1", Change.UPDATED, release_by(MINUTE + 2 * HOUR, since=MINUTE))],
    ),
    "damaged": ([a_silence(), ALERT, b"{", MINUTE], [opened(MINUTE, release_by(None, author=None))]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_a_silence_held_comes_out_once_at_its_end_and_says_what_had_held_it(store: Store, name: str) -> None:
    """Also where it is extended, recurs, meets others, or is ended, damaged or refused before its time."""
    steps, expected = HISTORIES[name]
    assert tickets_in(store, *steps) == expected


def test_what_was_extended_a_moment_before_its_end_goes_on_holding(store: Store) -> None:
    """Whoever lets go of what was held knows silences as they are by then, however lately it read them."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    worker = Intake(store, {life.book.stream: life.book}, Catalogue())
    life.now = NOW + 2 * HOUR
    run(worker.ingest([a_message(alert_body("alert-2"), at=life.now)], life.now - SECOND))
    put(store, a_silence(lasts=4 * HOUR))
    assert run(release_held(worker, store, life.book, life.now)) == []
    assert life.deliver() == []


def owed(life: Life, silence: Silence) -> int:
    """How many deliveries a person is told of that go out though they make a silence now."""
    matcher = silence_matcher(silence, a_rulebook())
    return run(preview_of(life.store, "cwpp", matcher, {}, life.now, is_narrow=True)).owed


def test_what_is_owed_already_is_counted_also_where_it_is_owed_of_a_group(store: Store) -> None:
    """Once for all of its members that the silence is about; neither what is of others, nor what went out."""
    grouped = replace(a_destination("tickets"), group=Grouping(by=(By.RESOURCE,), window=HOUR))
    life = Life(
        store,
        a_rulebook(
            destinations=[grouped, a_destination("oncall")], routes=[a_route("all", "tickets", "oncall")], always=[]
        ),
    )
    life.alert("alert-1")
    life.alert("alert-2")
    life.alert("alert-3", CompromisedEntity="vm-2", AzureResourceId=RESOURCE.replace("vm-1", "vm-2"))
    both, other = a_silence(), a_silence(groups=(named("vm-2"),))
    assert (owed(life, both), owed(life, other)) == (2 + 2, 1 + 1)
    for claim in life.claims("tickets"):
        life.settle(claim, DeliveryState.SENT)
    assert owed(life, both) == 2 + 1
    life.deliver()
    assert (owed(life, both), owed(life, other)) == (0, 0)


@pytest.mark.parametrize(("clock", "ticks"), [(15, 0), (0, 15), (-15, 0)], ids=["clock", "ticks", "clock put back"])
def test_silences_are_read_again_after_fifteen_seconds_by_either_clock(store: Store, clock: int, ticks: int) -> None:
    """A time to decide at may stand still, and a clock may be put back; before that a batch costs no request."""
    ticked = 0.0
    reader = SilenceReader(store, ticks=lambda: ticked)
    assert not run(reader.silences("cwpp", NOW)).by_name
    put(store, a_silence(made=NOW - HOUR))
    assert not run(reader.silences("cwpp", NOW + 14 * SECOND)).by_name
    ticked += ticks
    assert list(run(reader.silences("cwpp", NOW + clock * SECOND)).by_name) == ["silence:ab12cd"]
    assert not run(reader.silences("cspm", NOW)).by_name


def test_of_two_who_change_a_silence_at_once_neither_change_is_lost(store: Store, twin: Store) -> None:
    """The second is made over the first, and both are on record; one that is refused is not. Each silence has its own id."""
    made, other = (run(add_silence(store, a_silence(""))) for _ in range(2))
    assert other == replace(made, id=other.id) != made

    def extended(silence: Silence) -> Silence:
        return replace(silence, until=silence.until + HOUR)

    def refused(silence: Silence) -> Silence:
        raise BadUsage("no")

    with pytest.raises(BadUsage):
        run(change_silence(store, other.id, ChangeAction.EXTENDED, "ben", NOW, refused))

    async def at_once() -> None:
        await asyncio.gather(
            *(
                change_silence(one, made.id, ChangeAction.EXTENDED, who, NOW, extended)
                for one, who in ((store, "ana"), (twin, "ben"), (store, "eve"), (twin, "joe"))
            )
        )

    run(at_once())
    assert {one.id: one.until for one in run(stored_silences(store, None)).values} == {
        made.id: NOW + 6 * HOUR,
        other.id: NOW + 2 * HOUR,
    }
    changes = read_changes(run(within(store, list_documents, DocumentKind.CHANGE))).values
    extensions = [one for one in changes if one.action is ChangeAction.EXTENDED]
    assert sorted(one.author for one in extensions) == ["ana", "ben", "eve", "joe"]
    assert sorted(one.until for one in extensions) == [NOW + hours * HOUR for hours in (3, 4, 5, 6)]
