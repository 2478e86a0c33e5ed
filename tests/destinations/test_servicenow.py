"""ServiceNow: one ticket for each signal, whatever people and instances do to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from pydantic import ValidationError

from router.destinations.servicenow import SECURITY_INCIDENT, SHORT_LIMIT, TEXT_LIMIT, ServiceNowConfig
from router.domain.conversation import Ask, HttpRequest, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.domain.posture import Package
from tests.destinations.builders import a_destination, a_huge_notice, a_notice, an_attempt
from tests.destinations.conversations import Answer, converse, in_turn, replied

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


def opened(notice: Notice | None = None) -> Attempt:
    """An opening."""
    return an_attempt(notice, secrets=["SERVICENOW_PASSWORD"])


def later(change: Change, opening: Receipt | None = OPENING) -> Attempt:
    """What comes after an opening."""
    return an_attempt(a_notice(turn=2), change, secrets=["SERVICENOW_PASSWORD"], opening=opening)


def test_an_opening_that_finds_its_ticket_is_delivered() -> None:
    """A ticket made by an attempt whose answer was lost is found again, and no second one is made."""
    asked, result, _ = steps(opened(), found())
    assert asked == ["GET table"]
    assert isinstance(result, Receipt)
    assert result.handles == {"sys_id": SYS_ID}


@pytest.mark.parametrize(
    ("by", "due"),
    [
        ("2026-11-24T12:30:30Z", "2026-11-24 12:30:30"),
        ("2026-11-24T12:30:30.123456Z", "2026-11-24 12:30:30"),
        (None, None),
    ],
)
def test_when_people_should_have_answered_is_when_the_ticket_is_due(by: str | None, due: str | None) -> None:
    """As the column takes it, in UTC; where nothing says how soon, the instance's own rules decide."""
    _, _, columns = steps(opened(a_notice(respond_by=by)), NONE, shown(201))
    assert columns.get("due_date") == due


def test_the_look_up_leaves_out_what_is_resolved_or_closed() -> None:
    """A signal that comes back gets a new ticket, since a resolved one is still active in the base system."""
    asks, _ = converse(a_destination("servicenow"), [opened()], in_turn(NONE, shown(201)))
    assert isinstance(asks[0], HttpRequest)
    query = parse_qs(urlsplit(asks[0].url).query)["sysparm_query"][0]
    assert query == f"correlation_id={a_notice().key}^active=true^state!=6^ORDERBYsys_created_on"


def test_a_look_up_that_ignores_its_condition_finds_nobody_elses_ticket() -> None:
    """An instance without the column answers with any ticket; the router touches none and says what to mend."""
    asked, result, _ = steps(opened(), found(correlation_id="somebody else's"))
    assert asked == ["GET table"]
    assert isinstance(result, Unauthorized)
    assert "correlation_id" in str(result)


def test_an_update_is_a_work_note() -> None:
    """An update goes to the ticket that the opening made."""
    asked, result, columns = steps(later(Change.UPDATED), shown(), shown())
    assert asked == ["GET record", "PATCH record"]
    assert list(columns) == ["work_notes"]
    assert isinstance(result, Receipt)


def test_an_update_of_a_ticket_that_is_gone_opens_one() -> None:
    """Where the ticket was deleted, it is looked up, then opened anew."""
    asked, _, columns = steps(later(Change.UPDATED), NO_RECORD, NONE, shown(201))
    assert asked == ["GET record", "GET table", "POST table"]
    assert columns["correlation_id"] == a_notice().key


def test_an_update_of_a_ticket_that_people_closed_opens_one() -> None:
    """A closed ticket is left alone; that the signal changed is told in a new one."""
    asked, _, _ = steps(later(Change.UPDATED), shown(active="false", state="7"), NONE, shown(201))
    assert asked == ["GET record", "GET table", "POST table"]


@pytest.mark.parametrize(
    ("answers", "last"),
    [
        ([shown(), shown()], "PATCH record"),
        ([shown(active="false", state="7"), NONE], "GET table"),
        ([shown(active="false", state="7"), found(), shown()], "PATCH record"),
        ([NO_RECORD, NONE], "GET table"),
    ],
)
def test_a_status_is_a_work_note_where_a_ticket_is_open_and_opens_none(answers: list[Answer], last: str) -> None:
    """What people closed stays closed."""
    asked, result, _ = steps(replace(later(Change.UPDATED), is_note=True), *answers)
    assert asked[-1] == last
    assert isinstance(result, Receipt)
    assert (result.reference == "no open ticket, nothing to note") is (last == "GET table")


def test_an_update_without_a_past_finds_the_ticket() -> None:
    """An update whose opening left no receipt goes to the ticket that is found by key."""
    asked, _, _ = steps(later(Change.UPDATED, None), found(), shown())
    assert asked == ["GET table", "PATCH record"]


def test_a_resolution_says_how() -> None:
    """A ticket is resolved with the state, code and notes of the config."""
    resolve = {"state": "3", "close_code": "Closed/Resolved by caller"}
    asked, _, columns = steps(later(Change.RESOLVED), shown(), shown(state="3"), resolve=resolve)
    assert asked == ["GET record", "PATCH record"]
    assert columns["state"] == "3"
    assert columns["close_code"] == "Closed/Resolved by caller"
    assert columns["close_notes"]


def test_what_is_not_seen_any_more_is_not_said_to_be_over() -> None:
    """The notes say since when and what it was, whatever the policy says of what is over."""
    notice = a_notice(
        closing="not seen since 2026-11-03, two snapshots came without it", package=Package(name="lodash")
    )
    gone = replace(later(Change.RESOLVED), delivery=replace(later(Change.RESOLVED).delivery, content=notice))
    _, _, columns = steps(gone, shown(), shown(state="6"), resolve={"close_notes": "Fixed."})
    assert columns["close_notes"].splitlines() == [
        "Not seen since 2026-11-03, two snapshots came without it.",
        "High: Suspicious sign-in to a virtual machine - vm-pay-01",
        f"Resource: {notice.resource}",
        "Package: lodash",
        f"Id: {notice.id}",
    ]


@pytest.mark.parametrize(
    ("resolve", "code", "state"),
    [
        ({}, "Threat mitigated", "3"),
        ({"resolve": {"close_code": "False positive"}}, "False positive", "3"),
        ({"resolve": {"state": "100"}}, "Threat mitigated", "100"),
    ],
)
def test_a_security_incident_is_closed_as_its_application_closes_it(
    resolve: dict[str, Any], code: str, state: str
) -> None:
    """Its states and codes are others than an incident's; what the policy says comes first."""
    record = shown(state="16")
    _, _, columns = steps(later(Change.RESOLVED), record, record, table=SECURITY_INCIDENT, **resolve)
    assert (columns["state"], columns["close_code"]) == (state, code)
    assert columns["close_notes"]
    asks, _ = converse(
        a_destination("servicenow", table=SECURITY_INCIDENT, **resolve), [opened()], in_turn(NONE, shown(201))
    )
    assert isinstance(asks[0], HttpRequest)
    query = parse_qs(urlsplit(asks[0].url).query)["sysparm_query"][0]
    assert query == f"correlation_id={a_notice().key}^active=true^state!={state}^ORDERBYsys_created_on"


@pytest.mark.parametrize("resolve", ["6", ["6"], {"secret": "X"}])
def test_a_resolution_with_a_mistake_is_a_problem_in_every_table(resolve: object) -> None:
    """What a table has of its own hides no mistake."""
    example = ServiceNowConfig.model_json_schema()["examples"][0]
    for table in ("incident", SECURITY_INCIDENT):
        with pytest.raises(ValidationError, match="resolve"):
            ServiceNowConfig.model_validate(example | {"table": table, "resolve": resolve})


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("Critical", "1"), ("High", "2"), ("Medium", "3"), ("Low", "4"), ("Informational", "5"), (None, "1")],
)
def test_a_security_incident_has_a_priority(severity: str | None, expected: str) -> None:
    """It is sent there, where `fields` may replace it; an incident's is left to its instance."""
    notice = a_notice(severity=severity)
    _, _, columns = steps(opened(notice), NONE, shown(201), table=SECURITY_INCIDENT)
    assert columns["priority"] == expected
    _, _, columns = steps(opened(notice), NONE, shown(201), table=SECURITY_INCIDENT, fields={"priority": "9"})
    assert columns["priority"] == "9"
    _, _, columns = steps(opened(notice), NONE, shown(201))
    assert "priority" not in columns


@pytest.mark.parametrize(("active", "state"), [("true", "6"), ("false", "7")])
def test_a_ticket_that_is_over_is_not_resolved_again(active: str, state: str) -> None:
    """What people resolved or closed stays as they left it."""
    asked, result, _ = steps(later(Change.RESOLVED), shown(active=active, state=state), NONE)
    assert "PATCH record" not in asked
    assert isinstance(result, Receipt)


def test_a_resolution_without_a_ticket_is_a_receipt_that_says_so() -> None:
    """Where there is nothing to resolve, the delivery is done, and its receipt tells why."""
    _, result, _ = steps(later(Change.RESOLVED, None), NONE)
    assert result == Receipt(reference="no open ticket, nothing to resolve")


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
    assert result.authenticated
    _, proxys, _ = steps(opened(), NONE, replied(403, {"message": "Authentication is mandatory"}))
    assert not getattr(proxys, "authenticated", False)


@pytest.mark.parametrize(
    ("message", "expected"), [("Transaction cancelled: maximum execution time exceeded", Unavailable), ("No", Rejected)]
)
def test_a_success_around_an_error_is_none(message: str, expected: type) -> None:
    """A 200 that carries an error is not taken for a ticket."""
    _, result, _ = steps(opened(), replied(200, {"error": {"message": message}, "status": "failure"}))
    assert type(result) is expected


def test_a_page_for_people_is_no_ticket() -> None:
    """An instance that sleeps answers 200 with HTML; the delivery waits."""
    answer = replied(200)
    _, result, _ = steps(opened(), answer)
    assert isinstance(result, Unavailable)


def test_an_opening_fits_its_columns() -> None:
    """Short description and description keep to their columns' lengths, with a mark."""
    _, _, columns = steps(opened(a_huge_notice()), NONE, shown(201))
    assert len(columns["short_description"]) == SHORT_LIMIT
    assert columns["short_description"].endswith("[cut] - vm-pay-01")
    assert len(columns["description"]) <= TEXT_LIMIT
    assert "[cut]" in columns["description"]


def test_a_sys_id_cannot_leave_the_table() -> None:
    """Whatever a receipt holds stays one step of the path."""
    opening = Receipt(handles={"sys_id": "../../evil?x=1#"})
    asks, _ = converse(a_destination("servicenow"), [later(Change.RESOLVED, opening)], in_turn(NO_RECORD, NONE))
    assert isinstance(asks[0], HttpRequest)
    assert urlsplit(asks[0].url).path == "/api/now/table/incident/..%2F..%2Fevil%3Fx%3D1%23"


def test_fields_are_filled_in() -> None:
    """Columns of the customer's own are filled from the notice; one that comes out empty is left out."""
    fields = {"u_what": "{severity} {tactics}: {place}", "assignment_group": "{owner.group}", "impact": "3"}
    _, _, columns = steps(opened(a_notice(owner=None)), NONE, shown(201), fields=fields)
    assert columns["u_what"] == "High Credential Access: vm-pay-01"
    assert "assignment_group" not in columns
    assert columns["impact"] == "3"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"u_x": "{owner.salary}"}, "u_x: {owner.salary} is no placeholder"),
        ({"u_x": "{severity"}, "a brace stands alone"),
        ({"correlation_id": "1"}, "the router needs this column"),
        ({"U X": "1"}, "match pattern"),
    ],
)
def test_fields_with_a_mistake_are_a_problem(fields: dict[str, str], problem: str) -> None:
    """A placeholder that is not known, or a column that is not the customer's, is found when the policy is read."""
    example = ServiceNowConfig.model_json_schema()["examples"][0]
    with pytest.raises(ValidationError, match=problem.replace("{", r"\{")):
        ServiceNowConfig.model_validate(example | {"fields": fields})
