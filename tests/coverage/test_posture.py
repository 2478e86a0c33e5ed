"""Foundational CSPM: known to be on, or not known."""

from __future__ import annotations

import pytest

from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage.builders import SUBSCRIPTION, Json, expecting_plans, judged, pricing, verdict


@pytest.mark.parametrize(
    ("documents", "is_known_on"),
    [
        ([pricing("SqlServers")], False),
        ([pricing("SqlServers"), pricing("FoundationalCspm")], True),
        ([pricing("SqlServers"), pricing("Discovery")], True),
        ([pricing("SqlServers"), pricing("CloudPosture")], True),
        ([pricing("SqlServers"), pricing("FoundationalCspm", "Free")], False),
        ([pricing("SqlServers"), pricing("FoundationalCspm", "Free"), pricing("CloudPosture")], True),
        ([pricing("SqlServers"), pricing("FoundationalCspm", "Free"), pricing("FoundationalCspm")], False),
    ],
)
def test_posture_is_known_on_where_a_plan_of_posture_is_on(documents: list[Json], is_known_on: bool) -> None:
    """It fails the gate only where the manifest expects it, and is never said to be off."""
    (posture,) = judged(documents).posture
    assert posture.is_known_on is is_known_on
    is_said_off = not is_known_on and any(one["properties"] == {"pricingTier": "Free"} for one in documents)
    assert ("Free is what the answer says" in posture.reason) is is_said_off
    plans = {"SqlServers": None}
    silent = judged(documents, manifest=expecting_plans(plans))
    assert verdict(silent, SUBSCRIPTION, Rung.PLAN).state is CoverageState.COVERED
    asked = verdict(judged(documents, manifest=expecting_plans(plans, expects_posture=True)), SUBSCRIPTION, Rung.PLAN)
    assert asked.state is (CoverageState.COVERED if is_known_on else CoverageState.UNKNOWN)
