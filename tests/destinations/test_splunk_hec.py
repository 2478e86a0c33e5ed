"""Splunk: events that it can read, in requests that it takes, and what its codes mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.destinations.splunk_hec import REQUEST_LIMIT
from router.domain.conversation import Ask, HttpRequest, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice, RecordEntry
from tests.destinations.builders import (
    a_destination,
    a_finding,
    a_huge_notice,
    a_notice,
    a_secret,
    an_attempt,
    an_entry,
)
from tests.destinations.conversations import Answer, Respond, converse, in_turn, replied
from tests.examples import some_of

TOKEN = "SPLUNK_HEC_TOKEN"
TAKEN = replied(200, {"text": "Success", "code": 0})


def post(
    attempts: Sequence[Attempt], respond: Respond = lambda ask: TAKEN, **config: Any
) -> tuple[list[HttpRequest], list[Result]]:
    """The requests that a send makes, and its results."""
    asks, results = converse(a_destination("splunk_hec", **config), attempts, respond)
    return [ask for ask in asks if isinstance(ask, HttpRequest)], results


def events_in(ask: HttpRequest) -> list[dict[str, Any]]:
    """The events of a request."""
    return [orjson.loads(line) for line in ask.body.splitlines()]


def the_event(content: Notice | RecordEntry, **config: Any) -> dict[str, Any]:
    """The event of a notice or an entry."""
    (ask,), _ = post([an_attempt(content, secrets=[TOKEN])], **config)
    return events_in(ask)[0]


def several(count: int, **notice: Any) -> list[Attempt]:
    """Attempts at as many turns."""
    return [an_attempt(a_notice(turn=turn, **notice), Change.UPDATED, secrets=[TOKEN]) for turn in range(count)]


def test_the_token_goes_to_the_collector_alone() -> None:
    """The address is the collector's, the token stands in a header, and no text shows it."""
    (ask,), _ = post([an_attempt(secrets=[TOKEN])], url="https://splunk.example.com:8088/")
    assert ask.url == "https://splunk.example.com:8088/services/collector/event"
    assert ask.headers["authorization"] == f"Splunk {a_secret(TOKEN)}"
    assert a_secret(TOKEN) not in repr(ask)


def test_each_shape_has_a_source_type() -> None:
    """Alerts, findings and decisions have other fields, so they are told apart; a policy may name one for all."""
    for content, type in ((a_notice(), "alert"), (a_finding(), "finding"), (an_entry(), "decision")):
        assert the_event(content)["sourcetype"] == f"defender:{type}"
        assert the_event(content, sourcetype="mine")["sourcetype"] == "mine"


def test_what_the_policy_does_not_name_is_left_to_the_token() -> None:
    """Index and host are sent where they are named only; the source is always."""
    assert {"index", "host"}.isdisjoint(the_event(a_notice(), index=None))
    named = the_event(a_notice(), index="main", host="h", source="s")
    assert (named["index"], named["host"], named["source"]) == ("main", "h", "s")


def test_an_event_stands_at_the_time_of_its_state() -> None:
    """When it changed, else when it began, else now; a decision stands when it was made."""
    contents = (
        a_notice(changed="2026-11-24T12:00:00.250Z"), a_notice(changed=None, started="2026-11-24T11:58:00Z"),
        a_notice(changed=None, started=None), a_notice(changed="yesterday"), a_notice(changed="2026-11-24T12:00:00"),
        an_entry(at="2026-11-24T12:00:01Z"),
    )  # fmt: skip
    times = [1795521600.25, 1795521480.0, 1795521630.0, 1795521630.0, 1795521600.0, 1795521601.0]
    assert [the_event(content)["time"] for content in contents] == times


@pytest.mark.parametrize(("most", "requests"), [(REQUEST_LIMIT, 1), (REQUEST_LIMIT + 1, 2)])
def test_events_are_spread_over_requests_at_the_limit(most: int, requests: int) -> None:
    """As many bytes as the limit go in one request, line ends counted; one byte more makes another."""
    size = len(post(several(1, description=""))[0][0].body) + 1
    filler = [45_000 - size] * (REQUEST_LIMIT // 45_000)
    filler[-1] += most - 45_000 * len(filler)
    attempts = [several(1, description="x" * length)[0] for length in filler]
    asks, results = post(attempts)
    assert len(asks) == requests
    assert all(len(ask.body) <= REQUEST_LIMIT for ask in asks)
    assert results == [Receipt()] * len(attempts)


@settings(max_examples=some_of(60), deadline=None)
@given(st.sets(st.integers(0, 29)), st.sampled_from(["right", 0, 1, 2, 5, 29, 30, None, 9_000, -1, "3", True]))
@example(set(range(30)), 0)
def test_a_refused_event_costs_only_itself(poison: set[int], number: object) -> None:
    """Whatever number Splunk gives for it, that event is dead and every other one is taken; at most twice, if it is right.

    Where no event can be read, each is dead, in no more than a few requests for each; our token was taken.
    """
    taken = Counter[int]()

    def respond(ask: Ask) -> Answer:
        assert isinstance(ask, HttpRequest)
        turns = [event["event"]["turn"] for event in events_in(ask)]
        first = next((place for place, turn in enumerate(turns) if turn in poison), len(turns))
        taken.update(turns[:first])
        said = {"code": 6, "invalid-event-number": first if number == "right" else number}
        return replied(400, said) if first < len(turns) else TAKEN

    asks, results = post(several(30), respond)
    assert [
        turn for turn, result in enumerate(results) if isinstance(result, Rejected) and result.authenticated
    ] == sorted(poison)
    assert taken.keys() | poison == set(range(30)) and taken.keys().isdisjoint(poison)
    assert len(asks) <= (1 + 4 * len(poison) if number == "right" else 60)
    assert number != "right" or max(taken.values(), default=0) <= 2


def test_a_request_that_is_too_large_all_the_same_is_halved() -> None:
    """A collector with a smaller limit gets smaller requests, and one event that it does not take is cut."""
    last = bytearray()

    def respond(ask: Ask) -> Answer:
        assert isinstance(ask, HttpRequest)
        last[:] = ask.body if len(ask.body) <= 20_000 else last
        return TAKEN if len(ask.body) <= 20_000 else replied(413)

    asks, results = post([*several(40), *several(1, description="x" * 50_000)], respond)
    assert results == [Receipt()] * 41
    assert sum(len(events_in(ask)) for ask in asks if len(ask.body) <= 20_000) == 41
    assert b"[cut]" in last


def test_an_event_that_is_too_large_alone_is_cut_hard_then_rejected() -> None:
    """On 413 a single event is cut once more and says first which it is; what is refused then is dead."""
    asks, results = post([an_attempt(a_huge_notice(), secrets=[TOKEN])], lambda ask: replied(413))
    assert len(asks) == 2
    assert len(asks[1].body) <= 10_000 < len(asks[0].body)
    assert [list(events_in(ask)[0]["event"])[:3] for ask in asks] == [["change", "key", "turn"]] * 2
    assert [type(result) for result in results] == [Rejected]


def test_one_requests_failure_is_not_anothers() -> None:
    """The events of a request that fails fail alone, in their places."""
    answers: list[tuple[Answer, type[DeliveryError]]] = [
        (replied(503), Unavailable),
        (replied(403, {"code": 4}), Unauthorized),
        (replied(400), Rejected),
        (Unavailable("no answer"), Unavailable),
    ]
    for answer, expected in answers:
        asks, results = post(several(30, description="x" * 80_000), in_turn(TAKEN, answer, TAKEN))
        first, second, third = (len(events_in(ask)) for ask in asks)
        assert [type(result) for result in results] == [Receipt] * first + [expected] * second + [Receipt] * third


def test_two_indexes_are_two_places() -> None:
    """The address says where events go, so that two streams do not share a place by accident."""
    here, there, token = (a_destination("splunk_hec", index=index).address for index in ("a", "b", None))
    assert len({here, there, token}) == 3
