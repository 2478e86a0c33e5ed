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

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Discriminator, Field, Tag

from router.destinations.config import Config, HttpsUrl, SettingName, base_of, named_or_written
from router.destinations.log_analytics.rows import Row, row_for
from router.destinations.wording.fitting import encodable, fitted, packed, shorten_bytes
from router.destinations.wording.previews import json_text
from router.domain.conversation import Conversation, LogRows, Result
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected
from router.domain.ports.destinations import Deduplication
from router.domain.rulebook import Lane
from router.domain.urls import is_loopback

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

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "log_analytics",
                    "endpoint": "https://logs.example",
                    "rule": "dcr-00000000000000000000000000000000",
                    "table": "ASimAlertEventLogs",
                },
                {
                    "kind": "log_analytics",
                    "endpoint": {"setting": "CSPM_LOGS_ENDPOINT"},
                    "rule": {"setting": "CSPM_LOGS_RULE"},
                    "table": "DefenderFindings_CL",
                },
            ]
        }
    )

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

    def address(self) -> str:
        """The endpoint, the rule and the stream."""
        return f"{self._endpoint}/dataCollectionRules/{self._rule}/streams/{self._stream}"

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
        try:
            yield LogRows(endpoint=self._endpoint, rule=self._rule, stream=self._stream, rows=rows)
        except Rejected as refused:
            if refused.status == 413:
                return (yield from self._upload_smaller(rows, refused))
            return [refused] * len(rows)
        except DeliveryError as failed:
            return [failed] * len(rows)
        return [Receipt()] * len(rows)

    def _upload_smaller(self, rows: Sequence[Mapping[str, Any]], refused: Rejected) -> Conversation:
        if len(rows) > 1:
            middle = len(rows) // 2
            first = yield from self._upload(rows[:middle])
            return [*first, *(yield from self._upload(rows[middle:]))]
        row = fitted(rows[0], _SMALL_ROW, size_of)
        return (yield from self._upload([row])) if size_of(row) < size_of(rows[0]) else [refused]


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
    """The rows in their order, as many to a call as its limit lets in, counting what stands between and around them."""
    return packed(rows, lambda row: size_of(row) + _SEPARATOR, CALL_LIMIT - _BRACKETS)
