"""A drill passed where every expected destination took a notice that names one of its alerts, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.rulebook import Lane
from router.drill.evidence import DrilledAlert, DrilledDelivery, DrillEvidence
from router.drill.expected import DrillForecast, ExpectedDestination
from router.drill.results import DrillHop, DrillVerdict
from router.drill.verdict import is_settled, judge_drill

BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
NAMES = ("oncall", "tickets", "rows")
WORDS = st.sampled_from([None, "words"])


def after(seconds: float) -> datetime:
    """An instant of the drill."""
    return BEGAN + timedelta(seconds=seconds)


def an_expected(name: str, hindrance: str | None = None) -> ExpectedDestination:
    """A destination that the drill is to prove."""
    return ExpectedDestination(name=name, lane=Lane.PAGE, kind="pagerduty", types=3, hindrance=hindrance)


def an_alert(
    id: str = "a",
    *,
    outcome: Outcome = Outcome.ROUTED,
    holder: str | None = None,
    **deliveries: DrilledDelivery,
) -> DrilledAlert:
    """An alert of the drill that the hub had after 100 seconds, and that was decided after two more."""
    return DrilledAlert(
        key=id,
        id=id,
        title=id,
        enqueued=after(101),
        decided=after(103),
        outcome=outcome,
        reason="floor: High",
        holder=holder,
        deliveries=deliveries,
    )


def evidence_of(*alerts: DrilledAlert, **more: object) -> DrillEvidence:
    """What is known of a drill that Defender took the order of after a second."""
    return DrillEvidence(**{"began": BEGAN, "raised": after(1), "alerts": alerts, **more})  # type: ignore[arg-type]


TAKEN = DrilledDelivery(state=DeliveryState.SENT, settled=after(104), receipt="INC1")


@st.composite
def deliveries(draw: st.DrawFn) -> DrilledDelivery:
    """Whatever may have become of an alert at a destination."""
    return DrilledDelivery(
        state=draw(st.sampled_from([None, *DeliveryState])),
        settled=draw(st.sampled_from([None, after(104), after(500)])),
        receipt=draw(st.sampled_from([None, "INC1"])),
        error=draw(WORDS),
        is_counted=draw(st.booleans()),
        held=draw(WORDS),
        paused=draw(WORDS),
        unready=draw(WORDS),
    )


@st.composite
def histories(draw: st.DrawFn) -> DrillEvidence:
    """Whatever may be known of a drill."""
    alerts = [
        an_alert(
            f"alert-{number}",
            outcome=draw(st.sampled_from(list(Outcome))),
            holder=draw(WORDS),
            **draw(st.dictionaries(st.sampled_from(NAMES), deliveries())),
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    return evidence_of(
        *alerts,
        raised=draw(st.sampled_from([None, after(1)])),
        refused=draw(WORDS),
        is_busy=draw(st.booleans()),
        doubted=draw(WORDS),
        listed=draw(st.sampled_from([None, 0, 2])),
        first_listed=draw(st.sampled_from([None, after(30)])),
        unlisted=draw(WORDS),
        doubts=draw(st.sampled_from([(), ("it was made before",)])),
        quarantined=draw(st.sampled_from([(), ("not_json",)])),
        swept=draw(st.sampled_from([None, BEGAN - timedelta(hours=1), after(500)])),
    )


@given(histories(), st.dictionaries(st.sampled_from(NAMES), WORDS))
def test_a_drill_passed_if_and_only_if_each_expected_destination_has_a_receipt_for_an_alert_of_it(
    evidence: DrillEvidence, hindrances: dict[str, str | None]
) -> None:
    """Whatever else is known; what only a limit counted is none. Without a destination there is nothing to pass."""
    expected = [an_expected(name, hindrance) for name, hindrance in hindrances.items()]
    judged = judge_drill(expected, evidence, after(600))
    proved = {
        name
        for alert in evidence.alerts
        for name, one in alert.deliveries.items()
        if one.state is DeliveryState.SENT and one.settled is not None and not one.is_counted
    }
    assert (judged.verdict is DrillVerdict.PASSED) is (
        bool(expected) and hindrances.keys() <= proved and evidence.refused is None and not evidence.is_busy
    )
    assert {one.name for one in judged.destinations if one.verdict is DrillVerdict.PASSED} == hindrances.keys() & proved
    assert (judged.failed_hop is None) is (judged.verdict is DrillVerdict.PASSED)
    assert judged.reason
    assert all(one.reason for one in judged.destinations)
    assert all(hop.seconds >= 0 for hop in judged.hops)
    for one in judged.destinations:
        assert (one.seconds is not None) is (one.verdict is DrillVerdict.PASSED)
        if hindrances[one.name] is not None:
            assert one.verdict is not DrillVerdict.FAILED


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


HELD = DrilledDelivery(state=DeliveryState.OWED, held="held by ana until noon: moved")


@pytest.mark.parametrize(
    ("evidence", "verdict", "hop", "words"),
    [
        (evidence_of(refused="Azure answered 403"), "failed", "raised", "Azure answered 403"),
        (evidence_of(an_alert(oncall=TAKEN), refused="Failed"), "failed", "raised", "could not be raised: Failed"),
        (evidence_of(refused="Azure answered 409", is_busy=True), "not proven", "raised", "so that nothing was raised"),
        (evidence_of(listed=0, swept=after(590)), "failed", "defender", "Defender lists none of them after 600 s"),
        (evidence_of(listed=2, swept=after(590)), "failed", "hub", "the export did not bring them to the hub; 1.0 s"),
        (evidence_of(listed=2, swept=after(590 - 301)), "failed", "hub", "has ended no sweep of the hub since 2026"),
        (
            evidence_of(listed=2, dismissed=2),
            "not proven",
            "defender",
            "a suppression rule of its own held them; 1.0 s",
        ),
        (evidence_of(listed=2, dismissed=1, swept=after(590)), "failed", "hub", "the export did not bring them"),
        (evidence_of(unlisted="Azure answered 429"), "failed", "hub", "not known (Azure answered 429)"),
        (evidence_of(listed=0, doubted="no answer"), "failed", "defender", "took the order is not known (no answer)"),
        (evidence_of(listed=2, is_whole=False), "failed", "hub", "they may be among it"),
        (
            evidence_of(doubts=("it was made before",)),
            "not proven",
            "hub",
            "may be another's: it was made before, 1.0 s",
        ),
        (evidence_of(quarantined=("not_json",)), "failed", "decided", "not understood: not_json, 1.0 s before it"),
        (
            evidence_of(an_alert(outcome=Outcome.BELOW_FLOOR)),
            "failed",
            "decided",
            "below the floor (floor: High), 103.0 s",
        ),
        (
            evidence_of(an_alert(outcome=Outcome.SUPPRESSED, holder="rule web"), an_alert(outcome=Outcome.BELOW_FLOOR)),
            "not proven",
            "destination",
            "oncall: rule web held what came, 103.0 s before it",
        ),
        (evidence_of(an_alert(tickets=TAKEN)), "not proven", "destination", "no route takes what came there"),
        (evidence_of(an_alert(oncall=HELD)), "not proven", "destination", "it is held by ana"),
        (
            evidence_of(an_alert(oncall=DrilledDelivery(state=DeliveryState.DEAD, error="400"))),
            "failed",
            "destination",
            "oncall: given up on: 400, 103.0 s before it",
        ),
        (
            evidence_of(an_alert(oncall=DrilledDelivery(state=DeliveryState.OWED, paused="since noon: 401"))),
            "failed",
            "destination",
            "it is paused since noon: 401",
        ),
        (
            evidence_of(
                an_alert(oncall=DrilledDelivery(state=DeliveryState.SENT, settled=after(104), is_counted=True))
            ),
            "not proven",
            "destination",
            "only told that there are more",
        ),
    ],
)
def test_where_it_ended_is_named_with_the_seconds_before_it(
    evidence: DrillEvidence, verdict: str, hop: str, words: str
) -> None:
    """What proves nothing is told apart from what failed."""
    judged = judge_drill([an_expected("oncall")], evidence, after(600))
    assert (judged.verdict, judged.failed_hop) == (verdict, hop)
    assert words in judged.reason


def by_rules(digit: str, **deliveries: DrilledDelivery) -> DrilledAlert:
    """An alert that rules of that hash decided."""
    return replace(an_alert(), deliveries=deliveries, rulebook=digit * 64)


FORECAST = DrillForecast(rulebook="a" * 64, expected=[an_expected("oncall")], possible=frozenset({"tickets"}))


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        (by_rules("a", oncall=TAKEN, tickets=TAKEN), None),
        (an_alert(oncall=TAKEN), None),
        (by_rules("b", oncall=TAKEN), "by other rules (bbbbbbbbbbbb) than were read here (aaaaaaaaaaaa)"),
        (by_rules("a", oncall=TAKEN, rows=TAKEN), "rows got it and was not named before"),
    ],
)
def test_where_the_rules_at_work_are_not_those_that_were_read_nothing_is_proven(
    alert: DrilledAlert, words: str | None
) -> None:
    """They may lead a real alert to others. So does whoever is called and was not named."""
    judged = judge_drill(FORECAST.expected, evidence_of(alert), after(600), FORECAST)
    assert (judged.verdict is DrillVerdict.PASSED) is (words is None)
    assert words is None or (judged.verdict is DrillVerdict.NOT_PROVEN and words in judged.reason)


def test_where_rules_lead_nowhere_nothing_is_proven() -> None:
    """An empty list of destinations is not a list of which each took it."""
    judged = judge_drill([], evidence_of(an_alert(oncall=TAKEN)), after(600))
    assert (judged.verdict, judged.failed_hop) == (DrillVerdict.NOT_PROVEN, DrillHop.DECIDED)


@pytest.mark.parametrize(
    ("alerts", "hindrance", "settled"),
    [
        ((), "the rules keep samples from it", False),
        ((an_alert(tickets=TAKEN),), None, False),
        ((an_alert(tickets=TAKEN),), "the rules keep samples from it", True),
        ((an_alert(tickets=TAKEN, oncall=TAKEN),), None, True),
    ],
)
def test_it_waits_for_what_may_still_come_and_for_nothing_else(
    alerts: tuple[DrilledAlert, ...], hindrance: str | None, settled: bool
) -> None:
    """What no alert can prove is not waited for, once one was decided."""
    expected = [an_expected("oncall", hindrance), an_expected("tickets")]
    assert is_settled(judge_drill(expected, evidence_of(*alerts), after(200)), expected) is settled
