"""Defender exports alerts to one hub and posture to the other, and nothing is left out unasked."""

from __future__ import annotations

from typing import Any

from infra.variants import SUBSCRIPTION
from tests.infra.predicted import Deployment
from tests.infra.variants import deployed

EXPORTS = "Microsoft.Security/automations"


def exports(azure: Deployment) -> dict[str, Any]:
    """The properties of each export by its stream."""
    return {one.name.rpartition("-")[2]: one.properties for one in azure.of(EXPORTS)}


def sources(azure: Deployment, stream: str) -> set[str]:
    """What a stream's export sends."""
    return {source["eventSource"] for source in exports(azure)[stream]["sources"]}


def test_alerts_go_to_one_hub_and_posture_to_the_other(azure: Deployment) -> None:
    """The two streams are apart from the source on."""
    hubs = {one.name.rpartition("/")[2]: one.id for one in azure.of("Microsoft.EventHub/namespaces/eventhubs")}
    for stream, found in exports(azure).items():
        assert [action["eventHubResourceId"] for action in found["actions"]] == [hubs[stream]]
        assert found["scopes"][0]["scopePath"] == f"/subscriptions/{SUBSCRIPTION}"
    assert sources(azure, "cwpp") == {"Alerts"}
    assert "Alerts" not in sources(azure, "cspm")


def test_every_finding_comes_with_its_recommendation_and_every_snapshot_with_its_stream(azure: Deployment) -> None:
    """A finding without its parent cannot be read; a snapshot without the stream would be a week late."""
    sent = sources(azure, "cspm")
    streams = {name for name in sent if not name.endswith("Snapshot")}
    assert streams == {
        "Assessments",
        "SubAssessments",
        "SecureScores",
        "SecureScoreControls",
        "RegulatoryComplianceAssessment",
        "AttackPaths",
    }
    assert sent - streams == {f"{name}Snapshot" for name in streams}


def test_all_severities_are_exported_unless_somebody_chose(azure: Deployment) -> None:
    """What is dropped at the source is on no record; a choice makes one alternative of each severity."""
    assert exports(azure)["cwpp"]["sources"][0]["ruleSets"] == []
    (chosen,) = exports(deployed("several-subscriptions"))["cwpp"]["sources"]
    assert [[rule["expectedValue"] for rule in one["rules"]] for one in chosen["ruleSets"]] == [["High"], ["Medium"]]
    assert {rule["propertyJPath"] for one in chosen["ruleSets"] for rule in one["rules"]} == {"Severity"}


def test_defender_sends_as_a_trusted_service_without_a_key(azure: Deployment) -> None:
    """The hubs know no keys, so an export with a connection string would never arrive."""
    for found in exports(azure).values():
        assert found["isEnabled"] is True
        (action,) = found["actions"]
        assert action["isTrustedServiceEnabled"] is True
        assert "connectionString" not in action


def test_every_subscription_exports_the_same_into_the_same_hubs() -> None:
    """The deployment's own and each that it is told of: attack paths included, and by the same choice of severities."""
    several = deployed("several-subscriptions")
    by_subscription: dict[str, list[Any]] = {}
    for one in several.of(EXPORTS):
        by_subscription.setdefault(one.id.split("/")[2], []).append(
            (one.name, one.properties["sources"], one.properties["actions"])
        )
        assert one.properties["scopes"][0]["scopePath"] == f"/subscriptions/{one.id.split('/')[2]}"
    own = by_subscription.pop(SUBSCRIPTION)
    assert len(by_subscription) == 2
    assert all(found == own for found in by_subscription.values())
    assert "AttackPathsSnapshot" in sources(several, "cspm")
