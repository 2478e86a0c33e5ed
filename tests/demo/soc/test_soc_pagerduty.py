"""The pager answers as PagerDuty's Events API v2 does, its deduplication included."""

from typing import Any

import httpx
import pytest

from alert_router_demo.soc import Soc

SAID = {"summary": "s", "source": "s", "severity": "info"}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
    ({"routing_key": None}, "'routing_key' is missing or blank"),
    ({"routing_key": "0" * 32}, "Invalid routing key"),
    ({"event_action": "open"}, "'event_action' is invalid"),
    ({"event_action": "resolve", "dedup_key": None}, "'dedup_key' is missing or blank"),
    ({"dedup_key": "k" * 256}, "'dedup_key' is too long"),
    ({"payload": None}, "'payload' is missing or blank"),
    ({"payload": {**SAID, "summary": None}}, "'payload.summary' is missing or blank"),
    ({"payload": {**SAID, "source": None}}, "'payload.source' is missing or blank"),
    ({"payload": {**SAID, "summary": "s" * 1025}}, "'payload.summary' is too long"),
    ({"payload": {**SAID, "severity": "High"}}, "'payload.severity' is invalid"),
]


def an_event(soc: Soc, action: str = "trigger", **parts: Any) -> dict[str, Any]:
    routing = {"routing_key": soc.accounts["cwpp"].routing_key, "event_action": action, "dedup_key": "key-1"}
    return routing | {"payload": SAID} | parts


def send(soc: Soc, event: Any) -> httpx.Response:
    return httpx.post(f"{soc.addresses.pagerduty}/v2/enqueue", json=event)


def statuses(soc: Soc) -> list[str]:
    return [page.status for page in soc.pagerduty.pages]


def test_open_keys_fold_and_resolved_keys_open_again(soc: Soc) -> None:
    """A second trigger folds into the open alert; after the resolve, the same key opens a new one. A resolution of what the
    pager never had does nothing."""
    assert send(soc, an_event(soc, "resolve")).status_code == 202
    assert soc.pagerduty.pages == []
    answer = send(soc, an_event(soc))
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "key-1"}
    for action in ("trigger", "acknowledge", "trigger", "resolve", "trigger"):
        assert send(soc, an_event(soc, action)).status_code == 202
    assert statuses(soc) == ["resolved", "triggered"]
    assert [page.triggers for page in soc.pagerduty.pages] == [3, 1]
    assert soc.counts()["duplicates"]["pages"] == 2


def test_a_key_belongs_to_its_service(soc: Soc) -> None:
    """Under another routing key it is another alert, and state tells them apart without a secret; a trigger without a key gets
    a new one each time."""
    send(soc, an_event(soc))
    send(soc, an_event(soc, routing_key=soc.accounts["cspm"].routing_key))
    assert [page.account for page in soc.pagerduty.pages] == ["cwpp", "cspm"]
    shown = httpx.get(f"{soc.addresses.control}/_state").text
    assert all(account.routing_key not in shown for account in soc.accounts.values())
    assert len({send(soc, an_event(soc, dedup_key=None)).json()["dedup_key"] for _ in range(2)}) == 2
    assert statuses(soc) == ["triggered"] * 4


def test_an_invalid_event_is_refused_with_what_is_wrong(soc: Soc, subtests: pytest.Subtests) -> None:
    """Each broken limit gets 400 and PagerDuty's own error form, and opens nothing; so does what is no JSON object."""
    for parts, error in REFUSED:
        with subtests.test(error):
            answer = send(soc, an_event(soc, **parts))
            body = answer.json()
            assert (answer.status_code, body["status"]) == (400, "invalid event")
            assert body["message"] == "Event object is invalid"
            (said,) = body["errors"]
            assert said.startswith(error)
    for content in (b"", b"{", b"[]", b"null"):
        assert httpx.post(f"{soc.addresses.pagerduty}/v2/enqueue", content=content).status_code == 400
    assert soc.pagerduty.pages == []


def test_the_limits_themselves_are_accepted(soc: Soc) -> None:
    """A summary of 1,024 characters, a key of 255, an event of exactly 512 KB; one byte more is not."""
    long = {**SAID, "summary": "s" * 1024}
    assert send(soc, an_event(soc, dedup_key="k" * 255, payload=long)).status_code == 202
    event = an_event(soc) | {"client": ""}
    bare = len(httpx.Request("POST", "http://x", json=event).content)
    for extra, status in ((0, 202), (1, 413)):
        assert send(soc, event | {"client": "c" * (512 * 1024 - bare + extra)}).status_code == status
