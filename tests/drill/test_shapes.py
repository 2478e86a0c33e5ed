"""What the double of Defender says has the shapes of Microsoft's own examples, and of a recorded export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.samples import SAMPLES
from tests.stack.defender import Sample, samples_of_bundle

ROOT = Path(__file__).parents[2]
ALERTS = SAMPLES / "azure-rest-api-specs" / "stable" / "2022-01-01" / "examples" / "Alerts"
EXPORTED = ROOT / "alert_router_demo" / "samples" / "cwpp.ndjson"


def a_sample() -> Sample:
    """A sample of the double."""
    return samples_of_bundle("VirtualMachines", "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330", datetime.now(UTC))[0]


def kinds_of(body: Mapping[str, Any]) -> dict[str, type]:
    """The names in an object, with the types of what they name; nothing of what is null."""
    return {name: type(value) for name, value in body.items() if value is not None}


@pytest.mark.shared
def test_what_is_listed_has_the_shape_of_microsofts_example() -> None:
    """Every name and every type of it stands there, too."""
    (file,) = ALERTS.glob("GetAlertSubscriptionLocation*.json")
    body = json.loads(file.read_text())["responses"]["200"]["body"]
    ours = a_sample().listed("Active")
    assert kinds_of(ours).items() <= kinds_of(body).items()
    properties: Any = ours["properties"]
    assert kinds_of(properties).items() <= kinds_of(body["properties"]).items()
    assert properties["status"] == body["properties"]["status"]


def test_what_is_exported_has_the_shape_of_a_sample_that_was_recorded() -> None:
    """With the marks of a sample that Defender alone sets, as the demo's has them, which was made after a recording."""
    recorded = next(
        body
        for line in EXPORTED.read_text().splitlines()
        if "SIMULATED_" in (body := json.loads(line)).get("AlertType", "")
    )
    ours = json.loads(a_sample().exported())
    assert ours.keys() == recorded.keys()
    assert kinds_of(ours) == kinds_of(recorded)
