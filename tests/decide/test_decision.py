"""What becomes of a signal, and why."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.domain.catalogue import Attack, Catalogue
from router.domain.decisions import Change, Code, Outcome
from router.domain.evidence import Evidence
from router.domain.rulebook import Clause, Route
from router.domain.severity import Severity
from router.domain.signals import Finding, Signal, Stream
from router.parse import read_signals
from tests.builders import NOW, a_finding, a_route, a_rule, a_rulebook, an_alert, an_ip
from tests.constructed.posture import a_compliance_category
from tests.constructed.weeks import row_of
from tests.parse.messages import read_finding


def at_least_high(signal: Signal, _: Attack) -> bool:
    return signal.severity is None or signal.severity >= Severity.HIGH


HIGH = Clause("at_least", "High", at_least_high)


def test_an_alert_that_no_longer_stands_is_resolved_even_where_a_rule_would_hold_it() -> None:
    """A resolution is told whatever floors and rules say, and goes to `always`."""
    for status in ("Resolved", "Dismissed", "resolved"):
        alert = an_alert(Status=status, Severity="Low", Entities=[an_ip("10.20.0.5")])
        decision = decide(alert, a_rulebook(a_rule()), NOW)
        assert (decision.outcome, decision.notice) == (Outcome.RESOLVED, Change.RESOLVED)
        assert (decision.reason, decision.destinations) == ((Code.STATUS, status), ("sentinel",))


def test_a_severity_at_the_floor_above_it_or_unknown_is_forwarded_and_one_below_is_not() -> None:
    """The floor drops only what is known to lie below it, which goes to the record only: in doubt the router is loud."""
    book = a_rulebook(floor=Severity.MEDIUM)
    for severity in ("Medium", "High", "Critical", None, "", "Catastrophic", 7):
        assert decide(an_alert(Severity=severity), book, NOW).outcome is Outcome.ROUTED, severity
    for severity in ("Low", "Informational", "low"):
        decision = decide(an_alert(Severity=severity), book, NOW)
        assert (decision.outcome, decision.reason.code) == (Outcome.BELOW_FLOOR, Code.FLOOR)
        assert (decision.destinations, decision.notice) == ((), None)


def test_a_rule_holds_until_but_not_including_its_last_instant() -> None:
    """The expiry is checked against `now` at every decision."""
    alert, book = an_alert(Entities=[an_ip("10.20.0.5")]), a_rulebook(a_rule(expires=NOW))
    before, at = (decide(alert, book, now) for now in (NOW - timedelta(microseconds=1), NOW))
    assert (before.outcome, before.suppressed_by, before.suppressed_until) == (Outcome.SUPPRESSED, "scanner", NOW)
    assert (at.outcome, at.suppressed_by) == (Outcome.ROUTED, None)


def test_every_route_that_matches_adds_its_destinations() -> None:
    """Routes add up, and `always` comes on top. Routing is total: what no route matches goes where `otherwise` says."""
    page, tickets = a_route("page", "oncall", when=[HIGH]), a_route("tickets", "tickets")
    decision = decide(an_alert(Severity="High"), a_rulebook(routes=[page, tickets]), NOW)
    assert (decision.routes, str(decision.reason)) == (("page", "tickets"), "routes: page, tickets")
    assert decision.destinations == ("oncall", "sentinel", "tickets")
    decision = decide(an_alert(Severity="Medium"), a_rulebook(routes=[page]), NOW)
    assert (decision.reason, decision.notice) == ((Code.OTHERWISE, ""), Change.OPENED)
    assert decision.destinations == ("sentinel", "tickets")


def test_the_most_pressing_route_says_by_when_people_should_answer() -> None:
    """Counted from the decision; where no route that matches says how soon, nothing does."""
    day = a_route("tickets", "tickets", respond_within=timedelta(days=1))
    page = a_route("page", "oncall", when=[HIGH], respond_within=timedelta(minutes=30))
    book = a_rulebook(routes=[day, page, a_route("more", "tickets")])
    high, medium = (decide(an_alert(Severity=level), book, NOW) for level in ("High", "Medium"))
    assert (high.respond_by, medium.respond_by) == (NOW + timedelta(minutes=30), NOW + timedelta(days=1))
    assert decide(an_alert(), a_rulebook(routes=[a_route("more", "tickets")]), NOW).respond_by is None
    assert decide(an_alert(Severity="Medium"), a_rulebook(routes=[page]), NOW).respond_by is None


def test_a_quiet_route_tells_nobody_but_always() -> None:
    """`to: []` is a match after which nobody is told, and where nobody is told nobody has to answer."""
    quiet = a_route("quiet", respond_within=timedelta(hours=1))
    decision = decide(an_alert(), a_rulebook(routes=[quiet]), NOW)
    assert (decision.outcome, decision.routes) == (Outcome.ROUTED, ("quiet",))
    assert (decision.destinations, decision.notice, decision.respond_by) == (("sentinel",), None, None)


LOW_ONLY = Clause("severity", "Low", lambda signal, _: signal.severity is Severity.LOW)
ROUTES = [
    a_route("page", "oncall", when=[HIGH]),
    a_route("tickets", "tickets"),
    a_route("quiet", when=[LOW_ONLY]),
    a_route("both", "oncall", "tickets", when=[HIGH]),
]


@given(st.permutations(ROUTES), st.integers(0, 4), st.sampled_from(["Low", "Medium", "High", None, "odd"]))
def test_the_order_of_routes_never_matters(routes: list[Route], count: int, severity: str | None) -> None:
    """Any order of the same routes makes the same decision."""
    alert = an_alert(Severity=severity)
    some = routes[:count]
    as_drawn = decide(alert, a_rulebook(floor=Severity.LOW, routes=some), NOW)
    sorted_by_name = decide(alert, a_rulebook(floor=Severity.LOW, routes=sorted(some, key=lambda r: r.name)), NOW)
    assert as_drawn == sorted_by_name


def test_a_deleted_finding_is_resolved_whatever_its_status_says() -> None:
    """The action is looked at first: a Delete may still say Unhealthy."""
    book = a_rulebook(stream=Stream.CSPM)
    decision = decide(a_finding(status="Unhealthy", action="Delete"), book, NOW)
    assert (decision.outcome, str(decision.reason)) == (Outcome.RESOLVED, "status: action Delete")


EXEMPT = [
    ({"cause": "Exempt"}, "exempt: exempt, not fixed"),
    ({"cause": "exempt ", "description": "Accepted until May"}, "exempt: exempt, not fixed: Accepted until May"),
    (
        {"cause": "EXEMPT", "exemptionCategory": "Waiver", "description": "Accepted"},
        "exempt: exempt, not fixed: Waiver, Accepted",
    ),
    ({"cause": "OffByPolicy", "description": "x"}, "status: NotApplicable"),
]


def test_an_exempted_finding_is_exempt_and_not_fixed() -> None:
    """What the message says of the exemption is the reason; of one that was deleted, that it is there no more."""
    book = a_rulebook(stream=Stream.CSPM)
    for kind, (status, reason) in product(("recommendation", "vulnerability"), EXEMPT):
        (finding,) = read_signals(row_of("h", kind, status={"code": "NotApplicable", **status}), Catalogue())
        assert isinstance(finding, Finding)
        decision = decide(finding, book, NOW)
        assert (decision.outcome, str(decision.reason)) == (Outcome.RESOLVED, reason)
        notice = notice_for(finding, Evidence(), decision, book, "k", 2)
        assert notice.closing == (reason.partition(": ")[2] if reason.startswith("exempt") else None)
    body = row_of("h", action="Delete", status={"code": "NotApplicable", "cause": "Exempt"})
    (finding,) = read_signals(body, Catalogue())
    assert isinstance(finding, Finding)
    assert str(decide(finding, book, NOW).reason) == "status: action Delete"


def test_tactics_come_from_the_message_and_revoked_techniques_are_succeeded() -> None:
    """An alert is mapped to ATT&CK whatever becomes of it."""
    alert = an_alert(Intent="Persistence, CredentialAccess", Techniques=["T1562.001"], Severity="Low")
    decision = decide(alert, a_rulebook(floor=Severity.HIGH), NOW)
    assert set(decision.tactics) >= {"TA0003", "TA0006"}
    assert decision.techniques == ("T1685",)


def test_compliance_of_an_overlapping_scope_is_noted_whatever_routes_ask_for() -> None:
    """What a wider scope says has been told by the narrower ones; nothing of it is lost, and nobody hears it twice."""
    asking = a_rulebook(stream=Stream.CSPM, routes=[a_route("audit", "tickets", kinds=["compliance"])])
    routed = {"Subscription": Outcome.ROUTED, "MultiCloudAggregation": Outcome.ROUTED, "ManagementGroup": Outcome.NOTED}
    for scope, outcome in routed.items():
        finding = read_finding(a_compliance_category(scope=scope))
        assert decide(finding, asking, NOW).outcome is outcome
        assert decide(finding, a_rulebook(stream=Stream.CSPM), NOW).outcome is Outcome.NOTED
