"""The columns of the tables that rows are written to: the one place that says so.

`infra/` makes the streams and the tables from these, and a test holds the rows to them. Custom tables avoid the reserved
names _ResourceId, id, _SubscriptionId, TenantId, Type, UniqueId and Title; a column starts with a letter and has at
most 45 characters: https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type ColumnType = Literal["string", "int", "boolean", "datetime", "dynamic"]


@dataclass(frozen=True, slots=True)
class LogTable:
    """A table of Log Analytics.

    Attributes:
        name: its name.
        columns: the types of its columns by name, in their order.
    """

    name: str
    columns: Mapping[str, ColumnType]


# Microsoft's own table; of its columns those that the router fills, aliases left out:
# https://learn.microsoft.com/azure/sentinel/normalization-schema-alert
# https://learn.microsoft.com/azure/azure-monitor/reference/tables/asimalerteventlogs
ALERTS = LogTable(
    "ASimAlertEventLogs",
    {
        "TimeGenerated": "datetime",
        "EventUid": "string",
        "EventOriginalUid": "string",
        "EventType": "string",
        "EventSubType": "string",
        "EventSchema": "string",
        "EventSchemaVersion": "string",
        "EventVendor": "string",
        "EventProduct": "string",
        "EventCount": "int",
        "EventStartTime": "datetime",
        "EventEndTime": "datetime",
        "EventSeverity": "string",
        "EventOriginalSeverity": "string",
        "EventOriginalType": "string",
        "EventMessage": "string",
        "EventReportUrl": "string",
        "EventOwner": "string",
        "AlertName": "string",
        "AlertStatus": "string",
        "AlertOriginalStatus": "string",
        "AttackTactics": "string",
        "AttackTechniques": "string",
        "AttackRemediationSteps": "string",
        "IndicatorType": "string",
        "DvcHostname": "string",
        "DvcIpAddr": "string",
        "DvcId": "string",
        "DvcIdType": "string",
        "DvcScopeId": "string",
        "Username": "string",
        "UsernameType": "string",
        "ProcessCommandLine": "string",
        "FilePath": "string",
        "FileMD5": "string",
        "FileSHA1": "string",
        "FileSHA256": "string",
        "Url": "string",
        "AdditionalFields": "dynamic",
    },
)

FINDINGS = LogTable(
    "DefenderFindings_CL",
    {
        "TimeGenerated": "datetime",
        "EventUid": "string",
        "SignalKey": "string",
        "Turn": "int",
        "Change": "string",
        "Kind": "string",
        "FindingId": "string",
        "FindingType": "string",
        "FindingTitle": "string",
        "Description": "string",
        "Severity": "string",
        "SeverityWritten": "string",
        "Status": "string",
        "StatusChanged": "datetime",
        "Cause": "string",
        "Measure": "string",
        "Categories": "dynamic",
        "ResourceId": "string",
        "ResourceType": "string",
        "ResourceGroup": "string",
        "SubscriptionId": "string",
        "Cloud": "string",
        "Tactics": "dynamic",
        "Techniques": "dynamic",
        "AttackVersion": "string",
        "Routes": "dynamic",
        "Reason": "string",
        "Rulebook": "string",
        "PortalLink": "string",
        "Remediation": "string",
        "OwnerGroup": "string",
        "OwnerService": "string",
        "IsSnapshot": "boolean",
        "Evidence": "dynamic",
        "Extended": "dynamic",
    },
)

DECISIONS = LogTable(
    "AlertRouterDecisions_CL",
    {
        "TimeGenerated": "datetime",
        "MessageKey": "string",
        "SignalId": "string",
        "Stream": "string",
        "Kind": "string",
        "SignalType": "string",
        "SignalTitle": "string",
        "Severity": "string",
        "Status": "string",
        "Plan": "string",
        "ResourceId": "string",
        "IsSample": "boolean",
        "Outcome": "string",
        "Reason": "string",
        "Notice": "string",
        "SuppressedBy": "string",
        "SuppressedUntil": "datetime",
        "ShadowedBy": "dynamic",
        "Tactics": "dynamic",
        "Techniques": "dynamic",
        "Routes": "dynamic",
        "Destinations": "dynamic",
        "Rulebook": "string",
        "Source": "string",
    },
)

TABLES: Mapping[str, LogTable] = {table.name: table for table in (ALERTS, FINDINGS, DECISIONS)}
