"""Every endpoint plays the trouble it was ordered, and then behaves."""

import asyncio

import httpx
import pytest

from alert_router_demo.soc import Drop, Hang, LoseAnswer, Soc, Status
from alert_router_demo.soc.faults import FaultScript
from tests.waiting import PATIENCE, wait_until


def insert(tickets: httpx.Client) -> httpx.Response:
    return tickets.post("/incident", json={"correlation_id": "key-1"})


def test_faults_play_in_order_as_often_as_ordered(soc: Soc, tickets: httpx.Client) -> None:
    """In the vendor's error form, without effect, as is a 200 with an error in its body; then the endpoint behaves. One without
    a count lasts until it is cleared. The other endpoints have no trouble."""
    soc.servicenow.faults.add(Status(429, retry_after="0"), times=2)
    soc.servicenow.faults.add(Status(503))
    soc.servicenow.faults.add(Status(200, body={"error": "upstream"}))
    answers = [insert(tickets) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429, 429, 503, 200, 201]
    assert (answers[0].headers["Retry-After"], answers[0].json()["status"]) == ("0", "failure")
    assert answers[3].json() == {"error": "upstream"}
    assert soc.counts()["received"]["tickets"] == 1
    assert soc.counts()["requests"]["servicenow"] == {"429": 2, "503": 1, "200": 1, "201": 1}
    soc.pagerduty.faults.add(Status(500), times=None)
    soc.servicenow.faults.add(Status(403), times=None)
    assert [insert(tickets).status_code for _ in range(3)] == [403] * 3
    soc.servicenow.faults.clear()
    assert insert(tickets).status_code == 201
    assert httpx.post(f"{soc.addresses.pagerduty}/v2/enqueue", json={}).status_code == 500
    with pytest.raises(ValueError, match="times: 0"):
        FaultScript().add(Drop(), times=0)


def test_a_fault_of_one_method_leaves_the_others_alone(soc: Soc, tickets: httpx.Client) -> None:
    """Look-ups can fail while inserts work; a wrong address is answered in the vendor's form too."""
    soc.servicenow.faults.add(Status(503), method="get")
    assert insert(tickets).status_code == 201
    assert [tickets.get("/incident").status_code for _ in range(2)] == [503, 200]
    unknown = tickets.get("/")
    assert (unknown.status_code, unknown.json()["status"]) == (404, "failure")


def test_a_cut_connection_with_and_without_effect(soc: Soc, tickets: httpx.Client) -> None:
    """To the caller both look alike; only a lost answer left a ticket behind."""
    faults: list[Drop | LoseAnswer] = [Drop(), LoseAnswer()]
    for number, fault in enumerate(faults):
        soc.servicenow.faults.add(fault)
        with pytest.raises(httpx.RemoteProtocolError):
            insert(tickets)
        assert soc.counts()["received"]["tickets"] == number
    assert soc.counts()["requests"]["servicenow"] == {"dropped": 2}


def test_a_hang_outlasts_its_caller(soc: Soc, tickets: httpx.Client) -> None:
    """A caller that gives up does not undo the request: its effect comes late."""
    soc.servicenow.faults.add(Hang(1))
    with pytest.raises(httpx.ReadTimeout):
        tickets.post("/incident", json={}, timeout=0.1)
    assert soc.counts()["received"]["tickets"] == 0
    wait_until(lambda: soc.counts()["received"]["tickets"] == 1)


def test_the_soc_runs_inside_an_event_loop() -> None:
    """`async with` serves it in the caller's own loop, and stops it, with its address, at the end; a request that hangs does
    not hold that up."""

    async def use() -> Soc:
        async with asyncio.timeout(PATIENCE), Soc.running() as soc, httpx.AsyncClient() as client:
            soc.pagerduty.faults.add(Status(599))
            assert (await client.post(f"{soc.addresses.pagerduty}/v2/enqueue", json={})).status_code == 599
            assert soc.addresses.ca is not None and soc.addresses.ca.exists()
            soc.webhook.faults.add(Hang(2 * PATIENCE))
            with pytest.raises(httpx.ReadTimeout):
                await client.post(soc.addresses.webhook, timeout=0.1)
            return soc

    soc = asyncio.run(use())
    with pytest.raises(RuntimeError, match="not running"):
        _ = soc.addresses
