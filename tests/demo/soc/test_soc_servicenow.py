"""The ticket intake answers as ServiceNow's Table API does, and its queries select what ServiceNow's own would."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router_demo.soc import Soc
from alert_router_demo.soc.encoded_query import parse
from alert_router_demo.soc.tickets import is_column
from tests.waiting import wait_until

CLOSING = {"state": "7", "close_code": "Resolved by caller", "close_notes": "gone"}
RECORD = {"correlation_id": "k^1", "state": "2", "active": "true", "u_env": "Prod", "category": ""}
QUERIES = {
    "": True,
    "active=true": True,
    "active=false": False,
    "active=true^state=2": True,
    "active=true^state=3": False,
    "state=3^ORstate=2^active=true": True,
    "state=3^ORstate=2^active=false": False,
    "active=false^NQstate=2": True,
    "stateIN1,2,3": True,
    "stateNOT IN1,2,3": False,
    "state!=2": False,
    "u_env=prod": True,
    "u_envSTARTSWITHpr": True,
    "u_envLIKEro": True,
    "categoryISEMPTY": True,
    "categoryISNOTEMPTY": False,
    # A misspelt column or operator does not narrow the query: the base system drops it, and so finds everything.
    "corelation_id=x": True,
    "state~2": True,
    "^^": True,
    "correlation id=x": True,
}
"""And, or, new queries and the usual operators, and whether RECORD is among what each finds."""


def a_ticket(**columns: Any) -> dict[str, Any]:
    return {"short_description": "Malware found", "correlation_id": "key-1"} | columns


def find(tickets: httpx.Client, query: str, **parameters: str) -> list[dict[str, str]]:
    answer = tickets.get("/incident", params={"sysparm_query": query} | parameters)
    assert answer.status_code == 200
    result: list[dict[str, str]] = answer.json()["result"]
    return result


def insert(tickets: httpx.Client, **columns: Any) -> dict[str, str]:
    result: dict[str, str] = tickets.post("/incident", json=a_ticket(**columns)).json()["result"]
    return result


def test_queries_mean_what_they_mean_in_servicenow(subtests: pytest.Subtests) -> None:
    """Orders are read in their order, with their direction. A key narrows the search only if no other branch of the query could
    be met without it."""
    for query, is_met in QUERIES.items():
        with subtests.test(query):
            assert parse(query, is_column).is_met(RECORD) is is_met
    assert parse("active=true^ORDERBYstate^ORDERBYDESCnumber", is_column).order == (("state", False), ("number", True))
    for query, value in {
        "active=true^correlation_id=a": "a",
        "correlation_id=a^ORstate=1": None,
        "correlation_id=a^NQstate=1": None,
        "correlation_id!=a": None,
    }.items():
        assert parse(query, is_column).find_equal("correlation_id") == value


@given(st.text())
def test_reading_a_query_is_total(text: str) -> None:
    """No text makes the reader fail."""
    parse(text, is_column).is_met(RECORD)


def test_an_insert_gives_the_new_record_and_its_address(tickets: httpx.Client) -> None:
    """With its number and a Location that can be read. Numbers and nulls read back as text, system columns cannot be set,
    priority follows impact and urgency, and a value that is longer than its column is cut in silence."""
    more = {"impact": 1, "urgency": 2, "priority": 5, "description": None, "sys_id": "mine", "no_such_column": "x"}
    answer = tickets.post("/incident", json=a_ticket(u_environment="prod", **more))
    record = answer.json()["result"]
    assert answer.status_code == 201
    assert (record["number"], record["active"], record["state"]) == ("INC0010001", "true", "1")
    assert (record["u_environment"], record["sys_created_by"]) == ("prod", "cwpp-router")
    assert (record["impact"], record["priority"], record["description"]) == ("1", "2", "")
    assert record["sys_id"] != "mine" and "no_such_column" not in record
    assert tickets.get(answer.headers["Location"]).json()["result"] == record
    lengths = [len(insert(tickets, short_description="x" * length)["short_description"]) for length in (160, 161)]
    assert lengths == [160, 160]


def test_correlation_id_is_not_unique(soc: Soc, tickets: httpx.Client) -> None:
    """Two inserts with one make two tickets, and the second is counted as a duplicate; one after a closed ticket is none."""
    first, second = insert(tickets), insert(tickets)
    assert (first["number"], second["number"]) == ("INC0010001", "INC0010002")
    assert len(find(tickets, "correlation_id=key-1^active=true")) == 2
    assert soc.counts()["duplicates"]["tickets"] == 1
    for one in (first, second):
        tickets.patch(f"/incident/{one['sys_id']}", json=CLOSING)
    insert(tickets)
    assert soc.counts()["duplicates"]["tickets"] == 1


def test_a_look_up_finds_only_what_is_active(soc: Soc, tickets: httpx.Client) -> None:
    """With the columns it asked for. An instance of the base system keeps a resolved ticket active until it is closed."""
    record = insert(tickets)
    insert(tickets, correlation_id="key-2")
    query, resolved = "correlation_id=key-1^active=true", CLOSING | {"state": "6"}
    found = find(tickets, query, sysparm_fields="sys_id,number", sysparm_limit="1")
    assert found == [{"sys_id": record["sys_id"], "number": record["number"]}]
    tickets.patch(f"/incident/{record['sys_id']}", json=resolved)
    assert find(tickets, query) == []
    assert [one["state"] for one in find(tickets, "correlation_id=key-1")] == ["6"]
    soc.servicenow.inactive_states = frozenset({"7", "8"})
    assert insert(tickets, **resolved)["active"] == "true"


def test_look_ups_lag(soc: Soc, tickets: httpx.Client) -> None:
    """A new ticket can be read by its sys_id at once, and is found by queries only after the lag."""
    soc.servicenow.lag = 1
    record = insert(tickets)
    assert find(tickets, "correlation_id=key-1") == []
    assert tickets.get(f"/incident/{record['sys_id']}").status_code == 200
    wait_until(lambda: len(find(tickets, "correlation_id=key-1")) == 1)


def test_notes_go_to_the_journal(soc: Soc, tickets: httpx.Client) -> None:
    """Work notes and comments are appended, in order, and read back empty."""
    address = f"/incident/{insert(tickets)['sys_id']}"
    notes = ({"work_notes": "seen again"}, {"comments": "still there", "work_notes": ""})
    for method, note in zip(("PATCH", "PUT"), notes, strict=True):
        answer = tickets.request(method, address, json=note)
        assert (answer.status_code, answer.json()["result"]["work_notes"]) == (200, "")
    journal = [(one["element"], one["value"]) for one in soc.state()["tickets"][0]["journal"]]
    assert journal == [("work_notes", "seen again"), ("comments", "still there")]
    assert tickets.get(address).json()["result"]["sys_mod_count"] == "2"


def refused(answer: httpx.Response, status: int, message: str, detail: str | None = None) -> None:
    """Asserts an answer in ServiceNow's own form of an error."""
    said = answer.json()
    assert (answer.status_code, said["status"], said["error"]["message"]) == (status, "failure", message)
    assert detail is None or said["error"]["detail"] == detail


def test_what_is_not_there_or_no_record_is_refused_in_servicenows_own_form(soc: Soc, tickets: httpx.Client) -> None:
    """An unknown sys_id for reading and for writing, a table that the instance lacks, and what cannot be read as one record."""
    for sys_id in ("unknown", "0" * 32):
        for answer in (tickets.get(f"/incident/{sys_id}"), tickets.patch(f"/incident/{sys_id}", json={"state": "2"})):
            refused(answer, 404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
    refused(tickets.post("/incidents", json=a_ticket()), 400, "Invalid table incidents")
    for body in (b"", b"{", b"[]", b'"x"', b"\xff"):
        assert tickets.post("/incident", content=body).status_code == 400
    assert soc.counts()["received"]["tickets"] == 0


def test_basic_and_bearer_are_let_in_and_nobody_else(soc: Soc) -> None:
    """Both kinds of credentials work; none, wrong ones, or a password in part get 401 and leave no trace."""
    address = f"{soc.addresses.servicenow}/api/now/table/incident"
    bearer = {"Authorization": f"Bearer {soc.accounts['cspm'].servicenow_token}"}
    assert httpx.post(address, json=a_ticket(), headers=bearer).json()["result"]["sys_created_by"] == "cspm-router"
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": bearer["Authorization"][:-1]}):
        answer = httpx.post(address, json=a_ticket(), headers=headers)
        refused(answer, 401, "User Not Authenticated", "Required to provide Auth information")
    assert soc.counts()["received"]["tickets"] == 1


def test_what_a_data_policy_asks_for_is_mandatory(soc: Soc, tickets: httpx.Client) -> None:
    """A column is refused with 403 when missing or empty, and accepted when given. The base system's own policy refuses a
    resolution that does not say how, and leaves the ticket as it was."""
    before = f"/incident/{insert(tickets)['sys_id']}"
    answer = tickets.patch(before, json={"state": "6", "close_code": "Solved"})
    assert answer.status_code == 403
    assert answer.json()["error"]["detail"].endswith("mandatory: Resolution notes")
    assert tickets.get(before).json()["result"]["state"] == "1"
    soc.servicenow.mandatory = frozenset({"assignment_group", "u_environment"})
    policy = "Data Policy Exception: The following fields are mandatory: Assignment group, U environment"
    refused(tickets.post("/incident", json=a_ticket(u_environment="")), 403, "Operation Failed", policy)
    made = tickets.post("/incident", json=a_ticket(u_environment="x", assignment_group="soc"))
    assert made.status_code == 201
    address = f"/incident/{made.json()['result']['sys_id']}"
    assert tickets.patch(address, json={"state": "2"}).status_code == 200
    assert tickets.patch(address, json={"assignment_group": ""}).status_code == 403
