"""The pager answers as PagerDuty's Events API v2 does, its deduplication included."""

from typing import Any

import httpx
import pytest

from alert_router_demo.soc import Soc


def an_event(soc: Soc, action: str = "trigger", **parts: Any) -> dict[str, Any]:
    payload = {"summary": "Malware found", "source": "vm-1", "severity": "critical"}
    routing = {"routing_key": soc.accounts["cwpp"].routing_key, "event_action": action, "dedup_key": "key-1"}
    return routing | {"payload": payload} | parts


def send(soc: Soc, event: Any) -> httpx.Response:
    return httpx.post(f"{soc.addresses.pagerduty}/v2/enqueue", json=event)


def statuses(soc: Soc) -> list[str]:
    return [page.status for page in soc.pagerduty.pages]


def test_a_trigger_is_accepted(soc: Soc) -> None:
    """A good event gets 202 with the key it was filed under."""
    answer = send(soc, an_event(soc))
    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "key-1"}
    assert statuses(soc) == ["triggered"]


def test_without_a_dedup_key_each_trigger_opens_an_alert(soc: Soc) -> None:
    """A trigger without a key gets a new key each time."""
    keys = {send(soc, an_event(soc, dedup_key=None)).json()["dedup_key"] for _ in range(2)}
    assert len(keys) == 2
    assert statuses(soc) == ["triggered"] * 2


def test_open_keys_fold_and_resolved_keys_open_again(soc: Soc) -> None:
    """A second trigger folds into the open alert; after the resolve, the same key opens a new one."""
    for action in ("trigger", "trigger", "acknowledge", "trigger", "resolve", "trigger"):
        assert send(soc, an_event(soc, action)).status_code == 202
    assert statuses(soc) == ["resolved", "triggered"]
    assert [page.triggers for page in soc.pagerduty.pages] == [3, 1]
    assert soc.counts()["duplicates"]["pages"] == 2


def test_a_resolve_of_an_unknown_key_is_accepted_and_does_nothing(soc: Soc) -> None:
    """The pager does not mind a resolution of what it never had."""
    assert send(soc, an_event(soc, "resolve")).status_code == 202
    assert soc.pagerduty.pages == []


def test_keys_are_deduplicated_within_their_service(soc: Soc) -> None:
    """The same key under another routing key is another alert, and state tells them apart without a secret."""
    send(soc, an_event(soc))
    send(soc, an_event(soc, routing_key=soc.accounts["cspm"].routing_key))
    assert [page.account for page in soc.pagerduty.pages] == ["cwpp", "cspm"]
    shown = httpx.get(f"{soc.addresses.control}/_state").text
    assert all(account.routing_key not in shown for account in soc.accounts.values())


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
        ({"routing_key": None}, "'routing_key' is missing or blank"),
        ({"routing_key": "0" * 32}, "Invalid routing key"),
        ({"event_action": "open"}, "'event_action' is invalid"),
        ({"event_action": "resolve", "dedup_key": None}, "'dedup_key' is missing or blank"),
        ({"dedup_key": "k" * 256}, "'dedup_key' is too long"),
        ({"payload": None}, "'payload' is missing or blank"),
        ({"payload": {"source": "s", "severity": "info"}}, "'payload.summary' is missing or blank"),
        ({"payload": {"summary": "s", "severity": "info"}}, "'payload.source' is missing or blank"),
        ({"payload": {"summary": "s" * 1025, "source": "s", "severity": "info"}}, "'payload.summary' is too long"),
        ({"payload": {"summary": "s", "source": "s", "severity": "High"}}, "'payload.severity' is invalid"),
    ],
)
def test_an_invalid_event_is_refused_with_what_is_wrong(soc: Soc, parts: dict[str, Any], error: str) -> None:
    """Each broken limit gets 400 and PagerDuty's own error form, and opens nothing."""
    answer = send(soc, an_event(soc, **parts))
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["message"]) == ("invalid event", "Event object is invalid")
    assert len(body["errors"]) == 1
    assert body["errors"][0].startswith(error)
    assert soc.pagerduty.pages == []


def test_the_limits_themselves_are_accepted(soc: Soc) -> None:
    """A summary of 1,024 characters and a key of 255 are within the limits."""
    payload = {"summary": "s" * 1024, "source": "s", "severity": "info"}
    assert send(soc, an_event(soc, dedup_key="k" * 255, payload=payload)).status_code == 202


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
def test_a_body_that_is_no_event_is_refused(soc: Soc, body: bytes) -> None:
    """What is no JSON object is an invalid event."""
    assert httpx.post(f"{soc.addresses.pagerduty}/v2/enqueue", content=body).status_code == 400


@pytest.mark.parametrize(("extra", "status"), [(0, 202), (1, 413)])
def test_an_event_may_have_512_kilobytes(soc: Soc, extra: int, status: int) -> None:
    """An event of exactly 512 KB is taken, one byte more is not."""
    event = an_event(soc) | {"client": ""}
    bare = len(httpx.Request("POST", "http://x", json=event).content)
    assert send(soc, event | {"client": "c" * (512 * 1024 - bare + extra)}).status_code == status
