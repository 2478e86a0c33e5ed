"""Rows: a file's lines, Log Analytics' rows and Splunk's events, which their readers know, in calls that the services take."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from copy import replace
from datetime import datetime
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from router.destinations.log_analytics import (
    ALERTS,
    CALL_LIMIT,
    DECISIONS,
    FINDINGS,
    chunks_of,
    fitted_row,
    log_tables,
    row_for,
)
from router.destinations.splunk_hec import REQUEST_LIMIT
from router.domain.conversation import AppendLines, Ask, HttpRequest, LogRows, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.keys import event_uid
from router.domain.notices import Notice, RecordEntry
from tests.destinations.builders import (
    ID,
    a_destination,
    a_finding,
    a_huge_notice,
    a_notice,
    a_secret,
    a_software_update,
    an_attempt,
    an_entry,
)
from tests.destinations.conversations import Answer, Respond, converse, in_turn, replied
from tests.examples import some_of

RESERVED = {"_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"}
FULL = Evidence(
    hosts=("h",), accounts=("a@b",), ips=("1.1.1.1",), processes=("p",), files=("/f",), urls=("u",),
    hashes=("MD5:" + "a" * 32, "b" * 40, "c" * 64),
)  # fmt: skip
AN_ENTRY = an_entry(suppressed_by="scanner", suppressed_until="2026-12-31T00:00:00Z", shadowed_by=("try",))


def lines_for(*attempts: Attempt) -> list[dict[str, Any]]:
    """The lines that a send appends to a file, all at once."""
    (append,), results = converse(a_destination("file", path="out.ndjson"), attempts, lambda ask: None)
    assert isinstance(append, AppendLines)
    assert (append.path, append.lines.endswith(b"}\n"), len(results)) == ("out.ndjson", True, len(attempts))
    return [orjson.loads(line) for line in append.lines.splitlines()]


def test_a_line_of_a_file_always_has_the_same_keys_and_all_of_a_notice() -> None:
    """An alert with everything and a finding with little are lines of the same keys, in their order; nothing is cut."""
    attempts = (an_attempt(a_huge_notice()), an_attempt(a_finding(owner=None, link=None), Change.RESOLVED))
    alert, finding = lines_for(*attempts)
    assert list(alert) == list(finding)
    assert list(alert)[:4] == ["change", "key", "turn", "destination"]
    assert (alert["description"], finding["owner"]) == (a_huge_notice().description, None)


def test_an_entry_of_the_record_is_written_as_it_is() -> None:
    """The record's line has the values of the entry under its keys, but for what only the state keeps."""
    kept = {key: value for key, value in asdict(an_entry()).items() if key not in ("signal", "turn", "steps")}
    assert lines_for(an_attempt(an_entry())) == [orjson.loads(orjson.dumps(kept))]


def upload(attempts: Sequence[Attempt], refuse: Any = lambda ask: None) -> tuple[list[LogRows], list[Any]]:
    """The calls that a send makes, and its results."""
    asks, results = converse(a_destination("log_analytics"), attempts, refuse)
    return [ask for ask in asks if isinstance(ask, LogRows)], results


def size_of(call: LogRows) -> int:
    """The bytes of a call's body, as the SDK writes it."""
    return len(json.dumps(list(call.rows)))


def test_a_row_has_accounts_and_command_lines_as_other_tables_have_them() -> None:
    """Without the SID, number, account, parent and image that people read beside them."""
    evidence = Evidence(
        accounts=("SHOP\\ada (S-1-5-18)",),
        processes=("c:\\x.exe: .\\x -t (0x7), by SHOP\\ada, child of cmd.exe",),
        files=("c:\\x.exe",),
    )
    row = row_for(an_attempt(a_notice(evidence=evidence)), ALERTS)
    assert (row["Username"], row["ProcessCommandLine"]) == ("SHOP\\ada", ".\\x -t")


TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
    "datetime": lambda value: datetime.fromisoformat(value).tzinfo is not None,
    "dynamic": lambda value: isinstance(value, tuple | list | dict),
}


def test_a_table_has_the_columns_of_its_rows_and_no_other() -> None:
    """Each with a value of its type; a name is not reserved, has a letter first and at most 45 characters."""
    full: dict[str, Any] = {"evidence": FULL, "measure": "3/5", "categories": ("Data",), "cause": "c", "cloud": "Azure"}
    for content, table, is_full in (
        (a_notice(**full), ALERTS, True),
        (a_notice(severity=None, evidence=Evidence()), ALERTS, False),
        (a_finding(**full), FINDINGS, True),
        (a_software_update(evidence=FULL), FINDINGS, False),
        (a_software_update(evidence=FULL), ALERTS, False),
        (AN_ENTRY, DECISIONS, True),
    ):
        attempt = replace(an_attempt(content), page="https://alerts.example/signals/1" if is_full else None)
        columns, row = log_tables()[table].columns, row_for(attempt, table)
        assert [column for column, value in row.items() if not TYPES[columns[column]](value)] == []
        assert not is_full or set(row) == set(columns)
        for column in columns:
            assert column not in RESERVED
            assert column[0].isalpha() and column.isalnum() and len(column) <= 45


def test_an_alert_row_has_what_asim_makes_mandatory() -> None:
    """The mandatory fields of AlertEvent 0.1 are always there; Defender's id is EventOriginalUid."""
    row = row_for(an_attempt(a_notice(started=None, ended=None, changed=None, evidence=Evidence())), ALERTS)
    mandatory = {"EventCount", "EventStartTime", "EventEndTime", "EventType", "EventUid", "EventProduct", "EventVendor"}
    assert mandatory | {"EventSchema", "EventSchemaVersion", "TimeGenerated"} <= set(row)
    assert (row["EventOriginalUid"], row["EventUid"]) == (ID, event_uid(a_notice().key, 1))
    for written in ("Severe", None):
        row = row_for(an_attempt(a_notice(severity=None, severity_written=written)), ALERTS)
        assert row.get("EventOriginalSeverity") == written


def test_a_table_of_another_name_gets_what_is_sent() -> None:
    """Where there is no Sentinel, a table of one's own takes alerts, findings or decisions."""
    for content, column in ((a_notice(), "AlertName"), (a_finding(), "FindingTitle"), (an_entry(), "Outcome")):
        assert column in row_for(an_attempt(content), "Mine_CL")


def test_rows_go_in_calls_below_the_limit() -> None:
    """Many rows go in as few calls as their bytes allow, separators counted, each row once and in order."""
    calls, results = upload([an_attempt(a_notice(turn=turn, description="x" * 5_000)) for turn in range(300)])
    assert all(size_of(call) <= CALL_LIMIT for call in calls)
    assert len(calls) == 3
    assert [row["AdditionalFields"]["Turn"] for call in calls for row in call.rows] == list(range(300))  # type: ignore[index]
    assert results == [Receipt()] * 300
    columns = {f"C{number}": "x" * 59_000 for number in range(15)}
    room = CALL_LIMIT - len(json.dumps([{**columns, "D": ""}]))
    for over in (0, 1):
        row = {**columns, "D": "x" * (room + over)}
        assert (len(json.dumps([fitted_row(row)])) <= CALL_LIMIT, fitted_row(row) == row) == (True, not over)
    chunks = list(chunks_of([{"a": 1}] * 200_000))
    assert sum(map(len, chunks)) == 200_000
    assert max(len(json.dumps(chunk)) for chunk in chunks) <= CALL_LIMIT
    assert min(len(json.dumps(chunk)) for chunk in chunks[:-1]) > CALL_LIMIT - 20


def test_a_chunk_that_is_too_large_is_halved() -> None:
    """On 413 the rows are tried in halves; each is sent once."""
    largest = 3
    taken: list[object] = []

    def refuse(ask: Ask) -> Answer:
        assert isinstance(ask, LogRows)
        if len(ask.rows) > largest:
            return Rejected("log_analytics: answered 413", status=413)
        taken.extend(row["EventUid"] for row in ask.rows)
        return None

    _, results = upload([an_attempt(a_notice(turn=turn)) for turn in range(10)], refuse)
    assert taken == [event_uid(a_notice().key, turn) for turn in range(10)]
    assert results == [Receipt()] * 10


def test_a_row_that_is_too_large_alone_is_cut_hard_then_rejected() -> None:
    """On 413 a single row is cut once more; what is refused then is dead."""
    refused = Rejected("log_analytics: answered 413", status=413)
    calls, results = upload([an_attempt(a_huge_notice())], lambda ask: refused)
    assert len(calls) == 2
    assert size_of(calls[1]) < 40_000 < size_of(calls[0])
    assert results == [refused]


@pytest.mark.parametrize("error", [Unavailable("u"), Unauthorized("u"), Rejected("r", status=400)])
def test_one_chunks_failure_is_not_anothers(error: Exception) -> None:
    """The rows of a chunk that fails fail alone, in their places."""
    attempts = [an_attempt(a_notice(turn=turn, description="x" * 50_000)) for turn in range(40)]
    seen: list[Ask] = []

    def refuse(ask: Ask) -> Any:
        seen.append(ask)
        return error if len(seen) == 2 else None

    calls, results = upload(attempts, refuse)
    first, second = len(calls[0].rows), len(calls[1].rows)
    assert len(calls) == 3
    assert results == [Receipt()] * first + [error] * second + [Receipt()] * len(calls[2].rows)


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
