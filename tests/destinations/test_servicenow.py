"""ServiceNow: one ticket for each signal, whatever people and instances do to it; and what events of its say."""

from copy import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from router.destinations.servicenow import SECURITY_INCIDENT
from router.destinations.servicenow_events import INFO_LIMIT, additional_info_of
from router.domain.conversation import Ask, HttpRequest, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.posture import Package
from tests.destinations import goldens
from tests.destinations.builders import NOW, a_destination, a_finding, a_huge_notice, a_notice, an_attempt
from tests.destinations.conversations import Answer, converse, in_turn, payload_of, replied
from tests.destinations.goldens import CASES, asks_of

SYS_ID = "9d385017c611228701d22104cc95c371"
OPENING = Receipt(reference="INC0010001", handles={"sys_id": SYS_ID})
NONE = replied(200, {"result": []})
NO_RECORD = replied(404, {"error": {"message": "No Record found", "detail": None}, "status": "failure"})


def a_record(**columns: str) -> dict[str, str]:
    """A ticket as the Table API shows it."""
    return {
        "sys_id": SYS_ID, "number": "INC0010001", "active": "true", "state": "1", "correlation_id": a_notice().key,
    } | columns  # fmt: skip


def found(**columns: str) -> Answer:
    """A look-up's answer of one ticket."""
    return replied(200, {"result": [a_record(**columns)]})


def shown(status: int = 200, **columns: str) -> Answer:
    """One ticket, as read or written."""
    return replied(status, {"result": a_record(**columns)})


def steps(attempt: Attempt, *answers: Answer, **config: Any) -> tuple[list[str], Result, dict[str, Any]]:
    """The methods asked for, the result, and the columns that were written last."""
    asks, results = converse(a_destination("servicenow", **config), [attempt], in_turn(*answers))
    written = [ask.body for ask in asks if isinstance(ask, HttpRequest) and ask.body]
    return [_step(ask) for ask in asks], results[0], orjson.loads(written[-1]) if written else {}


def _step(ask: Ask) -> str:
    assert isinstance(ask, HttpRequest)
    path = urlsplit(ask.url).path
    return f"{ask.method} record" if path.count("/") == 5 else f"{ask.method} table"


def opened(**notice: Any) -> Attempt:
    """An opening."""
    return an_attempt(a_notice(**notice), secrets=["SERVICENOW_PASSWORD"])


def later(change: Change, opening: Receipt | None = OPENING, **notice: Any) -> Attempt:
    """What comes after an opening."""
    return an_attempt(a_notice(turn=2, **notice), change, secrets=["SERVICENOW_PASSWORD"], opening=opening)


def query_of(**config: Any) -> str:
    """The condition of the look-up that an opening makes."""
    asks, _ = converse(a_destination("servicenow", **config), [opened()], in_turn(NONE, shown(201)))
    assert isinstance(asks[0], HttpRequest)
    return parse_qs(urlsplit(asks[0].url).query)["sysparm_query"][0]


CLOSED = shown(active="false", state="7")
MADE, NOTHING, NO_NOTE = "INC0010001", "no open ticket, nothing to resolve", "no open ticket, nothing to note"
UPDATED, RESOLVED = later(Change.UPDATED), later(Change.RESOLVED)
A_NOTE = replace(UPDATED, is_note=True)
FLOWS: dict[str, tuple[Attempt, list[Answer], str, object]] = {
    "an opening finds the ticket of an attempt whose answer was lost": (opened(), [found()], "GET table", MADE),
    "a look-up that ignores its condition finds somebody else's": (
        opened(), [found(correlation_id="another")], "GET table", Unauthorized,
    ),
    "a page for people, of an instance that sleeps, is no ticket": (opened(), [replied(200)], "GET table", Unavailable),
    "a success around an error is none": (
        opened(), [replied(200, {"error": {"message": "No"}, "status": "failure"})], "GET table", Rejected,
    ),
    "a success around a transaction that was cancelled is tried again": (
        opened(), [replied(200, {"error": {"message": "Transaction cancelled: maximum execution time exceeded"}})],
        "GET table", Unavailable,
    ),
    "an update is a work note": (UPDATED, [shown(), shown()], "GET record, PATCH record", MADE),
    "an update opens one where the ticket is gone": (
        UPDATED, [NO_RECORD, NONE, shown(201)], "GET record, GET table, POST table", MADE,
    ),
    "an update opens one where people closed the ticket": (
        UPDATED, [CLOSED, NONE, shown(201)], "GET record, GET table, POST table", MADE,
    ),
    "an update without a past finds the ticket": (
        later(Change.UPDATED, None), [found(), shown()], "GET table, PATCH record", MADE,
    ),
    "a status is a work note": (A_NOTE, [shown(), shown()], "GET record, PATCH record", MADE),
    "a status opens none where people closed the ticket": (A_NOTE, [CLOSED, NONE], "GET record, GET table", NO_NOTE),
    "a status is told to a later ticket": (
        A_NOTE, [CLOSED, found(), shown()], "GET record, GET table, PATCH record", MADE,
    ),
    "a status opens none where the ticket is gone": (A_NOTE, [NO_RECORD, NONE], "GET record, GET table", NO_NOTE),
    "a resolution resolves no ticket that is resolved": (
        RESOLVED, [shown(state="6")], "GET record", MADE,
    ),
    "a resolution resolves no ticket that is closed": (RESOLVED, [CLOSED, NONE], "GET record, GET table", NOTHING),
    "a resolution without a ticket is done": (later(Change.RESOLVED, None), [NONE], "GET table", NOTHING),
}  # fmt: skip
"""An attempt, what is answered, what is asked, and what comes of it: a reference or an error."""


def test_there_is_one_ticket_whatever_people_and_instances_do(subtests: pytest.Subtests) -> None:
    """None is made twice or touched that is another's, and what people closed stays closed."""
    for name, (attempt, answers, asked, expected) in FLOWS.items():
        with subtests.test(name):
            told, result, _ = steps(attempt, *answers)
            assert ", ".join(told) == asked
            assert (result.reference if isinstance(result, Receipt) else type(result)) == expected


def test_the_look_up_leaves_out_what_is_resolved_or_closed() -> None:
    """A signal that comes back gets a new ticket, since a resolved one is still active in the base system.

    A security incident is closed as its application closes it; what the policy says comes first.
    """
    for config, state, code in (
        ({}, "6", "Solution provided"),
        ({"resolve": {"state": "3", "close_code": "Closed"}}, "3", "Closed"),
        ({"table": SECURITY_INCIDENT}, "3", "Threat mitigated"),
        ({"table": SECURITY_INCIDENT, "resolve": {"close_code": "False positive"}}, "3", "False positive"),
        ({"table": SECURITY_INCIDENT, "resolve": {"state": "100"}}, "100", "Threat mitigated"),
    ):
        key = a_notice().key
        assert query_of(**config) == f"correlation_id={key}^active=true^state!={state}^ORDERBYsys_created_on"
        asked, _, columns = steps(RESOLVED, shown(state="16"), shown(state=state), **config)
        assert asked == ["GET record", "PATCH record"]
        assert (columns["state"], columns["close_code"]) == (state, code)
        assert columns["close_notes"]


def test_when_people_should_have_answered_is_when_the_ticket_is_due() -> None:
    """As the column takes it, in UTC; where nothing says how soon, the instance's own rules decide."""
    for by, due in (
        ("2026-11-24T12:30:30Z", "2026-11-24 12:30:30"),
        ("2026-11-24T12:30:30.123456Z", "2026-11-24 12:30:30"),
        (None, None),
    ):
        assert steps(opened(respond_by=by), NONE, shown(201))[2].get("due_date") == due


def test_what_is_not_seen_any_more_is_not_said_to_be_over() -> None:
    """The notes say since when and what it was, whatever the policy says of what is over."""
    closing = "not seen since 2026-11-03, two snapshots came without it"
    gone = later(Change.RESOLVED, closing=closing, package=Package(name="lodash"))
    _, _, columns = steps(gone, shown(), shown(state="6"), resolve={"close_notes": "Fixed."})
    assert columns["close_notes"].splitlines() == [
        "Not seen since 2026-11-03, two snapshots came without it.",
        "High: Suspicious sign-in to a virtual machine - vm-pay-01",
        f"Resource: {a_notice().resource}",
        "Package: lodash",
        f"Id: {a_notice().id}",
    ]


def test_a_security_incident_has_a_priority() -> None:
    """It is sent there, where `fields` may replace it; an incident's is left to its instance."""
    attempt, answers = opened(), (NONE, shown(201))
    assert steps(attempt, *answers, table=SECURITY_INCIDENT, fields={"priority": "9"})[2]["priority"] == "9"
    assert "priority" not in steps(attempt, *answers)[2]


def test_what_is_no_name_of_a_ticket_is_not_kept() -> None:
    """A receipt is shown to people, and an instance may put anything into a column."""
    _, result, _ = steps(opened(), NONE, shown(201, number="INC1 " + "x" * 60_000, sys_id=SYS_ID))
    assert isinstance(result, Receipt)
    assert (result.reference, dict(result.handles)) == (None, {"sys_id": SYS_ID})


def test_what_owners_yaml_says_costs_nobody_the_ticket() -> None:
    """A rule of the instance that does not take the team's group takes the ticket without it; the ticket says so."""
    said = {"error": {"message": "Operation aborted by Business Rule 'Known groups'"}, "status": "failure"}
    fields = {"assignment_group": "{owner.group}", "category": "security"}
    told, result, last = steps(opened(), replied(200, {"result": []}), replied(403, said), shown(201), fields=fields)
    assert [one.split()[0] for one in told] == ["GET", "POST", "POST"]
    assert isinstance(result, Receipt)
    assert (last["category"], "assignment_group" in last) == ("security", False)
    assert last["description"].startswith("ServiceNow refused this with assignment_group; check owners.yaml.")
    _, result, _ = steps(opened(), replied(200, {"result": []}), replied(403, said), fields={"category": "security"})
    assert isinstance(result, Rejected)


def test_a_data_policy_is_about_one_ticket() -> None:
    """A 403 from a data policy fails one delivery; it does not pause the destination, and shows that we are let in."""
    said = {
        "message": "Operation Failed",
        "detail": "Data Policy Exception: The following fields are mandatory: Caller",
    }
    _, result, _ = steps(opened(), NONE, replied(403, {"error": said, "status": "failure"}))
    assert isinstance(result, Rejected)
    assert "mandatory: Caller" in str(result)
    assert (result.authenticated, result.status) == (True, 403)
    words = "Authentication is mandatory"
    for body in ({"message": words}, {"error": {"message": words}}, {"error": words, "status": "failure"}):
        _, proxys, _ = steps(opened(), NONE, replied(403, body))
        assert isinstance(proxys, Rejected) and not proxys.authenticated, body


def test_a_sys_id_cannot_leave_the_table() -> None:
    """Whatever a receipt holds stays one step of the path."""
    opening = Receipt(handles={"sys_id": "../../evil?x=1#"})
    asks, _ = converse(a_destination("servicenow"), [later(Change.RESOLVED, opening)], in_turn(NO_RECORD, NONE))
    assert isinstance(asks[0], HttpRequest)
    assert urlsplit(asks[0].url).path == "/api/now/table/incident/..%2F..%2Fevil%3Fx%3D1%23"


def test_fields_are_filled_in() -> None:
    """Columns of the customer's own are filled from the notice; one that comes out empty is left out."""
    fields = {"u_what": "{severity} {tactics}: {place}", "assignment_group": "{owner.group}", "impact": "3"}
    _, _, columns = steps(opened(owner=None), NONE, shown(201), fields=fields)
    assert columns["u_what"] == "High Credential Access: vm-pay-01"
    assert "assignment_group" not in columns
    assert columns["impact"] == "3"


CHANGES = {case.change: case for case in CASES[:3]}


def event_of(notice: Notice | None = None, change: Change = Change.OPENED, **config: Any) -> dict[str, str]:
    """The event that a notice is sent as."""
    (ask,) = asks_of("servicenow_events", notice or a_notice(), CHANGES[change], **config)
    (event,) = orjson.loads(payload_of(ask))["records"]
    return dict(event)


def test_a_mere_status_is_no_event() -> None:
    """Nothing says whether people closed the alert, and an event would open it again."""
    asks, results = converse(a_destination("servicenow_events"), [A_NOTE], in_turn())
    assert (asks, results) == ([], [Receipt(reference="only the status changed, no event")])


def test_what_ended_untold_is_an_event_and_its_clear() -> None:
    """A clear of what was never raised makes no alert."""
    attempt = replace(RESOLVED, is_untold=True, since=NOW)
    (ask,), _ = converse(a_destination("servicenow_events"), [attempt], goldens.replay("servicenow_events", "resolved"))
    raised, cleared = orjson.loads(payload_of(ask))["records"]
    assert (raised["severity"], {**raised, "severity": "0"}) == ("2", cleared)
    assert "before this could be told" in cleared["description"]


def test_an_event_says_what_is_known() -> None:
    """The source is what the policy says; the time is when the state held, else when it began, else when it is sent, in GMT."""
    assert event_of(source="Defender")["source"] == "Defender"
    event = event_of(a_finding(resource=None, compromised_entity=None, subscription=None))
    assert ("resource" in event, event["event_class"]) == (False, "cspm")
    times: dict[str, dict[str, Any]] = {
        "2026-11-24 12:00:00": {"changed": "2026-11-24T13:00:00.5+01:00"},
        "2026-11-24 11:58:00": {"changed": None},
        "2026-11-24 12:00:30": {"changed": None, "started": None},
    }
    assert [event_of(a_notice(**notice))["time_of_event"] for notice in times.values()] == list(times)


def test_additional_information_holds_texts_and_names_what_has_no_room() -> None:
    """The ids are whole."""
    info = orjson.loads(additional_info_of(a_notice(sample=True)))
    assert all(isinstance(value, str) for value in info.values())
    assert info["sample"] == "true"
    info = orjson.loads(event_of(a_huge_notice())["additional_info"])
    assert (info["defender_id"], info["resource_id"]) == (a_notice().id, a_notice().resource)
    assert info["hosts"].endswith("[cut]")
    names = ("id", "resource", "plan", "severity_written", "reason", "status")
    text = additional_info_of(a_huge_notice(**dict.fromkeys(names, "\x01" * 1000)))
    assert len(text) <= INFO_LIMIT
    assert {"resource_id", "plan", "reason"} <= set(orjson.loads(text)["cut"].split(", "))
