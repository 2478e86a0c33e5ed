"""Silences in every store: each worker obeys them within half a minute, and what they held and still stands comes out once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from router.cli.silence_preview import preview_of
from router.cli.silence_store import add_silence, change_silence, stored_silences
from router.decide.matchers import SilenceMatcher
from router.domain.catalogue import Catalogue
from router.domain.changes import ChangeAction, read_changes
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage
from router.domain.notices import Notice, Release
from router.domain.rulebook import By, Grouping
from router.domain.severity import Severity
from router.domain.silence_documents import document_of_silence
from router.domain.silences import Silence, SilenceBounds
from router.ingest.intake import Intake, release_held
from router.ingest.readers import SilenceReader
from router.store.documents import find_document, list_documents, put_document
from router.store.rules import read_hits
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip
from tests.silences import HOUR, a_silence, machine, named, weekly
from tests.store.acts import run
from tests.store.life import Life
from tests.store.within import within

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def put(store: Store, *silences: Silence) -> None:
    """Stores silences as if a person had made them, over whatever is there."""
    for silence in silences:
        before = run(within(store, find_document, DocumentKind.SILENCE, silence.id))
        document = document_of_silence(silence, before.version if before is not None else None)
        assert run(within(store, put_document, document)) is not None


def ticketed(life: Life) -> list[tuple[str, Change, Release | None]]:
    """What tickets are told: of which alert, which change, and what had held it."""
    contents = [claim.delivery for claim in life.deliver() if claim.delivery.destination == "tickets"]
    return [(it.content.id, it.change, it.content.release) for it in contents if isinstance(it.content, Notice)]


def release_by(
    ended: datetime | None, *, since: datetime = NOW, messages: int = 1, author: str | None = "ana@contoso.example"
) -> Release:
    """What a notice says that the silence had held."""
    return Release(
        kind="silence",
        name="ab12cd",
        author=author,
        since=f"{since:%Y-%m-%dT%H:%M:%SZ}",
        ended=f"{ended:%Y-%m-%dT%H:%M:%SZ}" if ended is not None else None,
        messages=messages,
    )


def hits(store: Store, name: str = "silence:ab12cd") -> int:
    """How often a silence held a signal."""
    found = run(within(store, read_hits, "cwpp")).get(name)
    return found.total if found is not None else 0


def test_what_a_silence_held_comes_out_once_at_its_end_and_says_whose_it_was(store: Store) -> None:
    """With how many messages it held, and since when; each is a hit."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    life.now += MINUTE
    life.alert(Description="again")
    life.now = NOW + 2 * HOUR - SECOND
    life.release()
    assert ticketed(life) == []
    life.now = NOW + 2 * HOUR
    life.release()
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(NOW + 2 * HOUR, messages=2))]
    assert hits(store) == 2


def test_what_ended_before_its_time_comes_out_then(store: Store) -> None:
    """As soon as it is looked at: somebody wants to hear it."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    life.now += HOUR
    put(store, a_silence(ended=life.now))
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(NOW + HOUR))]


def test_what_is_extended_goes_on_holding(store: Store) -> None:
    """Also what it held before; its new end is what counts."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    put(store, a_silence(lasts=4 * HOUR))
    life.now = NOW + 2 * HOUR
    life.release()
    life.release()
    assert ticketed(life) == []
    row = life.row()
    assert row is not None
    assert row.held_by is not None
    assert (row.held_by.until, row.held_by.since, row.held_by.messages) == (NOW + 4 * HOUR, NOW, 1)
    life.now = NOW + 4 * HOUR
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(NOW + 4 * HOUR))]


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
    assert ticketed(life) == []


def test_the_end_of_each_window_lets_go_of_what_it_held(store: Store) -> None:
    """The series goes on, and holds what comes in its next window."""
    life = Life(store)
    put(store, a_silence(lasts=30 * DAY, every=weekly(1, begins="11:00", ends="13:00")))
    life.alert()
    life.now = NOW + HOUR
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(NOW + HOUR))]
    life.now = NOW + 7 * DAY
    life.alert("alert-2")
    assert ticketed(life) == []


def test_what_a_window_held_is_asked_about_again_in_the_next_where_nobody_came_between(store: Store) -> None:
    """A run that only comes at night finds it held by the window that is open then, and with that one's end."""
    life = Life(store)
    put(store, a_silence(lasts=30 * DAY, every=weekly(1, begins="11:00", ends="13:00")))
    life.alert()
    life.now = NOW + 7 * DAY
    life.release()
    row = life.row()
    assert row is not None
    assert row.held_by is not None
    assert row.held_by.until == NOW + 7 * DAY + HOUR


def test_what_silences_held_for_the_longest_time_comes_out_though_one_still_runs(store: Store) -> None:
    """Two that overlap by halves: the bound is that of what both cover."""
    life = Life(store, replace(a_rulebook(), silences=SilenceBounds(longest=3 * HOUR)))
    web = {"Type": "host", "HostName": "web-1"}
    put(store, a_silence("one"), a_silence("two", begins=NOW + HOUR, groups=(machine("web-1"),)))
    life.alert(Entities=[web])
    life.now = NOW + 2 * HOUR
    life.release()
    assert ticketed(life) == []
    put(store, a_silence("two", begins=NOW + HOUR, lasts=3 * HOUR, groups=(machine("web-1"),)))
    life.now = NOW + 3 * HOUR - SECOND
    life.release()
    assert ticketed(life) == []
    life.now = NOW + 3 * HOUR
    life.release()
    ((id, change, release),) = ticketed(life)
    assert (id, change) == ("alert-1", Change.OPENED)
    assert release is not None
    assert release.name == "two"


def test_the_bound_counts_what_ended_long_ago_where_the_policy_allows_long_silences(store: Store) -> None:
    """A week of silences, one after the other, is known as one."""
    life = Life(store, replace(a_rulebook(), silences=SilenceBounds(longest=7 * DAY)))
    put(store, *(a_silence(f"{day}", begins=NOW + day * DAY, lasts=DAY, made=NOW) for day in range(9)))
    life.now = NOW + 7 * DAY - SECOND
    assert life.alert().suppressed_by is not None
    life.now += SECOND
    assert life.alert("alert-2").suppressed_by is None
    life.now = NOW + 9 * DAY
    put(store, a_silence("later", begins=NOW + 9 * DAY + HOUR, made=NOW))
    life.now += HOUR
    assert life.alert("alert-3").suppressed_by == "silence:later"


def test_what_comes_out_joins_its_group(store: Store) -> None:
    """As what comes in now would: one notice for those that were held together."""
    group = Grouping(by=(By.RESOURCE,), window=HOUR)
    life = Life(store, a_rulebook(destinations=[replace(a_destination("tickets"), group=group)], always=[]))
    put(store, a_silence())
    life.alert("alert-1")
    life.alert("alert-2")
    life.now = NOW + 2 * HOUR
    life.release()
    opened = [claim.delivery for claim in life.deliver() if claim.delivery.change is Change.OPENED]
    assert len(opened) == 1
    row = life.row("alert-2")
    assert row is not None
    assert row.grouped == {"tickets"}


def test_a_sample_is_silenced_like_any_other_alert(store: Store) -> None:
    """And comes out as a sample."""
    life = Life(store)
    put(store, a_silence())
    life.alert(AlertType="SIMULATED_VM_Test")
    life.now = NOW + 2 * HOUR
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(NOW + 2 * HOUR))]


def test_of_a_rule_and_a_silence_the_other_takes_over_and_says_so(store: Store) -> None:
    """The later end holds first; what was not yet over holds on."""
    life = Life(store, a_rulebook(a_rule(expires=NOW + 3 * HOUR)))
    put(store, a_silence(lasts=4 * HOUR))
    life.alert(Entities=[an_ip("10.20.0.5")])
    life.now += HOUR
    put(store, a_silence(ended=life.now))
    life.release()
    assert ticketed(life) == []
    row = life.row()
    assert row is not None
    assert row.held_by is not None
    assert (row.held_by.rule, row.held_by.since) == ("scanner", NOW + HOUR)
    life.now = NOW + 3 * HOUR
    life.release()
    ((_, _, release),) = ticketed(life)
    assert release is not None
    assert (release.kind, release.name) == ("rule", "scanner")


def test_what_is_open_stays_open_its_updates_are_held_and_its_end_is_told(store: Store) -> None:
    """A silence acts on what is decided after it is seen."""
    life = Life(store)
    life.alert()
    assert ticketed(life) == [("alert-1", Change.OPENED, None)]
    put(store, a_silence(begins=NOW + MINUTE))
    life.now += MINUTE
    life.alert(Severity="Medium")
    assert ticketed(life) == []
    row = life.row()
    assert row is not None
    assert "tickets" in row.open
    life.now += MINUTE
    life.alert(Status="Resolved")
    assert ticketed(life) == [("alert-1", Change.RESOLVED, None)]


def test_held_updates_of_what_is_open_come_out_as_an_update(store: Store) -> None:
    """No second ticket."""
    life = Life(store)
    life.alert()
    ticketed(life)
    put(store, a_silence(begins=NOW + MINUTE))
    life.now += MINUTE
    life.alert(Severity="Medium")
    life.now = NOW + MINUTE + 2 * HOUR
    life.release()
    assert ticketed(life) == [("alert-1", Change.UPDATED, release_by(life.now, since=NOW + MINUTE))]


def test_what_was_resolved_while_it_was_held_is_told_nobody(store: Store) -> None:
    """It stands no more, and nobody had heard of it."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    life.now += MINUTE
    life.alert(Status="Resolved")
    life.now = NOW + 2 * HOUR
    life.release()
    assert ticketed(life) == []


def test_what_is_owed_already_goes_out(store: Store) -> None:
    """Nobody takes back what was decided."""
    life = Life(store)
    life.alert()
    put(store, a_silence())
    assert ticketed(life) == [("alert-1", Change.OPENED, None)]


def owed(life: Life, silence: Silence) -> int:
    """How many deliveries a person is told of that go out though they make a silence now."""
    matcher = SilenceMatcher(silence, a_rulebook())
    return run(preview_of(life.store, matcher, {}, life.now, is_narrow=True)).owed


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


def test_what_the_policy_refuses_is_told(store: Store) -> None:
    """And what it no longer refuses is held, with the next decision."""
    life = Life(store, replace(a_rulebook(), silences=SilenceBounds(refuse=Severity.HIGH)))
    put(store, a_silence())
    life.alert()
    assert ticketed(life) == [("alert-1", Change.OPENED, None)]
    life.alert("alert-2", Severity="Medium")
    assert ticketed(life) == []


def test_a_policy_that_begins_to_refuse_lets_go_of_what_is_held(store: Store) -> None:
    """Its rulebook is another one."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    life.book = replace(a_rulebook(hash="another"), silences=SilenceBounds(refuse=Severity.HIGH))
    life.now += MINUTE
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(None))]


def test_a_silence_that_is_gone_or_damaged_lets_go_of_what_it_held(store: Store) -> None:
    """What cannot be read holds nothing."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    document = run(within(store, find_document, DocumentKind.SILENCE, "ab12cd"))
    assert document is not None
    assert run(within(store, put_document, replace(document, body=b"{"))) is not None
    life.now += MINUTE
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(None, author=None))]


def test_a_message_that_comes_again_is_one_hit(store: Store) -> None:
    """Redelivered to the same worker, to another one, and to two at once."""
    life = Life(store)
    put(store, a_silence())
    message = a_message(alert_body(), at=NOW)
    intakes = [Intake(store, {life.book.stream: life.book}, Catalogue()) for _ in range(2)]

    async def at_once() -> None:
        await asyncio.gather(*(intake.ingest([message], NOW) for intake in intakes))

    run(at_once())
    life.ingest(message)
    life.ingest(message, message)
    assert hits(store) == 1
    life.now = NOW + 2 * HOUR
    life.release()
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(NOW + 2 * HOUR))]


def test_two_workers_at_the_end_let_go_once(store: Store, twin: Store) -> None:
    """Both look at the same moment."""
    life = Life(store)
    put(store, a_silence())
    life.alert()
    life.now = NOW + 2 * HOUR
    book = life.book

    async def at_once() -> None:
        await asyncio.gather(
            *(release_held(Intake(one, {book.stream: book}, Catalogue()), one, book, life.now) for one in (store, twin))
        )

    run(at_once())
    assert ticketed(life) == [("alert-1", Change.OPENED, release_by(NOW + 2 * HOUR))]


def test_every_worker_obeys_within_half_a_minute(store: Store, twin: Store) -> None:
    """Two workers over one store, each busy all the time: what another process silenced, ended or made anew."""
    book = a_rulebook()
    workers = [Intake(one, {book.stream: book}, Catalogue()) for one in (store, twin)]
    numbers = iter(range(1_000))

    def is_held(worker: Intake, now: datetime) -> bool:
        message = a_message(alert_body(f"alert-{next(numbers)}"), at=now)
        (entry,) = run(worker.ingest([message], now))
        return entry.suppressed_by is not None

    assert not any(is_held(worker, NOW) for worker in workers)
    for number, (change, is_silent) in enumerate([(a_silence(), True), (a_silence(ended=NOW + MINUTE), False)]):
        put(store, change)
        made = NOW + number * MINUTE
        assert [is_held(worker, made + 30 * SECOND) for worker in workers] == [is_silent, is_silent]


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


def test_each_change_is_on_record_with_its_author(store: Store) -> None:
    """Who made it, who extended it, who ended it, when and why."""
    made = run(add_silence(store, a_silence("")))
    later = NOW + 3 * HOUR
    run(change_silence(store, made.id, ChangeAction.EXTENDED, "ben", NOW + MINUTE, lambda it: replace(it, until=later)))
    run(change_silence(store, made.id, ChangeAction.ENDED, "eve", NOW + HOUR, lambda it: replace(it, ended=NOW + HOUR)))
    changes = read_changes(run(within(store, list_documents, DocumentKind.CHANGE))).changes
    assert [(one.id, one.action, one.author, one.at, one.until, one.reason) for one in changes] == [
        (made.id, ChangeAction.ADDED, "ana@contoso.example", NOW, NOW + 2 * HOUR, "patching"),
        (made.id, ChangeAction.EXTENDED, "ben", NOW + MINUTE, later, "patching"),
        (made.id, ChangeAction.ENDED, "eve", NOW + HOUR, NOW + HOUR, "patching"),
    ]


def test_of_two_who_change_a_silence_at_once_neither_change_is_lost(store: Store, twin: Store) -> None:
    """The second is made over the first: both extended it, and both are on record."""
    made = run(add_silence(store, a_silence("")))

    def extended(silence: Silence) -> Silence:
        return replace(silence, until=silence.until + HOUR)

    async def at_once() -> None:
        await asyncio.gather(
            *(
                change_silence(one, made.id, ChangeAction.EXTENDED, who, NOW, extended)
                for one, who in ((store, "ana"), (twin, "ben"), (store, "eve"), (twin, "joe"))
            )
        )

    run(at_once())
    (silence,) = run(stored_silences(store, None)).silences
    assert silence.until == NOW + 6 * HOUR
    changes = read_changes(run(within(store, list_documents, DocumentKind.CHANGE))).changes
    extensions = [one for one in changes if one.action is ChangeAction.EXTENDED]
    assert sorted(one.author for one in extensions) == ["ana", "ben", "eve", "joe"]
    assert sorted(one.until for one in extensions) == [NOW + hours * HOUR for hours in (3, 4, 5, 6)]


def test_a_change_that_is_refused_leaves_nothing_on_record(store: Store) -> None:
    """Neither of the silence nor of who wanted it."""
    made = run(add_silence(store, a_silence("")))

    def refused(silence: Silence) -> Silence:
        raise BadUsage("no")

    with pytest.raises(BadUsage):
        run(change_silence(store, made.id, ChangeAction.EXTENDED, "ben", NOW, refused))
    assert len(run(within(store, list_documents, DocumentKind.CHANGE))) == 1
    assert run(stored_silences(store, None)).silences == [made]


def test_two_silences_that_say_the_same_have_two_ids(store: Store) -> None:
    """A longer one, where the beginning is taken."""
    one, other = (run(add_silence(store, a_silence(""))) for _ in range(2))
    assert other.id.startswith(one.id)
    assert other.id != one.id
    assert replace(other, id=one.id) == one
