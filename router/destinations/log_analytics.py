"""Log Analytics and Microsoft Sentinel, Logs Ingestion API: one row for each notice, or for each decision on record.

Deduplicates nothing: a row that is sent again stands there again. Queries tell such rows by EventUid (MessageKey in the
record): `ASimAlertEventLogs | summarize arg_max(TimeGenerated, *) by EventUid`.
Alerts become rows of ASimAlertEventLogs, findings of DefenderFindings_CL, decisions of AlertRouterDecisions_CL; a table
of another name gets the row that fits what is sent. TimeGenerated is when a notice is sent, EventStartTime when it began.

Retried: what the shell reports as Unavailable, by chunk; one chunk's failure is not another's. A chunk that is too
large all the same (413) is halved.
Truncated: a field below 64 KB, which the service would cut without a mark; a row that alone fills a call.

https://learn.microsoft.com/azure/azure-monitor/service-limits#logs-ingestion-api (1 MB a call, 64 KB a field)
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag

from router.destinations.config import Config, HttpsUrl, SettingName, base_of, named_or_written
from router.destinations.wording.escaping import web_link
from router.destinations.wording.facts import evidence_of, posture_of
from router.destinations.wording.fitting import encodable, fitted, json_text, packed, shorten_bytes
from router.destinations.wording.headlines import reporter_of
from router.domain.conversation import Conversation, Deduplication, LogRows, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected
from router.domain.evidence import account_name_of, command_line_of
from router.domain.keys import event_uid
from router.domain.notices import Notice, RecordEntry
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.domain.urls import is_loopback
from router.domain.values import Value

type Row = dict[str, Any]

# ASIM knows four severities. What is worse than High is High, and so is what is not known; the original stands beside.
_SEVERITIES = frozenset({"Informational", "Low", "Medium", "High"})
_LOUDEST = "High"

_HASHES = {32: "FileMD5", 40: "FileSHA1", 64: "FileSHA256"}


ALERTS, FINDINGS, DECISIONS = "ASimAlertEventLogs", "DefenderFindings_CL", "AlertRouterDecisions_CL"


class LogTable(Value):
    """A table of Log Analytics: its columns and their types, in their order.

    `fields` says of each column, and of each value within `AdditionalFields`, which field of a notice or an entry it has as it
    is, behind `=` what it always has; nothing where the row makes its value.
    """

    name: str
    columns: dict[str, str]
    fields: dict[str, str]


@cache
def log_tables() -> Mapping[str, LogTable]:
    """The tables that rows are written to, by name: `log_analytics.tsv`, of which `infra/` makes streams and tables.

    Of Microsoft's own table it has the columns that the router fills, aliases left out:
    https://learn.microsoft.com/azure/azure-monitor/reference/tables/asimalerteventlogs
    Custom tables avoid the reserved names _ResourceId, id, _SubscriptionId, TenantId, Type, UniqueId and Title; a column
    starts with a letter and has at most 45 characters:
    https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table
    """
    lines = files("router.destinations").joinpath("log_analytics.tsv").read_text(encoding="utf-8").splitlines()
    tables: dict[str, LogTable] = {}
    for row in csv.DictReader(lines, delimiter="\t"):
        table = tables.setdefault(row["table"], LogTable(row["table"], {}, {}))
        table.fields[row["column"]] = row["from"]
        if row["type"]:
            table.columns[row["column"]] = row["type"]
    return tables


def row_for(attempt: Attempt, table: str) -> Row:
    """The row of what an attempt delivers: by the table where it is one of ours, else by the stream."""
    content = attempt.delivery.content
    made: Row = {}
    if isinstance(content, RecordEntry):
        name, made = DECISIONS, {"ConsoleLink": attempt.page}
    elif table == FINDINGS or (table != ALERTS and content.stream == Stream.CSPM):
        name, made = FINDINGS, _shared(content, attempt) | {"Tactics": tuple(tactic.id for tactic in content.tactics)}
    else:
        name, made = ALERTS, _shared(content, attempt) | _of_alert(content, attempt)
    row: Row = {}
    for column, source in log_tables()[name].fields.items():
        outer, _, inner = column.rpartition(".")
        value = made.get(inner) if not source else source[1:] if source[0] == "=" else getattr(content, source)
        if value is not None and value not in ("", (), {}):
            (row.setdefault(outer, {}) if outer else row)[inner] = value
    return row


def _shared(notice: Notice, attempt: Attempt) -> Row:
    """What rows of alerts and of findings have beside fields of the notice.

    `Evidence` is what is known, and what an individual recommendation says: software, CVEs, risk and so on, by the same names.
    """
    owner = notice.owner
    return {
        "TimeGenerated": attempt.now.isoformat(),
        "EventUid": event_uid(notice.key, notice.turn),
        "Change": str(attempt.delivery.change),
        "PortalLink": web_link(notice.link),
        "ConsoleLink": attempt.page,
        "Remediation": "\n".join(notice.remediation),
        "OwnerGroup": owner.group if owner else None,
        "OwnerService": owner.service if owner else None,
        "Evidence": {**evidence_of(notice), **{name: value for name, value in posture_of(notice).items() if value}},
        "Extended": dict(notice.extended),
    }


def _of_alert(notice: Notice, attempt: Attempt) -> Row:
    """What a row of ASimAlertEventLogs, ASIM AlertEvent 0.1, has beside that."""
    began = notice.started or notice.changed or attempt.now.isoformat()
    return {
        "EventSubType": "Suspicious Activity" if notice.stream == Stream.CWPP else "Compliance Violation",
        "EventProduct": reporter_of(notice),
        "EventCount": 1,
        "EventStartTime": began,
        "EventEndTime": notice.ended or began,
        "EventSeverity": notice.severity if notice.severity in _SEVERITIES else _LOUDEST,
        "EventOriginalSeverity": notice.severity_written or notice.severity,
        "EventReportUrl": web_link(notice.link),
        "EventOwner": notice.owner.group if notice.owner else None,
        "AlertStatus": "Closed" if attempt.delivery.change is Change.RESOLVED else "Active",
        "AttackTactics": ", ".join(tactic.name for tactic in notice.tactics),
        "AttackTechniques": ", ".join(notice.techniques),
        "AttackRemediationSteps": "\n".join(notice.remediation),
        "TacticIds": tuple(tactic.id for tactic in notice.tactics),
        **_subjects(notice),
    }


def _subjects(notice: Notice) -> Row:
    """The first host, address, account, process, file and URL: ASIM has one column for each, and one for a hash of each length.

    Forms of a user's name: https://learn.microsoft.com/azure/sentinel/normalization-entity-user#usernametype.
    """
    evidence = notice.evidence
    user = next(map(account_name_of, evidence.accounts), None)
    commands = filter(None, (command_line_of(process, evidence.files) for process in evidence.processes))
    is_azure = bool(notice.resource and notice.resource.lower().startswith("/subscriptions/"))
    # An algorithm before a colon is left out.
    hashes = [written.rpartition(":")[2].strip() for written in reversed(evidence.hashes)]
    return {
        "IndicatorType": "Host" if evidence.hosts else "Cloud Resource",
        "DvcHostname": next(iter(evidence.hosts), None),
        "DvcIpAddr": next(iter(evidence.ips), None),
        "DvcIdType": ("AzureResourceId" if is_azure else "Other") if notice.resource else None,
        "Username": user,
        "UsernameType": ("UPN" if "@" in user else "Windows" if "\\" in user else "Simple") if user else None,
        "ProcessCommandLine": next(commands, None) or next(iter(evidence.commands), None),
        "FilePath": next(iter(evidence.files), None),
        **{_HASHES[len(value)]: value for value in hashes if len(value) in _HASHES},
        "Url": next(iter(evidence.urls), None),
    }


CALL_LIMIT = 900_000  # bytes of one call; the service takes 1,048,576
FIELD_LIMIT = 60_000  # bytes of one field; the service keeps 65,536
_SMALL_ROW = 30_000  # bytes of a row that was too large by itself, on its last try
_SEPARATOR, _BRACKETS = len(", "), len("[]")


type LogsEndpoint = Annotated[
    Annotated[HttpsUrl, Tag("written")] | Annotated[SettingName, Tag("named")], Discriminator(named_or_written)
]
type LogsRule = Annotated[
    Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$"), Tag("written")] | Annotated[SettingName, Tag("named")],
    Discriminator(named_or_written),
]


class LogAnalyticsConfig(Config):
    """`{kind: log_analytics, endpoint: https://..., rule: dcr-..., table: NAME}`; `stream` is Custom-NAME by default.

    Endpoint and rule may be those that app settings hold: `{setting: NAME}`.
    """

    kind: Literal["log_analytics"]
    endpoint: LogsEndpoint
    rule: LogsRule
    table: Annotated[str, Field(pattern=r"^(ASimAlertEventLogs|[A-Za-z][A-Za-z0-9_]*_CL)$")]
    stream: Annotated[str, Field(pattern=r"^(Custom|Microsoft)-[A-Za-z0-9_]+$")] | None = None

    @property
    def clients(self) -> tuple[str, ...]:
        """An endpoint on this machine is no Azure, and gets no token of Azure's."""
        return () if is_loopback(urlsplit(str(self.endpoint)).hostname or "") else ("azure.identity",)


class LogAnalytics:
    """Writes rows."""

    name: ClassVar[str] = "log_analytics"
    lane: ClassVar[Lane] = Lane.ROWS
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    batch: ClassVar[int] = 500
    Config: ClassVar[type[LogAnalyticsConfig]] = LogAnalyticsConfig

    def __init__(self, config: LogAnalyticsConfig) -> None:
        self._endpoint = base_of(str(config.endpoint))
        self._rule = str(config.rule)
        self._table = config.table
        self._stream = config.stream or f"Custom-{config.table}"
        self.address = f"{self._endpoint}/dataCollectionRules/{self._rule}/streams/{self._stream}"

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """Says which rows to upload, and returns one result for each attempt, in their order."""
        results: list[Result] = []
        for chunk in chunks_of([fitted_row(row_for(attempt, self._table)) for attempt in attempts]):
            results.extend((yield from self._upload(chunk)))
        return results

    def preview(self, attempt: Attempt) -> str:
        """The row, as JSON."""
        return json_text(fitted_row(row_for(attempt, self._table)))

    def _upload(self, rows: Sequence[Mapping[str, Any]]) -> Conversation:
        """The results of rows in one call; of a call that is too large in two halves, of such a row cut."""
        try:
            yield LogRows(endpoint=self._endpoint, rule=self._rule, stream=self._stream, rows=rows)
            return [Receipt()] * len(rows)
        except DeliveryError as failed:
            middle, smaller = len(rows) // 2, fitted(rows[0], _SMALL_ROW, size_of)
            if not isinstance(failed, Rejected) or failed.status != 413:
                return [failed] * len(rows)
            if middle:
                first = yield from self._upload(rows[:middle])
                return [*first, *(yield from self._upload(rows[middle:]))]
            return (yield from self._upload([smaller])) if size_of(smaller) < size_of(rows[0]) else [failed]


def size_of(row: Mapping[str, Any]) -> int:
    """The bytes of a row as it is sent: spaces after separators, nothing but ASCII."""
    return len(json.dumps(row))


def fitted_row(row: Row) -> Mapping[str, Any]:
    """A row whose fields and whole are within the limits."""
    row = encodable(row)
    size = size_of(row)
    if size > FIELD_LIMIT:
        row = {column: _fitted_field(value) for column, value in row.items()}
        size = size_of(row)
    return row if size <= CALL_LIMIT - _BRACKETS else fitted(row, CALL_LIMIT - _BRACKETS, size_of)


def _fitted_field(value: Any) -> Any:
    if isinstance(value, str):
        return shorten_bytes(value, FIELD_LIMIT)
    if isinstance(value, dict):
        return fitted(value, FIELD_LIMIT, size_of)
    if isinstance(value, tuple | list):
        return fitted({"": value}, FIELD_LIMIT, size_of)[""]
    return value


def chunks_of(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The rows in their order, as many to a call as its limit lets in, with what stands between and around them."""
    return packed(rows, lambda row: size_of(row) + _SEPARATOR, CALL_LIMIT - _BRACKETS)
