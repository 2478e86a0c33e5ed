"""What every store promises of its tables: documents, the quarantine, signals, groups, and the partitions of hubs."""

from collections.abc import Sequence
from copy import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.hubs import Arrival, HubEpoch, Loss, Partition, PartitionClaim, Span
from router.ingest.gaps import spans_of
from router.store import groups, partitions, signals
from router.store.documents import find_document, find_documents, list_documents, put_document, put_documents
from router.store.forgetting import forget
from router.store.groups import Asked, GroupState, NamedAlert, Opening, OpeningCount, States, WaitingCount
from router.store.ledger import Held, LedgerRow, Seen, State
from router.store.partitions import Taken, Try
from router.store.quarantine import discard_quarantined, list_quarantined, put_in_quarantine
from router.store.retention import Retention
from router.store.snapshots import REMEMBERED, Appearances, Snapshot, day_of, joined
from tests.builders import NOW
from tests.destinations.builders import a_notice
from tests.store.acts import (
    DAY,
    INSTANT,
    SECOND,
    ask,
    claim,
    find_rows,
    groups_at,
    in_doubt,
    members_at,
    owe,
    run,
    settle,
    states,
    write_groups,
    write_rows,
)
from tests.store.builders import a_delivery, a_group, a_member, a_quarantined, a_row, noise
from tests.store.opened import Store

pytestmark = pytest.mark.usefixtures("either")

SILENCE = StoredDocument(kind=DocumentKind.SILENCE, id="s-1", at=NOW, body=bytes(range(256)) * 1000)


def test_of_two_who_write_a_document_over_the_same_version_one_wins(store: Store, twin: Store) -> None:
    """It comes back as it was written, by its kind and id, and among those of its kind that end no sooner."""
    version = ask(store, put_document, SILENCE)
    assert version is not None and ask(store, put_document, replace(SILENCE, kind=DocumentKind.HOLD))
    found = [ask(store, find_document, DocumentKind.SILENCE, id) for id in ("s-1", "s-2")]
    assert found == [replace(SILENCE, version=version), None]
    for kind, since, many in (
        (DocumentKind.SILENCE, None, 1),
        (DocumentKind.SILENCE, NOW, 1),
        (DocumentKind.SILENCE, NOW + INSTANT, 0),
        (DocumentKind.FACT, None, 0),
    ):
        assert [one.body for one in ask(store, list_documents, kind, since)] == [SILENCE.body] * many
    extended = replace(SILENCE, at=NOW + DAY, version=version)
    assert ask(twin, put_document, SILENCE) is None
    newer = ask(twin, put_document, extended)
    assert newer is not None and ask(store, put_document, replace(extended, at=NOW + 2 * DAY)) is None
    assert ask(store, find_document, DocumentKind.SILENCE, "s-1") == replace(extended, version=newer)


def test_many_documents_are_written_and_found_together(store: Store, twin: Store) -> None:
    """More than one transaction carries, with whatever in their ids.

    Those with which somebody was faster are left out, and their neighbours are not.
    """
    signs = ("NULL", "null", '{a,"b"}', "\\", 'a\\"', '"', " ", "é\n")
    ids = [*(f"/source/{number}" for number in range(120)), *signs]
    many = [replace(SILENCE, kind=DocumentKind.SOURCE, id=id) for id in ids]
    theirs = replace(many[7], body=b'{"reason": "faster"}')
    ask(twin, put_document, theirs)
    versions = ask(store, put_documents, many)
    assert versions.keys() == {one.id for one in many} - {theirs.id}
    found = ask(twin, find_documents, DocumentKind.SOURCE, [*(one.id for one in many), "/source/none"])
    expected = {one.id: replace(one, version=versions[one.id]) for one in many if one.id in versions}
    assert {**found, theirs.id: None} == {**expected, theirs.id: None}
    assert found[theirs.id].body == theirs.body
    newer = ask(store, put_documents, [replace(expected["/source/3"], body=b"{}"), many[4]])
    assert newer.keys() == {"/source/3"}
    assert ask(store, find_documents, DocumentKind.SOURCE, []) == {}
    assert ask(store, put_documents, []) == {}


def test_the_quarantine_keeps_bodies_whole_until_they_are_discarded_the_oldest_first(store: Store) -> None:
    """Bytes in, the same bytes out."""
    entry = a_quarantined()
    later = replace(entry, id="a", at=NOW + INSTANT, stream="cwpp")
    earlier = replace(entry, id="c", arrival=Arrival("f", 1))
    ask(store, put_in_quarantine, [later, entry, entry])
    ask(store, put_in_quarantine, [entry, earlier, replace(earlier, id="b")])
    left = [replace(earlier, id="b"), earlier, later]
    assert ask(store, list_quarantined) == [*left[:2], entry, later]
    assert [ask(store, discard_quarantined, "q1") for _ in range(2)] == [True, False]
    assert ask(store, list_quarantined) == left


NAMED = Appearances("s", "recommendation", NOW, NOW - DAY, (20_000, 20_007))


def a_held_row(key: str = "k", rule: str = "r", rulebook: str = "h", **changes: object) -> LedgerRow:
    """A row of a signal that a rule holds."""
    held = Held(rule=rule, until=NOW + DAY, rulebook=rulebook, source="s", body=b"{}", since=NOW, messages=3)
    return a_row(key, held=held, outcome=Outcome.SUPPRESSED, **changes)


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_row_comes_back_as_it_was_written(store: Store, size: int) -> None:
    """Every part of it, of two writes the last. A message says its status, and all else, as long as it likes; what a rule
    holds is no shorter, and comes back where it is decided again."""
    text = noise(size).hex()
    write_rows(store, [a_row(turn=7, closed_at=NOW, open={"a": 1, "b": 2}, appearances=NAMED)])
    row = a_held_row(
        state=State(resolved=True, status=text, severity=None, measure=text),
        seen=Seen(None, Arrival("f", 2**62, None, 3), deleted=True),
        appearances=NAMED._replace(in_snapshot=None, days=()),
        closed_at=NOW,
        grouped=frozenset({"tickets"}),
    )
    assert row.held is not None
    held = replace(row.held, body=noise(size))
    row = replace(row, held=held)
    write_rows(store, [row])
    owe(store, a_delivery(key="group"))  # Which is no signal for that.
    assert find_rows(store, ["k", "unknown", "group"]) == {
        "k": replace(row, held=replace(held, body=None), is_stored=True)
    }
    assert in_doubt(store, "cwpp", "b", []) == [replace(row, is_stored=True)]
    named = replace(row, turn=9, held=None, appearances=NAMED)
    run(store.run(lambda tx: signals.write_appearances(tx, [named])))
    assert in_doubt(store, "cwpp", "b", []) == [replace(row, appearances=NAMED, is_stored=True)]
    write_rows(store, [a_row()])
    assert find_rows(store, ["k"]) == {"k": replace(a_row(), is_stored=True)}


def test_a_signal_that_another_transaction_wrote_first_is_not_written_over(store: Store) -> None:
    """What was decided as if it were new is run again, and finds it."""
    new = a_row("new")

    async def write(*rows: LedgerRow) -> None:
        async with store.transaction() as tx:
            await signals.write_signals(tx, rows)

    run(write(new))
    with pytest.raises(StoreError):
        run(write(a_row("beside"), replace(new, turn=9)))
    assert find_rows(store, ["beside", "new"]) == {"new": replace(new, is_stored=True)}
    (found,) = find_rows(store, ["new"]).values()
    run(write(replace(found, turn=2), a_row("beside")))
    assert {row.turn for row in find_rows(store, ["beside", "new"]).values()} == {1, 2}


def test_held_rows_come_back_when_what_holds_them_ended_or_the_rulebook_changed(store: Store) -> None:
    """Only what the ended rule of many holds, and what any holds under another rulebook, whose hash may begin alike."""

    def doubted(book: str, active: Sequence[str], now: datetime = NOW) -> list[str]:
        return [row.key for row in in_doubt(store, "cwpp", book, active, now)]

    rules = [f"rule {number}" for number in range(30)]
    write_rows(store, [a_held_row(f"{rule}/{n}", rule) for rule in rules for n in range(2)])
    assert doubted("h", rules) == []
    assert doubted("h", [rule for rule in rules if rule != "rule 17"]) == ["rule 17/0", "rule 17/1"]
    assert len(doubted("h", rules, NOW + DAY)) == len(doubted("other", rules)) == 60
    assert in_doubt(store, "cspm", "h", []) == []
    others = ["", "g", "h0", "i"]
    write_rows(store, [a_held_row(book or "none", "rule 1", book) for book in others])
    assert doubted("h", rules) == ["g", "h0", "i", "none"]
    write_rows(store, [a_held_row("g", "second"), a_row("i")])
    assert doubted("h", [*rules, "second"]) == ["h0", "none"]


AT = ("cwpp", "tickets")


def waiting(severity: str, at: datetime = NOW, *, sample: bool = False) -> GroupState:
    """A group that waits for its turn."""
    words = a_notice(sample=sample)
    return GroupState(
        group=a_group().group, audience_key="a", at=at, window_key=None, until=None, severity=severity, words=words
    )


def write(store: Store, some: States, destination: str = "tickets") -> None:
    run(write_groups(store, "cwpp", destination, some))


def read(store: Store, **asked: Any) -> States:
    """What is asked for of `tickets`."""
    return ask(store, groups.read_states, "cwpp", ["tickets"], Asked(**asked))["tickets"]


def test_states_come_back_as_they_were_written_whatever_they_are_asked_by(store: Store) -> None:
    """A group by its member, by a claim and by its window; nothing of another destination."""
    member, alert, group = a_member(), NamedAlert(group="g", until=NOW), a_group()
    write(store, States({"k": member}, {"c": alert}, {"g": group}))
    write(store, States({"k": member}, {"c": alert}, {"g": group}), "another")
    assert read(store, signals=["k", "x"]) == States({"k": member}, {}, {"g": group})
    assert read(store, named_alerts=["c"]) == States({}, {"c": alert}, {"g": group})
    assert read(store, windows=[group.window_key]) == States({}, {}, {"g": group})


def test_what_waits_is_asked_for_by_how_grave_it_is_and_since_when_it_waits(store: Store) -> None:
    """Those that open next, real ones and samples by themselves, with the counts of all."""
    write(store, States(groups={
        "a": waiting("Medium"), "b": waiting("High", NOW + SECOND), "c": waiting("High"), "d": waiting("High"),
        "s": waiting("Low", sample=True),
    }))  # fmt: skip
    for most, keys in ((1, "ds"), (2, "dcs"), (3, "dcbs"), (9, "dcbas")):
        assert set(read(store, waiting=most).groups) == set(keys)
    for sample, many in ((False, WaitingCount(4, 4, 8)), (True, WaitingCount(1, 1, 2))):
        assert ask(store, groups.count_held, *AT, sample=sample) == many


def test_openings_are_counted_within_a_span_for_each_audience(store: Store) -> None:
    """By pager, samples and summaries; the span begins after its first instant and ends with its last."""
    openings = [
        *(Opening(NOW + n * SECOND, None, False, False, n) for n in range(4)),
        Opening(NOW + SECOND, "KEY", False, False, 1),
        Opening(NOW + SECOND, None, True, True, 2),
    ]
    write(store, States(openings=openings))
    spans = {"tickets": (NOW, NOW + 2 * SECOND), "another": (NOW, NOW)}
    counts = {
        (None, False, False): OpeningCount(2, 2),
        ("KEY", False, False): OpeningCount(1, 1),
        (None, True, True): OpeningCount(1, 2),
    }
    assert ask(store, groups.count_openings, "cwpp", spans) == {"tickets": counts, "another": {}}
    # Those from before the longest window that a limit may have are gone with the next one.
    write(store, States(openings=[Opening(NOW + groups.LONGEST_WINDOW + SECOND, None, False, False, 1)]))
    assert run(store.run(lambda tx: tx.value("SELECT count(*) FROM openings"))) == 3


def test_of_groups_what_is_over_and_old_is_forgotten_and_nothing_that_something_needs(store: Store) -> None:
    """Both sides of the retention: over since ninety days, a moment less, and standing since ever. The receipt of an opening
    stays, and a signal whose turns would start anew, as if its group had them already."""
    old, moment, later = NOW - 90 * DAY, INSTANT, NOW + 91 * DAY
    for at, gone, keys in ((old + moment, 0, ["k", "x"]), (old, 3, ["x"])):
        members, alerts = {"k": a_member(False, at), "x": a_member(True, old)}, {"c": NamedAlert(group="g", until=at)}
        write(store, States(members, alerts, {"g": a_group(0, at), "h": a_group(1, old)}))
        assert run(forget(store, NOW, Retention(), 10_000)).number == gone
        assert list(run(members_at(store, *AT, "k", "x"))) == keys
        assert list(run(groups_at(store, *AT))) == ["h"]
    owe(store, a_delivery(key="g"), a_delivery(key="over"))
    for one in claim(store):
        settle(store, one, DeliveryState.SENT)
    resolved = State(resolved=True, status="resolved", severity=4)
    rows = [a_row(key, state=resolved, open={}, heard=NOW - DAY, closed_at=NOW - DAY) for key in ("k", "gone")]
    write_rows(store, rows)
    members = {"k": a_member(stands=False, at=later), "gone": a_member(False, NOW)}
    write(store, States(members, groups={"g": a_group(1, NOW), "over": a_group(0, NOW)}))
    run(forget(store, later, Retention(), 10_000))
    assert states(store) == {DeliveryState.SENT: 1}
    assert list(find_rows(store, ["k", "gone"])) == ["k"]


PLACE, BESIDE = Partition("cwpp", "0"), Partition("cwpp", "1")
EPOCH = HubEpoch(PLACE, 1)
HUGE = 2**62
"""Sequence numbers have 64 bits."""
_IDS = count(2)


def take(store: Store, epoch: HubEpoch, *spans: Span) -> None:
    """Takes numbers in, one span after the other; each is enqueued and taken later than the one before."""

    async def take_all() -> None:
        for number, span in enumerate(spans):
            at = NOW + number * INSTANT
            async with store.transaction() as tx:
                await partitions.lock_partition(tx, epoch.partition)
                known = await partitions.read_taken(tx, epoch, span.first - 1)
                await partitions.take(tx, epoch, known, Taken(span, at, at, at))

    run(take_all())


def taken(store: Store, epoch: HubEpoch = EPOCH, first: int = 0) -> list[Taken]:
    return ask(store, partitions.read_taken, epoch, first)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=8))
def test_what_is_taken_in_is_kept_in_ranges_that_do_not_touch(store: Store, pairs: Sequence[tuple[int, int]]) -> None:
    """In any order, overlapping and anew: those numbers of that partition and epoch and no other, and when they came."""
    epoch = HubEpoch(Partition("cwpp", str(next(_IDS))), 1)
    spans = [Span(HUGE + first, HUGE + first + length) for first, length in pairs]
    take(store, epoch, *spans)
    take(store, replace(epoch, number=2), Span(0, 2))
    ranges = taken(store, epoch)
    assert [one.span for one in ranges] == spans_of([n for first, last in spans for n in range(first, last + 1)])
    for one in ranges:
        times = [NOW + n * INSTANT for n, span in enumerate(spans) if one.span.overlaps(span)]
        assert one[1:] == (max(times), min(times), max(times))
    assert taken(store, epoch, HUGE + 20) == [one for one in ranges if one.span.last >= HUGE + 20]


def test_a_try_is_over_when_all_its_numbers_are_taken_in_or_it_failed_and_never_before(store: Store) -> None:
    """Another range, or another process, ends it not; each sees those of other processes that overlap its own."""

    def others(mine: Span) -> list[str]:
        found = ask(store, partitions.find_other_tries, Try(PLACE, mine, "me"))
        return [one.process for one in found]

    spans = [("dead", Span(0, 9)), ("died too", Span(30, 39)), ("died too", Span(5, 9)), ("me", Span(0, 4))]
    for process, span in (*spans, ("elsewhere", Span(20, 29))):
        ask(store, partitions.begin_try, Try(PLACE, span, process))
    assert (others(Span(0, 4)), others(Span(9, 20))) == (["dead"], ["dead", "died too", "elsewhere"])
    take(store, EPOCH, Span(0, 4))
    assert others(Span(0, 99)) == ["dead", "died too", "elsewhere"]
    ask(store, partitions.end_try, Try(PLACE, Span(20, 29), "elsewhere"))
    take(store, EPOCH, Span(5, 9))
    assert others(Span(0, 99)) == []


def test_a_loss_is_reported_once_and_a_sweep_known_by_its_hub(store: Store) -> None:
    """Create-if-absent by epoch and first number; the oldest comes first, and each hub has its own."""
    late = Loss(EPOCH, Span(1, 4), NOW + INSTANT, "gone")
    early = Loss(HubEpoch(PLACE, 2), Span(1, HUGE), NOW, "recreated")
    elsewhere = replace(late, epoch=HubEpoch(Partition("cspm", "0"), 1))
    for losses in ([late, early], [replace(late, at=NOW, why="another word"), elsewhere]):
        ask(store, partitions.write_losses, losses)
    assert ask(store, partitions.read_losses, "cwpp") == [early, late]
    assert ask(store, partitions.read_losses, "cspm") == [elsewhere]
    assert ask(store, partitions.find_last_sweep, "cwpp") is None
    for at in (NOW + INSTANT, NOW):
        ask(store, partitions.write_sweep_end, "cwpp", at)
    assert ask(store, partitions.find_last_sweep, "cwpp") == NOW
    assert ask(store, partitions.find_last_sweep, "cspm") is None


def claimed(store: Store, *wanted: PartitionClaim) -> list[PartitionClaim]:
    return ask(store, partitions.claim_partitions, wanted)


def claims(store: Store, hub: str = "cwpp") -> list[PartitionClaim]:
    return ask(store, partitions.list_claims, hub)


def test_of_two_that_claim_a_partition_one_gets_it(store: Store) -> None:
    """Whether it was never claimed or is renewed: who goes by an older claim gets nothing, and changes nothing."""
    mine, beside = claimed(store, PartitionClaim(BESIDE, "one"), PartitionClaim(PLACE, "one"))
    assert claimed(store, PartitionClaim(PLACE, "other")) == []
    (renewed,) = claimed(store, mine)
    (theirs,) = claimed(store, replace(mine, owner="other"), replace(beside, owner="other"))
    assert claims(store) == [renewed, theirs]
    assert len({mine.claim, renewed.claim, beside.claim, theirs.claim}) == 4
    assert claimed(store, PartitionClaim(Partition("cspm", "0"), "other")) == claims(store, "cspm")
    ask(store, partitions.free_partitions)
    assert [one.owner for one in claims(store)] == ["", ""]


def test_a_partition_is_read_from_before_the_first_number_that_is_missing(store: Store) -> None:
    """What is lost is missing no more; it does not matter which process read it, and a new epoch begins with nothing."""
    claimed(store, PartitionClaim(PLACE, "one"))
    assert [one.sequence for one in claims(store)] == [None]
    take(store, EPOCH, Span(3, 4), Span(6, 7), Span(9, 12))
    assert [one.sequence for one in claims(store)] == [4]
    ask(store, partitions.write_losses, [Loss(EPOCH, Span(5, 5), NOW, "gone")])
    assert [one.sequence for one in claims(store)] == [7]
    known = ask(store, partitions.lock_partition, PLACE)
    _, lost = ask(store, partitions.begin_epoch, known, NOW)
    assert [one.span for one in lost] == [Span(8, 8)]
    assert [(one.owner, one.sequence) for one in claims(store)] == [("one", None)]


# Snapshots.

HOURS = st.one_of(st.integers(0, 600), st.integers(0, 20).map(lambda halves: halves * 12))
COMING = st.lists(HOURS.map(lambda hours: NOW + timedelta(hours=hours)), min_size=1, max_size=12)


def chained(times: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """The first and the last times of snapshots, as the definition says."""
    found: list[tuple[datetime, datetime]] = []
    for time in sorted(times):
        if found and time - found[-1][1] < DAY:
            found[-1] = (found[-1][0], time)
        else:
            found.append((time, time))
    return found


@given(COMING)
def test_a_snapshot_is_all_rows_with_less_than_a_day_between_them(times: list[datetime]) -> None:
    """Each finding knows its days alone; with when rows of a day came these give the snapshots, and in which it came."""
    appearances = Appearances("s", "recommendation", times[0])
    for time in times:
        appearances = appearances.in_snapshot_at(time)
    assert (appearances.named, appearances.in_snapshot) == (max(times), max(times))
    assert appearances.days == tuple(sorted({day_of(time) for time in times}))[-REMEMBERED:]
    by_day = {day: [time for time in times if day_of(time) == day] for day in map(day_of, times)}
    found = joined(Snapshot(min(some), max(some), frozenset([day])) for day, some in by_day.items())
    assert [(one.first, one.last) for one in found] == chained(times)
    assert [one.days for one in found] == [
        frozenset(day_of(time) for time in times if one.first <= time <= one.last) for one in found
    ]


def test_what_names_a_finding_half_a_week_later_is_news() -> None:
    """A row of a snapshot after the last row, and another message after the last message."""
    one = Appearances("s", "recommendation", NOW + DAY, NOW)
    found = [
        (days, in_snapshot)
        for days in (3.49, 3.5, 4.49, 4.5)
        for in_snapshot in (True, False)
        if one.is_news_at(NOW + days * DAY, in_snapshot=in_snapshot)
    ]
    assert found == [(3.5, True), (4.49, True), (4.5, True), (4.5, False)]
