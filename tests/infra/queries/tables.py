"""The tables that queries may read, with their columns: those that the router's rows go to, and those that Azure fills.

Of Azure's own tables only the columns that anything here reads or writes.
https://learn.microsoft.com/azure/azure-monitor/reference/tables/appmetrics
https://learn.microsoft.com/azure/azure-monitor/reference/tables/azuremetrics
https://learn.microsoft.com/azure/azure-monitor/reference/tables/mdcfileintegritymonitoringevents
https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityalert
"""

from __future__ import annotations

from collections.abc import Mapping

from router.destinations.log_analytics import log_tables

type Columns = Mapping[str, str]
"""The columns of a table, and their types as Kusto calls them."""

KUSTO = {"string": "string", "int": "int", "boolean": "bool", "datetime": "datetime", "dynamic": "dynamic"}
"""What Kusto calls the types that tables are declared with."""

AZURES: Mapping[str, Columns] = {
    "AppMetrics": {
        "TimeGenerated": "datetime",
        "Name": "string",
        "Sum": "real",
        "Min": "real",
        "Max": "real",
        "ItemCount": "int",
        "Properties": "dynamic",
    },
    "AzureMetrics": {
        "TimeGenerated": "datetime",
        "ResourceId": "string",
        "MetricName": "string",
        "Total": "real",
        "Maximum": "real",
        "Minimum": "real",
    },
    "MDCFileIntegrityMonitoringEvents": {
        "TimeGenerated": "datetime",
        "AzureResourceId": "string",
        "Computer": "string",
        "MonitoredEntityType": "string",
        "ChangeType": "string",
        "FileName": "string",
        "FilePath": "string",
        "RegistryKey": "string",
    },
    "SecurityAlert": {
        "TimeGenerated": "datetime",
        "ProductName": "string",
        "SystemAlertId": "string",
        "VendorOriginalId": "string",
    },
}

SCHEMA: Mapping[str, Columns] = {
    **{name: {column: KUSTO[type] for column, type in table.columns.items()} for name, table in log_tables().items()},
    **AZURES,
}
