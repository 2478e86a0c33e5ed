"""The yardstick: a flat alert as a plain pydantic model, every documented field typed, entities a list of mappings.

Pinned: it changes only when Defender documents other fields, never to move a ratio.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal


class ReferenceAlert(BaseModel):
    """A security alert as Event Hubs carries it."""

    model_config = ConfigDict(alias_generator=to_pascal, extra="ignore")

    vendor_name: str | None = None
    product_name: str | None = None
    product_component_name: str | None = None
    alert_type: str
    start_time_utc: datetime | None = None
    end_time_utc: datetime | None = None
    time_generated: datetime | None = None
    processing_end_time: datetime | None = None
    severity: Literal["Informational", "Low", "Medium", "High"] | None = None
    status: str | None = None
    provider_alert_status: str | None = None
    confidence_level: str | None = None
    confidence_score: float | None = None
    confidence_reasons: list[dict[str, Any]] | None = None
    correlation_key: str | None = None
    agent_id: str | None = None
    is_incident: bool = False
    system_alert_id: str
    intent: str | None = None
    azure_resource_id: str | None = None
    workspace_id: str | None = None
    workspace_subscription_id: str | None = None
    workspace_resource_group: str | None = None
    compromised_entity: str | None = None
    alert_display_name: str | None = None
    description: str | None = None
    alert_uri: str | None = None
    remediation_steps: list[str] = []
    entities: list[dict[str, Any]] = []
    extended_links: list[dict[str, Any]] | None = None
    resource_identifiers: list[dict[str, Any]] = []
    extended_properties: dict[str, str] = {}
