"""The SOC plays the trouble that it is ordered, also as a process of its own, and has one double of each vendor's API."""

import ast
import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from alert_router_demo.soc import Drop, Hang, Soc, Status, soc_in_thread
from alert_router_demo.soc.__main__ import main
from alert_router_demo.soc.faults import FaultScript
from tests.leash import leashed
from tests.waiting import PATIENCE, wait_until


def insert(tickets: httpx.Client) -> httpx.Response:
    return tickets.post("/incident", json={"correlation_id": "key-1"})


def test_faults_play_in_order_as_often_as_ordered(soc: Soc, tickets: httpx.Client) -> None:
    """In the vendor's error form, without effect, as is a 200 with an error in its body; then the endpoint behaves. One without
    a count lasts until it is cleared. The other endpoints have no trouble, nor have other methods, where one is named."""
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
    soc.servicenow.faults.add(Status(503), method="get")
    assert insert(tickets).status_code == 201
    assert [tickets.get("/incident").status_code for _ in range(2)] == [503, 200]
    with pytest.raises(ValueError, match="times: 0"):
        FaultScript().add(Drop(), times=0)


def test_a_hang_outlasts_its_caller(soc: Soc, tickets: httpx.Client) -> None:
    """A caller that gives up does not undo the request: its effect comes late."""
    soc.servicenow.faults.add(Hang(1))
    with pytest.raises(httpx.ReadTimeout):
        tickets.post("/incident", json={}, timeout=0.1)
    assert soc.counts()["received"]["tickets"] == 0
    wait_until(lambda: soc.counts()["received"]["tickets"] == 1)


def test_the_soc_runs_inside_an_event_loop() -> None:
    """`async with` serves it in the caller's own loop until the end, which a request that hangs does not hold up."""

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


def test_it_announces_itself_serves_and_stops_when_told(tmp_path: Path) -> None:
    """The port file names addresses, authority and secrets; requests leave no line, and a router that is killed in the middle
    of one is counted as cut off; SIGTERM ends it with 0."""
    command = [sys.executable, "-m", "alert_router_demo.soc", "--port-file", str(tmp_path / "soc.json"), "--lag", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=leashed)
    try:
        wait_until((tmp_path / "soc.json").exists, goes_on=lambda: process.poll() is None)
        card = json.loads((tmp_path / "soc.json").read_bytes())
        assert (tmp_path / "soc.json").stat().st_mode & 0o077 == 0
        addresses, account = card["addresses"], card["accounts"]["cwpp"]
        assert Path(addresses["ca"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
        bearer = {"Authorization": f"Bearer {account['servicenow_token']}"}
        table = f"{addresses['servicenow']}/api/now/table/incident"
        assert httpx.post(table, json={"correlation_id": "key-1"}, headers=bearer).status_code == 201
        assert httpx.get(table, headers=bearer).json() == {"result": []}
        assert httpx.get(f"{addresses['control']}/_state").json()["tickets"][0]["correlation_id"] == "key-1"
        with socket.create_connection(("127.0.0.1", int(addresses["pagerduty"].rpartition(":")[2]))) as caller:
            caller.sendall(b"POST /v2/enqueue HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        counts = f"{addresses['control']}/_counts"
        wait_until(lambda: httpx.get(counts).json()["requests"]["pagerduty"] == {"dropped": 1})
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, output) == (0, b"")
        assert not Path(addresses["ca"]).exists()
    finally:
        process.kill()
        process.communicate()


def test_it_ends_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With 0, when its time is over; without a port file the card is on stdout. One that cannot be written is a line."""
    assert main(["--for", "0.1"]) == 0
    assert json.loads(capsys.readouterr().out)["addresses"]["webhook"].endswith("/hook")
    wrong = tmp_path / "missing" / "soc.json"
    assert main(["--port-file", str(wrong)]) == 2
    assert capsys.readouterr().err == f"{wrong}: No such file or directory\n"


def test_faults_can_be_ordered_and_ended_over_http(soc: Soc, subtests: pytest.Subtests) -> None:
    """Another process orders trouble for as many requests as it says; trouble without an end is ended for one endpoint, or for
    all. A mistake in an order is said, not played as something else; an endpoint that there is not is named, with those that
    there are."""
    faults, hook = f"{soc.addresses.control}/_faults", soc.addresses.webhook
    trouble: list[tuple[dict[str, Any], int]] = [
        ({"kind": "status", "code": 429, "retry_after": "1"}, 429),
        ({"kind": "status", "code": 200, "body": {"error": "x"}}, 200),
        ({"kind": "hang", "seconds": 0.01}, 401),
    ]
    for fault, status in trouble:
        order = {"endpoint": "webhook", "fault": fault, "times": 1, "method": "POST"}
        assert httpx.post(faults, json=order).status_code == 204
        assert [httpx.post(hook).status_code for _ in range(2)] == [status, 401]
    for kind, ending in (("drop", {"endpoint": "webhook"}), ("lose_answer", {})):
        assert (
            httpx.post(faults, json={"endpoint": "webhook", "fault": {"kind": kind}, "times": None}).status_code == 204
        )
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(hook)
        assert httpx.delete(faults, params=ending).status_code == 204
        assert httpx.post(hook).status_code == 401
    drop, busy = {"kind": "drop"}, {"kind": "status", "code": 429}
    for fault, named, more in (
        (drop, "endpoint", {"endpoint": "mars"}),
        ({"kind": "explode"}, "fault", {}),
        (busy | {"code": 99}, "fault.status.code", {}),
        (busy | {"retry_afer": "1"}, "retry_afer", {}),
        (drop, "times", {"times": 0}),
        (drop, "time", {"time": 1}),
    ):
        with subtests.test(named):
            answer = httpx.post(faults, json={"endpoint": "logs", "fault": fault, **more})
            assert answer.status_code == 400
            assert named in answer.json()["error"]
    answer = httpx.delete(faults, params={"endpoint": "mars"})
    known = ", ".join(endpoint.name for endpoint in soc.endpoints)
    assert (answer.status_code, answer.json()["error"]) == (400, f"endpoint: mars is none of {known}")


def test_state_and_counts_name_everything(soc: Soc) -> None:
    """What arrived is visible from outside in one JSON object, whose numbers are those of `_counts`."""
    state = httpx.get(f"{soc.addresses.control}/_state")
    counts = httpx.get(f"{soc.addresses.control}/_counts").json()
    assert set(state.json()) == {endpoint.holds for endpoint in soc.endpoints} | set(counts)
    assert {endpoint.name for endpoint in soc.endpoints} == set(counts["requests"])
    assert counts == {name: state.json()[name] for name in ("requests", "received", "duplicates")}


def test_secrets_are_new_each_time_and_never_shown_and_bodies_kept_are_bounded() -> None:
    """Two SOCs share no secret, and neither an account's text nor what a SOC shows has one. The newest bodies are kept, as many
    as asked; every arrival is counted."""
    with soc_in_thread(keep=2) as soc, soc_in_thread() as other:
        mine, theirs = soc.accounts["cwpp"], other.accounts["cwpp"]
        assert mine.routing_key != theirs.routing_key
        assert len(mine.routing_key) == 32
        payload = {"summary": "s", "source": "s", "severity": "info"}
        event = {"routing_key": mine.routing_key, "event_action": "trigger", "payload": payload}
        for number in range(3):
            answer = httpx.post(f"{soc.addresses.pagerduty}/v2/enqueue", json={**event, "dedup_key": str(number)})
            assert answer.status_code == 202
        assert [page.event is None for page in soc.pagerduty.pages] == [False, False, True]
        assert soc.counts()["received"]["pages"] == 3
        shown = repr(mine) + httpx.get(f"{soc.addresses.control}/_state").text
        names = {name for name in asdict(mine) if name not in ("name", "servicenow_user", "jira_user", "mail_user")}
        assert all(getattr(mine, name) not in shown for name in names)


ROOT = Path(__file__).parents[3]
SOC = ROOT / "alert_router_demo" / "soc"
_BASES = {"Endpoint", "Double"}
_BASED = re.compile(r"^ *class \w+\(.*(Endpoint|Double)", re.MULTILINE)
AZURE = ROOT / "tests" / "stack"
"""Where Azure's own side is played, which is no vendor that a SOC has."""


def doubles_in(path: Path) -> Iterator[str]:
    """The classes of a file that are made of nothing but an endpoint, or of nothing but a double."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)) if _BASED.search(text) else ():
        if isinstance(node, ast.ClassDef) and node.name != "Endpoint" and _BASES & set(map(ast.unparse, node.bases)):
            yield node.name


def test_a_double_says_where_its_vendor_describes_the_api_and_nobody_else_plays_a_vendor() -> None:
    """One class in a file, whose docstring links the vendor's documentation. Tests, `make stack` and benchmarks use the SOC's;
    what they need of another kind of trouble stands before it."""
    for path in SOC.glob("*.py"):
        found = list(doubles_in(path))
        assert len(found) <= 1, path.name
        assert not found or "https://" in (ast.get_docstring(ast.parse(path.read_text())) or ""), path.name
    others = [path for part in ("tests", "benchmarks") for path in (ROOT / part).rglob("*.py")]
    assert not [path for path in others if AZURE not in path.parents and any(doubles_in(path))]


def test_every_double_is_in_the_soc(soc: Soc) -> None:
    """Each has an address there, and a name and a word for what it holds of its own."""
    assert {type(endpoint).__name__ for endpoint in soc.endpoints} == {
        name for path in SOC.glob("*.py") for name in doubles_in(path)
    }
    assert (
        len({endpoint.name for endpoint in soc.endpoints})
        == len({one.holds for one in soc.endpoints})
        == len(soc.endpoints)
    )
