"""What the router says of a silent source, and that it reads what it says itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSource
from router.domain.decisions import Outcome
from router.domain.ledger import Arrival
from router.domain.notices import RecordEntry
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind, Stream
from router.domain.source_turns import RUNGS, SourceState, SourceTurn
from router.ingest.intake import Intake, release_held
from router.ingest.source_messages import message_of
from router.parse import read_signals
from tests.builders import NOW, a_rule, a_rulebook, an_element, without_rules
from tests.domain.silence_model import DAY, HOUR, ONE, cluster_id, of_cluster, of_plan, of_subscription
from tests.store.opened import Place, open_store

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
    assert finding.id == turn.finding_id.replace("\0", "\ufffd").strip().rstrip("/").lower()
    assert finding.resolved is (turn.state is not SourceState.SILENT)
    assert finding.changed == turn.at
    assert finding.severity is Severity.HIGH
    assert message_of(turn) == message_of(turn)


def test_a_silent_subscription_is_told_with_what_was_heard_last_and_what_expects_it() -> None:
    """And with what to look at, each with its line for `az`."""
    finding = finding_of(SILENT)
    assert (finding.title, finding.status) == (f"Nothing is heard of subscription {ONE}", "Unhealthy")
    assert finding.resource == f"/subscriptions/{ONE}"
    assert finding.description == (
        "Defender's recommendations last spoke of it at 2026-11-24T12:00:00Z, 9 days before. "
        "coverage.yaml (expect[2]) lets it be silent for 8 days. "
        "While it is silent nobody knows whether its alerts would arrive."
    )
    assert [step.partition(": ")[2] for step in finding.remediation[:3]] == [
        f"az account show --subscription {ONE} --query state",
        f"az security automation list --subscription {ONE} -o json",
        f"az security pricing show --name CloudPosture --subscription {ONE}",
    ]
    assert finding.remediation[3].endswith("add an exception with kind: subscription and rungs: [export].")


def test_a_shell_finds_nothing_in_a_name_that_a_message_brought() -> None:
    """People copy the commands; what looks like one of its own is quoted, or left out."""
    evil = "$(id)"
    cluster = replace(SILENT, source=of_cluster(evil), name=evil, subscription="`id`")
    steps = finding_of(cluster).remediation
    assert steps[0] == "The cluster is there: az aks list --subscription '`id`'"
    assert not [step for step in steps if evil in step]
    named = finding_of(replace(cluster, name="aks-pay_1.2", subscription=ONE)).remediation[0]
    assert named.endswith(f"az aks list --subscription {ONE} --query \"[?name=='aks-pay_1.2'].id\"")


def test_one_that_was_never_heard_of_is_told_since_when_it_is_expected() -> None:
    """And how many more are silent with it; times that began anew are said."""
    never = finding_of(replace(SILENT, last=None, others=41))
    assert never.description.startswith("Nothing was ever heard of it; that counts since 2026-11-24T12:00:00Z. ")
    assert (
        " 41 more subscriptions are silent, too: look first at what they share, such as the hub. " in never.description
    )
    anew = finding_of(replace(SILENT, since=NOW + HOUR, others=1))
    assert (
        "9 days before; times count since 2026-11-24T13:00:00Z, when the router was away or events were lost. "
        in anew.description
    )
    assert " 1 more subscription is silent, too: " in anew.description


def test_clusters_and_plans_are_called_as_people_call_them() -> None:
    """With the rung that is in doubt; a cluster of which only the name is known has no id."""
    plan = finding_of(replace(SILENT, source=of_plan("Containers")))
    assert (plan.title, plan.type) == (f"Nothing is heard of plan Containers in subscription {ONE}", Rung.PLAN)
    assert plan.remediation[0].endswith(f"az security pricing show --name Containers --subscription {ONE}")
    cluster = finding_of(replace(SILENT, source=of_cluster("aks-a"), name="aks-a"))
    assert (cluster.title, cluster.resource) == ("Nothing is heard of cluster aks-a", cluster_id("aks-a"))
    assert cluster.rung is Rung.INTEGRATION
    assert cluster.remediation[3].endswith("add an exception with kind: cluster and rungs: [integration].")
    for subject in (f"{ONE}/aks-a", "aks-a"):
        named = replace(SILENT, source=of_cluster("aks-a")._replace(subject=subject), name="AKS-A", subscription=None)
        assert finding_of(named).resource == "AKS-A"
        assert "--subscription ID" in finding_of(named).remediation[0]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (SourceState.SPEAKS, "It was heard of again at 2026-12-03T12:00:00Z, after 9 days of silence."),
        (
            SourceState.EXCUSED,
            "Its silence is excused until 2027-01-01T00:00:00Z by me. It is told again then, if it lasts.",
        ),
        (SourceState.UNEXPECTED, "coverage.yaml no longer expects it, or not so soon."),
    ],
)
def test_its_end_says_why(state: SourceState, said: str) -> None:
    """It speaks, somebody answers for it, or nobody expects it."""
    finding = finding_of(replace(SILENT, state=state, last=NOW + 9 * DAY, excuse="2027-01-01T00:00:00Z by me"))
    assert (finding.status, finding.description, finding.remediation) == ("Healthy", said, ())


def test_what_a_rule_holds_of_it_is_told_at_the_end_of_the_rule(place: Place) -> None:
    """It is decided again from what was kept of it, as any finding."""
    rule = a_rule(
        "quiet",
        alert_type="export",
        groups=[[an_element("entities.azureresource.resourceid", f"/subscriptions/{ONE}")]],
    )

    async def life() -> list[RecordEntry]:
        store = open_store(place)
        book = a_rulebook(rule, stream=Stream.CSPM)
        (held,) = await Intake(store, {Stream.CSPM: book}, Catalogue(), Stream.CSPM).ingest([message_of(SILENT)], NOW)
        free = without_rules(book)
        released = await release_held(Intake(store, {Stream.CSPM: free}, Catalogue(), Stream.CSPM), store, free, NOW)
        await store.close()
        return [held, *released]

    held, released = asyncio.run(life())
    assert (held.outcome, held.kind) == (Outcome.SUPPRESSED, "coverage")
    assert (released.outcome, released.signal) == (Outcome.ROUTED, held.signal)


def test_nobody_else_says_what_this_router_heard_of(place: Place) -> None:
    """What a hub brings in that form is quarantined."""
    forged = replace(message_of(SILENT), arrival=Arrival("cspm:0:1", 5, NOW))

    async def ingest() -> list[RecordEntry]:
        store = open_store(place)
        entries = await Intake(store, {Stream.CSPM: a_rulebook(stream=Stream.CSPM)}, Catalogue(), Stream.CSPM).ingest(
            [forged], NOW
        )
        await store.close()
        return entries

    (entry,) = asyncio.run(ingest())
    assert (entry.outcome, entry.reason) == (
        Outcome.QUARANTINED,
        "unknown_shape: a finding of the router's own, which no hub brings",
    )
