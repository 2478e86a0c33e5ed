"""The ticket intake answers as ServiceNow's Table API does."""

from typing import Any

import httpx
import pytest

from alert_router_demo.soc import Soc
from tests.waiting import wait_until


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


def test_an_insert_gives_the_new_record_and_its_address(tickets: httpx.Client) -> None:
    """A new ticket is answered with 201, its number and a Location that can be read."""
    answer = tickets.post("/incident", json=a_ticket(u_environment="prod"))
    record = answer.json()["result"]
    assert answer.status_code == 201
    assert record["number"] == "INC0010001"
    assert record["active"] == "true"
    assert record["state"] == "1"
    assert record["u_environment"] == "prod"
    assert record["sys_created_by"] == "cwpp-router"
    assert tickets.get(answer.headers["Location"]).json()["result"] == record


def test_correlation_id_is_not_unique(soc: Soc, tickets: httpx.Client) -> None:
    """Two inserts with the same correlation id make two tickets, and the second is counted as a duplicate."""
    first, second = insert(tickets), insert(tickets)
    assert (first["number"], second["number"]) == ("INC0010001", "INC0010002")
    assert len(find(tickets, "correlation_id=key-1^active=true")) == 2
    assert soc.counts()["duplicates"]["tickets"] == 1


def test_a_ticket_after_a_closed_one_is_no_duplicate(soc: Soc, tickets: httpx.Client) -> None:
    """A signal that comes back after its ticket was closed may have a second ticket."""
    closing = {"state": "7", "close_code": "Resolved by caller", "close_notes": "gone"}
    tickets.patch(f"/incident/{insert(tickets)['sys_id']}", json=closing)
    insert(tickets)
    assert soc.counts()["duplicates"]["tickets"] == 0


def test_a_look_up_finds_only_what_is_active(tickets: httpx.Client) -> None:
    """The look-up that a router makes finds open tickets of that key, with the columns it asked for."""
    record = insert(tickets)
    insert(tickets, correlation_id="key-2")
    query = "correlation_id=key-1^active=true"
    assert find(tickets, query, sysparm_fields="sys_id,number", sysparm_limit="1") == [
        {"sys_id": record["sys_id"], "number": record["number"]}
    ]
    tickets.patch(
        f"/incident/{record['sys_id']}", json={"state": "6", "close_code": "Solved", "close_notes": "No longer stands"}
    )
    assert find(tickets, query) == []
    assert [one["state"] for one in find(tickets, "correlation_id=key-1")] == ["6"]


def test_a_resolved_ticket_stays_active_where_the_instance_says_so(soc: Soc, tickets: httpx.Client) -> None:
    """An instance of the base system keeps a resolved ticket active until it is closed."""
    soc.servicenow.inactive_states = frozenset({"7", "8"})
    record = insert(tickets, state="6", close_code="Solved", close_notes="gone")
    assert record["active"] == "true"


def test_look_ups_lag(soc: Soc, tickets: httpx.Client) -> None:
    """A new ticket can be read by its sys_id at once, and is found by queries only after the lag."""
    soc.servicenow.lag = 1
    record = insert(tickets)
    assert find(tickets, "correlation_id=key-1") == []
    assert tickets.get(f"/incident/{record['sys_id']}").status_code == 200
    wait_until(lambda: len(find(tickets, "correlation_id=key-1")) == 1)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_notes_go_to_the_journal(soc: Soc, tickets: httpx.Client, method: str) -> None:
    """Work notes and comments are appended, in order, and read back empty."""
    address = f"/incident/{insert(tickets)['sys_id']}"
    for note in ({"work_notes": "seen again"}, {"comments": "still there", "work_notes": ""}):
        answer = tickets.request(method, address, json=note)
        assert answer.status_code == 200
        assert answer.json()["result"]["work_notes"] == ""
    journal = soc.state()["tickets"][0]["journal"]
    assert [(one["element"], one["value"]) for one in journal] == [
        ("work_notes", "seen again"),
        ("comments", "still there"),
    ]
    assert tickets.get(address).json()["result"]["sys_mod_count"] == "2"


@pytest.mark.parametrize("address", ["/incident/unknown", "/incident/" + "0" * 32])
def test_an_unknown_record_is_404(tickets: httpx.Client, address: str) -> None:
    """An unknown sys_id gets ServiceNow's own error, for reading and for writing."""
    for answer in (tickets.get(address), tickets.patch(address, json={"state": "2"})):
        assert answer.status_code == 404
        assert answer.json() == {
            "error": {
                "message": "No Record found",
                "detail": "Record doesn't exist or ACL restricts the record retrieval",
            },
            "status": "failure",
        }


def test_an_unknown_table_is_400(tickets: httpx.Client) -> None:
    """A table that the instance lacks is refused by name."""
    answer = tickets.post("/incidents", json=a_ticket())
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid table incidents")


def test_basic_and_bearer_are_let_in_and_nobody_else(soc: Soc) -> None:
    """Both kinds of credentials work; none, wrong ones, or a password in part get 401 and leave no trace."""
    address = f"{soc.addresses.servicenow}/api/now/table/incident"
    account = soc.accounts["cspm"]
    bearer = {"Authorization": f"Bearer {account.servicenow_token}"}
    assert httpx.post(address, json=a_ticket(), headers=bearer).json()["result"]["sys_created_by"] == "cspm-router"
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": bearer["Authorization"][:-1]}):
        answer = httpx.post(address, json=a_ticket(), headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {
            "error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"},
            "status": "failure",
        }
    assert soc.counts()["received"]["tickets"] == 1


def test_mandatory_columns_are_a_data_policy(soc: Soc, tickets: httpx.Client) -> None:
    """A column made mandatory is refused with 403 when missing or empty, and accepted when given."""
    soc.servicenow.mandatory = frozenset({"assignment_group", "u_environment"})
    answer = tickets.post("/incident", json=a_ticket(u_environment=""))
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "message": "Operation Failed",
        "detail": "Data Policy Exception: The following fields are mandatory: Assignment group, U environment",
    }
    made = tickets.post("/incident", json=a_ticket(u_environment="x", assignment_group="soc"))
    assert made.status_code == 201
    address = f"/incident/{made.json()['result']['sys_id']}"
    assert tickets.patch(address, json={"state": "2"}).status_code == 200
    assert tickets.patch(address, json={"assignment_group": ""}).status_code == 403


def test_resolving_needs_a_code_and_notes(tickets: httpx.Client) -> None:
    """The base system's policy refuses a resolution that does not say how, and leaves the ticket as it was."""
    address = f"/incident/{insert(tickets)['sys_id']}"
    answer = tickets.patch(address, json={"state": "6", "close_code": "Solved"})
    assert answer.status_code == 403
    assert answer.json()["error"]["detail"].endswith("mandatory: Resolution notes")
    assert tickets.get(address).json()["result"]["state"] == "1"


def test_long_values_are_cut_in_silence(tickets: httpx.Client) -> None:
    """A value at the column's length is kept whole; one character more is cut, as the platform does."""
    for length, kept in ((160, 160), (161, 160)):
        assert len(insert(tickets, short_description="x" * length)["short_description"]) == kept


def test_values_become_text_and_priority_is_computed(tickets: httpx.Client) -> None:
    """Numbers and nulls read back as text, system columns cannot be set, and priority follows impact and urgency."""
    record = insert(tickets, impact=1, urgency=2, priority=5, description=None, sys_id="mine", no_such_column="x")
    assert (record["impact"], record["priority"], record["description"]) == ("1", "2", "")
    assert record["sys_id"] != "mine"
    assert "no_such_column" not in record


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_object_is_400(tickets: httpx.Client, body: bytes) -> None:
    """What cannot be read as one record is refused."""
    assert tickets.post("/incident", content=body).status_code == 400
