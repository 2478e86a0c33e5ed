"""Findings about coverage that an older program knew: who was never told of one is told with the next message about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from router.domain.decisions import Change, Outcome
from router.domain.keys import signal_key
from router.domain.ledger import Arrival, LedgerRow, Seen, State
from router.domain.notices import Notice
from router.domain.ports.store import Store
from router.domain.recommendation_table import EDR_INSTALLED
from router.domain.severity import Severity
from router.domain.signals import Kind, Stream
from router.domain.suppression import Operator, Suppressions
from router.ingest.intake import Message
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_route, a_rule, a_rulebook, an_element
from tests.coverage_messages import coverage_body
from tests.store.acts import run
from tests.store.life import Life

WEEK = timedelta(weeks=1)
BOOK = a_rulebook(
    stream=Stream.CSPM,
    floor=Severity.CRITICAL,
    routes=[a_route("coverage", "soc")],
    always=[],
    destinations=[a_destination("soc"), a_destination("tickets")],
)


def a_resource(name: str) -> str:
    """A machine."""
    return RESOURCE.replace("vm-1", name)


def as_it_was(name: str, severity: Severity, outcome: Outcome, **open: int) -> LedgerRow:
    """The row of a recommendation as an older program wrote it, which took the severity from the message."""
    id = f"{a_resource(name)}/providers/Microsoft.Security/assessments/{EDR_INSTALLED}"
    return LedgerRow(
        key=signal_key(Stream.CSPM, Kind.RECOMMENDATION, id.lower()),
        stream="cspm",
        state=State(resolved=False, status="unhealthy", severity=severity),
        seen=Seen(NOW - WEEK, Arrival("hub/0", 1, NOW - WEEK)),
        turn=1,
        outcome=outcome,
        open=open,
        forwarded=bool(open),
    )


def in_a_snapshot(name: str, severity: str, at: timedelta) -> Message:
    """A row of a snapshot, which says what the one before said."""
    body = coverage_body(severity=severity, changed=NOW - WEEK, resource=a_resource(name), isSnapshot=True)
    return a_message(body, at=NOW + at)


def test_the_next_snapshot_tells_of_what_was_below_the_floor_or_quiet(store: Store) -> None:
    """Though its state is the same. What people were told of stays where it is open, and the snapshot after it is a repeat."""
    life = Life(store, BOOK)
    before = [
        as_it_was("low", Severity.LOW, Outcome.BELOW_FLOOR),
        as_it_was("high", Severity.HIGH, Outcome.BELOW_FLOOR),
        as_it_was("quiet", Severity.MEDIUM, Outcome.ROUTED),
        as_it_was("backlog", Severity.HIGH, Outcome.ROUTED, tickets=1),
    ]
    run(store.ledger.write_rows(before))
    written = {"low": "Low", "high": "High", "quiet": "Medium", "backlog": "High"}
    said = [life.ingest(*(in_a_snapshot(*one, at=at) for one in written.items())) for at in (timedelta(), WEEK)]
    assert [[(one.outcome, one.notice) for one in entries] for entries in said] == [
        [*[("routed", "opened")] * 3, ("repeat", None)],
        [("repeat", None)] * 4,
    ]
    assert {one.severity for entries in said for one in entries} == {"High"}
    rows = run(store.ledger.find_rows([row.key for row in before]))
    assert [dict(rows[row.key].open) for row in before] == [{"soc": 2}, {"soc": 2}, {"soc": 2}, {"tickets": 1}]


def test_what_a_rule_held_is_as_grave_as_the_policy_says_when_it_is_released(store: Store) -> None:
    """Its body is read again, so nothing of what the message wrote comes back; and no floor drops it then."""
    in_one = [[an_element("entities.azureresource.resourceid", "/resourcegroups/rg-web/", operator=Operator.CONTAINS)]]
    rule = a_rule("exempt", alert_type=EDR_INSTALLED, groups=in_one, expires=NOW + WEEK)
    life = Life(store, replace(BOOK, suppressions=Suppressions.of([rule])))
    (held,) = life.ingest(in_a_snapshot("vm-1", "Low", timedelta()))
    assert (held.outcome, held.suppressed_by) == ("suppressed", "exempt")
    life.book = replace(life.book, coverage_severity=Severity.MEDIUM, hash="another")
    life.goes_on(7)
    life.release()
    (told,) = [claim.delivery for claim in life.claims("soc")]
    assert isinstance(told.content, Notice)
    assert (told.change, told.content.severity, told.content.severity_written) == (Change.OPENED, "Medium", "Low")
