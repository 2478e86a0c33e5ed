"""Rows: a file's lines, and Log Analytics' rows, which their tables know, in calls that the service takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
import pytest

from router.destinations.log_analytics import (
    ALERTS,
    CALL_LIMIT,
    DECISIONS,
    FINDINGS,
    chunks_of,
    log_tables,
    row_for,
)
from router.domain.conversation import AppendLines, Ask, LogRows
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.keys import event_uid
from router.domain.notices import Notice, RecordEntry
from tests.destinations.builders import (
    ID,
    a_destination,
    a_finding,
    a_huge_notice,
    a_notice,
    a_software_update,
    an_attempt,
    an_entry,
)
from tests.destinations.conversations import Answer, converse

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


@pytest.mark.parametrize(
    ("content", "table"),
    [
        (a_notice(evidence=FULL), ALERTS),
        (a_notice(severity=None, evidence=Evidence()), ALERTS),
        (a_finding(categories=("Data",), measure="3/5", evidence=FULL), FINDINGS),
        (a_software_update(evidence=FULL), FINDINGS),
        (a_software_update(evidence=FULL), ALERTS),
        (AN_ENTRY, DECISIONS),
    ],
)
def test_a_row_has_columns_that_its_table_has(content: Notice | RecordEntry, table: str) -> None:
    """Every column of a row stands in the table, with a value of its type."""
    for column, value in row_for(an_attempt(content), table).items():
        match log_tables()[table].columns[column]:
            case "string":
                assert isinstance(value, str)
            case "int":
                assert type(value) is int
            case "boolean":
                assert isinstance(value, bool)
            case "datetime":
                assert datetime.fromisoformat(value).tzinfo is not None
            case "dynamic":
                assert isinstance(value, tuple | list | dict)


def test_every_column_is_filled_by_something_and_has_a_name_that_azure_allows() -> None:
    """No table has a column that no row ever fills; a name is not reserved, has a letter first and at most 45 characters."""
    full = {"evidence": FULL, "measure": "3/5", "categories": ("Data",), "cause": "c", "cloud": "Azure"}
    for content, table in ((a_notice(**full), ALERTS), (a_finding(**full), FINDINGS), (AN_ENTRY, DECISIONS)):
        assert set(row_for(an_attempt(content), table)) == set(log_tables()[table].columns)
        for column in log_tables()[table].columns:
            assert column not in RESERVED
            assert column[0].isalpha() and column.isalnum() and len(column) <= 45


def test_an_alert_row_has_what_asim_makes_mandatory() -> None:
    """The mandatory fields of AlertEvent 0.1 are always there; Defender's id is EventOriginalUid."""
    row = row_for(an_attempt(a_notice(started=None, ended=None, changed=None, evidence=Evidence())), ALERTS)
    mandatory = {"EventCount", "EventStartTime", "EventEndTime", "EventType", "EventUid", "EventProduct", "EventVendor"}
    assert mandatory | {"EventSchema", "EventSchemaVersion", "TimeGenerated"} <= set(row)
    assert (row["EventOriginalUid"], row["EventUid"]) == (ID, event_uid(a_notice().key, 1))


def test_asim_severity_comes_from_its_four() -> None:
    """EventSeverity is one of ASIM's; what the message said stands in EventOriginalSeverity."""
    for severity, written, expected in (
        ("Low", "Low", "Low"),
        ("Critical", "Critical", "High"),
        (None, "Severe", "High"),
        (None, None, "High"),
    ):
        row = row_for(an_attempt(a_notice(severity=severity, severity_written=written)), ALERTS)
        assert (row["EventSeverity"], row.get("EventOriginalSeverity")) == (expected, written)


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
