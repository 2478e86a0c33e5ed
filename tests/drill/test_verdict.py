"""What a drill has proved, what Azure is asked and what its answers mean, and which alerts are a drill's, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from copy import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.signal_life import DestinationLife, GroupLife, SignalLife
from router.coverage.drill.azure import MOST_PAGES, Defender, alerts_in
from router.coverage.drill.results import DestinationVerdict, DrillHop, DrillVerdict
from router.coverage.drill.running import expected_destinations
from router.coverage.drill.subjects import BUNDLES, DrillSubject, may_belong_to, sample_drill
from router.coverage.drill.verdict import (
    KEPT_FROM_SAMPLES,
    DrilledAlert,
    DrillEvidence,
    ExpectedDestination,
    ListedAlert,
    NotDone,
    drilled_alert,
    is_settled,
    judge_drill,
    judge_life,
)
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, DeliveryStatus, Pause, Receipt
from router.domain.errors import Unavailable
from router.domain.hubs import Arrival
from router.domain.notices import RecordEntry
from router.domain.rulebook import Clause, Lane
from router.domain.severity import Severity
from router.rulebook import load_catalogue
from router.store.ledger import Seen
from tests.builders import a_destination, a_route, a_rulebook
from tests.domain.lives import a_group_of, oncall, owed
from tests.drill.drilling import CLUSTER, SUBSCRIPTION
from tests.samples import SAMPLES
from tests.stack.defender import Sample, samples_of_bundle
from tests.store.builders import a_row, an_entry

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


TAKEN = DestinationVerdict("", "", PASSED, 1.0, "INC1", "a", "took it")
DEAD = DestinationVerdict("", "", FAILED, reason="given up on: 400")
HELD = DestinationVerdict("", "", NOT_PROVEN, reason="it is held by ana")


def an_alert(
    *,
    outcome: Outcome = Outcome.ROUTED,
    holder: str | None = None,
    rulebook: str = "a" * 64,
    **destinations: DestinationVerdict,
) -> DrilledAlert:
    """An alert of the drill that the hub had after 100 seconds, and that was decided after two more."""
    return DrilledAlert(
        id="a",
        enqueued=after(101),
        decided=after(103),
        outcome=outcome,
        reason="floor: High",
        rulebook=rulebook,
        holder=holder,
        destinations={name: replace(one, name=name) for name, one in destinations.items()},
    )


def evidence_of(*alerts: DrilledAlert, listed: str | None = None, **more: Any) -> DrillEvidence:
    """What is known of a drill that Defender took the order of after a second; each x in `listed` is a sample that is over."""
    names = {
        f"{number}": ListedAlert(f"{number}", "/", "t", "c", "T", is_sample=True, is_over=letter == "x")
        for number, letter in enumerate(listed or "")
    }
    fields = {"began": BEGAN, "raised": after(1), "alerts": alerts, "listed": None if listed is None else names}
    return DrillEvidence(**fields | more)  # type: ignore[arg-type]


@st.composite
def histories(draw: st.DrawFn) -> DrillEvidence:
    """Anything that may be known of a drill."""
    destinations = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([TAKEN, DEAD, HELD]))
    alerts = [
        an_alert(
            outcome=draw(st.sampled_from([Outcome.ROUTED, Outcome.SUPPRESSED])),
            holder=draw(WORDS),
            **draw(destinations),  # type: ignore[arg-type]
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    return evidence_of(
        *alerts,
        raised=draw(st.sampled_from([None, after(1)])),
        refused=draw(st.sampled_from([None, NotDone("words"), NotDone("words", 409)])),
        listed=draw(st.sampled_from([None, "", "ax"])),
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
    proved = {name for alert in evidence.alerts for name, one in alert.destinations.items() if one.verdict is PASSED}
    is_passed = bool(names) and names.keys() <= proved and evidence.refused is None
    assert (judged.verdict is PASSED) is is_passed
    assert {one.name for one in judged.destinations if one.verdict is PASSED} == names.keys() & proved
    assert (judged.failed_hop is None) is is_passed
    assert judged.reason
    assert all(one.reason and (one.seconds is not None) is (one.verdict is PASSED) for one in judged.destinations)
    assert all(hop.seconds is None or hop.seconds >= 0 for hop in judged.hops)


BELOW, HOLDER = an_alert(outcome=Outcome.BELOW_FLOOR), an_alert(outcome=Outcome.SUPPRESSED, holder="rule web")
OTHER_RULES = "by other rules (bbbbbbbbbbbb) than were read here (aaaaaaaaaaaa)"
QUIET = evidence_of(listed="", swept=after(590))
JUDGED: list[tuple[DrillEvidence, DrillVerdict, str, str]] = [
    (evidence_of(refused=NotDone("Azure answered 403", 403)), FAILED, "raised", "was raised: Azure answered 403"),
    (evidence_of(an_alert(oncall=TAKEN), refused=NotDone("No")), FAILED, "raised", "nothing was raised: No"),
    (evidence_of(refused=NotDone("busy", 409)), NOT_PROVEN, "raised", "busy"),
    (evidence_of(refused=NotDone("busy", 429)), NOT_PROVEN, "raised", "busy"),
    (QUIET, FAILED, "defender", "Defender lists no new sample after 600 s, 1.0 s"),
    (evidence_of(listed="", trouble="no answer"), FAILED, "defender", "after 600 s (no answer), 1.0 s before it"),
    (evidence_of(listed="xx"), NOT_PROVEN, "defender", "lists 2, and dismissed all: a suppression rule of its own"),
    (evidence_of(listed="xa", swept=after(590)), FAILED, "hub", "the export did not bring them to the hub; 1.0 s"),
    (evidence_of(listed="aa", swept=after(289)), FAILED, "hub", "has ended no sweep of the hub since 2026"),
    (evidence_of(), FAILED, "hub", "nothing came within 600 s; the router has ended no sweep of the hub ever"),
    (evidence_of(has_foreign=True), NOT_PROVEN, "hub", "it may be another's, 1.0 s before it"),
    (evidence_of(quarantined=("not_json",)), FAILED, "decided", "not understood: not_json, 1.0 s before it"),
    (evidence_of(unread="locked"), NOT_PROVEN, "decided", "could not be read, so what came is not known: locked"),
    (evidence_of(an_alert(), unread="locked"), NOT_PROVEN, "destination", "could not be read at the end: locked"),
    (evidence_of(BELOW), FAILED, "decided", "1 alert came, below the floor (floor: High), 103.0 s"),
    (evidence_of(HOLDER, BELOW), NOT_PROVEN, "destination", "oncall: rule web held what came, 103.0 s before it"),
    (evidence_of(an_alert(tickets=TAKEN)), NOT_PROVEN, "destination", "no route takes what came there"),
    (evidence_of(an_alert(oncall=HELD)), NOT_PROVEN, "destination", "oncall: it is held by ana, 103.0 s"),
    (evidence_of(an_alert(oncall=HELD), an_alert(oncall=DEAD)), FAILED, "destination", "oncall: given up on: 400"),
    (evidence_of(an_alert(oncall=TAKEN, rulebook="b" * 64)), NOT_PROVEN, "decided", OTHER_RULES),
]


def test_where_it_ended_is_named_with_the_seconds_before_it(subtests: pytest.Subtests) -> None:
    """What proves nothing is told apart from what failed."""
    for evidence, verdict, hop, words in JUDGED:
        with subtests.test(words):
            judged = judge_drill([an_expected("oncall")], evidence, after(600), "a" * 64)
            assert (judged.verdict, judged.failed_hop) == (verdict, hop)
            assert words in judged.reason


def test_each_hop_has_the_seconds_since_the_one_before_and_only_what_may_still_come_is_waited_for() -> None:
    """Of the alert that was in the hub first, at the latest when it was decided. What no sample reaches is not waited for."""
    first = an_alert(oncall=TAKEN)
    later = replace(first, enqueued=after(150), decided=after(160))
    judged = judge_drill([an_expected("oncall")], evidence_of(later, first), after(600))
    hops = [(DrillHop.RAISED, 1.0), (DrillHop.HUB, 100.0), (DrillHop.DECIDED, 2.0)]
    assert [(one.hop, one.seconds) for one in judged.hops] == hops
    assert judged.destinations == [replace(TAKEN, name="oncall", lane="page")]
    entry = an_entry(at=after(103).isoformat())
    came = (Seen(None, Arrival("hub/0", 7, after(seconds))) for seconds in (101, 110))
    found = [drilled_alert(SignalLife(key="k", stream="cwpp", row=a_row(seen=seen)), entry) for seen in came]
    assert [(one.enqueued, one.decided) for one in found] == [(after(101), after(103)), (after(103), after(103))]
    for evidence, takes_samples, settled in (
        (evidence_of(), False, False),
        (evidence_of(refused=NotDone("Azure answered 403")), True, True),
        (evidence_of(an_alert(tickets=TAKEN)), True, False),
        (evidence_of(an_alert(tickets=TAKEN)), False, True),
        (evidence_of(an_alert(tickets=TAKEN, oncall=TAKEN)), True, True),
    ):
        expected = [an_expected("oncall", takes_samples), an_expected("tickets")]
        judged = judge_drill(expected, evidence, after(200))
        assert is_settled(judged, expected) is settled
        assert takes_samples or KEPT_FROM_SAMPLES in {one.reason for one in judged.destinations}


SENT, OWED, GIVEN_UP, SKIPPED = DeliveryState.SENT, DeliveryState.OWED, DeliveryState.DEAD, DeliveryState.SKIPPED


def a_delivery(state: DeliveryState = SENT, **changes: object) -> DeliveryStatus:
    """A delivery; what was sent has a receipt."""
    taken = {"settled": after(104), "receipt": Receipt(reference="P1")}
    failed = {"settled": None, "error": None if state is SKIPPED else "503"}
    return owed(state, **(taken if state is SENT else failed) | changes)


def grouped(*deliveries: DeliveryStatus, **changes: object) -> GroupLife:
    """The group that the alert joined with its second turn."""
    return a_group_of(*deliveries, **{"joined": 2, "is_named": True} | changes)


COUNTED = "it was only told that there are more, and others were named"
LATE = "it did not take it in time"
PAUSE = Pause(stream="cwpp", destination="oncall", since=after(103), probe=after(103), error="401")
BEFORE = a_delivery(settled=after(102))
SINCE = a_delivery(turn=2)


LIVES: list[tuple[DestinationLife, DrillVerdict, str]] = [
    (oncall(), FAILED, LATE),
    (oncall(a_delivery()), PASSED, "P1"),
    (oncall(replace(a_delivery(), receipt=Receipt(link="https://x"))), PASSED, "https://x"),
    (oncall(replace(a_delivery(), settled=None)), FAILED, LATE),
    (oncall(a_delivery(OWED, settled=after(104))), FAILED, f"{LATE}: 503"),
    (oncall(a_delivery(OWED)), FAILED, f"{LATE}: 503"),
    (oncall(a_delivery(SKIPPED)), NOT_PROVEN, "a later notice took its place before it was sent"),
    (oncall(a_delivery(GIVEN_UP), held="held by ana"), FAILED, "given up on: 503"),
    (oncall(a_delivery(GIVEN_UP), a_delivery(turn=2)), PASSED, "P1"),
    (oncall(held="held by ana", unready="KEY: is not set"), NOT_PROVEN, "it is held by ana"),
    (oncall(pause=PAUSE, unready="KEY: is not set"), FAILED, "it cannot be asked: KEY: is not set"),
    (oncall(pause=PAUSE), FAILED, "it is paused since 2026-11-26T12:01:43Z: 401"),
    (oncall(group=grouped(a_delivery(OWED, turn=2))), FAILED, f"{LATE}: 503"),
    (oncall(group=grouped(BEFORE)), FAILED, LATE),
    (oncall(group=grouped(replace(BEFORE, turn=2))), FAILED, LATE),
    (oncall(group=grouped(BEFORE, SINCE)), PASSED, "P1"),
    (oncall(group=grouped(BEFORE, SINCE, is_summary=True)), NOT_PROVEN, COUNTED),
    (oncall(group=grouped(waits_for_room=True), held="held by ana"), NOT_PROVEN, COUNTED),
    (oncall(group=grouped(SINCE, is_named=False)), NOT_PROVEN, COUNTED),
    (oncall(a_delivery(), group=grouped(SINCE, is_named=False)), PASSED, "P1"),
    (oncall(a_delivery(), group=grouped(SINCE, is_summary=True)), PASSED, "P1"),
    (oncall(group=grouped(replace(SINCE, turn=1), SINCE)), PASSED, "P1"),
    (oncall(group=grouped(replace(SINCE, turn=1))), FAILED, LATE),
    (oncall(group=grouped(replace(SINCE, turn=1), joined=None)), PASSED, "P1"),
]


def test_only_a_notice_that_names_the_alert_is_a_proof(subtests: pytest.Subtests) -> None:
    """A notice of its group from before it joined is none, nor is a summary that counts it."""
    for one, verdict, reason in LIVES:
        with subtests.test(life=one):
            found = judge_life(one, "a", after(103))
            assert (found.verdict, found.receipt or found.reason) == (verdict, reason)
            assert (found.seconds, found.alert) == ((1.0, "a") if verdict is PASSED else (None, None))


def a_clause(matches: Callable[[Any], bool]) -> Clause:
    """A clause of a route."""
    return Clause("made up", "", lambda signal, _: matches(signal))


ROUTES = [
    a_route("page", "pages", when=[a_clause(lambda one: one.severity is Severity.HIGH and not one.sample)]),
    a_route("vaults", "vault", when=[a_clause(lambda one: one.plan == "KeyVaults")]),
    a_route("miners", "miners", when=[a_clause(lambda one: one.type.lower().startswith("simulated_vm_"))]),
]
"""They keep samples off the pager, and send key vaults elsewhere."""


def test_destinations_follow_from_the_plan_and_from_what_is_raised() -> None:
    """A route that keeps samples away is expected all the same: a real alert goes there. Each bundle has known types."""
    places = [a_destination(name) for name in ("pages", "vault", "miners", "tickets")]
    book = replace(a_rulebook(routes=ROUTES, destinations=places, always=()), catalogue=load_catalogue())
    machine = DrillSubject(plan="VirtualMachines", subscription=SUBSCRIPTION, machine="/subscriptions/x/vm")
    cases: list[tuple[DrillSubject, dict[str, bool]]] = [
        (sample_drill(SUBSCRIPTION, "VirtualMachines"), {"miners": True, "pages": False, "tickets": True}),
        (sample_drill(SUBSCRIPTION, "KeyVaults"), {"vault": True}),
        (DrillSubject(plan="Containers", cluster="aks-pay"), {"pages": True, "tickets": True}),
        (machine, {"pages": True, "tickets": True}),
    ]
    for subject, expected in cases:
        found = expected_destinations(book, subject, BEGAN)
        assert [(one.name, one.takes_samples) for one in found] == list(expected.items())
    everything = replace(book, routes=())
    for bundle in BUNDLES:
        (tickets,) = expected_destinations(everything, sample_drill(SUBSCRIPTION, bundle), BEGAN)
        assert tickets.name == "tickets", bundle


BASE = "https://management.azure.com"
ALERTS = SAMPLES / "azure-rest-api-specs" / "stable" / "2022-01-01" / "examples" / "Alerts"
DRILL = sample_drill(SUBSCRIPTION, "VirtualMachines")
SECURITY = f"{BASE}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security"
LOCATION = {"value": [{"name": "centralus"}]}

type Answer = tuple[int, object] | Unavailable


def ask[T](
    question: Callable[[Defender], Awaitable[T]], *answers: Answer, place: object = LOCATION
) -> tuple[T | NotDone, list[HttpRequest]]:
    """Return what comes of a question with these answers, and what was asked after the place; every answer must be wanted."""
    asked, left = list[HttpRequest](), [(200, place), (200, {"value": []}), *answers]

    async def send(request: HttpRequest) -> HttpAnswer:
        asked.append(request)
        answer = left.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return HttpAnswer(status=answer[0], headers={}, body=json.dumps(answer[1]).encode())

    async def run() -> T | NotDone:
        defender = Defender(BASE, SUBSCRIPTION, send)
        try:
            await defender.list_alerts()
            return await question(defender)
        except NotDone as fault:
            return fault

    found = asyncio.run(run())
    assert left == [] or place is not LOCATION
    return found, asked[2:]


def test_samples_are_ordered_where_defender_keeps_the_subscriptions_data_and_no_other_host_is_asked() -> None:
    """The order names the bundle. A token would go where an answer points to."""
    found, (asked,) = ask(lambda defender: defender.raise_samples("KeyVaults"), (202, None))
    assert found is None
    url = f"{SECURITY}/locations/centralus/alerts/default/simulate?api-version=2022-01-01"
    assert (asked.method, asked.url) == ("POST", url)
    assert json.loads(asked.body) == {"properties": {"kind": "Bundles", "bundles": ["KeyVaults"]}}
    for next in ("https://elsewhere.example/7", "http://management.azure.com/7", "https://[x/7"):
        listed, all_asked = ask(Defender.list_alerts, (200, {"value": [], "nextLink": next}))
        assert isinstance(listed, NotDone)
        assert len(all_asked) == 1


def test_a_list_is_read_page_by_page_to_its_end() -> None:
    """What is no alert is left out; one without an end is not whole. A subscription of which Defender keeps nothing is said."""
    alert = {"id": "/subscriptions/x/alerts/1", "name": "1", "properties": {"alertDisplayName": "[SAMPLE ALERT] x"}}
    more = {"nextLink": f"{SECURITY}/alerts?page=2"}
    last = {"value": [7, alert | {"name": "2"}, alert | {"id": "x"}]}
    found, asked = ask(Defender.list_alerts, (200, {"value": [alert]} | more), (200, last))
    assert not isinstance(found, NotDone)
    assert ([one.name for one in found], len(asked)) == (["1", "2"], 2)
    found, _ = ask(Defender.list_alerts, *[(200, {"value": []} | more)] * MOST_PAGES)
    assert isinstance(found, NotDone)
    assert found.why == f"Defender's list of alerts: has more than {MOST_PAGES} pages"
    places: list[object] = [None, [], {"value": "x"}, {"value": []}, {"value": [{"name": []}]}]
    assert all(isinstance(ask(Defender.list_alerts, place=place)[0], NotDone) for place in places)


def test_what_is_refused_says_why_in_one_line() -> None:
    """With Azure's own words; nothing is certain if Azure has trouble of its own. A sample's group may not be there."""
    refusal = {"error": {"code": "AuthorizationFailed", "message": "no\nright"}}
    answers: list[tuple[Answer, str, bool]] = [
        ((403, refusal), "403 (AuthorizationFailed: no right); the drill needs a role", True),
        ((429, None), "Azure answered 429", True),
        ((500, ["garbage"]), "Azure answered 500", False),
        (Unavailable("no answer within 30 s"), "simulate: no answer within 30 s", False),
    ]
    for answer, words, is_certain in answers:
        found, _ = ask(lambda defender: defender.raise_samples("DNS"), answer)
        assert isinstance(found, NotDone)
        assert words in found.why
        assert ("\n" in found.why, found.is_certain) == (False, is_certain)
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Sample-RG/providers/Microsoft.Security/locations/we/alerts/9"
    alert = ListedAlert("9_a", path, "t", "VirtualMachines", "T", is_sample=True, is_over=False)
    refused, asked = ask(lambda defender: defender.dismiss([alert]), (404, None), (204, None))
    assert refused == []
    assert [one.url.partition("?")[0] for one in asked] == [
        f"{BASE}{path.removesuffix('9')}9_a/dismiss",
        f"{SECURITY}/locations/centralus/alerts/9_a/dismiss",
    ]
    dismissals: list[list[Answer]] = [[(404, None), (403, None)], [(403, None)]]
    for several in dismissals:
        refused, _ = ask(lambda defender: defender.dismiss([alert]), *several)
        assert not isinstance(refused, NotDone)
        assert "dismiss 9_a: Azure answered 403" in refused[0]
        assert "Security Admin" in refused[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda some: st.lists(some, max_size=3)
)


@given(JSON)
def test_any_answer_is_read_without_an_error(page: object) -> None:
    """What is no alert is left out."""
    assert list(alerts_in({"value": page})) == []
    assert list(alerts_in({"value": [{"id": page, "name": page, "properties": page}]})) == []
    assert list(alerts_in({"value": [{"id": "/a", "properties": {"resourceIdentifiers": page}}]})) == []


VM = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/Sample-RG/providers/x/y/Sample-VM"
MADE_UP = {"type": "SIMULATED_VM_X", "id": "A-1", "plan": "VirtualMachines", "sample": True, "resource": VM}
a_sample_entry = partial(an_entry, "cwpp:0:1:7", **MADE_UP)
"""The decision on a sample of the drill."""


def of_cluster(resource: str = CLUSTER, **more: object) -> RecordEntry:
    """The decision on a real alert of a cluster."""
    return a_sample_entry(**{"sample": False, "plan": "Containers", "resource": resource, **more})


ZEROS = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/Sample-RG/providers/x/y/Sample-VM"
A_CLUSTER = DrillSubject(plan="Containers", cluster="aks-pay")
ITS_ID = DrillSubject(plan="Containers", subscription=SUBSCRIPTION, cluster=CLUSTER)


MACHINE = replace(DRILL, bundle=None, machine="/A/VM/")
OWN: list[tuple[DrillSubject, RecordEntry, bool]] = [
    (DRILL, a_sample_entry(), True),
    (DRILL, a_sample_entry(sample=False), False),
    (DRILL, a_sample_entry(plan="KeyVaults"), False),
    (DRILL, a_sample_entry(resource="/subscriptions/another/resourceGroups/rg"), False),
    (DRILL, a_sample_entry(resource=ZEROS), True),
    (A_CLUSTER, of_cluster(), True),
    (A_CLUSTER, of_cluster(CLUSTER.upper(), plan=None, type="K8S_X"), True),
    (A_CLUSTER, of_cluster(f"{CLUSTER}-2"), False),
    (A_CLUSTER, of_cluster(sample=True), False),
    (A_CLUSTER, of_cluster(plan="VirtualMachines"), False),
    (ITS_ID, of_cluster(CLUSTER.upper()), True),
    (ITS_ID, of_cluster(f"{CLUSTER}/x"), False),
    (replace(A_CLUSTER, cluster="rg"), of_cluster(), False),
    (replace(A_CLUSTER, cluster="providers"), of_cluster(), False),
    (replace(A_CLUSTER, subscription=SUBSCRIPTION), of_cluster(), True),
    (replace(A_CLUSTER, subscription="5b0c5a3e-8d6a-4a53-9f3c-1d2b7a2c0e11"), of_cluster(), False),
    (A_CLUSTER, of_cluster("arn:aws:eks:eu-west-1:123456789012:cluster/aks-pay"), True),
    (MACHINE, of_cluster("/a/vm"), True),
    (MACHINE, of_cluster("/a/vm2"), False),
]


def test_an_alert_that_fits_may_be_the_drills() -> None:
    """By its plan and resource, if a hub brought it; a sample without a subscription is one of any.

    A sample that Defender lists is the drill's whatever else it says.
    """
    for subject, entry, is_own in OWN:
        assert may_belong_to(entry, subject) is is_own, (subject, entry)
        assert may_belong_to(replace(entry, key=f"{'a' * 64}:3"), subject, {"a-1"}) is False
    assert may_belong_to(a_sample_entry(plan=None, resource=None), DRILL, {"a-1"})
    assert not may_belong_to(a_sample_entry(sample=False), DRILL, {"a-1"})


def a_sample() -> Sample:
    """A sample of the double."""
    return samples_of_bundle("VirtualMachines", SUBSCRIPTION, datetime.now(UTC))[0]


def kinds_of(body: Mapping[str, Any]) -> dict[str, type]:
    """The names in an object, with the types of what they name; nothing of what is null."""
    return {name: type(value) for name, value in body.items() if value is not None}


@pytest.mark.shared
def test_what_the_double_lists_has_the_shape_of_microsofts_example() -> None:
    """Every name and every type of it stands there, too."""
    (file,) = ALERTS.glob("GetAlertSubscriptionLocation*.json")
    body = json.loads(file.read_text())["responses"]["200"]["body"]
    ours = a_sample().listed("Active")
    properties: Any = ours["properties"]
    assert kinds_of(ours).items() <= kinds_of(body).items()
    assert kinds_of(properties).items() <= kinds_of(body["properties"]).items()
    assert properties["status"] == body["properties"]["status"]
