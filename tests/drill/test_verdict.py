"""A drill passed where every expected destination took a notice that names one of its alerts, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState, DeliveryStatus, Pause, Receipt
from router.domain.rulebook import Lane
from router.domain.signal_life import DestinationLife, GroupLife
from router.drill.evidence import DrilledAlert, DrilledDelivery, DrillEvidence, ExpectedDestination, delivery_of
from router.drill.results import DrillHop, DrillVerdict
from router.drill.verdict import KEPT_FROM_SAMPLES, is_settled, judge_drill

BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
NAMES = ("oncall", "tickets", "rows")
WORDS = st.sampled_from([None, "words"])
PASSED, FAILED, NOT_PROVEN = DrillVerdict.PASSED, DrillVerdict.FAILED, DrillVerdict.NOT_PROVEN


def after(seconds: float) -> datetime:
    """An instant of the drill."""
    return BEGAN + timedelta(seconds=seconds)


def an_expected(name: str, takes_samples: bool = True) -> ExpectedDestination:
    """A destination that the drill is to prove."""
    return ExpectedDestination(name, Lane.PAGE, "pagerduty", takes_samples)


def an_alert(
    id: str = "a",
    *,
    outcome: Outcome = Outcome.ROUTED,
    holder: str | None = None,
    rulebook: str = "a" * 64,
    **deliveries: DrilledDelivery,
) -> DrilledAlert:
    """An alert of the drill that the hub had after 100 seconds, and that was decided after two more."""
    return DrilledAlert(
        id=id,
        enqueued=after(101),
        decided=after(103),
        outcome=outcome,
        reason="floor: High",
        rulebook=rulebook,
        holder=holder,
        deliveries=deliveries,
    )


def evidence_of(*alerts: DrilledAlert, **more: object) -> DrillEvidence:
    """What is known of a drill that Defender took the order of after a second."""
    return DrillEvidence(**{"began": BEGAN, "raised": after(1), "alerts": alerts, **more})  # type: ignore[arg-type]


TAKEN = DrilledDelivery(PASSED, "took it", after(104), "INC1")
DEAD = DrilledDelivery(FAILED, "given up on: 400")
HELD = DrilledDelivery(NOT_PROVEN, "it is held by ana")


@st.composite
def histories(draw: st.DrawFn) -> DrillEvidence:
    """Whatever may be known of a drill."""
    deliveries = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([TAKEN, DEAD, HELD]))
    alerts = [
        an_alert(
            f"alert-{number}",
            outcome=draw(st.sampled_from([Outcome.ROUTED, Outcome.SUPPRESSED])),
            holder=draw(WORDS),
            **draw(deliveries),  # type: ignore[arg-type]
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    return evidence_of(
        *alerts,
        raised=draw(st.sampled_from([None, after(1)])),
        refused=draw(WORDS),
        is_busy=draw(st.booleans()),
        listed=draw(st.sampled_from([None, 0, 2])),
        first_listed=draw(st.sampled_from([None, after(30)])),
        trouble=draw(WORDS),
        has_foreign=draw(st.booleans()),
        quarantined=draw(st.sampled_from([(), ("not_json",)])),
        swept=draw(st.sampled_from([None, BEGAN - timedelta(hours=1), after(500)])),
    )


@given(histories(), st.dictionaries(st.sampled_from(NAMES), st.booleans()))
def test_a_drill_passed_if_and_only_if_each_expected_destination_took_an_alert_of_it(
    evidence: DrillEvidence, names: dict[str, bool]
) -> None:
    """Whatever else is known. Without a destination there is nothing to pass."""
    judged = judge_drill([an_expected(*one) for one in names.items()], evidence, after(600))
    proved = {name for alert in evidence.alerts for name, one in alert.deliveries.items() if one == TAKEN}
    is_passed = bool(names) and names.keys() <= proved and evidence.refused is None
    assert (judged.verdict is PASSED) is is_passed
    assert {one.name for one in judged.destinations if one.verdict is PASSED} == names.keys() & proved
    assert (judged.failed_hop is None) is is_passed
    assert judged.reason
    assert all(one.reason and (one.seconds is not None) is (one.verdict is PASSED) for one in judged.destinations)
    assert all(hop.seconds >= 0 for hop in judged.hops)


def test_the_seconds_of_each_hop_are_those_since_the_one_before() -> None:
    """They are of the alert that was in the hub first."""
    later = an_alert("later", oncall=TAKEN)
    judged = judge_drill([an_expected("oncall")], evidence_of(later, an_alert(oncall=TAKEN)), after(600))
    assert [(one.hop, one.seconds) for one in judged.hops] == [
        (DrillHop.RAISED, 1.0),
        (DrillHop.HUB, 100.0),
        (DrillHop.DECIDED, 2.0),
    ]
    assert (judged.destinations[0].seconds, judged.destinations[0].receipt) == (1.0, "INC1")


@pytest.mark.parametrize(
    ("evidence", "verdict", "hop", "words"),
    [
        (evidence_of(refused="Azure answered 403"), "failed", "raised", "nothing was raised: Azure answered 403"),
        (evidence_of(an_alert(oncall=TAKEN), refused="Failed"), "failed", "raised", "nothing was raised: Failed"),
        (evidence_of(refused="Azure answered 409", is_busy=True), "not proven", "raised", "Azure answered 409"),
        (evidence_of(listed=0, swept=after(590)), "failed", "defender", "Defender lists no new sample after 600 s"),
        (evidence_of(listed=2, swept=after(590)), "failed", "hub", "the export did not bring them to the hub; 1.0 s"),
        (evidence_of(listed=2, swept=after(289)), "failed", "hub", "has ended no sweep of the hub since 2026"),
        (evidence_of(), "failed", "hub", "nothing came within 600 s; the router has ended no sweep of the hub ever"),
        (
            evidence_of(listed=2, dismissed=2),
            "not proven",
            "defender",
            "a suppression rule of its own held them; 1.0 s",
        ),
        (evidence_of(listed=2, dismissed=1, swept=after(590)), "failed", "hub", "the export did not bring them"),
        (evidence_of(listed=0, trouble="no answer"), "failed", "defender", "after 600 s (no answer), 1.0 s before it"),
        (evidence_of(has_foreign=True), "not proven", "hub", "it may be another's, 1.0 s before it"),
        (evidence_of(quarantined=("not_json",)), "failed", "decided", "not understood: not_json, 1.0 s before it"),
        (evidence_of(unread="locked"), "not proven", "decided", "could not be read, so what came is not known: locked"),
        (evidence_of(an_alert(), unread="locked"), "not proven", "destination", "could not be read at the end: locked"),
        (
            evidence_of(an_alert(outcome=Outcome.BELOW_FLOOR)),
            "failed",
            "decided",
            "1 alert came, below the floor (floor: High), 103.0 s",
        ),
        (
            evidence_of(an_alert(outcome=Outcome.SUPPRESSED, holder="rule web"), an_alert(outcome=Outcome.BELOW_FLOOR)),
            "not proven",
            "destination",
            "oncall: rule web held what came, 103.0 s before it",
        ),
        (evidence_of(an_alert(tickets=TAKEN)), "not proven", "destination", "no route takes what came there"),
        (evidence_of(an_alert(oncall=HELD)), "not proven", "destination", "oncall: it is held by ana, 103.0 s"),
        (
            evidence_of(an_alert(oncall=HELD), an_alert(oncall=DEAD)),
            "failed",
            "destination",
            "oncall: given up on: 400",
        ),
        (
            evidence_of(an_alert(oncall=TAKEN, rulebook="b" * 64)),
            "not proven",
            "decided",
            "by other rules (bbbbbbbbbbbb) than were read here (aaaaaaaaaaaa)",
        ),
    ],
)
def test_where_it_ended_is_named_with_the_seconds_before_it(
    evidence: DrillEvidence, verdict: str, hop: str, words: str
) -> None:
    """What proves nothing is told apart from what failed."""
    judged = judge_drill([an_expected("oncall")], evidence, after(600), "a" * 64)
    assert (judged.verdict, judged.failed_hop) == (verdict, hop)
    assert words in judged.reason


@pytest.mark.parametrize(
    ("evidence", "takes_samples", "settled"),
    [
        (evidence_of(), False, False),
        (evidence_of(refused="Azure answered 403"), True, True),
        (evidence_of(an_alert(tickets=TAKEN)), True, False),
        (evidence_of(an_alert(tickets=TAKEN)), False, True),
        (evidence_of(an_alert(tickets=TAKEN, oncall=TAKEN)), True, True),
    ],
)
def test_it_waits_for_what_may_still_come_and_for_nothing_else(
    evidence: DrillEvidence, takes_samples: bool, settled: bool
) -> None:
    """What no sample reaches is not waited for, once one was decided."""
    expected = [an_expected("oncall", takes_samples), an_expected("tickets")]
    judged = judge_drill(expected, evidence, after(200))
    assert is_settled(judged, expected) is settled
    if not takes_samples:
        assert KEPT_FROM_SAMPLES in {one.reason for one in judged.destinations}


def a_delivery(
    state: DeliveryState = DeliveryState.SENT, *, key: str = "signal", turn: int = 1, settled: datetime | None = None
) -> DeliveryStatus:
    """A delivery; what was sent has a receipt."""
    is_sent = state is DeliveryState.SENT
    return DeliveryStatus(
        stream="cwpp",
        destination="oncall",
        lane=Lane.PAGE,
        key=key,
        turn=turn,
        change=Change.OPENED,
        opened=1,
        state=state,
        born=after(103),
        due=after(103),
        attempts=1,
        settled=settled if settled is not None else (after(104) if is_sent else None),
        receipt=Receipt(reference="P1") if is_sent else None,
        error=None if is_sent or state is DeliveryState.SKIPPED else "503",
    )


def a_group(
    *deliveries: DeliveryStatus,
    is_summary: bool = False,
    waits_for_room: bool = False,
    is_named: bool = True,
    joined: int | None = 2,
) -> GroupLife:
    """The group that the alert is a member of."""
    return GroupLife(
        key="group",
        by=(),
        total=2,
        standing=2,
        is_summary=is_summary,
        waits_for_room=waits_for_room,
        stands=True,
        changed=after(103),
        deliveries=deliveries,
        joined=joined,
        is_named=is_named,
    )


def at_oncall(*deliveries: DeliveryStatus, group: GroupLife | None = None, **more: object) -> DestinationLife:
    """What it has to do with the pager."""
    return DestinationLife(name="oncall", lane=Lane.PAGE, deliveries=deliveries, group=group, **more)  # type: ignore[arg-type]


DECIDED = after(103)
PROOF = (PASSED, "took it", after(104), "P1")
COUNTED = (NOT_PROVEN, "it was only told that there are more, and others were named")
PAUSE = Pause(stream="cwpp", destination="oncall", since=after(103), probe=after(103), error="401")
BEFORE = a_delivery(key="group", settled=after(102))
SINCE = a_delivery(key="group", turn=2)
ON_ITS_WAY = a_delivery(DeliveryState.OWED, key="group", turn=2)


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (at_oncall(), (FAILED, "it did not take it in time")),
        (at_oncall(a_delivery()), PROOF),
        (at_oncall(a_delivery(DeliveryState.OWED, settled=after(104))), (FAILED, "it did not take it in time: 503")),
        (at_oncall(replace(a_delivery(), settled=None)), (FAILED, "it did not take it in time")),
        (
            at_oncall(replace(a_delivery(), receipt=Receipt(link="https://x"))),
            (PASSED, "took it", after(104), "https://x"),
        ),
        (at_oncall(group=a_group(replace(BEFORE, turn=2))), (FAILED, "it did not take it in time")),
        (at_oncall(group=a_group(ON_ITS_WAY)), (FAILED, "it did not take it in time: 503")),
        (at_oncall(a_delivery(DeliveryState.OWED)), (FAILED, "it did not take it in time: 503")),
        (
            at_oncall(a_delivery(DeliveryState.SKIPPED)),
            (NOT_PROVEN, "a later notice took its place before it was sent"),
        ),
        (at_oncall(a_delivery(DeliveryState.DEAD), held="held by ana"), (FAILED, "given up on: 503")),
        (at_oncall(a_delivery(DeliveryState.DEAD), a_delivery(turn=2)), PROOF),
        (at_oncall(held="held by ana", unready="KEY: is not set"), (NOT_PROVEN, "it is held by ana")),
        (at_oncall(pause=PAUSE, unready="KEY: is not set"), (FAILED, "it cannot be asked: KEY: is not set")),
        (at_oncall(pause=PAUSE), (FAILED, "it is paused since 2026-11-26T12:01:43Z: 401")),
        (at_oncall(group=a_group(BEFORE)), (FAILED, "it did not take it in time")),
        (at_oncall(group=a_group(BEFORE, SINCE)), PROOF),
        (at_oncall(group=a_group(BEFORE, SINCE, is_summary=True)), COUNTED),
        (at_oncall(group=a_group(waits_for_room=True), held="held by ana"), COUNTED),
        (at_oncall(group=a_group(SINCE, is_named=False)), COUNTED),
        (at_oncall(a_delivery(), group=a_group(SINCE, is_named=False)), PROOF),
        (at_oncall(group=a_group(replace(SINCE, turn=1), SINCE)), PROOF),
        (at_oncall(group=a_group(replace(SINCE, turn=1))), (FAILED, "it did not take it in time")),
        (at_oncall(group=a_group(replace(SINCE, turn=1), joined=None)), PROOF),
        (at_oncall(a_delivery(), group=a_group(SINCE, is_summary=True)), PROOF),
    ],
)
def test_only_a_notice_that_names_the_alert_is_a_proof(one: DestinationLife, found: tuple[object, ...]) -> None:
    """A notice of its group from before it joined is none, nor is a summary that counts it."""
    assert delivery_of(one, DECIDED)[: len(found)] == found
