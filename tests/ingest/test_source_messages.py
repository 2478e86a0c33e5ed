"""What the router says of a silent source, and that it reads what it says; what a sweep does each minute, and leaves undone."""

from __future__ import annotations

from collections.abc import Callable
from copy import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.destination_readiness import Unready
from router.app.maintenance import Sweeper
from router.app.settings import Lack, Why
from router.coverage.expected.manifest import NO_MANIFEST
from router.coverage.expected.silence import look_at
from router.deliver.destination_holds import HoldReader, hold_destination
from router.domain.catalogue import Catalogue
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSource
from router.domain.decisions import Outcome
from router.domain.deliveries import LONGEST_LIFE, Backlog, DeliveryState
from router.domain.destination_holds import DestinationHold
from router.domain.errors import StoreError
from router.domain.hubs import Arrival
from router.domain.notices import ANNOUNCEMENT, Notice
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind, Stream
from router.domain.silent_sources import RUNGS, SourceState, SourceTurn, finding_id_of
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake, release_held
from router.ingest.silent_sources import SilentSources, SourceReport
from router.ingest.source_messages import message_of
from router.parse import read_signals
from router.store.partitions import find_last_sweep
from router.store.retention import Retention
from tests.builders import NOW, a_message, a_rule, a_rulebook, alert_body, an_element, an_ip, without_rules
from tests.domain.silence_model import DAY, HOUR, ONE, cluster_id, of_cluster, of_plan, of_subscription
from tests.hubs import Shelf
from tests.store.acts import owe, run, states
from tests.store.builders import a_delivery
from tests.store.life import Life
from tests.store.opened import Store
from tests.store.within import within

SILENT = SourceTurn(
    source=of_subscription(ONE),
    number=1,
    state=SourceState.SILENT,
    at=NOW + 9 * DAY,
    last=NOW,
    since=NOW,
    within=8 * DAY,
    entry=3,
    name=ONE,
    subscription=ONE,
)


def finding_of(turn: SourceTurn) -> Finding:
    """The finding that a turn is read as."""
    (finding,) = read_signals(message_of(turn).body, Catalogue())
    assert isinstance(finding, Finding), finding
    return finding


instants = st.timedeltas(timedelta(days=-3000), timedelta(days=1000)).map(NOW.__add__)
turns = st.builds(
    SourceTurn,
    source=st.builds(CoverageSource, st.sampled_from(list(RUNGS)), st.text(min_size=1), st.sampled_from(["", "Arm"])),
    number=st.integers(1, 10**9),
    state=st.sampled_from(SourceState),
    at=instants,
    last=st.none() | instants,
    since=instants,
    within=st.integers(1, 10**7).map(lambda seconds: timedelta(seconds=seconds)),
    entry=st.integers(0, 99),
    name=st.text(),
    subscription=st.none() | st.text(),
    others=st.integers(0, 999),
    excuse=st.text(),
)


@given(turns)
def test_every_turn_is_read_as_a_finding_of_our_own(turn: SourceTurn) -> None:
    """Whatever it is called; the same turn makes the same message."""
    finding = finding_of(turn)
    assert (finding.kind, finding.type, finding.rung) == (Kind.COVERAGE, turn.rung, turn.rung)
    assert finding.id == finding_id_of(turn.source).replace("\0", "\ufffd").strip().rstrip("/").lower()
    assert finding.resolved is (turn.state is not SourceState.SILENT)
    assert finding.changed == turn.at
    assert finding.severity is Severity.HIGH
    assert message_of(turn) == message_of(turn)


AS_EVER = "Defender's recommendations last spoke of it at 2026-11-24T12:00:00Z, 9 days before"
FOR_8_DAYS = "coverage.yaml (expect[2]) lets it be silent for 8 days. "
NOBODY_KNOWS = "While it is silent nobody knows whether its alerts would arrive."
SHARED = "silent, too: look first at what they share, such as the hub. "


SILENCES: list[tuple[dict[str, Any], str, str]] = [
    ({}, f"subscription {ONE}", f"{AS_EVER}. {FOR_8_DAYS}{NOBODY_KNOWS}"),
    (
        {"last": None, "others": 41, "entry": 0},
        f"subscription {ONE}",
        "Nothing was ever heard of it; that counts since 2026-11-24T12:00:00Z. coverage.yaml (as a whole) lets it be "
        f"silent for 8 days. 41 more subscriptions are {SHARED}{NOBODY_KNOWS}",
    ),
    (
        {"since": NOW + HOUR, "others": 1, "source": of_plan("Containers"), "within": 47 * HOUR},
        f"plan Containers in subscription {ONE}",
        f"{AS_EVER}; times count since 2026-11-24T13:00:00Z, when the router was away or events were lost. "
        f"coverage.yaml (expect[2]) lets it be silent for 47 hours. 1 more plan is {SHARED}"
        "The subscription speaks, and nothing in it of what this plan looks at.",
    ),
    (
        {"source": of_cluster("aks-a"), "name": "aks-a"},
        "cluster aks-a",
        f"{AS_EVER}. {FOR_8_DAYS}Its subscription speaks, and not of it: it may be gone, or not looked at any more.",
    ),
]


def test_each_says_what_to_look_at_in_lines_for_a_shell_that_finds_nothing_in_a_name() -> None:
    """People copy the commands; what looks like one of its own is quoted, or left out."""
    subscription, plan = finding_of(SILENT), finding_of(replace(SILENT, source=of_plan("Containers")))
    assert subscription.resource == f"/subscriptions/{ONE}"
    assert [step.partition(": ")[2] for step in subscription.remediation[:3]] == [
        f"az account show --subscription {ONE} --query state",
        f"az security automation list --subscription {ONE} -o json",
        f"az security pricing show --name CloudPosture --subscription {ONE}",
    ]
    assert subscription.remediation[3].endswith("add an exception with kind: subscription and rungs: [export].")
    assert plan.remediation[0].endswith(f"az security pricing show --name Containers --subscription {ONE}")
    steps = finding_of(replace(SILENT, source=of_cluster("$(id)"), name="$(id)", subscription="`id`")).remediation
    assert steps[0] == "The cluster is there: az aks list --subscription '`id`'"
    assert not [step for step in steps if "$(id)" in step]
    cluster = finding_of(replace(SILENT, source=of_cluster("aks-a"), name="aks-pay_1.2"))
    assert (cluster.resource, cluster.rung) == (cluster_id("aks-a"), Rung.INTEGRATION)
    assert cluster.remediation[0].endswith(f"az aks list --subscription {ONE} --query \"[?name=='aks-pay_1.2'].id\"")
    assert cluster.remediation[3].endswith("add an exception with kind: cluster and rungs: [integration].")
    for subject in (f"{ONE}/aks-a", "aks-a"):
        named = replace(SILENT, source=of_cluster("aks-a")._replace(subject=subject), name="AKS-A", subscription=None)
        assert finding_of(named).resource == "AKS-A"
        assert "--subscription ID" in finding_of(named).remediation[0]


def test_a_silence_is_told_with_what_was_heard_last_and_what_expects_it_and_its_end_says_why() -> None:
    """How many more are silent, and times that began anew; it speaks, a person answers for it, or it is expected no more."""
    for changes, title, said in SILENCES:
        finding = finding_of(replace(SILENT, **changes))
        assert (finding.title, finding.description) == (f"Nothing is heard of {title}", said)
        assert finding.status == "Unhealthy"
    excuse = "2027-01-01T00:00:00Z by me"
    for state, said in {
        SourceState.SPEAKS: "It was heard of again at 2026-12-03T12:00:00Z, after 9 days of silence.",
        SourceState.EXCUSED: f"Its silence is excused until {excuse}. It is told again then, if it lasts.",
        SourceState.UNEXPECTED: "coverage.yaml no longer expects it, or not so soon.",
    }.items():
        finding = finding_of(replace(SILENT, state=state, last=NOW + 9 * DAY, excuse=excuse))
        assert (finding.status, finding.description, finding.remediation) == ("Healthy", said, ())


def test_what_a_rule_holds_of_it_is_told_at_the_end_of_the_rule_and_nobody_else_says_it(sqlite: Store) -> None:
    """It is decided again from what was kept of it, as any finding; what a hub brings in that form is quarantined."""
    group = [an_element("entities.azureresource.resourceid", f"/subscriptions/{ONE}")]
    book = a_rulebook(a_rule("quiet", alert_type="export", groups=[group]), stream=Stream.CSPM)

    def intake(book: Rulebook) -> Intake:
        return Intake(sqlite, {Stream.CSPM: book}, Catalogue(), Stream.CSPM)

    free, message = without_rules(book), message_of(SILENT)
    (held,) = run(intake(book).ingest([message], NOW))
    (released,) = run(release_held(intake(free), sqlite, free, NOW))
    assert (held.outcome, held.kind) == (Outcome.SUPPRESSED, "coverage")
    assert (released.outcome, released.signal) == (Outcome.ROUTED, held.signal)
    (forged,) = run(intake(free).ingest([replace(message, arrival=Arrival("cspm:0:1", 5, NOW))], NOW))
    reason = "unknown_shape: a finding of the router's own, which no hub brings"
    assert (forged.outcome, forged.reason) == (Outcome.QUARANTINED, reason)


DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
HELD: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
LACKING = Unready(stream="cwpp", destination="tickets", lane=Lane.PAGE, lacks=(Lack("KEY", Why.MISSING),))


def a_sweeper(
    store: Store,
    book: Rulebook,
    *named: str,
    sources: Callable[[Intake, Store], SilentSources] | None = None,
    **more: Any,
) -> Sweeper:
    """A sweeper of a stream, which knows destinations by their names."""
    intake = Intake(store, {book.stream: book}, Catalogue(), book.stream)
    gap_filler = GapFiller(Shelf(), store, EventIntake(intake, store, "sweep"))
    more |= {"sources": sources(intake, store)} if sources is not None else {}
    return Sweeper(store, book, intake, gap_filler, named=named, retention=Retention(), **more)


def test_a_sweep_gives_up_on_nothing_that_is_held(store: Store) -> None:
    """Neither where a setting lacks, nor where the policy forgot a name."""
    book, holds = a_rulebook(), HoldReader(store)
    owe(store, a_delivery(lane=Lane.PAGE))
    since, until = NOW + 3 * HOUR, NOW + 7 * HOUR
    hold = DestinationHold(
        stream="cwpp", destination="tickets", lane=Lane.PAGE, author="a", reason="b", since=since, until=until
    )
    run(hold_destination(store, hold, since))
    for now in (since, NOW + LONGEST_LIFE[Lane.PAGE], until - timedelta(microseconds=1)):
        for name, unready in (("tickets", ()), ("tickets", [LACKING]), ("others", ())):
            found, _ = run(a_sweeper(store, book, name, unready=unready, holds=holds).sweep(now))
            assert (found.backlog["tickets"], found.held) == (Backlog(Lane.PAGE, NOW, 0, 1, NOW), {"tickets": hold})
    assert run(a_sweeper(store, book, "tickets", holds=holds).sweep(until))[0].held == {}
    run(a_sweeper(store, book, "tickets", unready=[LACKING], holds=holds).sweep(until))
    assert states(store) == {DeliveryState.DEAD: 1}, (
        "what lacks its setting is given up on when nobody holds it any more"
    )


def test_a_sweep_forgets_a_little_and_the_next_ones_go_on(store: Store) -> None:
    """Until nothing is old enough any more; then it asks for nothing for an hour."""
    life, sweeper = Life(store), a_sweeper(store, a_rulebook(), "tickets")
    life.ingest(*(a_message(alert_body(f"alert-{n}", Severity="Low"), at=NOW) for n in range(30)))
    left = []
    # What a clock shows is confirmed an hour later.
    for minutes in (0, 60, 61, 62, 90, 130):
        if minutes == 90:
            life.now = NOW
            life.alert("old", Severity="Low")
        run(sweeper.sweep(NOW + 14 * DAY + minutes * HOUR / 60))
        left.append(len(life.decisions("alert-1") + life.decisions("old")))
    assert left == [1, 0, 0, 0, 1, 0]


def test_a_fault_of_ours_in_one_step_keeps_no_other_from_being_done(store: Store) -> None:
    """What a rule held comes out, and old decisions go; the sweep says at its end what failed, and is not called done."""

    class Broken(SilentSources):
        """A look with a fault."""

        def __init__(self, intake: Intake, store: Store) -> None:
            super().__init__(intake, store, partial(look_at, NO_MANIFEST), is_expected=False)

        async def look(self, until: datetime | None, now: datetime) -> SourceReport:
            raise ZeroDivisionError

    at = NOW + 14 * DAY
    life = Life(store, a_rulebook(a_rule("scanner", expires=at)))
    life.alert(**HELD), life.alert("low", Severity="Low")
    sweeper = a_sweeper(store, life.book, "tickets", sources=Broken)
    for hours in (0, 1):
        with pytest.raises(StoreError, match="ZeroDivisionError"):
            run(sweeper.sweep(at + hours * HOUR))
    assert (life.decisions(), life.decisions("low")) == (["routed", "suppressed"], [])
    assert run(within(store, find_last_sweep, "cwpp")) is None


def test_people_hear_what_a_rule_held_before_the_sweep_that_releases_it(store: Store) -> None:
    """At its end what it held comes out, and then it is not known any more that the rule had held it."""
    life = Life(store, replace(a_rulebook(a_rule("scanner", expires=NOW + DAY)), notify=("tickets",)))
    life.alert(**HELD)
    life.now += DAY
    assert run(a_sweeper(store, life.book, "tickets").sweep(life.now))[0].released == 1
    contents = [claim.delivery.content for claim in life.owed("tickets")]
    (told,) = [one for one in contents if isinstance(one, Notice) and one.kind == ANNOUNCEMENT]
    assert "1 signal that it holds still stands" in told.description
