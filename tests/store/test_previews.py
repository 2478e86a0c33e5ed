"""What every store gives to who looks back: decisions, what stands, what is held, and what a rule would have held of it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from router.app.lookback import look_back
from router.decide.preview import Amount, Preview, Spared, rule_matcher
from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from router.domain.owners import NO_OWNERS
from router.domain.rule_fields import RuleFields, StandingSignal, rule_fields_of
from router.domain.severity import Severity, gravity_of
from router.store import signals
from router.store.decisions import put_on_record, walk_decisions
from router.store.ledger import Held, LedgerRow, State
from router.store.store import Transaction
from tests.builders import NOW, a_finding, a_rule, a_rulebook, an_alert, an_ip
from tests.examples import some_of
from tests.store.acts import run, write_rows
from tests.store.builders import a_row, an_entry
from tests.store.life import Life
from tests.store.opened import Store, changed
from tests.store.within import within

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
MANY = settings(max_examples=some_of(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HELD = Held(rule="r", until=NOW + DAY, rulebook="h", source="s", body=b"{}", since=NOW, messages=1)
STANDING = (Outcome.ROUTED, Outcome.SUPPRESSED)
TYPES = ("VM_Test", "VM_Other", "SQL_Ünusual")
_DAYS = itertools.count(1)

HISTORY = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 2, 2, 2, 40, 86_000]), st.sampled_from(list(Outcome)), st.booleans()),
    max_size=40,
)
"""Decisions by their second of a day, with many at one instant, and whether they are of the other stream."""


def walked[T](store: Store, walk: Callable[[Transaction], AsyncIterator[Sequence[T]]]) -> list[T]:
    """What all pages of a walk have."""

    async def pages() -> list[T]:
        async with store.session() as tx:
            return [one async for page in walk(tx) for one in page]

    return run(pages())


@pytest.mark.usefixtures("either")
@MANY
@example([(2, Outcome.ROUTED, False)] * 9, 0, 100, {Outcome.ROUTED}, 4)
@given(
    HISTORY,
    st.integers(0, 3),
    st.sampled_from([2, 3, 100, 86_400]),
    st.sets(st.sampled_from(list(Outcome)), min_size=1),
    st.integers(1, 7),
)
def test_a_walk_gives_each_decision_once_the_latest_first(
    store: Store,
    history: Sequence[tuple[int, Outcome, bool]],
    since: int,
    until: int,
    outcomes: set[Outcome],
    page: int,
) -> None:
    """Without gap or repeat, also of many at one instant, and whatever is put on record meanwhile."""
    day = NOW + next(_DAYS) * DAY
    entries = [
        an_entry(
            f"h-{day:%Y%j}:{number}",
            at=(day + second * SECOND).isoformat(),
            outcome=outcome.value,
            stream="cspm" if is_other else "cwpp",
        )
        for number, (second, outcome, is_other) in enumerate(history)
    ]
    run(within(store, put_on_record, entries))
    low, high = day + since * SECOND, day + until * SECOND
    expected = [
        one.key for one in entries if one.stream == "cwpp" and one.outcome in outcomes and low <= decided_at(one) < high
    ]

    async def pages() -> list[str]:
        found = []
        async with store.session() as tx:
            async for some in walk_decisions(tx, "cwpp", low, high, outcomes, page):
                found += [(decided_at(one), one.key) for one in some]
                late = an_entry(
                    f"late-{day:%Y%j}:{len(found)}",
                    at=(high - SECOND).isoformat(),
                    stream="cwpp",
                    outcome=min(outcomes),
                )
                await within(store, put_on_record, [late] if found and high - SECOND > found[0][0] else [])
        assert [at for at, _ in found] == sorted((at for at, _ in found), reverse=True)
        return [key for _, key in found]

    assert sorted(run(pages())) == sorted(expected)


@pytest.fixture
def model() -> dict[str, LedgerRow]:
    """What a ledger should hold, by key: it is written to as long as its store is there."""
    return {}


def alert_fields(type: str) -> RuleFields:
    """What rules can match of an alert of a type."""
    return rule_fields_of(an_alert(AlertType=type))


STEPS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from(
            [Outcome.ROUTED, Outcome.SUPPRESSED, Outcome.SUPPRESSED, Outcome.RESOLVED, Outcome.BELOW_FLOOR]
        ),
        st.sampled_from(["scanner", "silence:ab12cd"]),
        st.sampled_from(["h1", "h2"]),
        st.sampled_from([None, *TYPES]),
        st.sampled_from([None, -1, 1, 4]),
    ),
    max_size=20,
)


@pytest.mark.usefixtures("either")
@MANY
@given(STEPS, st.sampled_from([None, {"vm_test"}, {"vm_other", "sql_ünusual"}, set()]), st.integers(1, 5))
def test_what_stands_and_what_is_held_is_what_was_written(
    store: Store,
    model: dict[str, LedgerRow],
    steps: Sequence[tuple[int, Outcome, str, str, str | None, int | None]],
    types: set[str] | None,
    page: int,
) -> None:
    """Whatever became of the signals since: held anew under another rule or rulebook, let go, resolved."""
    for number, outcome, name, rulebook, type, severity in steps:
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
        if row.fields is None and key in model:
            row = replace(row, fields=model[key].fields)
        model[key] = row
    stands = [standing_of(one) for one in model.values() if one.stream == "cwpp" and one.outcome in STANDING]
    for size in (2_000, page):
        found = walked(store, partial(signals.walk_standing, stream="cwpp", types=types, page=size))
        assert sorted(found) == sorted(
            one for one in stands if types is None or one.fields is None or one.fields.type.casefold() in types
        )
        for name in ("scanner", "silence:ab12cd", "nobody"):
            held = walked(store, partial(signals.walk_held, stream="cwpp", name=name, page=size))
            assert sorted(held) == sorted(one for one in stands if one.held_by == name)
    counts = run(within(store, signals.count_held, "cwpp"))
    assert counts == Counter(one.held_by for one in stands if one.held_by is not None)


def standing_of(row: LedgerRow) -> StandingSignal:
    """What a walk should say of a row."""
    number = row.state.severity
    severity = Severity(number) if number is not None and number > 0 else None
    return StandingSignal(row.key, row.outcome, severity, row.held.rule if row.held else None, row.fields)


def all_standing(store: Store, types: Collection[str] | None = None, stream: str = "cwpp") -> list[StandingSignal]:
    """The signals that stand."""
    return walked(store, partial(signals.walk_standing, stream=stream, types=types))


def test_a_finding_is_found_by_its_category(store: Store) -> None:
    """A rule may be about one, and what finds a signal by its type says nothing of it."""
    fields = replace(rule_fields_of(a_finding()), category="VMVulnerabilities")
    write_rows(store, [a_row(stream="cspm", fields=fields)])
    assert [one.key for one in all_standing(store, {"vmvulnerabilities"}, "cspm")] == ["k"]
    assert all_standing(store, {"another"}, "cspm") == []


def test_fields_that_are_damaged_are_none(store: Store) -> None:
    """The signal stands all the same, and whoever looks can say of how many nothing is known."""
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


@pytest.fixture
def world(store: Store) -> tuple[Life, dict[str, Seen]]:
    """A router by whose rules something is held already, and what came in: it goes on from example to example."""
    return Life(store, a_rulebook(a_rule(ip=(OTHER,)))), {}


def preview_of(life: Life, since: timedelta, rule: object = BOTH) -> Preview:
    """What a rule would have held of what was decided since."""
    matcher = rule_matcher(rule, NO_OWNERS)  # type: ignore[arg-type]
    span = life.now - since, life.now + timedelta(seconds=1)
    (preview,) = run(look_back(life.store, "cwpp", [matcher], *span))
    return preview


@settings(max_examples=some_of(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ALERTS, st.integers(0, 30))
def test_a_preview_counts_what_a_look_at_each_decision_finds(
    world: tuple[Life, dict[str, Seen]], alerts: Sequence[tuple[int, str, str, str | None, bool]], hours: int
) -> None:
    """Of what was routed or held, whatever became of it later; of what stands, what stands now."""
    life, seen = world
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
    assert Counter({name: one.decisions for name, one in found.by_severity.items()}) == Counter(
        entry.severity or "" for entry in mine
    )
    assert {str(day): one.decisions for day, one in found.by_day.items()} == Counter(entry.at[:10] for entry in mine)
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


def test_a_preview_says_whom_each_decision_told_what_is_let_through_and_what_could_not_be_looked_at(
    store: Store,
) -> None:
    """A pager hears of the first one alone, and is not forgotten for that. What a rule of the same name held before is let go,
    also where the new one is about another type, or not in force. Of a signal whose fields are not kept nothing is said."""
    life, day = Life(store, a_rulebook(a_rule(ip=(OTHER,)))), timedelta(days=1)
    entry = life.alert("a", Entities=[an_ip(SCANNER)])
    earlier = (NOW - timedelta(hours=1)).isoformat()
    gone = replace(entry, key="old:2", signal="gone")
    run(within(store, put_on_record, [replace(entry, key="old:1", at=earlier, destinations=("pager",)), gone]))
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
