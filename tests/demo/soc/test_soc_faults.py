"""Every endpoint plays the trouble it was ordered, and then behaves."""

import asyncio

import httpx
import pytest

from alert_router_demo.soc import Drop, Hang, LoseAnswer, Soc, Status
from alert_router_demo.soc.faults import FaultScript
from tests.waiting import PATIENCE, wait_until


def insert(tickets: httpx.Client) -> httpx.Response:
    return tickets.post("/incident", json={"correlation_id": "key-1"})


def test_a_status_is_answered_as_often_as_ordered(soc: Soc, tickets: httpx.Client) -> None:
    """Three answers of 429 with Retry-After, in the vendor's error form, without effect; then the endpoint behaves."""
    soc.servicenow.faults.add(Status(429, retry_after="0"), times=3)
    answers = [insert(tickets) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 429, 201]
    assert answers[0].headers["Retry-After"] == "0"
    assert answers[0].json()["status"] == "failure"
    assert soc.counts()["received"]["tickets"] == 1
    assert soc.counts()["requests"]["servicenow"] == {"429": 3, "201": 1}


def test_faults_play_in_order(soc: Soc, tickets: httpx.Client) -> None:
    """A script of several faults is played from its start."""
    soc.servicenow.faults.add(Status(503))
    soc.servicenow.faults.add(Status(500), times=2)
    assert [insert(tickets).status_code for _ in range(4)] == [503, 500, 500, 201]


def test_a_fault_without_a_count_lasts_until_cleared(soc: Soc, tickets: httpx.Client) -> None:
    """Refused credentials stay refused until told otherwise."""
    soc.servicenow.faults.add(Status(403), times=None)
    assert [insert(tickets).status_code for _ in range(3)] == [403] * 3
    soc.servicenow.faults.clear()
    assert insert(tickets).status_code == 201


def test_success_may_carry_an_error(soc: Soc, tickets: httpx.Client) -> None:
    """A 200 with an error in its body, as gateways send it, has no effect."""
    soc.servicenow.faults.add(Status(200, body={"error": "upstream"}))
    answer = insert(tickets)
    assert (answer.status_code, answer.json()) == (200, {"error": "upstream"})
    assert soc.counts()["received"]["tickets"] == 0


def test_a_fault_of_one_method_leaves_the_others_alone(soc: Soc, tickets: httpx.Client) -> None:
    """Look-ups can fail while inserts work."""
    soc.servicenow.faults.add(Status(503), method="get")
    assert insert(tickets).status_code == 201
    assert [tickets.get("/incident").status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(("fault", "arrived"), [(Drop(), 0), (LoseAnswer(), 1)])
def test_a_cut_connection_with_and_without_effect(
    soc: Soc, tickets: httpx.Client, fault: Drop | LoseAnswer, arrived: int
) -> None:
    """To the caller both look alike; only a lost answer left a ticket behind."""
    soc.servicenow.faults.add(fault)
    with pytest.raises(httpx.RemoteProtocolError):
        insert(tickets)
    assert soc.counts()["received"]["tickets"] == arrived
    assert soc.counts()["requests"]["servicenow"] == {"dropped": 1}


def test_a_hang_outlasts_its_caller(soc: Soc, tickets: httpx.Client) -> None:
    """A caller that gives up does not undo the request: its effect comes late."""
    soc.servicenow.faults.add(Hang(2))
    with pytest.raises(httpx.ReadTimeout):
        tickets.post("/incident", json={}, timeout=0.1)
    assert soc.counts()["received"]["tickets"] == 0
    wait_until(lambda: soc.counts()["received"]["tickets"] == 1)


def test_faults_of_one_endpoint_leave_the_others_alone(soc: Soc, tickets: httpx.Client) -> None:
    """Trouble at the pager is no trouble at the ticket intake."""
    soc.pagerduty.faults.add(Status(500), times=None)
    assert insert(tickets).status_code == 201
    assert httpx.post(f"{soc.addresses.pagerduty}/v2/enqueue", json={}).status_code == 500


def test_an_unknown_path_gets_the_vendors_error(tickets: httpx.Client) -> None:
    """A wrong address is answered in the vendor's form too."""
    answer = tickets.get("/")
    assert (answer.status_code, answer.json()["status"]) == (404, "failure")


def test_the_soc_runs_inside_an_event_loop() -> None:
    """`async with` serves it in the caller's own loop, and stops it, with its address, at the end."""

    async def use() -> Soc:
        async with Soc.running() as soc, httpx.AsyncClient() as client:
            soc.pagerduty.faults.add(Status(599))
            assert (await client.post(f"{soc.addresses.pagerduty}/v2/enqueue", json={})).status_code == 599
            assert soc.addresses.ca is not None and soc.addresses.ca.exists()
            return soc

    soc = asyncio.run(use())
    with pytest.raises(RuntimeError, match="not running"):
        _ = soc.addresses


def test_a_hang_does_not_hold_up_the_end() -> None:
    """Stopping the SOC does not wait for a request that hangs."""

    async def use() -> None:
        async with asyncio.timeout(PATIENCE), Soc.running() as soc, httpx.AsyncClient() as client:
            soc.webhook.faults.add(Hang(2 * PATIENCE))
            with pytest.raises(httpx.ReadTimeout):
                await client.post(soc.addresses.webhook, timeout=0.1)

    asyncio.run(use())


def test_a_count_below_one_is_refused() -> None:
    """A fault that would never play is a mistake of the test that ordered it."""
    with pytest.raises(ValueError, match="times: 0"):
        FaultScript().add(Drop(), times=0)
