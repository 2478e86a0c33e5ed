"""Posture messages of 2026 and rows of other products through `run`, from a file to a file; all of them are constructed."""

from __future__ import annotations

from tests.cli.house import House, column, ndjson
from tests.constructed.posture import (
    a_broken_rule,
    a_compliance_category,
    a_risk,
    a_software_update,
    an_exposed_secret,
    an_exposure_path,
    an_image_update,
)
from tests.parse.messages import a_table_row

NOW = "2026-11-24T12:00:00Z"


def test_individual_recommendations_are_told_once_and_their_changes_as_updates(house: House) -> None:
    """Each is routed with what it says; the same again is a repeat; another list of CVEs or level of risk is an update."""
    messages = [a_software_update(), an_image_update(), a_broken_rule(), an_exposed_secret(), an_exposure_path()]
    house.writes("week1.ndjson", ndjson(*messages, a_compliance_category()))
    first = house.routes("--now", NOW, "week1.ndjson")
    assert column(first, "outcome") == ["routed"] * 5 + ["noted"]
    update, image, rule, secret, path = house.lines("backlog.ndjson")
    assert (update["package"]["name"], update["package"]["fixed"]) == ("lodash", "4.17.21")
    assert update["cves"] == ["CVE-2026-1001", "CVE-2026-1002"]
    assert (image["image"]["repository"], image["risk"]["level"]) == ("shop/web", "Critical")
    assert (rule["rule"]["id"], secret["scanner"]) == ("VA1059", "MDC secret scanner")
    assert (path["resource"], [one["id"] for one in path["tactics"]]) == ("kv-target", ["TA0001", "TA0006"])

    changed = [a_software_update(["CVE-2026-1002", "CVE-2026-1001"]), an_image_update(risk=a_risk(level="High"))]
    house.writes("week2.ndjson", ndjson(*changed, a_software_update(["CVE-2026-1001"])))
    second = house.routes("--now", NOW, "week2.ndjson")
    assert column(second, "outcome") == ["repeat", "routed", "routed"]
    assert [line["change"] for line in house.lines("backlog.ndjson")[5:]] == ["updated", "updated"]


def test_another_products_row_is_kept_with_its_name(house: House) -> None:
    """`quarantine list` says whose it is, and its neighbour is routed."""
    rows = [a_table_row(ProductName="Azure Sentinel", ProviderName="ASI Scheduled Alerts"), a_table_row()]
    house.writes("rows.ndjson", ndjson(*rows))
    decisions = house.routes("--now", NOW, "--state", "state", "rows.ndjson")
    assert column(decisions, "outcome") == ["quarantined", "routed"]
    assert "an alert of Microsoft Sentinel" in house.says("quarantine", "list", "--state", "state").out
