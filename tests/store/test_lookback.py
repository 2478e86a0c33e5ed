"""What every store gives to whoever looks back: decisions, the latest first; signals that stand; what is held."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.ledger import Held, LedgerRow, State
from router.domain.lookback import DecisionPage, HeldCounts, Looked, StandingSignal
from router.domain.rule_fields import RuleFields, rule_fields_of
from router.domain.severity import Severity
from router.store import signals
from router.store.decisions import put_on_record, walk_decisions
from router.store.engine import Transaction
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
_DAYS = itertools.count(1)


async def listed[T](walk: AsyncIterator[T]) -> list[T]:
    """Every page of a walk."""
    return [page async for page in walk]


async def pages_of(
    store: Store, since: datetime, until: datetime, outcomes: Collection[Outcome], page: int
) -> list[DecisionPage]:
    """Every page of a walk over the decisions of a store."""
    async with store.session() as tx:
        return [one async for one in walk_decisions(tx, "cwpp", since, until, outcomes, page)]


HISTORY = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 2, 2, 40, 900, 86_000]), st.sampled_from(list(Outcome)), st.booleans()),
    max_size=40,
)
"""Decisions by their second of a day, with many at one instant, and whether they are of the other stream."""


@MANY
@given(
    HISTORY,
    st.integers(0, 3),
    st.sampled_from([2, 3, 100, 86_400]),
    st.sets(st.sampled_from(list(Outcome))),
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
    """Without gap or repeat, also of many at one instant; where it was broken off it says how far back it looked."""
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
    expected = {
        one.key: decided_at(one)
        for one in entries
        if one.stream == "cwpp" and one.outcome in outcomes and low <= decided_at(one) < high
    }
    found = run(pages_of(store, low, high, outcomes, page))
    keys = [one.key for some in found for one in some.entries]
    times = [decided_at(one) for some in found for one in some.entries]
    assert len(keys) == len(set(keys))
    assert times == sorted(times, reverse=True)
    assert not set(keys) - expected.keys()
    seen: set[str] = set()
    for some in found:
        seen |= {one.key for one in some.entries}
        assert all(key in seen for key, at in expected.items() if at > some.looked.back_to)
    *before, last = [some.looked for some in found]
    assert not any(one.is_whole for one in before)
    assert last.is_whole
    assert (set(keys), last.back_to) == (set(expected), low)


def test_a_walk_goes_on_while_decisions_are_put_on_record(store: Store) -> None:
    """Later ones are not in it, and those that were there come once each; each page says how far it came."""
    first = [an_entry(f"h:{n}", at=(NOW + n * SECOND).isoformat(), stream="cwpp", outcome="routed") for n in range(30)]
    run(within(store, put_on_record, first))

    async def walked() -> list[str]:
        keys: list[str] = []
        async with store.session() as tx:
            async for page in walk_decisions(tx, "cwpp", NOW, NOW + DAY, [Outcome.ROUTED], page=4):
                keys += [one.key for one in page.entries]
                assert all(decided_at(one) <= page.looked.back_to for one in first if one.key not in keys)
                late = an_entry(
                    f"late:{len(keys)}", at=(NOW + DAY - SECOND).isoformat(), stream="cwpp", outcome="routed"
                )
                await within(store, put_on_record, [late])
        return keys

    assert run(walked()) == [one.key for one in reversed(first)]


def test_more_decisions_at_one_instant_than_a_page_has_are_walked(store: Store) -> None:
    """In an account of one partition and outcome, so that no window sets them apart."""
    entries = [an_entry(f"h:{n}", at=NOW.isoformat(), stream="cwpp", signal="k", outcome="routed") for n in range(60)]
    run(within(store, put_on_record, entries))
    found = run(pages_of(store, NOW - DAY, NOW + DAY, [Outcome.ROUTED], 7))
    assert Counter(one.key for some in found for one in some.entries) == Counter(one.key for one in entries)
    assert found[-1].looked == Looked(NOW - DAY, is_whole=True)


TYPES = ("VM_Test", "VM_Other", "SQL_Ünusual")


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
        assert sorted(one for some in found for one in some.signals) == sorted(
            one for one in stands if types is None or one.fields is None or one.fields.type.casefold() in types
        )
        assert [some.is_whole for some in found] == [False] * (len(found) - 1) + [True]
        for name in ("scanner", "silence:ab12cd", "nobody"):
            held = walked(store, partial(signals.walk_held, stream="cwpp", name=name, page=size))
            assert sorted(one for some in held for one in some.signals) == sorted(
                one for one in stands if one.held_by == name
            )
            assert held[-1].is_whole
    assert count_held(store) == HeldCounts(
        Counter(one.held_by for one in stands if one.held_by is not None), is_whole=True
    )


STANDING = (Outcome.ROUTED, Outcome.SUPPRESSED)


def standing_of(row: LedgerRow) -> StandingSignal:
    """What a walk should say of a row."""
    number = row.state.severity
    severity = Severity(number) if number is not None and number > 0 else None
    return StandingSignal(row.key, row.outcome, severity, row.held.rule if row.held else None, row.fields)


def walked[T](store: Store, walk: Callable[[Transaction], AsyncIterator[T]]) -> list[T]:
    """All pages of a walk."""

    async def pages() -> list[T]:
        async with store.session() as tx:
            return [page async for page in walk(tx)]

    return run(pages())


def count_held(store: Store) -> HeldCounts:
    """How many signals each rule holds."""
    return run(store.run(lambda tx: signals.count_held(tx, "cwpp")))


def all_standing(store: Store, types: Collection[str] | None = None, stream: str = "cwpp") -> list[StandingSignal]:
    """The signals that stand."""
    return [one for page in walked(store, lambda tx: signals.walk_standing(tx, stream, types)) for one in page.signals]


def test_what_stands_goes_with_what_the_router_decides(store: Store) -> None:
    """An alert that is routed or held stands until it is resolved, and is held under the name of its rule."""
    life = Life(store, a_rulebook(a_rule()))
    life.alert("held", Entities=[an_ip("10.20.0.5")])
    life.alert("routed")
    life.alert("low", Severity="Low")
    life.alert("over")
    life.alert("over", Status="Resolved")
    found = {one.key: (one.outcome, one.held_by, one.severity) for one in all_standing(store)}
    assert found == {
        life.key("held"): (Outcome.SUPPRESSED, "scanner", Severity.HIGH),
        life.key("routed"): (Outcome.ROUTED, None, Severity.HIGH),
    }
    assert {one.key for one in all_standing(store, {"vm_test"})} == set(found)
    assert all_standing(store, {"vm_other"}) == []
    assert count_held(store).by_name == {"scanner": 1}


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
