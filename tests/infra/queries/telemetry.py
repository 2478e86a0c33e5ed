"""Telemetry as the workspace has it: what the router's own meters say, through Microsoft's exporter, as rows of AppMetrics.

https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-configuration
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azure.monitor.opentelemetry.exporter.export.metrics._exporter import (
    APPLICATION_INSIGHTS_METRIC_TEMPORALITIES,
    _convert_point_to_envelope,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from router.telemetry import Telemetry
from tests.infra.queries.workspace import Row

_TEMPORALITIES: Any = APPLICATION_INSIGHTS_METRIC_TEMPORALITIES
"""That a counter tells what it counted since the last time, and not since the start."""


class Exported:
    """A router's telemetry, exported when a test says so; `seconds` is its clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._reader = InMemoryMetricReader(_TEMPORALITIES)
        meters = MeterProvider([self._reader], Resource.get_empty(), shutdown_on_exit=False)
        log = logging.Logger("unheard", logging.CRITICAL)
        self.telemetry = Telemetry(meters.get_meter("test"), log=log, clock=lambda: self.seconds)

    def rows(self, at: datetime) -> Sequence[Row]:
        """What the exporter sends now, each metric's point as the row that it becomes."""
        data = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            if scope.scope.name == "test"
            for metric in scope.metrics
        ]
        return [_row(metric.name, point, at) for metric in metrics for point in metric.data.data_points]


def _row(name: str, point: Any, at: datetime) -> Row:
    """What Application Insights makes of an envelope: a point's value is Sum, its count ItemCount."""
    envelope: Any = _convert_point_to_envelope(point, name)
    data = envelope.data.base_data
    (said,) = data.metrics
    return {
        "TimeGenerated": at,
        "Name": said.name,
        "Sum": float(said.value),
        "Min": said.min if said.min is not None else float(said.value),
        "Max": said.max if said.max is not None else float(said.value),
        "ItemCount": said.count,
        "Properties": dict(data.properties),
    }
