"""What every store gives to whoever looks back: decisions, the latest first; signals that stand; what is held."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.ledger import Held, LedgerRow, State
from router.domain.lookback import StandingSignal
from router.domain.rule_fields import RuleFields, rule_fields_of
from router.domain.severity import Severity
from router.store import signals
from router.store.decisions import put_on_record, walk_decisions
from router.store.engine import Transaction
from tests.builders import NOW, a_finding, an_alert
from tests.examples import some_of
from tests.store.acts import run, write_rows
from tests.store.builders import a_row, an_entry
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


@MANY
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
