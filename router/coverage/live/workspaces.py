"""Questions to workspaces of Log Analytics: when the sensor of each cluster last sent a row. Pure.

https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format,
https://learn.microsoft.com/azure/azure-monitor/reference/tables/cloudprocessevents
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from router.coverage.documents import document_of
from router.coverage.fields import find_list, find_text
from router.coverage.live.answers import LOG_ANALYTICS_READER, object_in
from router.coverage.live.clouds import AzureCloud
from router.coverage.live.probes import Probe, refused
from router.domain.conversation import HttpRequest
from router.domain.errors import Unavailable

_COLUMNS = "AzureResourceId: string, AwsResourceName: string, GcpFullResourceName: string"

QUERY = (
    f"union isfuzzy=true (datatable(TimeGenerated: datetime, {_COLUMNS})[]), CloudProcessEvents"
    " | summarize last = max(TimeGenerated) by AzureResourceId, AwsResourceName, GcpFullResourceName"
)
"""The last row of each cluster. A workspace that does not have the table answers with none, which is no error of its own."""

_SPAN = "P30D"
"""How far back it looks: whatever is older says nothing of today."""


def workspace_probe(cloud: AzureCloud, workspace: str) -> Probe:
    """The last rows that sensors sent to one workspace; no document where there are none, which proves nothing."""
    name = f"Log Analytics: last rows in workspace {workspace}"
    try:
        body = object_in((yield _request(cloud, workspace)), LOG_ANALYTICS_READER)
        rows = _rows_in(body)
    except Unavailable as fault:
        return (refused(name, str(fault)),)
    return (document_of(rows, name),) if rows else ()


def _request(cloud: AzureCloud, workspace: str) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{cloud.log_analytics}/v1/workspaces/{workspace}/query",
        headers={"accept": "application/json", "content-type": "application/json"},
        body=json.dumps({"query": QUERY, "timespan": _SPAN}).encode(),
    )


def _rows_in(body: Mapping[str, object]) -> list[dict[str, object]]:
    """The rows of the first table, which has the result, each by the names of its columns."""
    tables = find_list(body, "tables") or [None]
    columns, rows = find_list(tables[0], "columns"), find_list(tables[0], "rows")
    if columns is None or rows is None:
        raise Unavailable("the answer has no table")
    names = [find_text(column, "name") or "" for column in columns]
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise Unavailable("the answer has rows that do not fit its columns")
    return [dict(zip(names, row, strict=True)) for row in rows if isinstance(row, list)]
