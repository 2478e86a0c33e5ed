"""What a rule would have held, as it is found in every store: it is what a look at each decision would find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.app.lookback import look_back
from router.decide.matchers import RuleMatcher
from router.decide.preview import Amount, Preview, Spared
from router.domain.notices import RecordEntry
from router.domain.owners import NO_OWNERS
from router.domain.severity import gravity_of
from router.store.decisions import put_on_record
from router.store.store import Store
from tests.builders import NOW, a_rule, a_rulebook, an_ip
from tests.examples import some_of
from tests.store.acts import run, write_rows
from tests.store.builders import a_row
from tests.store.life import Life
from tests.store.within import within

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
    matcher = RuleMatcher(rule, NO_OWNERS)  # type: ignore[arg-type]
    span = life.now - since, life.now + timedelta(seconds=1)
    (preview,) = run(look_back(life.store, "cwpp", [matcher], *span))
    return preview


@settings(max_examples=some_of(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ALERTS, st.integers(0, 30))
def test_a_preview_counts_what_a_look_at_each_decision_finds(
    world: tuple[Life, dict[str, Seen]],
    alerts: Sequence[tuple[int, str, str, str | None, bool]],
    hours: int,
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
        row.held_by.rule for id, row in standing.items() if row.held_by is not None and seen[id].is_covered
    )


def test_a_preview_says_whom_each_decision_on_a_signal_told(store: Store) -> None:
    """A pager hears of the first one alone, and is not forgotten for that."""
    life = Life(store)
    entry = life.alert("a", Entities=[an_ip(SCANNER)])
    earlier = (NOW - timedelta(hours=1)).isoformat()
    run(within(store, put_on_record, [replace(entry, key="old:1", at=earlier, destinations=("pager",))]))
    found = preview_of(life, timedelta(days=1))
    (named,) = found.named
    assert (named.destinations, named.at) == (("pager", *entry.destinations), NOW)
    assert [(one.id, one.severity, one.held_by) for one in found.standing.named] == [("a", "High", None)]


def test_a_changed_rule_says_what_it_lets_through(store: Store) -> None:
    """By the name under which the rule of before held it, also where it is about another type now, or is not in force."""
    life = Life(store, a_rulebook(a_rule(ip=(OTHER, SCANNER))))
    life.alert("a", Entities=[an_ip(OTHER)])
    life.alert("b", Entities=[an_ip(SCANNER)])
    narrowed = preview_of(
        life, timedelta(days=1), a_rule(ip=(SCANNER,), enabled=False, expires=NOW - timedelta(days=1))
    )
    assert (narrowed.held, narrowed.let_go, narrowed.standing.let_go) == (Amount(1, 1), Amount(1, 1), 1)
    moved = preview_of(life, timedelta(days=1), a_rule(alert_type="VM_Other", ip=(SCANNER,)))
    assert (moved.held, moved.let_go, moved.standing.let_go) == (Amount(), Amount(2, 2), 2)


def test_what_could_not_be_looked_at_is_counted(store: Store) -> None:
    """Of a signal whose fields are not kept nobody can say whether a rule would have held it."""
    life = Life(store)
    entry = life.alert("a", Entities=[an_ip(SCANNER)])
    gone = replace(entry, key="old:2", signal="gone")
    run(within(store, put_on_record, [gone]))
    write_rows(store, [a_row("gone")])
    found = preview_of(life, timedelta(days=1))
    assert (found.looked_at, found.unjudged, found.held) == (2, 1, Amount(1, 1))
    assert (found.standing.looked_at, found.standing.unjudged, found.standing.signals) == (2, 1, 1)
