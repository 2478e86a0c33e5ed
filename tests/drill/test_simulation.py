"""What Azure is asked, and what its answers mean, without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from router.domain.conversation import Asking, HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.drill.listed import ListedAlert
from router.drill.simulation import (
    AlertList,
    NotDone,
    Simulation,
    dismiss,
    find_location,
    is_ended,
    list_alerts,
    raise_samples,
)

BASE, SUBSCRIPTION = "https://management.azure.com", "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
SECURITY = f"{BASE}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security"


def an_answer(status: int = 200, body: object = None, **headers: str) -> HttpAnswer:
    """An answer of Azure's."""
    written = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=written, body=json.dumps(body).encode() if body is not None else b"")


def run[T](asking: Asking[T], *answers: HttpAnswer | Unavailable) -> tuple[T, Sequence[HttpRequest]]:
    """What comes of a question with these answers, and what was asked; every answer must be wanted."""
    asked = [next(asking)]
    for number, answer in enumerate(answers, 1):
        try:
            asked.append(asking.throw(answer) if isinstance(answer, Unavailable) else asking.send(answer))
        except StopIteration as end:
            assert number == len(answers)
            return end.value, asked
    raise AssertionError("it asks on")


def test_samples_are_ordered_where_defender_keeps_the_subscriptions_data() -> None:
    """The order is taken with 202, and its address says when it is carried out."""
    location, _ = run(find_location(BASE, SUBSCRIPTION), an_answer(body={"value": [{"name": "centralus"}]}))
    assert location == "centralus"
    answer = an_answer(202, location=f"{SECURITY}/operations/7")
    found, (asked,) = run(raise_samples(BASE, SUBSCRIPTION, "centralus", "KeyVaults"), answer)
    assert found == Simulation("centralus", f"{SECURITY}/operations/7")
    assert (asked.method, asked.url) == (
        "POST",
        f"{SECURITY}/locations/centralus/alerts/default/simulate?api-version=2022-01-01",
    )
    assert json.loads(asked.body) == {"properties": {"kind": "Bundles", "bundles": ["KeyVaults"]}}


@pytest.mark.parametrize("written", ["https://elsewhere.example/7", "http://management.azure.com/7", "//x.example/7"])
def test_nothing_is_asked_of_another_host_whatever_an_answer_points_to(written: str) -> None:
    """Neither for an order nor for the rest of a list: a token would go there."""
    found, _ = run(raise_samples(BASE, SUBSCRIPTION, "centralus", "DNS"), an_answer(202, location=written))
    assert found == Simulation("centralus", None)
    page = {"value": [], "nextLink": written if "//" in written[:8] else f"https:{written}"}
    listed, asked = run(list_alerts(BASE, SUBSCRIPTION, "centralus"), an_answer(body=page))
    assert isinstance(listed, NotDone)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            an_answer(403, {"error": {"code": "AuthorizationFailed", "message": "no\nright"}}),
            "403 (AuthorizationFailed: no right); whoever",
        ),
        (an_answer(429), "Azure answered 429"),
        (an_answer(500, ["garbage"]), "Azure answered 500"),
        (Unavailable("no answer within 30 s"), "simulate: no answer within 30 s"),
    ],
)
def test_an_order_that_is_refused_says_why(answer: HttpAnswer | Unavailable, words: str) -> None:
    """In one line, with Azure's own words."""
    found, _ = run(raise_samples(BASE, SUBSCRIPTION, "centralus", "DNS"), answer)
    assert isinstance(found, NotDone)
    assert words in found.why
    assert "\n" not in found.why
    # What was refused was not done; where Azure has trouble of its own, or nothing came, nobody knows.
    assert found.is_certain is (isinstance(answer, HttpAnswer) and answer.status < 500)


def test_an_order_may_be_carried_out_at_once_or_say_nothing_of_where_to_ask() -> None:
    """Then nothing is asked, and what comes of it is seen in the list."""
    for answer in (an_answer(200), an_answer(200, location=f"{SECURITY}/operations/7"), an_answer(202), an_answer(204)):
        found, asked = run(raise_samples(BASE, SUBSCRIPTION, "centralus", "DNS"), answer)
        assert (found, len(asked)) == (Simulation("centralus", None), 1)


@pytest.mark.parametrize(
    ("answer", "ended"),
    [
        (an_answer(202), False),
        (an_answer(204), True),
        (an_answer(200, {"status": "Succeeded"}), True),
        (an_answer(200, {"status": "InProgress"}), False),
        (an_answer(503), False),
        (an_answer(429), False),
        (Unavailable("no answer"), False),
        (an_answer(404), True),
    ],
)
def test_an_order_is_asked_about_until_it_is_carried_out(answer: HttpAnswer | Unavailable, ended: bool) -> None:
    """By its status, or by what its body says."""
    assert run(is_ended(f"{SECURITY}/operations/7"), answer)[0] is ended


def test_an_order_that_failed_later_says_so() -> None:
    """Taken is not carried out."""
    body = {"status": "Failed", "error": {"code": "Conflict", "message": "no plan"}}
    found, _ = run(is_ended(f"{SECURITY}/operations/7"), an_answer(200, body))
    assert found == NotDone("simulate: Defender says Failed (Conflict: no plan)")


def test_a_list_is_read_page_by_page_to_its_end() -> None:
    """What is no alert is left out."""
    alert = {"id": "/subscriptions/x/alerts/1", "name": "1", "properties": {"alertDisplayName": "[SAMPLE ALERT] x"}}
    pages = [{"value": [alert], "nextLink": f"{SECURITY}/alerts?page=2"}, {"value": [7, alert | {"name": "2"}]}]
    found, asked = run(list_alerts(BASE, SUBSCRIPTION, "centralus"), *(an_answer(body=page) for page in pages))
    assert isinstance(found, AlertList)
    assert ([one.name for one in found.alerts], found.is_whole, len(asked)) == (["1", "2"], True, 2)


@pytest.mark.parametrize("body", [None, [], {"value": "x"}, {"value": []}, {"value": [{"name": 7}]}])
def test_a_subscription_of_which_defender_keeps_nothing_is_said(body: object) -> None:
    """No plan was ever on there, or the answer is garbage."""
    assert isinstance(run(find_location(BASE, SUBSCRIPTION), an_answer(body=body))[0], NotDone)


def test_an_alert_is_dismissed_by_its_own_path_and_else_as_one_of_the_subscription() -> None:
    """Defender lists samples in a resource group that nobody has."""
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Sample-RG/providers/Microsoft.Security/locations/we/alerts/9"
    alert = ListedAlert("9_a", path, "t", "VirtualMachines", "T", datetime(2026, 11, 26, tzinfo=UTC), True, False)
    found, asked = run(dismiss(BASE, SUBSCRIPTION, "we", alert), an_answer(404), an_answer(204))
    assert found is None
    assert [one.url.partition("?")[0] for one in asked] == [
        f"{BASE}{path.removesuffix('9')}9_a/dismiss",
        f"{SECURITY}/locations/we/alerts/9_a/dismiss",
    ]
    refused, _ = run(dismiss(BASE, SUBSCRIPTION, "we", alert), an_answer(404), an_answer(403))
    assert isinstance(refused, NotDone)
    assert "dismiss 9_a: Azure answered 403" in refused.why
    at_once, asked = run(dismiss(BASE, SUBSCRIPTION, "we", alert), an_answer(403))
    assert isinstance(at_once, NotDone)
    assert "Security Admin" in at_once.why
    assert len(asked) == 1
