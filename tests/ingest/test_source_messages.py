"""What the router says of a silent source, and that it reads what it says itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSource
from router.domain.decisions import Outcome
from router.domain.hubs import Arrival
from router.domain.rulebook import Rulebook
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind, Stream
from router.domain.silent_sources import RUNGS, SourceState, SourceTurn, finding_id_of
from router.ingest.intake import Intake, release_held
from router.ingest.source_messages import message_of
from router.parse import read_signals
from tests.builders import NOW, a_rule, a_rulebook, an_element, without_rules
from tests.domain.silence_model import DAY, HOUR, ONE, cluster_id, of_cluster, of_plan, of_subscription
from tests.store.acts import run
from tests.store.opened import Store

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
