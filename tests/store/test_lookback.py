"""What people look back on in every store: counts, decisions, what stands, is held, and would have been held by a rule."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.app.lookback import look_back
from router.app.report import read_report
from router.app.rules import Rules
from router.decide.preview import Amount, Preview, Spared, rule_matcher
from router.domain.catalogue import Catalogue
from router.domain.counts import Cell, RuleHits, cell_of, counted
from router.domain.decisions import Outcome
from router.domain.errors import StoreError
from router.domain.hubs import message_of
from router.domain.notices import RecordEntry
from router.domain.owners import NO_OWNERS
from router.domain.rule_fields import RuleFields, StandingSignal, rule_fields_of
from router.domain.rulebook import Rulebook
from router.domain.severity import Severity, gravity_of
from router.domain.signals import Stream
from router.domain.silences import shadow_name, silence_name
from router.domain.suppression import Suppressions
from router.ingest.intake import Intake, Message, release_held
from router.store import signals
from router.store.decisions import put_on_record
from router.store.documents import document_of_silence, put_document
from router.store.forgetting import forget
from router.store.ledger import Held, LedgerRow, State
from router.store.retention import Retention
from router.store.rules import note_rules, read_hits
from router.store.store import Transaction
from tests.builders import NOW, a_finding, a_message, a_rule, a_rulebook, alert_body, an_alert, an_element, an_ip
from tests.examples import some_of
from tests.silences import a_silence
from tests.store.acts import DAY, HOUR, all_decisions, an_empty_store, ask, read_counts, run, write_rows
from tests.store.builders import a_row, an_entry, noise
from tests.store.deadly import Deadly
from tests.store.life import Life, a_life
from tests.store.opened import Place, Store, changed
from tests.store.within import within


def hour_of(at: datetime) -> datetime:
    """The hour in which an instant lies."""
    return at.replace(minute=0, second=0, microsecond=0)


@pytest.mark.usefixtures("either")
def test_a_decision_is_counted_by_all_that_people_ask_for(store: Store) -> None:
    """Stream, outcome, severity, plan, type, rule, tactics, destinations, techniques and what people hear, by the hour."""
    intake = Intake(store, {Stream.CWPP: a_book()}, Catalogue())
    at = NOW + timedelta(minutes=59)
    attack = {"Intent": "Execution", "Techniques": ["T1059", "no id"]}
    (entry,) = run(intake.ingest([a_message(alert_body("a", **attack))], at))
    found = "cwpp", "routed", "High", "", "VM_Test", "", ("TA0002",), ("sentinel", "tickets"), ("T1059",), "opened"
    cell = Cell(*found)
    assert ask(store, read_counts) == {hour_of(at): Counter({cell: 1})}
    run(intake.ingest([a_message(alert_body("b", **attack))], at))
    run(intake.ingest([a_message(b"?")], at + HOUR))
    assert ask(store, read_counts) == {
        hour_of(at): Counter({cell: 2}),
        hour_of(at + HOUR): Counter({Cell("", "quarantined", "", "", "", ""): 1}),
    }
    assert entry.outcome == "routed"


@pytest.mark.usefixtures("either")
def test_a_cell_longer_than_an_index_holds_is_counted(store: Store) -> None:
    """A policy may name hundreds of destinations; what a message says is cut."""
    names = tuple(sorted(noise(40 + number).hex() for number in range(99)))
    given = {"at": NOW.isoformat(), "destinations": names, "type": "x" * 100_000}
    entries = [an_entry(f"h:{number}", **given) for number in range(2)]
    for entry in entries:
        ask(store, put_on_record, [entry])
    cell = cell_of(entries[0])
    assert (ask(store, read_counts), cell.type) == ({hour_of(NOW): Counter({cell: 2})}, "x" * 200)


RULE, SILENCE, SHADOW = "10.20.0.5", "10.20.0.6", "10.20.0.7"
SILENCED = ((an_element("entities.ip.address", SILENCE),),)
ADDRESSES = (RULE, SILENCE, SHADOW, "192.0.2.1")
_ORIGINS = itertools.count()


def a_book(*, ends: datetime = NOW + 3 * HOUR, hash: str = "one") -> Rulebook:
    """A rule for one address, and two shadow rules: for that address too, and for another one."""
    shadows = [a_rule("wide", ip=[RULE, SHADOW]), a_rule("narrow", ip=[SHADOW])]
    return replace(a_rulebook(a_rule(expires=ends), hash=hash), shadows=Suppressions.from_rules(shadows))


def names_in(book: Rulebook) -> set[str]:
    """The names on record of the rules and shadow rules of a rulebook."""
    return {*book.suppressions.by_name, *map(shadow_name, book.shadows.by_name)}


@pytest.mark.usefixtures("either")
def test_hits_stay_as_long_as_what_made_them_is_there(store: Store) -> None:
    """Of a rule or shadow rule until 400 days after the last where it is gone; of a silence while the state knows that."""
    lasting = a_silence("ab", groups=SILENCED, lasts=timedelta(days=90))
    ask(store, put_document, document_of_silence(lasting))
    life = Life(store, a_book())
    for address in (RULE, SILENCE, SHADOW):
        life.alert(address, Entities=[an_ip(address)])
    bare = replace(life.book, shadows=Suppressions.from_rules(()))
    rule, silence, shadows = {"scanner"}, {"silence:ab"}, {"shadow:narrow", "shadow:wide"}
    for days, book, names in (
        (401, life.book, rule | silence | shadows),
        (401, bare, rule | silence),
        (489, bare, rule | silence),
        (491, bare, rule),
        (491, a_rulebook(), set()),
    ):
        ask(store, note_rules, "cwpp", names_in(book), NOW)
        life.now = NOW + timedelta(days=days)
        for _ in range(2):  # A silence's document goes after what it held was looked at.
            life.forget()
        assert ask(store, read_hits, "cwpp").keys() == names


@dataclass(frozen=True)
class Step:
    """What happens, so many hours from the beginning, and whether both workers then decide again what is held."""

    hour: int
    workers: Sequence[tuple[Sequence[int], int, bool]]
    """The messages that each of two takes in, side by side, its last write, and whether that is done."""
    releases: bool


WORKER = st.tuples(st.lists(st.integers(0, 8), max_size=5), st.integers(1, 30), st.booleans())
TWO = st.lists(WORKER, min_size=1, max_size=2)
STEPS = st.builds(Step, hour=st.integers(0, 4), workers=TWO, releases=st.booleans())
SAID: Sequence[dict[str, object]] = ({}, {"Severity": "Medium"}, {"Status": "Resolved"}, {"Severity": "Low"})


def some_messages() -> list[Message]:
    """Eight messages about four signals, one for each address, from an origin of their own, and one that is not understood."""
    origin = f"hub/{next(_ORIGINS)}"
    bodies = [
        alert_body(f"{origin}-{n % 4}", **SAID[n // 4 * n % 4], Entities=[an_ip(ADDRESSES[n % 4])]) for n in range(8)
    ]
    return [a_message(body, origin=origin, place=place) for place, body in enumerate([*bodies, b"?"], 1)]


def hits_of(entries: Sequence[RecordEntry]) -> dict[str, RuleHits]:
    """The hits that decisions on record make, read off them one by one."""
    hits: dict[str, RuleHits] = {}
    for entry in entries:
        if "ledger.still_held" in entry.steps:
            continue
        at = datetime.fromisoformat(entry.at)
        for name in [*map(shadow_name, entry.shadowed_by), *filter(None, [entry.suppressed_by])]:
            one = hits.get(name)
            hits[name] = RuleHits(one.total + 1, min(one.first, at), max(one.last, at)) if one else RuleHits(1, at, at)
    return hits


@pytest.mark.parametrize("examples", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_counts_and_hits_are_of_what_was_decided_and_hits_outlive_it(store: Store, twin: Store, examples: int) -> None:
    """Two workers, each dying at any write, everything redelivered, rules that change and end; then the record is forgotten."""

    @settings(max_examples=examples if store.is_shared else examples * 10, deadline=None)
    @given(st.lists(STEPS, max_size=6))
    def whatever_happens(history: list[Step]) -> None:
        _counts_once(store, twin, sorted(history, key=lambda step: step.hour))

    whatever_happens()
    # Longer than any decision stays, and not so long that hits of a silence go.
    book, long_after = a_book(), NOW + timedelta(days=300)
    ask(store, note_rules, "cwpp", names_in(book), NOW)
    before = ask(store, read_hits, "cwpp")
    while not run(forget(store, long_after, Retention(), 100_000)).is_done:
        pass
    assert ask(store, all_decisions) == []
    assert ask(store, read_hits, "cwpp") == ask(twin, read_hits, "cwpp") == before
    assert {"scanner", silence_name("ab"), shadow_name("wide"), shadow_name("narrow")} <= before.keys()


def _counts_once(store: Store, twin: Store, history: Sequence[Step]) -> None:
    messages, hashes, stores = some_messages(), itertools.count(), (store, twin)

    async def take(worker: Store, some: Iterable[int], at: datetime) -> None:
        with suppress(StoreError):
            intake = Intake(worker, {Stream.CWPP: a_book()}, Catalogue())
            await intake.ingest([messages[place] for place in some], at)

    async def release(worker: Store, hash: str, at: datetime) -> None:
        book = a_book(hash=hash)
        await release_held(Intake(worker, {Stream.CWPP: book}, Catalogue()), worker, book, at)

    async def live() -> None:
        await within(store, put_document, document_of_silence(a_silence("ab", groups=SILENCED)))
        for step in history:
            at = NOW + step.hour * HOUR
            workers = zip(stores, step.workers, strict=False)
            takes = (take(Deadly(one, dies, is_done), some, at) for one, (some, dies, is_done) in workers)
            await asyncio.gather(*takes)
            if step.releases:
                hash = f"changed-{next(hashes)}"
                await asyncio.gather(*(release(one, hash, at) for one in stores))
        for at in (NOW, NOW + 5 * HOUR):
            await take(store, range(9), at)
        await release(twin, "last", NOW + 5 * HOUR)

    run(live())
    entries = ask(store, all_decisions)
    ours = {message_of(entry.key) for entry in entries if entry.key.startswith(messages[0].arrival.origin + ":")}
    assert ours == {message.arrival.key for message in messages}
    assert len({entry.key for entry in entries}) == len(entries)
    assert ask(store, read_counts) == ask(twin, read_counts) == counted(entries)
    assert ask(store, read_hits, "cwpp") == ask(twin, read_hits, "cwpp") == hits_of(entries)
    _adds_up(store, entries)


def _adds_up(store: Store, entries: Sequence[RecordEntry]) -> None:
    """In a report each message is in exactly one outcome, and each that was routed is for people in one way, or for none."""
    first = [entry for entry in entries if message_of(entry.key) == entry.key]
    found = run(read_report(store, Rules({Stream.CWPP: a_book()}, ()), "24h", NOW + 6 * HOUR))
    for stream, told in zip(Stream, found["streams"], strict=True):
        of_stream = [entry for entry in first if entry.stream == stream]
        outcomes = {one["outcome"]: one["now"] for one in told["outcomes"]}
        assert Counter(outcomes) == Counter(entry.outcome for entry in of_stream)
        assert told["received"] == {"now": sum(outcomes.values()), "before": 0}
        assert sum(one["now"] for one in told["for_people"].values()) == outcomes["routed"]
        assert sum(sum(one.values()) for one in ({**it, "begins": 0} for it in told["parts"])) == len(of_stream)
        for rows in (told["severities"], told["plans"]):
            assert sum(one["now"] for one in rows) == len(of_stream) - outcomes["quarantined"]
        assert sum(one["now"] for one in told["further"]) == len(
            [entry for entry in entries if entry.stream == stream and entry not in of_stream]
        )
    assert found["unread"]["now"] == len([entry for entry in first if entry.stream is None])
    assert sum(one["received"]["now"] for one in found["streams"]) + found["unread"]["now"] == len(first)


# Walks and previews.

MANY = settings(max_examples=some_of(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HELD = Held(rule="r", until=NOW + DAY, rulebook="h", source="s", body=b"{}", since=NOW, messages=1)
STANDING = (Outcome.ROUTED, Outcome.SUPPRESSED)
TYPES = ("VM_Test", "VM_Other", "SQL_Ünusual")


def walked[T](store: Store, walk: Callable[[Transaction], AsyncIterator[Sequence[T]]]) -> list[T]:
    """What all pages of a walk have."""

    async def pages() -> list[T]:
        async with store.session() as tx:
            return [one async for page in walk(tx) for one in page]

    return run(pages())


def all_standing(store: Store, types: Collection[str] | None = None, **more: Any) -> list[StandingSignal]:
    """The signals that stand."""
    return walked(store, partial(signals.walk_standing, **{"stream": "cwpp"} | more, types=types))


def alert_fields(type: str) -> RuleFields:
    """What rules can match of an alert of a type."""
    return rule_fields_of(an_alert(AlertType=type))


ROWS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from([*STANDING, Outcome.SUPPRESSED, Outcome.RESOLVED, Outcome.BELOW_FLOOR]),
        st.sampled_from(["scanner", "silence:ab12cd"]),
        st.sampled_from(["h1", "h2"]),
        st.sampled_from([None, *TYPES]),
        st.sampled_from([None, -1, 1, 4]),
    ),
    max_size=20,
)


@MANY
@given(ROWS, st.sampled_from([None, {"vm_test"}, {"vm_other", "sql_ünusual"}, set()]), st.integers(1, 5))
def test_what_stands_and_what_is_held_is_what_was_written(
    place: Place,
    rows: Sequence[tuple[int, Outcome, str, str, str | None, int | None]],
    types: set[str] | None,
    page: int,
) -> None:
    """Whatever became of the signals since: held anew under another rule or rulebook, let go, resolved."""
    known: dict[str, LedgerRow] = {}
    with an_empty_store(place) as store:
        for number, outcome, name, rulebook, type, severity in rows:
            key = f"{'cspm' if number % 4 == 0 else 'cwpp'}-{number}"
            row = a_row(
                key,
                stream=key[:4],
                outcome=outcome,
                state=State(outcome is Outcome.RESOLVED, "active", severity),
                held=replace(HELD, rule=name, rulebook=rulebook) if outcome is Outcome.SUPPRESSED else None,
                fields=alert_fields(type) if type is not None else None,
            )
            write_rows(store, [row])
            known[key] = replace(row, fields=row.fields or (known[key].fields if key in known else None))
        stands = [standing_of(one) for one in known.values() if one.stream == "cwpp" and one.outcome in STANDING]
        for size in (2_000, page):
            assert sorted(all_standing(store, types, page=size)) == sorted(
                one for one in stands if types is None or one.fields is None or one.fields.type.casefold() in types
            )
            for name in ("scanner", "silence:ab12cd", "nobody"):
                held = walked(store, partial(signals.walk_held, stream="cwpp", name=name, page=size))
                assert sorted(held) == sorted(one for one in stands if one.held_by == name)
        counts = Counter(one.held_by for one in stands if one.held_by is not None)
        assert ask(store, signals.count_held, "cwpp") == counts


def standing_of(row: LedgerRow) -> StandingSignal:
    """What a walk should say of a row."""
    number = row.state.severity
    severity = Severity(number) if number is not None and number > 0 else None
    return StandingSignal(row.key, row.outcome, severity, row.held.rule if row.held else None, row.fields)


def test_a_finding_is_found_by_its_category_and_what_is_damaged_stands(store: Store) -> None:
    """What finds a signal by its type says nothing of its category. Of what is damaged nothing is known that rules match."""
    fields = replace(rule_fields_of(a_finding()), category="VMVulnerabilities")
    write_rows(store, [a_row(stream="cspm", fields=fields)])
    for type, keys in (("vmvulnerabilities", ["k"]), ("another", [])):
        assert [one.key for one in all_standing(store, {type}, stream="cspm")] == keys
    write_rows(store, [a_row(key, fields=alert_fields("VM_Test")) for key in ("a", "b")])
    run(changed(store, "UPDATE signals SET rule_fields=? WHERE key='a'", b"{"))
    assert [(one.key, one.fields is None) for one in all_standing(store)] == [("a", True), ("b", False)]


SCANNER, OTHER = "10.20.0.5", "10.20.0.6"
BOTH = a_rule("wide", ip=(SCANNER, OTHER))
ALERTS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["VM_Test", "VM_Other"]),
        st.sampled_from(["High", "Medium", "Low", "Odd"]),
        st.sampled_from([None, SCANNER, OTHER]),
        st.booleans(),
    ),
    max_size=25,
)
"""Alerts that come in one after the other: which, of what type, how grave, from where, and whether it is over."""


@dataclass
class Seen:
    """What a test knows of an alert: its decisions, and whether the wide rule covers it as its row has it."""

    entries: list[RecordEntry] = field(repr=False)
    is_covered: bool = False


def preview_of(life: Life, since: timedelta, rule: object = BOTH, most: int = 1_000) -> Preview:
    """What a rule would have held of what was decided since."""
    matcher = rule_matcher(rule, NO_OWNERS)  # type: ignore[arg-type]
    span = life.now - since, life.now + timedelta(seconds=1)
    (preview,) = run(look_back(life.store, "cwpp", [matcher], *span, most))
    return preview


@settings(max_examples=some_of(20), deadline=None)
@given(ALERTS, st.integers(0, 30))
def test_a_preview_counts_each_decision(alerts: Sequence[tuple[int, str, str, str | None, bool]], hours: int) -> None:
    """Of what was routed or held, whatever became of it later, as far back as it says; of what stands, what stands now."""
    seen: dict[str, Seen] = {}
    with a_life(a_rulebook(a_rule(ip=(OTHER,)))) as life:
        for number, type, severity, address, is_over in alerts:
            life.goes_on(1 / 24)
            fields: dict[str, object] = {"AlertType": type, "Severity": severity}
            if address is not None:
                fields["Entities"] = [an_ip(address)]
            if is_over:
                fields["Status"] = "Resolved"
            one = seen.setdefault(f"a{number}", Seen([]))
            one.entries.append(life.alert(f"a{number}", **fields))
            if one.entries[-1].outcome not in ("below_floor", "repeat"):
                one.is_covered = type == "VM_Test" and address is not None
        since = life.now - timedelta(hours=hours)
        mine = [
            entry
            for one in seen.values()
            for entry in one.entries
            if one.is_covered
            and entry.outcome in ("routed", "suppressed")
            and entry.at >= since.isoformat()
            and entry.type == "VM_Test"
        ]
        found = preview_of(life, timedelta(hours=hours))
        assert found.held == Amount(len({entry.signal for entry in mine}), len(mine))
        # One that stops early says how far it looked, and has counted all from there on.
        some = preview_of(life, timedelta(hours=hours), most=3)
        assert some.is_whole or some.looked_at == 3 <= found.looked_at
        assert preview_of(life, life.now - some.looked_back_to).held == some.held
        assert Counter({name: one.decisions for name, one in found.by_severity.items()}) == Counter(
            entry.severity or "" for entry in mine
        )
        assert {str(at): one.decisions for at, one in found.by_day.items()} == Counter(entry.at[:10] for entry in mine)
        assert found.held_already == Counter(entry.suppressed_by for entry in mine if entry.suppressed_by)
        told = [entry for entry in mine if entry.outcome == "routed" and entry.notice is not None]
        assert found.spared == {
            name: Spared(sum(name in entry.destinations and entry.notice == "opened" for entry in told), number)
            for name, number in Counter(name for entry in told for name in entry.destinations).items()
        }
        latest = {entry.signal: entry for entry in sorted(mine, key=lambda entry: entry.at)}
        gravest = sorted(latest.values(), key=lambda entry: (gravity_of(entry.severity), entry.at), reverse=True)
        assert [one.id for one in found.named] == [entry.id for entry in gravest[:5]]
        rows = {id: life.row(id) for id in seen}
        standing = {id: row for id, row in rows.items() if row and row.outcome in ("routed", "suppressed")}
        assert found.standing.signals == sum(seen[id].is_covered for id in standing)
        graves = [gravity_of(one.severity) for one in found.standing.named]
        assert (len(graves), graves) == (min(5, found.standing.signals), sorted(graves, reverse=True))
        assert found.standing.held_already == Counter(
            row.held.rule for id, row in standing.items() if row.held is not None and seen[id].is_covered
        )


def test_a_preview_says_whom_decisions_told_what_is_let_through_and_what_cannot_be_judged(store: Store) -> None:
    """A pager hears of the first one alone, and is not forgotten for that. What a rule of the same name held before is let go,
    also where the new one is about another type, or not in force. Of a signal whose fields are not kept nothing is said."""
    life, day = Life(store, a_rulebook(a_rule(ip=(OTHER,)))), DAY
    entry = life.alert("a", Entities=[an_ip(SCANNER)])
    earlier = (NOW - timedelta(hours=1)).isoformat()
    gone = replace(entry, key="old:2", signal="gone")
    ask(store, put_on_record, [replace(entry, key="old:1", at=earlier, destinations=("pager",)), gone])
    write_rows(store, [a_row("gone")])
    found = preview_of(life, day)
    (named,) = found.named
    assert (named.destinations, named.at) == (("pager", *entry.destinations), NOW)
    assert [(one.id, one.severity, one.held_by) for one in found.standing.named] == [("a", "High", None)]
    assert (found.looked_at, found.unjudged, found.held) == (3, 1, Amount(1, 2))
    assert (found.standing.looked_at, found.standing.unjudged, found.standing.signals) == (2, 1, 1)
    life.alert("b", Entities=[an_ip(OTHER)])
    narrowed = preview_of(life, day, a_rule(ip=(SCANNER,), enabled=False, expires=NOW - day))
    assert (narrowed.held, narrowed.let_go, narrowed.standing.let_go) == (Amount(1, 2), Amount(1, 1), 1)
    moved = preview_of(life, day, a_rule(alert_type="VM_Other", ip=(SCANNER,)))
    assert (moved.held, moved.let_go, moved.standing.let_go) == (Amount(), Amount(1, 1), 1)
